// Chunk checksums of either polynomial that a replica may be stored with: CRC32C, ours, or CRC32, which some writers choose.
import { crc32 } from 'node:zlib'
import { chunkChecksums, firstBadChunk } from '../common/checksum.ts'
import { QuarryError } from '../common/errors.ts'
import { ChecksumType } from '../proto/ports.ts'
import type { ChecksumSpec } from '../proto/ports.ts'

/** The index of the first chunk of `data` that does not match, or -1. `data` begins on a chunk; its last chunk may be short. */
export function firstMismatch(spec: ChecksumSpec, data: Uint8Array, checksums: Uint8Array): number {
  switch (spec.type) {
    case ChecksumType.CHECKSUM_NULL:
      return -1
    case ChecksumType.CHECKSUM_CRC32C:
      return checksums.length < checksumBytes(spec, data.length) ? 0 : firstBadChunk(data, checksums, spec.bytesPerChunk)
    case ChecksumType.CHECKSUM_CRC32:
      return firstBadCrc32(data, checksums, spec.bytesPerChunk)
    default:
      throw new QuarryError('UNSUPPORTED', `Checksum type ${String(spec.type)} is not known to this client.`)
  }
}

/** Bytes of the checksums of `length` bytes of data. */
export function checksumBytes(spec: ChecksumSpec, length: number): number {
  return spec.type === ChecksumType.CHECKSUM_NULL ? 0 : Math.ceil(length / spec.bytesPerChunk) * 4
}

/** The checksums of `data`, which begins on a chunk, or lies within one. */
export function checksumsOf(spec: ChecksumSpec, data: Uint8Array): Uint8Array {
  if (spec.type === ChecksumType.CHECKSUM_CRC32C) return chunkChecksums(data, spec.bytesPerChunk)
  const out = Buffer.allocUnsafe(checksumBytes(spec, data.length))
  for (let i = 0; i * 4 < out.length; i++)
    out.writeUInt32BE(crc32(data.subarray(i * spec.bytesPerChunk, (i + 1) * spec.bytesPerChunk)), i * 4)
  return out
}

function firstBadCrc32(data: Uint8Array, checksums: Uint8Array, bytesPerChunk: number): number {
  const view = new DataView(checksums.buffer, checksums.byteOffset, checksums.byteLength)
  for (let i = 0; i * bytesPerChunk < data.length; i++) {
    if (i * 4 + 4 > checksums.length) return i
    if (crc32(data.subarray(i * bytesPerChunk, (i + 1) * bytesPerChunk)) !== view.getUint32(i * 4)) return i
  }
  return -1
}
