// The checksum of a whole replica, from its stored chunk checksums: what distcp and `-checksum` compare. HDFS calls it
// MD5-of-CRC: the MD5 over the bytes of the chunk checksums.
import { createHash } from 'node:crypto'
import { QuarryError } from '../../common/errors.ts'
import type { BlockChecksumReply, ChecksumType, Init } from '../../proto/ports.ts'
import type { ReplicaId } from '../core/replica.ts'
import { chunkCount } from './checksum-file.ts'
import { ReplicaReader } from './replica-reader.ts'
import type { ReplicaStore } from './replica-store.ts'

const readBytes = 256 * 1024

/** Over the first `block.length` bytes when that is shorter than the replica; 0 = the whole replica. */
export async function blockChecksum(
  store: ReplicaStore,
  block: ReplicaId & { readonly length: number },
): Promise<Init<BlockChecksumReply>> {
  const reader = await ReplicaReader.open(store, block)
  try {
    const { bytesPerChunk, type, crc } = reader.sum
    const length = block.length > 0 ? Math.min(block.length, reader.length) : reader.length
    const chunks = crc === undefined ? 0 : chunkCount(length, bytesPerChunk)
    const md5 = createHash('md5')
    const buffer = Buffer.allocUnsafe(Math.min(readBytes, Math.max(4, chunks * 4)))
    // A last chunk that the replica has in full, but the asked length only in part, needs its checksum computed.
    const partial = crc !== undefined && length % bytesPerChunk !== 0 && length < reader.length
    const stored = partial ? chunks - 1 : chunks
    for (let chunk = 0; chunk < stored;) {
      const wanted = Math.min(buffer.length, (stored - chunk) * 4)
      const got = await reader.readChecksums(chunk, buffer, wanted)
      if (got !== wanted)
        throw new QuarryError('CHECKSUM', `The checksum file of block ${block.blockId} is too short.`, { blockId: block.blockId })
      md5.update(buffer.subarray(0, got))
      chunk += got / 4
    }
    if (partial && crc !== undefined) {
      const rest = Buffer.allocUnsafe(length % bytesPerChunk)
      await reader.readData(length - rest.length, rest.length, rest)
      const last = Buffer.allocUnsafe(4)
      last.writeUInt32BE(crc(rest))
      md5.update(last)
    }
    return { checksum: { type: type as ChecksumType, bytesPerChunk }, chunks, md5: md5.digest() }
  } finally {
    await reader.close()
  }
}
