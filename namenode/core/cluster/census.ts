// What there is of a block: its copies by what they are worth, and how many are required. HDFS: BlockManager.countNodes (NumberReplicas),
// getExpectedLiveRedundancyNum and hasEnoughEffectiveReplicas.
import type { BlockRecord } from '../model.ts'
import { isMaintenance } from './admin-states.ts'
import type { BlockLayer } from './block-layer.ts'
import type { Datanode } from './datanode.ts'

export interface Census {
  /** Good copies on nodes in service: those that count. Slots of the replica map. */
  readonly live: number[]
  /** Good copies that can be read but do not count: on nodes that are out of service or on their way out, and not dead. */
  readonly leaving: number[]
  /** Copies that will be back: on nodes entering or in maintenance, dead ones among them. */
  readonly maintenance: number
  readonly corrupt: number[]
  /** Nodes that are not dead and have any copy, whatever it is worth. */
  readonly holders: Set<Datanode>
  /** Copies on each rack, of those that count or will be back. */
  readonly racks: Map<string, number>
  /** A copy that counts is on a storage whose full report is outstanding. */
  readonly contentStale: boolean
}

export function takeCensus(layer: BlockLayer, block: BlockRecord): Census {
  const { replicas, nodes } = layer
  const live: number[] = []
  const leaving: number[] = []
  const corrupt: number[] = []
  const holders = new Set<Datanode>()
  const racks = new Map<string, number>()
  let maintenance = 0
  let contentStale = false
  for (let slot = replicas.first(block.blockId); slot !== -1; slot = replicas.next(slot)) {
    const storage = nodes.storage(replicas.storage(slot))
    const { node } = storage
    const there = node.state !== 'dead' && !storage.failed
    if (there) holders.add(node)
    else if (node.admin !== 'in-maintenance' || storage.failed) continue
    if (replicas.isExcess(slot)) continue
    if (replicas.isCorrupt(slot)) {
      if (there) corrupt.push(slot)
      continue
    }
    if (!layer.isGood(slot, block)) continue
    if (node.admin === 'in-service') {
      live.push(slot)
      contentStale ||= storage.contentStale
    } else {
      if (there) leaving.push(slot)
      if (!isMaintenance(node.admin)) continue
      maintenance++
    }
    racks.set(node.id.rack, (racks.get(node.id.rack) ?? 0) + 1)
  }
  return { live, leaving, maintenance, corrupt, holders, racks, contentStale }
}

/** Copies that must count: what the file wants less those that will be back, but at least the minimum that maintenance leaves. */
export function requiredLive(wanted: number, census: Census, maintenanceMin: number): number {
  return census.maintenance === 0 ? wanted : Math.max(wanted - census.maintenance, Math.min(maintenanceMin, wanted))
}

/** The placement policy wants the copies of a block on two racks at least, where there are two. HDFS: verifyBlockPlacement. */
export function racksMissing(wanted: number, census: Census, racks: number): number {
  const needed = Math.min(2, wanted, racks)
  return census.racks.size === 0 ? 0 : Math.max(0, needed - census.racks.size)
}
