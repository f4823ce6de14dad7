// Where a block can be read and where it is being written, best places first.
import type { BlockRecord } from '../model.ts'
import type { BlockLayer } from './block-layer.ts'
import type { Storage } from './datanode-table.ts'

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
