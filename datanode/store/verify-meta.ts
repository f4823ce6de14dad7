// Checks one block file against its checksum file, wherever the two lie: for an operator with a pair of files in hand.
import { QuarryError } from '../../common/errors.ts'
import { ChecksumType } from '../../proto/ports.ts'
import type { Checksummer } from '../core/packet-receiver.ts'
import { packetDataBytes } from '../core/read-plan.ts'
import { chunkCount, decodeHeader, firstBadOf, headerBytes } from './checksum-file.ts'
import type { Disk } from './disk.ts'
import { RealDisk } from './real-disk.ts'

export interface MetaVerdict {
  /** As HDFS names them. */
  readonly type: 'NULL' | 'CRC32' | 'CRC32C'
  readonly bytesPerChunk: number
  readonly ok: boolean
  /** Index of the first chunk that does not match; absent when all do, and when the two files do not belong together at all. */
  readonly firstBadChunk?: number
  /** For people: what was found. */
  readonly message: string
}

const typeNames = {
  [ChecksumType.CHECKSUM_NULL]: 'NULL',
  [ChecksumType.CHECKSUM_CRC32]: 'CRC32',
  [ChecksumType.CHECKSUM_CRC32C]: 'CRC32C',
} as const
const readBytes = 1024 * 1024

/**
 * Without `block` only the header is looked at. Throws CHECKSUM when `meta` is no checksum file, NOT_FOUND when a file is missing; bytes
 * that do not match are an answer.
 */
export async function verifyMetaFile(
  files: { readonly meta: string; readonly block?: string | undefined },
  disk: Disk = new RealDisk(),
): Promise<MetaVerdict> {
  const meta = await openNamed(disk, files.meta)
  try {
    const sum = await readHeader(disk, meta, files.meta)
    const found = { type: typeNames[sum.type as ChecksumType], bytesPerChunk: sum.bytesPerChunk }
    if (files.block === undefined) return { ...found, ok: true, message: `The header of ${files.meta} is whole.` }
    const data = await openNamed(disk, files.block)
    try {
      return { ...found, ...(await compare(disk, { meta, data, name: files.block }, sum)) }
    } finally {
      await disk.close(data)
    }
  } finally {
    await disk.close(meta)
  }
}

async function openNamed(disk: Disk, path: string): Promise<number> {
  try {
    return await disk.open(path, 'r')
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    throw new QuarryError(
      missing ? 'NOT_FOUND' : 'CONFIG',
      `${path} cannot be opened: ${(error as Error).message}`,
      { path },
      { cause: error },
    )
  }
}

async function readHeader(disk: Disk, meta: number, path: string): Promise<Checksummer> {
  const header = Buffer.alloc(headerBytes)
  let got: number
  try {
    got = await disk.read(meta, header, 0, headerBytes, 0)
  } catch (error) {
    throw new QuarryError('CONFIG', `${path} cannot be read: ${(error as Error).message}`, { path }, { cause: error })
  }
  const sum = decodeHeader(header.subarray(0, got))
  if (sum === undefined)
    throw new QuarryError(
      'CHECKSUM',
      `${path} is no checksum file of a block, or its header is damaged. Name the file blk_ID_STAMP.meta.`,
      {
        path,
      },
    )
  return sum
}

async function compare(
  disk: Disk,
  files: { readonly meta: number; readonly data: number; readonly name: string },
  sum: Checksummer,
): Promise<{ ok: boolean; firstBadChunk?: number; message: string }> {
  const { bytesPerChunk, crc } = sum
  const [size, metaSize] = [await disk.size(files.data), await disk.size(files.meta)]
  if (crc === undefined) return { ok: true, message: `The block has no checksums: nothing of ${files.name} can be checked.` }
  const stored = Math.floor((metaSize - headerBytes) / 4)
  const step = packetDataBytes(bytesPerChunk, readBytes)
  const data = Buffer.allocUnsafe(step)
  const sums = Buffer.allocUnsafe(chunkCount(step, bytesPerChunk) * 4)
  for (let offset = 0; offset < size; offset += step) {
    const length = Math.min(step, size - offset)
    const chunk = offset / bytesPerChunk
    const chunks = Math.min(chunkCount(length, bytesPerChunk), Math.max(0, stored - chunk))
    await disk.read(files.data, data, 0, length, offset)
    await disk.read(files.meta, sums, 0, chunks * 4, headerBytes + chunk * 4)
    const covered = data.subarray(0, Math.min(length, chunks * bytesPerChunk))
    const bad = firstBadOf(sum, covered, sums)
    if (bad >= 0) {
      const from = bad * bytesPerChunk
      const computed = crc(covered.subarray(from, Math.min(covered.length, from + bytesPerChunk)))
      return {
        ok: false,
        firstBadChunk: chunk + bad,
        message: mismatch(sum, files.name, offset + from, sums.readUInt32BE(bad * 4), computed),
      }
    }
    if (covered.length < length)
      return {
        ok: false,
        firstBadChunk: stored,
        message: `The checksum file ends after ${stored} chunks, but ${files.name} has ${chunkCount(size, bytesPerChunk)}.`,
      }
  }
  if (stored > chunkCount(size, bytesPerChunk))
    return {
      ok: false,
      message: `The checksum file has checksums of ${stored} chunks, but ${files.name} has only ${chunkCount(size, bytesPerChunk)}.`,
    }
  return { ok: true, message: `Checksum verification succeeded on block file ${files.name}` }
}

/** The text of Hadoop's NativeCrc32. */
function mismatch(sum: Checksummer, file: string, position: number, expected: number, computed: number): string {
  const hex = (value: number) => value.toString(16).toUpperCase()
  return `Checksum ${typeNames[sum.type as ChecksumType]} not matched for file ${file} at position ${position}: expected=${hex(expected)} but computed=${hex(computed)}`
}
