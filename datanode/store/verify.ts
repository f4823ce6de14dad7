// Reads a whole replica against its stored checksums.
import { isQuarryError } from '../../common/errors.ts'
import type { ReplicaId } from '../core/replica.ts'
import { packetDataBytes } from '../core/read-plan.ts'
import { firstBadOf } from './checksum-file.ts'
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
      const bad = firstBadOf(reader.sum, data.subarray(0, length), sums)
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
