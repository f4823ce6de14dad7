// The two files of the demo: real data that ships with an npm package, and a generated one of several blocks.
import { createCipheriv, createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'

export interface LocalFile {
  readonly path: string
  readonly length: number
  readonly sha256: string
}

const pieceBytes = 4 * 2 ** 20

/** flights-3m.parquet of vega-datasets: 3,000,000 flights. */
export async function flightsFile(): Promise<LocalFile> {
  const manifest = createRequire(import.meta.url).resolve('vega-datasets/package.json')
  const file = path.join(path.dirname(manifest), 'data', 'flights-3m.parquet')
  if (!existsSync(file)) throw new Error(`${file} is missing; run npm install with its development packages`)
  const bytes = await readFile(file)
  return { path: file, length: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
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
