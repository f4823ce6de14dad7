// Who the datanodes are and how they fare: identity, storages, liveness, load. No decisions about blocks.
//
// A node is `live` while it is heard from, `stale` when it has been silent for a while or its stream broke (used last), and
// `dead` after `dead.after`: its replicas are then dropped and made again elsewhere. A stale node that speaks again is live.
import { assert } from '../../../common/assert.ts'
import { QuarryError } from '../../../common/errors.ts'
import type { Heartbeat, Register, StorageReport } from '../../../proto/ports.ts'
import { locationOf, newNode, newStorage, nodeAddress } from './datanode.ts'
import type { Datanode, NodeLink, Storage } from './datanode.ts'
import { livenessOf } from './liveness.ts'
import type { LivenessLimits } from './liveness.ts'
import { storagesMax } from './replica-map.ts'

export interface ContactTime {
  readonly monotonicMs: number
  readonly wallMs: number
}

export class DatanodeTable {
  readonly #byUuid = new Map<string, Datanode>()
  readonly #storages: Storage[] = []
  readonly #storageByUuid = new Map<string, Storage>()
  #rackByHost = new Map<string, string>()
  #racks = new Set<string>()

  /** All nodes that ever registered, dead ones included, in order of registration. */
  all(): Datanode[] {
    return [...this.#byUuid.values()]
  }

  get(uuid: string): Datanode | undefined {
    return this.#byUuid.get(uuid)
  }

  /** Nodes that hold countable replicas: live and stale ones. */
  usable(): Datanode[] {
    return [...this.#byUuid.values()].filter((node) => node.state !== 'dead')
  }

  liveCount(): number {
    let count = 0
    for (const node of this.#byUuid.values()) if (node.state !== 'dead') count++
    return count
  }

  /** Nodes that may take new replicas, as far as operators are concerned. */
  inService(): Datanode[] {
    return [...this.#byUuid.values()].filter((node) => node.state !== 'dead' && node.admin === 'in-service')
  }

  /** Racks that have a node that is in service and not dead: those on which copies can be wanted. */
  get racks(): number {
    return this.#racks.size
  }

  /** The rack of the datanodes on a host; undefined when none runs there. */
  rackOfHost(ip: string): string | undefined {
    return this.#rackByHost.get(ip)
  }

  storage(index: number): Storage {
    const storage = this.#storages[index]
    assert(storage, 'storage number unknown')
    return storage
  }

  storageOf(datanodeUuid: string, storageUuid: string): Storage | undefined {
    const storage = this.#storageByUuid.get(storageUuid)
    return storage?.node.id.uuid === datanodeUuid ? storage : undefined
  }

  /**
   * Takes a node up, or up again. Throws IN_USE when another process with that uuid is connected, or when a storage belongs to
   * another node. The same process coming back over a new connection replaces its old session.
   */
  register(message: Register, link: NodeLink, now: ContactTime): Datanode {
    const id = message.datanode
    if (!id || id.uuid === '') throw new QuarryError('INVALID_ARGUMENT', 'A datanode registered without a uuid.')
    if (!id.rack.startsWith('/'))
      throw new QuarryError('INVALID_ARGUMENT', `The rack of datanode ${id.uuid} must begin with '/', but is '${id.rack}'.`)
    const known = this.#byUuid.get(id.uuid)
    if (known?.link && known.state === 'live' && known.startedMs !== message.startedMs) {
      throw new QuarryError(
        'IN_USE',
        `Datanode ${id.uuid} is already connected from ${nodeAddress(known.id)}. Two datanodes must not share a directory: stop one of them.`,
        { uuid: id.uuid },
      )
    }
    for (const report of message.storages) {
      const owner = this.#storageByUuid.get(report.storageUuid)?.node
      if (owner && owner.id.uuid !== id.uuid) {
        throw new QuarryError('IN_USE', `Storage ${report.storageUuid} belongs to datanode ${owner.id.uuid}: was its directory copied?`, {
          storage: report.storageUuid,
        })
      }
    }
    const node = known ?? newNode(id)
    node.link?.close('replaced by a new session of the same datanode')
    node.id = id
    node.startedMs = message.startedMs
    node.link = link
    node.brokenMs = undefined
    node.state = 'live'
    node.softwareVersion = message.softwareVersion
    node.outgoing = 0
    node.scheduled = 0
    node.scheduledBefore = 0
    node.unknownInSafeMode = 0
    this.#byUuid.set(id.uuid, node)
    this.#setStorages(node, message.storages)
    for (const storage of node.storages) {
      storage.contentStale = true
      storage.report = undefined
      storage.location = locationOf(storage)
    }
    this.touch(node, now)
    this.#countRacks()
    return node
  }

  /** Takes the figures over and returns the storages that have failed since. */
  heartbeat(node: Datanode, message: Heartbeat): Storage[] {
    const working = node.storages.filter((storage) => !storage.failed)
    node.xceivers = message.xceivers
    node.transfers = message.transfers
    node.nonDfsUsed = message.nonDfsUsed
    this.#setStorages(node, message.storages)
    return working.filter((storage) => storage.failed)
  }

  /** The node was heard from. */
  touch(node: Datanode, now: ContactTime): void {
    node.lastContactMs = now.monotonicMs
    node.lastContactWallMs = now.wallMs
    if (node.state === 'stale' && node.link) node.state = 'live'
  }

  /** The stream ended: stale at once. After a goodbye the node is expected back and only its silence counts. */
  disconnected(node: Datanode, link: NodeLink, how: { readonly goodbye: boolean; readonly nowMs: number }): void {
    if (node.link !== link) return
    node.link = undefined
    node.brokenMs = how.goodbye ? undefined : how.nowMs
    if (node.state === 'live') node.state = 'stale'
  }

  /** Moves silent nodes on and returns those that have just died. */
  sweep(nowMs: number, limits: LivenessLimits): Datanode[] {
    const died: Datanode[] = []
    for (const node of this.#byUuid.values()) {
      const state = livenessOf(node, nowMs, limits)
      if (state === 'dead' && node.state !== 'dead') died.push(node)
      node.state = state
    }
    if (died.length > 0) this.#countRacks()
    return died
  }

  /** A node was taken out of service or put back. */
  adminChanged(): void {
    this.#countRacks()
  }

  /** Promises older than two rolls are forgotten: a writer that went away must not keep space reserved for ever. */
  rollScheduled(): void {
    for (const node of this.#byUuid.values()) {
      node.scheduled = Math.max(0, node.scheduled - node.scheduledBefore)
      node.scheduledBefore = node.scheduled
    }
  }

  /** A promised replica arrived, or will not come. */
  unschedule(node: Datanode): void {
    if (node.scheduled > 0) node.scheduled--
    if (node.scheduledBefore > node.scheduled) node.scheduledBefore = node.scheduled
  }

  /** Of the nodes in service: what is on its way out is not counted on, as in HDFS. */
  totals(): { capacity: number; used: number; remaining: number } {
    const sum = { capacity: 0, used: 0, remaining: 0 }
    for (const node of this.inService()) {
      for (const storage of node.storages) {
        sum.capacity += storage.capacity
        sum.used += storage.dfsUsed
        sum.remaining += storage.remaining
      }
    }
    return sum
  }

  /** Takes the figures over; storages that appear are added, storages that are gone count as failed. */
  #setStorages(node: Datanode, reports: readonly StorageReport[]): void {
    for (const report of reports) {
      let storage = this.#storageByUuid.get(report.storageUuid)
      if (!storage) {
        if (report.storageUuid === '' || this.#storages.length >= storagesMax) continue
        storage = newStorage(this.#storages.length, node, report)
        this.#storages.push(storage)
        this.#storageByUuid.set(report.storageUuid, storage)
        node.storages.push(storage)
      } else if (storage.node !== node) continue
      storage.capacity = report.capacity
      storage.dfsUsed = report.dfsUsed
      storage.remaining = report.failed ? 0 : report.remaining
      // A storage that works again has to say anew what it holds.
      if (storage.failed && !report.failed) storage.contentStale = true
      storage.failed = report.failed
      storage.failure = report.failure
    }
    for (const storage of node.storages) {
      if (!reports.some((report) => report.storageUuid === storage.uuid)) {
        storage.failed = true
        storage.remaining = 0
      }
    }
  }

  #countRacks(): void {
    const usable = this.usable()
    this.#racks = new Set(usable.filter((node) => node.admin === 'in-service').map((node) => node.id.rack))
    this.#rackByHost = new Map(usable.map((node) => [node.id.ip, node.id.rack]))
  }
}
