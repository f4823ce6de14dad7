// The checksum file beside each block file.
//
//   0   4 bytes  "QCRC"
//   4   u16      version, 1
//   6   u8       checksum type (ChecksumType of the wire)
//   7   u8       0
//   8   u32      bytes per chunk
//   12  u32      CRC32C of the twelve bytes before
//   16  4 bytes big-endian for every chunk of the block; the last chunk may be short
import zlib from 'node:zlib'
import { carriedChunkMax, crc32c, firstBadChunk, joinedChecksum } from '../../common/checksum.ts'
import { QuarryError } from '../../common/errors.ts'
import { ChecksumType } from '../../proto/ports.ts'
import type { Checksummer } from '../core/packet-receiver.ts'

export const headerBytes = 16
const magic = 0x51435243
const version = 1

/** zlib's polynomial, as Hadoop's CRC32; Node has it natively from 20.15. */
const crc32 = (data: Uint8Array, seed = 0): number => zlib.crc32(data, seed)

/** Bytes per chunk that a writer may choose: HDFS allows any; these bounds keep packets and tails reasonable. */
const bytesPerChunkMax = 1024 * 1024

export function checksummer(type: number, bytesPerChunk: number): Checksummer {
  if (!Number.isInteger(bytesPerChunk) || bytesPerChunk < 1 || bytesPerChunk > bytesPerChunkMax) {
    throw new QuarryError('INVALID_ARGUMENT', `${bytesPerChunk} bytes per checksum is not possible: take 1 to ${bytesPerChunkMax}.`)
  }
  switch (type) {
    case ChecksumType.CHECKSUM_CRC32C:
      return { type, bytesPerChunk, crc: crc32c, joined: bytesPerChunk <= carriedChunkMax ? joinedChecksum : undefined }
    case ChecksumType.CHECKSUM_CRC32:
      return { type, bytesPerChunk, crc: crc32 }
    case ChecksumType.CHECKSUM_NULL:
      return { type, bytesPerChunk, crc: undefined }
    default:
      throw new QuarryError('UNSUPPORTED', `Checksum type ${type} is not known here.`)
  }
}

export function encodeHeader(sum: Checksummer): Buffer {
  const out = Buffer.alloc(headerBytes)
  out.writeUInt32BE(magic, 0)
  out.writeUInt16BE(version, 4)
  out.writeUInt8(sum.type, 6)
  out.writeUInt32BE(sum.bytesPerChunk, 8)
  out.writeUInt32BE(crc32c(out.subarray(0, 12)), 12)
  return out
}

/** The header of a checksum file; undefined when it is not one (torn, or damaged). */
export function decodeHeader(bytes: Buffer): Checksummer | undefined {
  if (bytes.length < headerBytes || bytes.readUInt32BE(0) !== magic || bytes.readUInt32BE(12) !== crc32c(bytes.subarray(0, 12)))
    return undefined
  if (bytes.readUInt16BE(4) !== version) {
    throw new QuarryError('VERSION', `A checksum file has format ${bytes.readUInt16BE(4)}; this program knows ${version}.`)
  }
  return checksummer(bytes.readUInt8(6), bytes.readUInt32BE(8))
}

/** Chunks of a block of `length` bytes. */
export function chunkCount(length: number, bytesPerChunk: number): number {
  return Math.ceil(length / bytesPerChunk)
}

/** Bytes of the checksum file of a block of `length` bytes. */
export function checksumFileBytes(length: number, sum: Checksummer): number {
  return headerBytes + (sum.crc === undefined ? 0 : chunkCount(length, sum.bytesPerChunk) * 4)
}

/** The first chunk of `data` whose checksum differs from the stored one, or -1. `data` begins on a chunk. */
export function firstBadOf({ type, bytesPerChunk, crc }: Checksummer, data: Uint8Array, sums: Buffer): number {
  if (crc === undefined) return -1
  if (type === ChecksumType.CHECKSUM_CRC32C) return firstBadChunk(data, sums, bytesPerChunk)
  for (let from = 0, i = 0; from < data.length; from += bytesPerChunk, i++) {
    if (crc(data.subarray(from, Math.min(data.length, from + bytesPerChunk))) !== sums.readUInt32BE(i * 4)) return i
  }
  return -1
}
