// What operators want of the datanodes, kept over restarts, and how it is carried out: states, lists of hosts, the end of maintenance.
//
// Two sources: calls (setNodeState), kept in the namenode's own records, and the file hosts.exclude, which says "decommission" for as
// long as it names a node. A call goes before the file, but cannot put back into service what the file excludes.
import { QuarryError } from '../../../common/errors.ts'
import type { DatanodeId } from '../../../proto/ports.ts'
import { isDraining } from './admin-states.ts'
import type { AdminAction } from './admin-states.ts'
import type { BlockLayer } from './block-layer.ts'
import type { Datanode } from './datanode.ts'
import { nodeAddress } from './datanode.ts'
import { isNamed, mayJoin, namesOf, noHostLists } from './hosts-lists.ts'
import type { HostLists } from './hosts-lists.ts'

/** Where the namenode keeps what operators set. Both are called outside of any open batch of the namespace. */
export interface NodeRecords {
  load(): string | undefined
  /** Durable when it returns. */
  save(text: string): void
}

interface Wish {
  readonly action: Exclude<AdminAction, 'in-service'>
  /** Since the epoch; 0 = until somebody ends it. */
  readonly untilMs: number
  /** What the node was called when it was last seen: an operator may name it while it is away. */
  readonly names: readonly string[]
}

interface Records {
  readonly version: 1
  readonly balancerBandwidth?: number
  readonly nodes: readonly ({ readonly uuid: string } & Wish)[]
}

/** What follows from a change of a node's state, carried out by the block layer. */
export interface NodeChanges {
  /** The copies on this node count again, or their number may be too high: look at each. */
  recheck(node: Datanode): void
  /** A dead node is not waited for any longer: its replicas are lost. */
  drop(node: Datanode): void
}

export class NodeAdmin {
  readonly #layer: BlockLayer
  readonly #records: NodeRecords
  readonly #changes: NodeChanges
  #wishes: ReadonlyMap<string, Wish>
  #lists: HostLists = noHostLists
  #bandwidth: number | undefined

  constructor(layer: BlockLayer, records: NodeRecords, changes: NodeChanges) {
    this.#layer = layer
    this.#records = records
    this.#changes = changes
    const kept = read(records)
    this.#bandwidth = kept?.balancerBandwidth
    this.#wishes = new Map(kept?.nodes.map(({ uuid, ...wish }) => [uuid, wish]))
  }

  /** Bytes a second that an operator allowed each node for moves; undefined when nobody has said anything. */
  get bandwidth(): number | undefined {
    return this.#bandwidth
  }

  setBandwidth(bytesPerSecond: number): void {
    this.#keep(this.#wishes, bytesPerSecond)
  }

