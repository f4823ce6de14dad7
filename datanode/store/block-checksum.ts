// Checksums of a whole replica, from its stored chunk checksums: what distcp and `-checksum` compare. HDFS has two: the MD5 over the
// bytes of the chunk checksums (MD5-of-CRC), and one CRC composed of them, which does not depend on the size of chunks.
import { createHash } from 'node:crypto'
import { CrcComposer } from '../../common/crc-composer.ts'
import { QuarryError } from '../../common/errors.ts'
import { ChecksumType } from '../../proto/ports.ts'
import type { BlockChecksumReply, ChecksumSpec, Init } from '../../proto/ports.ts'
import type { ReplicaId } from '../core/replica.ts'
import { chunkCount } from './checksum-file.ts'
import { ReplicaReader } from './replica-reader.ts'
import type { ReplicaStore } from './replica-store.ts'

const readBytes = 256 * 1024

type BlockRange = ReplicaId & { readonly length: number }

/** Over the first `block.length` bytes when that is shorter than the replica; 0 = the whole replica. */
export async function blockChecksum(store: ReplicaStore, block: BlockRange): Promise<Init<BlockChecksumReply>> {
  const md5 = createHash('md5')
  const { checksum, chunks } = await eachChecksum(store, block, (sums) => void md5.update(sums))
  return { checksum, chunks, md5: md5.digest() }
}

/** The CRC of the block's bytes, 4 bytes big-endian; of a range as blockChecksum. Throws UNSUPPORTED where chunks have none. */
export async function composedChecksum(
  store: ReplicaStore,
  block: BlockRange,
): Promise<{ readonly checksum: ChecksumSpec; readonly chunks: number; readonly bytes: Buffer }> {
  let composer: CrcComposer | undefined
  const { checksum, chunks } = await eachChecksum(store, block, (sums, { type, bytesPerChunk }, lastBytes) => {
    if (type === ChecksumType.CHECKSUM_NULL) throw new QuarryError('UNSUPPORTED', `Block ${block.blockId} was written without checksums.`)
    composer ??= new CrcComposer(type === ChecksumType.CHECKSUM_CRC32C ? 'crc32c' : 'crc32')
    composer.add(sums, bytesPerChunk, lastBytes)
  })
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(composer?.value ?? 0)
  return { checksum, chunks, bytes }
}

/** Hands out all chunk checksums, some at a time, with the bytes that the last of them covers. */
async function eachChecksum(
  store: ReplicaStore,
  block: BlockRange,
  take: (sums: Buffer, checksum: ChecksumSpec, lastBytes: number) => void,
): Promise<{ readonly checksum: ChecksumSpec; readonly chunks: number }> {
  const reader = await ReplicaReader.open(store, block)
  try {
    const { bytesPerChunk, type, crc } = reader.sum
    const checksum = { type: type as ChecksumType, bytesPerChunk }
    const length = block.length > 0 ? Math.min(block.length, reader.length) : reader.length
    const chunks = crc === undefined ? 0 : chunkCount(length, bytesPerChunk)
    const buffer = Buffer.allocUnsafe(Math.min(readBytes, Math.max(4, chunks * 4)))
    const rest = length % bytesPerChunk
    // A last chunk that the replica has in full, but the asked length only in part, needs its checksum computed; so does one that a
    // writer goes on in.
    const partial = crc !== undefined && rest !== 0 && (length < reader.length || store.find(block).writer !== undefined)
    const stored = partial ? chunks - 1 : chunks
    for (let chunk = 0; chunk < stored;) {
      const wanted = Math.min(buffer.length, (stored - chunk) * 4)
      const got = await reader.readChecksums(chunk, buffer, wanted)
      if (got !== wanted)
        throw new QuarryError('CHECKSUM', `The checksum file of block ${block.blockId} is too short.`, { blockId: block.blockId })
      chunk += got / 4
      take(buffer.subarray(0, got), checksum, chunk === chunks && rest !== 0 ? rest : bytesPerChunk)
    }
    if (partial && crc !== undefined) {
      const bytes = Buffer.allocUnsafe(rest)
      await reader.readData(length - rest, rest, bytes)
      const last = Buffer.allocUnsafe(4)
      last.writeUInt32BE(crc(bytes))
      take(last, checksum, rest)
    }
    return { checksum, chunks }
  } finally {
    await reader.close()
  }
}
