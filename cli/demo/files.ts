// The two files of the demo: real data that ships with an npm package, and a generated one of several blocks.
import { createCipheriv, createHash } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { QuarryError } from '../../common/errors.ts'

export interface LocalFile {
  readonly path: string
  readonly length: number
  readonly sha256: string
}

const pieceBytes = 4 * 2 ** 20

/** `given`, else flights-3m.parquet of the package vega-datasets: 3,000,000 flights. Throws NOT_FOUND with what to install. */
export async function flightsFile(given?: string): Promise<LocalFile> {
  const file = given ?? path.join(vegaDatasetsDir(), 'data', 'flights-3m.parquet')
  const bytes = await readFile(file)
  return { path: file, length: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

function vegaDatasetsDir(): string {
  const require = createRequire(import.meta.url)
  try {
    // Its entry is build/index.js; package.json itself is not exported.
    return path.dirname(path.dirname(require.resolve('vega-datasets')))
  } catch (error) {
    throw new QuarryError(
      'NOT_FOUND',
      'the package vega-datasets is not installed: npm install vega-datasets, or give a file with --flights',
      {},
      { cause: error },
    )
  }
}

/** Writes `length` bytes, always the same ones: the key stream of a cipher, which is fast and does not compress. */
export async function generateFile(target: string, length: number, onProgress: (done: number) => void): Promise<LocalFile> {
  const stream = createCipheriv('aes-128-ctr', Buffer.from('quarry demo key!'), Buffer.alloc(16))
  const hash = createHash('sha256')
  const zeros = Buffer.alloc(pieceBytes)
  const handle = await open(target, 'w')
  try {
    for (let done = 0; done < length;) {
      const piece = stream.update(zeros.subarray(0, Math.min(pieceBytes, length - done)))
      hash.update(piece)
      await handle.write(piece)
      onProgress((done += piece.length))
    }
  } finally {
    await handle.close()
  }
  return { path: target, length, sha256: hash.digest('hex') }
}
