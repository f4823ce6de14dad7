// Replicas that a block's writing left behind. While a block is open, or lacks copies, its replicas are only remembered, whatever
// their state; once it is complete nobody will finish those that are not good by then. Without this they would lie on their
// datanodes until the next full report, which is hours away, or for ever.
import { ReplicaState } from '../../../proto/ports.ts'
import type { BlockRecord } from '../model.ts'
import type { BlockLayer } from './block-layer.ts'

/**
 * Of a block that is complete: unfinished replicas on nodes from which nothing is expected any more, and those with an older stamp.
 * They are corrupt by the table of report-intake.ts. Slots of the replica map.
 */
export function leftovers(layer: BlockLayer, block: BlockRecord): number[] {
  const { replicas, pending } = layer
  const found: number[] = []
  let expected: readonly string[] | undefined
  for (let slot = replicas.first(block.blockId); slot !== -1; slot = replicas.next(slot)) {
    if (replicas.isExcess(slot) || replicas.isCorrupt(slot) || layer.isGood(slot, block) || !layer.isThere(slot)) continue
    if (replicas.state(slot) === ReplicaState.REPLICA_FINALIZED && replicas.genstamp(slot) >= block.genstamp) continue
    expected ??= pending.targets(block.blockId)
    if (!expected.includes(layer.nodeOf(slot).id.uuid)) found.push(slot)
  }
  return found
}

/**
 * Tells the holders again to delete the copies that were told to go before and are still there: they were reported while the block
 * was being written, when nothing is deleted. `isWritten`: a replica of the pipeline that wrote the block last.
 */
export function repeatDeletions(layer: BlockLayer, block: BlockRecord, isWritten: (slot: number) => boolean): void {
  const { replicas, invalidations } = layer
  for (let slot = replicas.first(block.blockId); slot !== -1; slot = replicas.next(slot)) {
    if (!replicas.isExcess(slot) || isWritten(slot) || !layer.isThere(slot)) continue
    invalidations.add(layer.nodeOf(slot), { blockId: block.blockId, genstamp: replicas.genstamp(slot), length: replicas.length(slot) })
  }
}
