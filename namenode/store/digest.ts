// SHA-256 for the namespace checksum and for files.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Digest } from '../core/namespace-checksum.ts'

/** Text gathered before it is hashed: the call costs more than the hashing of a line. */
const gatherChars = 64 * 1024

export function sha256(): Digest {
  const hash = createHash('sha256')
  let gathered = ''
  return {
    update(text) {
      gathered += text
      if (gathered.length < gatherChars) return
      hash.update(gathered)
      gathered = ''
    },
    hex: () => hash.update(gathered).digest('hex'),
  }
}

/** Of a file's bytes, in hex. */
export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of createReadStream(file, { highWaterMark: 1024 * 1024 })) hash.update(part as Buffer)
  return hash.digest('hex')
}
