// The bytes of a file of the workload: a key stream chosen by the file's number. Any prefix can be made again without the file, so
// what a cluster gives back is compared with what was written, whatever length a crash left.
import { createCipheriv, createHash } from 'node:crypto'

const blockBytes = 16

/** Bytes [start, end) of the file with this number. */
export function contentOf(file: number, start: number, end: number): Buffer {
  const key = createHash('sha256').update(`chaos ${file}`).digest().subarray(0, blockBytes)
  const counter = Buffer.alloc(blockBytes)
  counter.writeBigUInt64BE(BigInt(Math.floor(start / blockBytes)), 8)
  const skip = start % blockBytes
  return createCipheriv('aes-128-ctr', key, counter)
    .update(Buffer.alloc(skip + end - start))
    .subarray(skip)
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** sha256 of the first `length` bytes. */
export function hashOf(file: number, length: number): string {
  return sha256(contentOf(file, 0, length))
}
