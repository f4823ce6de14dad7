// Where a block can be read and where it is being written, best places first.
import { ReplicaState } from '../../../proto/ports.ts'
import type { BlockRecord, ReportedReplica } from '../model.ts'
import type { BlockLayer } from './block-layer.ts'
import type { Storage } from './datanode.ts'

/**
 * Where a committed block can be read: good replicas, else unfinished ones of the same stamp, else corrupt ones. Nodes in maintenance
 * may go away at any moment: they are named only where there is no other place.
 */
export function readablePlaces(layer: BlockLayer, block: BlockRecord): Storage[] {
  const { replicas, nodes } = layer
  const good: Storage[] = []
  const leaving: Storage[] = []
  const resting: Storage[] = []
  const late: Storage[] = []
  const corrupt: Storage[] = []
  for (let slot = replicas.first(block.blockId); slot !== -1; slot = replicas.next(slot)) {
    const storage = nodes.storage(replicas.storage(slot))
    if (!layer.isThere(slot)) continue
    if (replicas.isCorrupt(slot)) corrupt.push(storage)
    else if (!layer.isGood(slot, block)) {
      if (replicas.genstamp(slot) === block.genstamp) late.push(storage)
    } else if (storage.node.admin === 'in-maintenance') resting.push(storage)
    else if (replicas.isExcess(slot)) leaving.push(storage)
    else good.push(storage)
  }
  return [good, leaving, resting, late, corrupt].find((storages) => storages.length > 0) ?? []
}

/** Where a block under construction is being written: its pipeline, else (after a restart) what datanodes reported. */
export function writtenPlaces(layer: BlockLayer, block: BlockRecord): Storage[] {
  const { open, nodes, replicas } = layer
  const pipeline = open.get(block.blockId)
  if (pipeline) {
    return pipeline.targets.flatMap((target) => {
      const storage = nodes.storageOf(target.datanode?.uuid ?? '', target.storageUuid)
      return storage && storage.node.state !== 'dead' && !storage.failed ? [storage] : []
    })
  }
  const storages: Storage[] = []
  for (let slot = replicas.first(block.blockId); slot !== -1; slot = replicas.next(slot)) {
    if (layer.isThere(slot) && !replicas.isCorrupt(slot) && replicas.genstamp(slot) >= block.genstamp)
      storages.push(nodes.storage(replicas.storage(slot)))
  }
  return storages
}

/** Every replica that a node which is not dead has reported, or is writing: what lease recovery decides by. */
export function reportedReplicas(layer: BlockLayer, blockId: number): ReportedReplica[] {
  const { replicas, nodes, open, view } = layer
  // A datanode tells of a replica when its writing begins and ends. What lies between may have any number of bytes: it counts
  // as holding some, and block recovery asks the datanode itself.
  const unfinished = Math.max(1, view.block(blockId)?.length ?? 0)
  const out: ReportedReplica[] = []
  for (let slot = replicas.first(blockId); slot !== -1; slot = replicas.next(slot)) {
    const storage = nodes.storage(replicas.storage(slot))
    if (!layer.isThere(slot) || replicas.isCorrupt(slot)) continue
    const finalised = replicas.state(slot) === ReplicaState.REPLICA_FINALIZED
    out.push({
      datanodeUuid: storage.node.id.uuid,
      storageUuid: storage.uuid,
      finalised,
      genstamp: replicas.genstamp(slot),
      length: finalised ? replicas.length(slot) : Math.max(unfinished, replicas.length(slot)),
    })
  }
  for (const target of open.get(blockId)?.targets ?? []) {
    const uuid = target.datanode?.uuid ?? ''
    const node = nodes.get(uuid)
    if (!node || node.state === 'dead' || out.some((replica) => replica.datanodeUuid === uuid)) continue
    out.push({
      datanodeUuid: uuid,
      storageUuid: target.storageUuid,
      finalised: false,
      genstamp: view.block(blockId)?.genstamp ?? 0,
      length: unfinished,
    })
  }
  return out
}
