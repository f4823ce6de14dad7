// What the store knows of one replica, and who hears when that changes.
import { ReplicaState } from '../../proto/ports.ts'
import type { ReplicaId } from '../core/replica.ts'
import type { FileReplicaWriter } from './replica-writer.ts'
import type { StorageDirectory } from './storage-directory.ts'

export interface ReplicaRecord {
  readonly blockId: number
  genstamp: number
  state: ReplicaState
  /** Bytes in the data file. */
  length: number
  /** Bytes that readers may see. */
  visible: number
  readonly storage: StorageDirectory
  writer: FileReplicaWriter | undefined
  /** Id of the block recovery under way; 0 = none. Until it is finished, or another begins, nobody writes the replica. */
  recoveryId: number
  /** When that recovery began (monotonic ms). */
  recoveryMs: number
}

/** Who hears of changes; the session with the namenode. */
export interface ReplicaListener {
  received(replica: ReplicaRecord): void
  receiving(replica: ReplicaRecord): void
  deleted(replica: ReplicaRecord): void
}

export function newRecord(
  storage: StorageDirectory,
  id: ReplicaId,
  found: { readonly state: ReplicaState; readonly length: number },
): ReplicaRecord {
  const { state, length } = found
  return {
    blockId: id.blockId,
    genstamp: id.genstamp,
    state,
    length,
    visible: length,
    storage,
    writer: undefined,
    recoveryId: 0,
    recoveryMs: 0,
  }
}

/** A recovery without an end for this long was given up by its primary, which waits 20 s for each of its two steps. */
const recoveryLostMs = 300_000

/** What a block report says of the replica: under recovery while one may be going on. */
export function reportedState(replica: ReplicaRecord, nowMs: number): ReplicaState {
  return replica.recoveryId !== 0 && nowMs - replica.recoveryMs < recoveryLostMs ? ReplicaState.REPLICA_RUR : replica.state
}