  /** Throws when the lists do not let a datanode join. */
  admit(id: DatanodeId): void {
    if (mayJoin(this.#lists, id)) return
    throw new QuarryError(
      'PERMISSION_DENIED',
      `Datanode denied communication with namenode because the host is not in the include-list: ${nodeAddress(id)} (${id.hostname}). ` +
        'Add it to the file hosts.include of the namenode and run "quarry dfsadmin -refreshNodes".',
      { uuid: id.uuid },
    )
  }

  /** The node has registered: what is wanted of it holds from now on. */
  registered(node: Datanode): void {
    // It may bring replicas that nobody has judged.
    if (node.admin === 'decommissioned') this.#enter(node, 'decommissioning')
    else if (isDraining(node.admin)) this.#layer.drains.start(node)
    this.#carryOut(node)
  }

  /** All names must be known, or nothing changes. Returns the nodes that were named and are known now. */
  setState(names: readonly string[], action: AdminAction, untilMs: number): Datanode[] {
    if (names.length === 0) throw new QuarryError('INVALID_ARGUMENT', 'No datanode is named.')
    if (action === 'maintenance' && untilMs !== 0 && untilMs <= this.#layer.env.clock.nowMs())
      throw new QuarryError('INVALID_ARGUMENT', 'The end of the maintenance has passed already; name a later one, or none.')
    const uuids = new Set(names.flatMap((name) => this.#uuidsOf(name)))
    const nodes = [...uuids].flatMap((uuid) => this.#layer.nodes.get(uuid) ?? [])
    if (action === 'in-service') for (const node of nodes) this.#refuseExcluded(node)
    const wishes = new Map(this.#wishes)
    for (const uuid of uuids) {
      const node = this.#layer.nodes.get(uuid)
      if (action === 'in-service') wishes.delete(uuid)
      else
        wishes.set(uuid, {
          action,
          untilMs: action === 'maintenance' ? untilMs : 0,
          names: node ? namesOf(node.id) : (this.#wishes.get(uuid)?.names ?? []),
        })
    }
    this.#keep(wishes, this.#bandwidth)
    for (const node of nodes) this.#carryOut(node)
    return nodes
  }

  /** New lists of hosts. Returns the connected nodes that must not take part any longer. */
  setLists(lists: HostLists): Datanode[] {
    this.#lists = lists
    const nodes = this.#layer.nodes.all()
    for (const node of nodes) this.#carryOut(node)
    return nodes.filter((node) => node.link && !mayJoin(lists, node.id))
  }

  /** Moves nodes on that are through, and ends maintenance whose time is over. Often, cheap. Returns whether any node changed. */
  check(): boolean {
    const { drains, env } = this.#layer
    let changed = this.#endMaintenance(env.clock.nowMs())
    for (const node of drains.nodes()) {
      if (!this.#mayLeave(node)) continue
      this.#enter(node, node.admin === 'decommissioning' ? 'decommissioned' : 'in-maintenance')
      changed = true
    }
    return changed
  }

  /** Nothing but what is known counts: no safe mode, and every storage has sent its full report since it was last away. */
  #mayLeave(node: Datanode): boolean {
    const { safeMode, queues, pending, drains } = this.#layer
    if (safeMode.on) return false
    // What it held is lost or being copied from others. That it could go is only true when nothing lacks copies any more.
    if (node.state === 'dead')
      return queues.lowRedundancy === 0 && queues.size(4) === 0 && pending.size === 0 && node.storages.every((one) => one.blocks === 0)
    return isReported(node) && drains.isThrough(node)
  }

  #endMaintenance(nowMs: number): boolean {
    const over = [...this.#wishes].filter(([, wish]) => wish.untilMs > 0 && wish.untilMs <= nowMs)
    if (over.length === 0) return false
    const wishes = new Map(this.#wishes)
    for (const [uuid] of over) wishes.delete(uuid)
    try {
      this.#keep(wishes, this.#bandwidth)
    } catch (error) {
      // No room on the disk, most likely. The next check tries again; until then the maintenance goes on.
      this.#layer.env.log.warn('datanode.maintenance.unkept', { message: (error as Error).message })
      return false
    }
    for (const [uuid] of over) {
      const node = this.#layer.nodes.get(uuid)
      this.#layer.env.log.info('datanode.maintenance.over', { uuid })
      if (node) this.#carryOut(node)
    }
    return true
  }

  #carryOut(node: Datanode): void {
    const wish = this.#wishes.get(node.id.uuid)
    const action: AdminAction = wish?.action ?? (isNamed(this.#lists.exclude, node.id) ? 'decommission' : 'in-service')
    node.maintenanceUntilMs = action === 'maintenance' ? (wish?.untilMs ?? 0) : 0
    const { admin } = node
    if (action === 'decommission' && admin !== 'decommissioning' && admin !== 'decommissioned') this.#enter(node, 'decommissioning')
    if (action === 'maintenance' && admin !== 'entering-maintenance' && admin !== 'in-maintenance')
      this.#enter(node, 'entering-maintenance')
    if (action === 'in-service' && admin !== 'in-service') this.#enter(node, 'in-service')
  }

  #enter(node: Datanode, state: Datanode['admin']): void {
    const { nodes, drains, env } = this.#layer
    const before = node.admin
    env.log.info('datanode.admin', { uuid: node.id.uuid, address: nodeAddress(node.id), from: before, to: state })
    node.admin = state
    nodes.adminChanged()
    if (isDraining(state)) drains.start(node)
    else drains.stop(node)
    if (before === 'in-maintenance' && node.state === 'dead') this.#changes.drop(node)
    // On its way out every block is looked at by the drain; once it has left nothing counts differently.
    else if (state === 'in-service') this.#changes.recheck(node)
  }

  #refuseExcluded(node: Datanode): void {
    if (!isNamed(this.#lists.exclude, node.id)) return
    throw new QuarryError(
      'INVALID_ARGUMENT',
      `Datanode ${nodeAddress(node.id)} is named in the file hosts.exclude: take it out there and run "quarry dfsadmin -refreshNodes".`,
      { uuid: node.id.uuid },
    )
  }

  #uuidsOf(name: string): string[] {
    const nodes = this.#layer.nodes.all()
    const found = nodes.filter((node) => isNamed([name], node.id)).map((node) => node.id.uuid)
    const away = [...this.#wishes].filter(([uuid, wish]) => uuid === name || wish.names.includes(name)).map(([uuid]) => uuid)
    const uuids = [...new Set(found.length > 0 ? found : away)]
    if (uuids.length === 0) {
      const known = nodes.map((node) => `${nodeAddress(node.id)} (${node.id.hostname}, ${node.id.uuid})`)
      throw new QuarryError(
        'NOT_FOUND',
        `There is no datanode '${name}'. ${known.length === 0 ? 'None has registered.' : `There are: ${known.join(', ')}.`}`,
        { name },
      )
    }
    if (uuids.length > 1) {
      const matches = uuids.map((uuid) => {
        const node = this.#layer.nodes.get(uuid)
        return node ? nodeAddress(node.id) : uuid
      })
      throw new QuarryError('INVALID_ARGUMENT', `'${name}' names ${uuids.length} datanodes: ${matches.join(', ')}. Name one of them.`, {
        name,
      })
    }
    return uuids
  }

  /** Kept first, and then true: what cannot be written down does not happen. */
  #keep(wishes: ReadonlyMap<string, Wish>, bandwidth: number | undefined): void {
    const records: Records = {
      version: 1,
      ...(bandwidth !== undefined && { balancerBandwidth: bandwidth }),
      nodes: [...wishes].map(([uuid, wish]) => ({ uuid, ...wish })),
    }
    this.#records.save(JSON.stringify(records))
    this.#wishes = wishes
    this.#bandwidth = bandwidth
  }
}

function read(records: NodeRecords): Records | undefined {
  const text = records.load()
  if (text === undefined) return undefined
  const kept = JSON.parse(text) as Records
  if (kept.version !== 1)
    throw new QuarryError(
      'VERSION',
      `What operators set of datanodes was kept by a newer release (version ${String(kept.version)}). Start that release.`,
    )
  return kept
}

/** Every working storage has sent a full report since the node registered. */
export function isReported(node: Datanode): boolean {
  return node.storages.every((storage) => storage.failed || !storage.contentStale)
}
