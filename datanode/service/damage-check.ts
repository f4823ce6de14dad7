// A finished replica is looked at before others come to depend on it. An append makes the replicas of its pipeline the only ones that
// count, and so does a block recovery: what was not reachable at that moment is stale afterwards and is deleted. Were the one that is
// left damaged, the last good copy would go with the stale ones.
import { QuarryError } from '../../common/errors.ts'
import { ReplicaState } from '../../proto/ports.ts'
import type { ReplicaStore } from '../store/replica-store.ts'
import { verifyReplica } from '../store/verify.ts'

/** What a writer waits for before its append begins. A whole block of 128 MiB is read in a tenth of a second, or one or two from a disk. */
export const appendCheckMs = 5_000
/** Well below what the primary of a recovery gives a location to answer. */
export const recoveryCheckMs = 2_000

/**
 * Throws CHECKSUM when a finalised replica of the block does not match its checksums, and lets the scanner report it. A disk that
 * takes longer than `withinMs` to tell is trusted, as every disk was before.
 */
export async function refuseDamaged(store: ReplicaStore, blockId: number, withinMs: number): Promise<void> {
  const record = store.get(blockId)
  if (record === undefined || record.state !== ReplicaState.REPLICA_FINALIZED) return
  const { genstamp } = record
  const stop = new AbortController()
  const late = store.clock.sleep(withinMs, stop.signal).then(
    () => undefined,
    () => undefined,
  )
  const checking = verifyReplica(store, { blockId, genstamp })
  checking.catch(() => {})
  try {
    const verdict = await Promise.race([checking, late])
    if (verdict === undefined || verdict.ok) return
    store.onSuspect(record)
    throw new QuarryError(
      'CHECKSUM',
      `The replica of block ${blockId} on datanode ${store.datanodeUuid} is damaged (${verdict.reason}): other replicas must go on without it.`,
      { blockId },
    )
  } finally {
    stop.abort()
  }
}
