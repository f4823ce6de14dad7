// A replica's worth in a word, as HDFS's fsck -replicaDetails has it (NamenodeFsck.getReplicaInfo).
import { ReplicaState } from '../../../proto/ports.ts'
import type { BlockRecord } from '../model.ts'
import type { AdminState } from './admin-states.ts'
import type { BlockLayer } from './block-layer.ts'

const adminReplicaWords: Readonly<Record<Exclude<AdminState, 'in-service'>, string>> = {
  'decommissioning': 'DECOMMISSIONING',
  'decommissioned': 'DECOMMISSIONED',
  'entering-maintenance': 'ENTERING_MAINTENANCE',
  'in-maintenance': 'IN_MAINTENANCE',
}

export function isBeingWritten(block: BlockRecord): boolean {
  return block.state !== 'committed'
}

export function replicaWord(layer: BlockLayer, slot: number, block: BlockRecord): string {
  const { replicas, nodes } = layer
  const storage = nodes.storage(replicas.storage(slot))
  const { node } = storage
  if (node.admin !== 'in-service') return adminReplicaWords[node.admin]
  if (!layer.isThere(slot)) return 'DEAD'
  if (isBeingWritten(block) || replicas.state(slot) !== ReplicaState.REPLICA_FINALIZED) return 'UNDER_CONSTRUCTION'
  if (replicas.isCorrupt(slot) || !layer.isGood(slot, block)) return 'CORRUPT'
  if (replicas.isExcess(slot)) return 'EXCESS'
  if (node.state === 'stale') return 'STALE_NODE'
  return storage.contentStale ? 'STALE_BLOCK_CONTENT' : 'LIVE'
}
