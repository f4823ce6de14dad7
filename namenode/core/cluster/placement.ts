// Where new replicas go. HDFS's default rule (BlockPlacementPolicyDefault): the first on the writer's own host when a datanode
// runs there, the second on another rack, the third on the second's rack, the rest at random, and no rack more than its share.
// Rules about racks give way when they cannot be kept; one replica a node, space and liveness never do.
//
// Nodes that are overloaded (considerLoad: more than twice the average of streams) or that their neighbours call slow are left aside
// while a calm one suits as well; nodes that are stale while a live one is there.
//
// Among the nodes that suit, two are drawn and the less loaded one is taken: nearly as even as always taking the least loaded,
// without sending every writer to the same node between two heartbeats.
import type { Random } from '../../../common/env.ts'
import type { Placement } from '../model.ts'
import type { ReplicaLocation } from '../../../proto/ports.ts'
import { refusesReplicas } from './admin-states.ts'
import type { DatanodeTable } from './datanode-table.ts'
import type { Datanode, Storage } from './datanode.ts'
import { nodeAddress, remainingOf } from './datanode.ts'

export interface PlacementRequest {
  /** Address of the writer, with or without a port. */
  readonly caller: string
  readonly wanted: number
  /** Datanode uuids. */
  readonly existing: readonly string[]
  readonly excluded: readonly string[]
  readonly favored: readonly string[]
  readonly blockSize: number
}

/** HDFS (dfs.namenode.redundancy.considerLoad.factor). */
const busyFactor = 2
/** A node with fewer streams than this is never called busy: where nothing happens, one stream is many times the average. */
const busyStreamsMin = 8

interface Search {
  readonly random: Random
  /** Overloaded or slow; undefined when none is, which is the rule. */
  readonly restless: ReadonlySet<Datanode> | undefined
  readonly blockSize: number
  /** Suitable nodes that have not been taken. */
  readonly free: Set<Datanode>
  readonly chosen: Datanode[]
  readonly racks: Map<string, number>
  readonly rackMax: number
}

/** `avoidSlow`: leave slow nodes aside while others suit. */
export function placeReplicas(nodes: DatanodeTable, random: Random, request: PlacementRequest, avoidSlow = true): Placement {
  const all = nodes.all()
  const existing = all.filter((node) => request.existing.includes(node.id.uuid))
  const refused: { node: string; reason: string }[] = []
  const free = new Set<Datanode>()
  for (const node of all) {
    if (existing.includes(node)) continue
    const reason = request.excluded.includes(node.id.uuid) ? 'excluded by the client' : unsuitable(node, request.blockSize)
    if (reason === undefined) free.add(node)
    else refused.push({ node: nodeAddress(node.id), reason })
  }
  avoidStale(free)
  const total = existing.length + request.wanted
  const search: Search = {
    random,
    restless: restlessNodes(all, avoidSlow),
    blockSize: request.blockSize,
    free,
    chosen: [...existing],
    racks: new Map(),
    // HDFS: at most this many of one block's replicas on one rack.
    rackMax: nodes.racks <= 1 ? total : Math.floor((total - 1) / nodes.racks) + 2,
  }
  for (const node of existing) countRack(search, node)

  const targets: ReplicaLocation[] = []
  const take = (node: Datanode | undefined): void => {
    if (!node) return
    free.delete(node)
    search.chosen.push(node)
    countRack(search, node)
    targets.push(pickStorage(node, request.blockSize).location)
  }
  for (const uuid of request.favored) {
    if (targets.length < request.wanted) take([...free].find((node) => node.id.uuid === uuid))
  }
  while (targets.length < request.wanted && free.size > 0) take(chooseNext(search, hostOf(request.caller)))
  return { targets, refused, running: nodes.liveCount() }
}

