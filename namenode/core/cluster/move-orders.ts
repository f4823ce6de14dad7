// What the balancer asks for, checked: nothing is moved that would make a block worse off than it is, or that is needed elsewhere first.
import type { Block, ReplicaMove } from '../../../proto/ports.ts'
import { refusesReplicas } from './admin-states.ts'
import type { BlockLayer } from './block-layer.ts'
import { requiredLive, takeCensus } from './census.ts'
import type { Datanode } from './datanode.ts'
import { nodeAddress, remainingOf } from './datanode.ts'
import { movesPerNodeMax } from './moves.ts'

/** Orders a move, or answers why not. `bandwidth` is what one node may send, in bytes a second: it says how long moves may take. */
export function orderMove(layer: BlockLayer, request: ReplicaMove, bandwidth: number): string {
  const { nodes, env, settings, moves } = layer
  const block = request.block
  if (!block) return 'the move names no block'
  if (layer.safeMode.on) return 'the namenode is in safe mode'
  const source = nodes.get(request.source)
  const target = nodes.get(request.target)
  if (!source) return `the source ${request.source} is not known`
  if (!target) return `the target ${request.target} is not known`
  const refusal = unfitNodes(layer, source, target, block.length) ?? unfitBlock(layer, block, source, target)
  if (refusal !== undefined) return refusal
  const nowMs = env.clock.monotonicMs()
  const sendingMs = ((moves.bytesFrom(source) + block.length) * 1000) / bandwidth
  moves.add({ block, source, target, sinceMs: nowMs, untilMs: nowMs + settings.copyTimeoutMs + sendingMs, arrived: false })
  const storage = target.storages
    .filter((one) => !one.failed && one.remaining >= block.length)
    .reduce((best, one) => (one.remaining > best.remaining ? one : best))
  target.scheduled++
  source.link?.send({
    replicate: {
      block: { blockId: block.blockId, genstamp: block.genstamp, length: block.length },
      targets: [storage.location],
      balancing: true,
    },
  })
  return ''
}

function unfitNodes(layer: BlockLayer, source: Datanode, target: Datanode, bytes: number): string | undefined {
  if (source === target) return 'source and target are the same datanode'
  for (const node of [source, target]) {
    if (node.state !== 'live' || !node.link)
      return `datanode ${nodeAddress(node.id)} is ${node.state === 'live' ? 'not connected' : node.state}`
    if (layer.moves.countOf(node) >= movesPerNodeMax) return `datanode ${nodeAddress(node.id)} has ${movesPerNodeMax} moves under way`
  }
  const closed = refusesReplicas(target.admin)
  if (closed !== undefined) return `datanode ${nodeAddress(target.id)} takes no replicas: ${closed}`
  if (target.storages.some((storage) => storage.contentStale && !storage.failed))
    return `datanode ${nodeAddress(target.id)} has not reported its blocks yet`
  const room = target.storages.some((storage) => !storage.failed && storage.remaining >= bytes)
  return room && remainingOf(target) >= (target.scheduled + 1) * bytes
    ? undefined
    : `datanode ${nodeAddress(target.id)} has not enough space`
}

function unfitBlock(layer: BlockLayer, block: Block, source: Datanode, target: Datanode): string | undefined {
  const record = layer.view.block(block.blockId)
  const wanted = record ? layer.wanted(record) : 0
  if (!record || wanted === 0) return 'the block does not exist'
  if (record.state !== 'committed') return 'the block is being written'
  if (record.genstamp !== block.genstamp || record.length !== block.length) return 'the block has changed'
  if (layer.moves.has(block.blockId)) return 'the block is being moved already'
  if (layer.pending.count(block.blockId) > 0) return 'copies of the block are under way'
  const census = takeCensus(layer, record)
  if (!census.live.some((slot) => layer.nodeOf(slot) === source)) return 'the source has no good replica in service'
  if (census.holders.has(target)) return 'the target has a replica already'
  if (census.live.length < requiredLive(wanted, census, layer.settings.maintenanceMin)) return 'the block lacks copies, which come first'
  const racks = new Map(census.racks)
  racks.set(target.id.rack, (racks.get(target.id.rack) ?? 0) + 1)
  const left = (racks.get(source.id.rack) ?? 1) - 1
  if (left === 0) racks.delete(source.id.rack)
  const needed = Math.min(2, wanted, layer.nodes.racks, census.racks.size)
  return racks.size < needed ? 'the block would be on fewer racks' : undefined
}
