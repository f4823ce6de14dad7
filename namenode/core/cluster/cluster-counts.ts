// The block layer in figures.
import type { BlockLayer } from './block-layer.ts'
import type { Redundancy } from './redundancy.ts'

export interface ClusterCounts {
  /** Blocks that lack copies, those whose copies are under way included. */
  readonly underReplicated: number
  readonly corruptBlocks: number
  readonly missingBlocks: number
  readonly missingSingle: number
  readonly pendingDeletion: number
  readonly mostUrgent: number
  readonly pendingCopies: number
  readonly postponed: number
  readonly blocksWithReplicas: number
  readonly replicas: number
  readonly replicaMapBytes: number
}

export function countsOf(layer: BlockLayer, redundancy: Redundancy): ClusterCounts {
  const { queues, corrupt, invalidations, pending, replicas } = layer
  return {
    underReplicated: queues.lowRedundancy + pending.ordered((blockId) => queues.has(blockId)),
    corruptBlocks: corrupt.size,
    missingBlocks: queues.size(4),
    missingSingle: queues.missingSingle,
    pendingDeletion: invalidations.size,
    mostUrgent: queues.size(0),
    pendingCopies: pending.size,
    postponed: redundancy.postponedCount,
    blocksWithReplicas: replicas.blocks,
    replicas: replicas.replicas,
    replicaMapBytes: replicas.memoryBytes,
  }
}
