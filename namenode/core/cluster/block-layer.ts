// The memory that the parts of the block layer share, and the small operations on it that keep its counters right.
import type { Env } from '../../../common/env.ts'
import type { ReplicaLocation, ReplicaState } from '../../../proto/ports.ts'
import { ReplicaState as States } from '../../../proto/ports.ts'
import type { BlockRecord, NamespaceView } from '../model.ts'
import type { Datanode, Storage } from './datanode.ts'
import { DatanodeTable } from './datanode-table.ts'
import { Drains } from './drains.ts'
import { Invalidations } from './invalidations.ts'
import type { LostStamps } from './lost-stamps.ts'
import type { LivenessLimits } from './liveness.ts'
import { Moves } from './moves.ts'
import { PendingCopies } from './pending-copies.ts'
import { RedundancyQueues } from './redundancy-queues.ts'
import { ReplicaMap } from './replica-map.ts'
import { SafeMode } from './safe-mode.ts'
import type { SafeModeSettings } from './safe-mode.ts'
import type { SufficiencyRules } from './sufficiency.ts'

export interface ClusterSettings extends SufficiencyRules, LivenessLimits {
  /** Copies that one datanode sends at the same time. */
  readonly streamsMax: number
  readonly copyTimeoutMs: number
  readonly safeMode: SafeModeSettings
  /** Bytes a second that one node may send in moves, where no operator has said otherwise. */
  readonly balancerBandwidth: number
  /** Place no new replicas on slow nodes while others can take them. */
  readonly avoidSlow: boolean
}

/** A block that a writer's pipeline is filling. */
export interface OpenBlock {
  readonly targets: readonly ReplicaLocation[]
}

export interface ReplicaReport {
  readonly blockId: number
  readonly genstamp: number
  readonly length: number
  readonly state: ReplicaState
}

/** Corrupt replicas of storages that went away, remembered in case they come back. */
const rememberedMax = 100_000

export class BlockLayer {
  readonly env: Env
  readonly view: NamespaceView
  readonly settings: ClusterSettings
  readonly nodes = new DatanodeTable()
  readonly replicas = new ReplicaMap()
  readonly open = new Map<number, OpenBlock>()
  readonly queues = new RedundancyQueues()
  readonly pending = new PendingCopies()
  readonly invalidations = new Invalidations()
  readonly moves = new Moves()
  readonly drains = new Drains()
  /** Blocks with a corrupt replica on a node that is not dead. */
  readonly corrupt = new Set<number>()
  /** 'block id:storage number' -> generation stamp. */
  readonly #goneBad = new Map<string, number>()
  /** The next block id that the look at every block comes to (BackgroundScans); undefined when none is running. */
  recheckFrom: number | undefined
  readonly safeMode: SafeMode
  /** Stamps of a history that a restore has taken back. */
  readonly lost: LostStamps | undefined
  /** Monotonic; copies are ordered only from then on (R6 in redundancy.ts). */
  readonly copiesFromMs: number
  /** Blocks whose replicas do not count while starting: those of files that were open when the namenode stopped. */
  readonly openAtStart: ReadonlySet<number>

  constructor(deps: { readonly env: Env; readonly view: NamespaceView; readonly settings: ClusterSettings; readonly lost?: LostStamps }) {
    this.env = deps.env
    this.view = deps.view
    this.settings = deps.settings
    this.lost = deps.lost
    this.copiesFromMs = deps.view.counters().blocks === 0 ? 0 : deps.env.clock.monotonicMs() + deps.settings.deadAfterMs
    this.openAtStart = unfinishedBlocks(deps.view)
    this.safeMode = new SafeMode(deps.settings.safeMode, deps.view.counters().blocks - this.openAtStart.size)
  }

