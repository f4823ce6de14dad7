// HDFS's file checksum, MD5 of MD5s of CRCs, from what the datanodes compute over the checksums they store. No data moves.
import { createHash } from 'node:crypto'
import { must } from '../common/assert.ts'
import { QuarryError, toQuarryError } from '../common/errors.ts'
import { ChecksumType } from '../proto/ports.ts'
import type { BlockChecksumReply, LocatedBlock } from '../proto/ports.ts'
import type { DatanodeSource } from '../proto/transport/datanode-client.ts'
import type { LocatedFile } from './reader/located-file.ts'
import type { FileChecksum } from './types.ts'

const md5Bytes = 16
/** Blocks asked at the same time. */
const concurrencyMax = 8

/** One block's part of the checksum. */
export interface BlockDigest {
  readonly type: ChecksumType
  readonly bytesPerChunk: number
  readonly chunks: number
  readonly md5: Uint8Array
}

/**
 * Layout of the result: int32 bytes per CRC, int64 CRCs per block, MD5. The trap: Hadoop takes the MD5 over the *buffer* that it
 * collected the blocks' MD5s in, which begins at 32 bytes, doubles as it fills, and is zero behind them.
 */
export function combineDigests(blocks: readonly BlockDigest[]): FileChecksum {
  let bufferBytes = 2 * md5Bytes
  while (bufferBytes < blocks.length * md5Bytes) bufferBytes *= 2
  const buffer = Buffer.alloc(bufferBytes)
  blocks.forEach((block, i) => buffer.set(block.md5, i * md5Bytes))
  const first = blocks[0]
  const bytesPerCrc = first?.bytesPerChunk ?? 0
  const crcsPerBlock = blocks.length > 1 ? must(first).chunks : 0
  const bytes = Buffer.alloc(12 + md5Bytes)
  bytes.writeInt32BE(bytesPerCrc, 0)
  bytes.writeBigInt64BE(BigInt(crcsPerBlock), 4)
  createHash('md5').update(buffer).digest().copy(bytes, 12)
  const crc = first?.type === ChecksumType.CHECKSUM_CRC32C ? 'CRC32C' : 'CRC32'
  return { algorithm: `MD5-of-${crcsPerBlock}MD5-of-${bytesPerCrc}${crc}`, bytes, hex: bytes.toString('hex') }
}

export async function fileChecksum(datanodes: DatanodeSource, file: LocatedFile, signal?: AbortSignal): Promise<FileChecksum> {
  const located: LocatedBlock[] = []
  for (let position = 0; position < file.length;) {
    const block = await file.at(position, signal)
    located.push(block)
    position = block.offset + must(block.block).length
  }
  const digests = new Array<BlockDigest>(located.length)
  let next = 0
  const work = async (): Promise<void> => {
    while (next < located.length) {
      const index = next++
      digests[index] = await blockDigest(datanodes, file, located[index]!, signal)
    }
  }
  const settled = await Promise.allSettled(Array.from({ length: Math.min(concurrencyMax, located.length) }, work))
  for (const one of settled) if (one.status === 'rejected') throw one.reason
  return combineDigests(digests)
}

async function blockDigest(
  datanodes: DatanodeSource,
  file: LocatedFile,
  located: LocatedBlock,
  signal?: AbortSignal,
): Promise<BlockDigest> {
  const reasons: string[] = []
  for (const { datanode } of located.locations) {
    try {
      const reply: BlockChecksumReply = await datanodes
        .get(must(datanode))
        .blockChecksum({ poolId: file.poolId, block: located.block }, { signal })
      const { type, bytesPerChunk } = must(reply.checksum)
      return { type, bytesPerChunk, chunks: reply.chunks, md5: reply.md5 }
    } catch (error) {
      if (signal?.aborted) throw error
      reasons.push(`${must(datanode).uuid}: ${toQuarryError(error).message}`)
    }
  }
  throw new QuarryError(
    'BLOCK_MISSING',
    `No datanode can give the checksum of block ${must(located.block).blockId} of ${file.info.path}: ${reasons.join('; ') || 'no live datanode holds a replica'}`,
    { path: file.info.path },
  )
}
