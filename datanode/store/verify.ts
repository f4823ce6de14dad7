// Reads a whole replica against its stored checksums.
import { firstBadChunk } from '../../common/checksum.ts'
import { isQuarryError } from '../../common/errors.ts'
import { ChecksumType } from '../../proto/ports.ts'
import type { ReplicaId } from '../core/replica.ts'
import { packetDataBytes } from '../core/read-plan.ts'
import { ReplicaReader } from './replica-reader.ts'
import type { ReplicaStore } from './replica-store.ts'

const verifyBytes = 1024 * 1024

export type Verified =
  | { readonly ok: true; readonly length: number; readonly storageUuid: string }
  | { readonly ok: false; readonly reason: string; readonly storageUuid: string }

/** Throws REPLICA_NOT_FOUND; a damaged replica is an answer. */
export async function verifyReplica(store: ReplicaStore, id: ReplicaId): Promise<Verified> {
  const storageUuid = store.find(id).storage.uuid
  let reader: ReplicaReader
  try {
    reader = await ReplicaReader.open(store, id)
  } catch (error) {
    if (isQuarryError(error, 'CHECKSUM')) return { ok: false, reason: error.message, storageUuid }
    throw error
  }
  try {
    const { bytesPerChunk } = reader.sum
    const step = packetDataBytes(bytesPerChunk, verifyBytes)
    const data = Buffer.allocUnsafe(step)
    const sums = Buffer.allocUnsafe(Math.ceil(step / bytesPerChunk) * 4)
    for (let offset = 0; offset < reader.length; offset += step) {
      const length = Math.min(step, reader.length - offset)
      await reader.read(offset, length, data, sums)
      const bad = firstBad(reader, data.subarray(0, length), sums)
      if (bad >= 0) return { ok: false, reason: `bytes ${offset + bad * bytesPerChunk} and on do not match their checksum`, storageUuid }
    }
    return { ok: true, length: reader.length, storageUuid }
  } catch (error) {
    if (isQuarryError(error, 'CHECKSUM')) return { ok: false, reason: error.message, storageUuid }
    throw error
  } finally {
    await reader.close()
  }
}

/** The first chunk of `data` whose checksum differs, or -1. `data` begins on a chunk. */
export function firstBad(reader: ReplicaReader, data: Uint8Array, sums: Buffer): number {
  const { bytesPerChunk, crc } = reader.sum
  if (crc === undefined) return -1
  if (reader.sum.type === ChecksumType.CHECKSUM_CRC32C) return firstBadChunk(data, sums, bytesPerChunk)
  for (let from = 0, i = 0; from < data.length; from += bytesPerChunk, i++) {
    if (crc(data.subarray(from, Math.min(data.length, from + bytesPerChunk))) !== sums.readUInt32BE(i * 4)) return i
  }
  return -1
}