  /** Takes a replica into the map. */
  putReplica(storage: Storage, replica: ReplicaReport): number {
    const known = this.replicas.find(replica.blockId, storage.index)
    if (known === -1) storage.blocks++
    if (known === -1 || this.replicas.epoch(known) !== storage.epoch) storage.marked++
    const slot = this.replicas.put(replica.blockId, storage.index, {
      genstamp: replica.genstamp,
      length: replica.length,
      state: replica.state,
      epoch: storage.epoch,
    })
    if (known === -1 && this.#goneBad.size > 0) this.#recallBad(slot, replica.blockId, storage)
    return slot
  }

  /** A replica leaves the map because its storage went away, not because it was deleted: whether it was corrupt stays known. */
  rememberBad(storage: Storage, blockId: number): void {
    const slot = this.replicas.find(blockId, storage.index)
    if (slot === -1 || !this.replicas.isCorrupt(slot) || this.#goneBad.size >= rememberedMax) return
    this.#goneBad.set(`${blockId}:${storage.index}`, this.replicas.genstamp(slot))
  }

  #recallBad(slot: number, blockId: number, storage: Storage): void {
    const key = `${blockId}:${storage.index}`
    const genstamp = this.#goneBad.get(key)
    if (genstamp === undefined) return
    this.#goneBad.delete(key)
    if (genstamp === this.replicas.genstamp(slot)) this.replicas.setCorrupt(slot)
  }

  removeReplica(storage: Storage, blockId: number): void {
    const slot = this.replicas.find(blockId, storage.index)
    if (slot === -1) return
    storage.blocks--
    if (this.replicas.epoch(slot) === storage.epoch) storage.marked--
    this.replicas.remove(blockId, storage.index)
  }

  /** Forgets a block altogether. */
  removeBlock(blockId: number): void {
    for (let slot = this.replicas.first(blockId); slot !== -1; slot = this.replicas.next(slot)) {
      const storage = this.nodes.storage(this.replicas.storage(slot))
      storage.blocks--
      if (this.replicas.epoch(slot) === storage.epoch) storage.marked--
    }
    this.replicas.removeBlock(blockId)
    this.open.delete(blockId)
    this.queues.delete(blockId)
    this.pending.forget(blockId)
    this.corrupt.delete(blockId)
    if (this.moves.size > 0) this.moves.forget(blockId)
    if (this.drains.size > 0) this.drains.forget(blockId)
  }

  /** The place of a replica on a node that is not dead; without a storage that of its first working one. */
  location(datanodeUuid: string, storageUuid: string): ReplicaLocation | undefined {
    const node = this.nodes.get(datanodeUuid)
    if (!node || node.state === 'dead') return undefined
    if (storageUuid === '') return node.storages.find((storage) => !storage.failed)?.location
    return this.nodes.storageOf(datanodeUuid, storageUuid)?.location
  }

  /** Datanodes of this block may not have come back yet since the namenode started. */
  mayBeUnreported(blockId: number): boolean {
    return this.openAtStart.has(blockId) && this.env.clock.monotonicMs() < this.copiesFromMs
  }

  nodeOf(slot: number): Datanode {
    return this.nodes.storage(this.replicas.storage(slot)).node
  }

  /** Whether the replica's datanode is not dead and its storage works: what is elsewhere does not count. */
  isThere(slot: number): boolean {
    const storage = this.nodes.storage(this.replicas.storage(slot))
    return storage.node.state !== 'dead' && !storage.failed
  }

  /** A finalised replica with the record's generation stamp and length that nobody has found corrupt. */
  isGood(slot: number, block: BlockRecord): boolean {
    return (
      this.replicas.state(slot) === States.REPLICA_FINALIZED &&
      this.replicas.genstamp(slot) === block.genstamp &&
      this.replicas.length(slot) === block.length &&
      !this.replicas.isCorrupt(slot)
    )
  }

  /**
   * Good replicas on working storages of nodes that are not dead; excess ones do not count. Those on nodes that are on their way out
   * do: what such a node holds keeps it from leaving until it is elsewhere. Those on nodes that have left do not.
   */
  liveReplicas(block: BlockRecord): number {
    let live = 0
    for (let slot = this.replicas.first(block.blockId); slot !== -1; slot = this.replicas.next(slot)) {
      if (!this.isGood(slot, block) || this.replicas.isExcess(slot)) continue
      const { node, failed } = this.nodes.storage(this.replicas.storage(slot))
      if (node.state !== 'dead' && !failed && node.admin !== 'decommissioned' && node.admin !== 'in-maintenance') live++
    }
    return live
  }

  /** Good replicas in the map, those of dead nodes that have not been dropped yet included: what the count of safe blocks goes by. */
  goodReplicas(block: BlockRecord): number {
    let good = 0
    for (let slot = this.replicas.first(block.blockId); slot !== -1; slot = this.replicas.next(slot)) if (this.isGood(slot, block)) good++
    return good
  }

  /** The replication its file asks for; 0 when the file is gone. */
  wanted(block: BlockRecord): number {
    const file = this.view.inode(block.fileId)
    return file?.kind === 'file' ? file.replication : 0
  }
}

/** Blocks that may have no complete replica yet: not committed, or the last of an open file. */
function unfinishedBlocks(view: NamespaceView): Set<number> {
  const out = new Set<number>()
  const page = 1000
  for (let after = 0; ;) {
    const files = view.openFiles(after, page)
    for (const file of files) {
      const blocks = view.blocks(file.id)
      for (const block of blocks) if (block.state !== 'committed' || block === blocks.at(-1)) out.add(block.blockId)
      after = file.id
    }
    if (files.length < page) return out
  }
}