/** Why a node cannot take a replica of this size, or undefined when it can. */
function unsuitable(node: Datanode, blockSize: number): string | undefined {
  if (node.state === 'dead') return 'dead: no heartbeat'
  const closed = refusesReplicas(node.admin)
  if (closed !== undefined) return closed
  if (!node.link) return 'not connected'
  if (node.storages.every((storage) => storage.failed)) return 'all of its storages have failed'
  if (!node.storages.some((storage) => !storage.failed && storage.remaining >= blockSize)) {
    return `not enough space: ${remainingOf(node)} bytes remain, a block needs ${blockSize}`
  }
  const promised = node.scheduled * blockSize
  if (remainingOf(node) - promised < blockSize) {
    return `not enough space: ${remainingOf(node)} bytes remain, of which ${promised} are promised to ${node.scheduled} blocks being written; a block needs ${blockSize}`
  }
  return undefined
}

function restlessNodes(all: readonly Datanode[], avoidSlow: boolean): ReadonlySet<Datanode> | undefined {
  let sum = 0
  let count = 0
  for (const node of all) {
    if (node.state === 'dead' || node.admin !== 'in-service') continue
    sum += load(node)
    count++
  }
  const busy = Math.max(busyStreamsMin, (busyFactor * sum) / Math.max(1, count))
  let restless: Set<Datanode> | undefined
  for (const node of all)
    if (load(node) > busy || (avoidSlow && node.slowLatencyMs !== undefined)) restless = (restless ?? new Set()).add(node)
  return restless
}

/** Stale nodes are used only when nothing else is there. */
function avoidStale(free: Set<Datanode>): void {
  const live = [...free].filter((node) => node.state === 'live')
  if (live.length === 0) return
  for (const node of [...free]) if (node.state !== 'live') free.delete(node)
}

function chooseNext(search: Search, caller: string): Datanode | undefined {
  const [first, second] = search.chosen
  const position = search.chosen.length
  const preferred: ((node: Datanode) => boolean)[] = []
  if (position === 0) preferred.push((node) => (node.id.ip === caller || node.id.hostname === caller) && !search.restless?.has(node))
  else if (position === 1 || (position === 2 && first?.id.rack === second?.id.rack))
    preferred.push((node) => node.id.rack !== first?.id.rack)
  else if (position === 2) preferred.push((node) => node.id.rack === second?.id.rack)
  preferred.push(
    (node) => (search.racks.get(node.id.rack) ?? 0) < search.rackMax,
    () => true,
  )
  for (const suits of preferred) {
    const candidates = [...search.free].filter(suits)
    if (candidates.length === 0) continue
    const { restless } = search
    const calm = restless ? candidates.filter((node) => !restless.has(node)) : candidates
    return lessLoadedOfTwo(search, calm.length > 0 ? calm : candidates)
  }
  return undefined
}

function lessLoadedOfTwo(search: Search, candidates: readonly Datanode[]): Datanode | undefined {
  const a = candidates[search.random.int(candidates.length)]
  const b = candidates[search.random.int(candidates.length)]
  if (!a || !b) return a ?? b
  const difference = load(a) - load(b)
  if (difference !== 0) return difference < 0 ? a : b
  return remainingOf(a) >= remainingOf(b) ? a : b
}

/** Streams open at the last heartbeat, and promised since. */
function load(node: Datanode): number {
  return node.xceivers + node.scheduled
}

/** The storage with the most room. */
function pickStorage(node: Datanode, blockSize: number): Storage {
  const working = node.storages.filter((storage) => !storage.failed && storage.remaining >= blockSize)
  return working.reduce((best, storage) => (storage.remaining > best.remaining ? storage : best))
}

function countRack(search: Search, node: Datanode): void {
  search.racks.set(node.id.rack, (search.racks.get(node.id.rack) ?? 0) + 1)
}

/** '127.0.0.1' from '127.0.0.1:4711', '[::ffff:127.0.0.1]:4711' or 'ipv4:127.0.0.1:4711'. */
export function hostOf(address: string): string {
  let host = address.replace(/^ipv[46]:/, '')
  if (host.startsWith('[')) host = host.slice(1, host.indexOf(']'))
  else if (/^[^:]*:\d+$/.test(host)) host = host.slice(0, host.lastIndexOf(':'))
  return host.startsWith('::ffff:') ? host.slice(7) : host === '::1' ? '127.0.0.1' : host
}
