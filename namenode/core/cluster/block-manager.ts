// The block layer: what the namespace's commands ask of the cluster (ClusterPort), and what the datanode sessions and the
// workers tell it. Everything here is memory, rebuilt from reports and the namespace's records.
import { QuarryError } from '../../../common/errors.ts'
import type { Env } from '../../../common/env.ts'
import type {
  BadReplica,
  Block,
  BlockReport,
  DatanodeReport,
  Heartbeat,
  ReceivedBlock,
  Register,
  ReplicaLocation,
} from '../../../proto/ports.ts'
import { DatanodeFilter, ReplicaState, SafeModeAction } from '../../../proto/ports.ts'
import type { BlockRecord, ClusterPort, Effect, NamespaceView, Placement, ReportedReplica } from '../model.ts'
import { BlockLayer } from './block-layer.ts'
import { BlockRecoveries } from './block-recoveries.ts'
import type { FailedRecovery } from './block-recoveries.ts'
import type { ClusterSettings } from './block-layer.ts'
import type { ContactTime, Datanode, NodeLink, NodeState, Storage } from './datanode-table.ts'
import { remainingOf } from './datanode-table.ts'
import { sortByDistance } from './distance.ts'
import { hostOf, placeReplicas } from './placement.ts'
import { Redundancy } from './redundancy.ts'
import { ReportIntake } from './report-intake.ts'
import type { StepwiseJob } from './report-intake.ts'
import { BackgroundScans } from './background-scans.ts'

export interface BlockManagerDeps {
  readonly env: Env
  readonly view: NamespaceView
  readonly settings: ClusterSettings
  /** Runs something soon, after what is being decided now (setImmediate). */
  readonly defer: (callback: () => void) => void
}

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

export class BlockManager implements ClusterPort {
  readonly #layer: BlockLayer
  readonly #redundancy: Redundancy
  readonly #intake: ReportIntake
  readonly #scans: BackgroundScans
  readonly #recoveries: BlockRecoveries
  readonly #defer: (callback: () => void) => void
  #kicked = false
  #arrivedListener: (blockId: number) => void = () => {}

  constructor(deps: BlockManagerDeps) {
    this.#layer = new BlockLayer(deps)
    this.#redundancy = new Redundancy(this.#layer)
    this.#intake = new ReportIntake(this.#layer, this.#redundancy, (blockId) => this.#arrivedListener(blockId))
    this.#scans = new BackgroundScans(this.#layer, this.#redundancy, this.#intake)
    this.#defer = deps.defer
    this.#recoveries = new BlockRecoveries(this.#layer, deps.defer)
    this.#updateSafeMode()
  }

  /** Hears of every finalised replica that arrives: calls that wait for one are tried again. */
  onReplicaArrived(listener: (blockId: number) => void): void {
    this.#arrivedListener = listener
  }

  /** Hears of attempts at a block's recovery that will bring no answer. */
  onRecoveryFailed(listener: (failed: FailedRecovery) => void): void {
    this.#recoveries.onFailed(listener)
  }

  // --- ClusterPort ----------------------------------------------------------------------------------------------------------

  liveReplicas(block: BlockRecord): number {
    return this.#layer.liveReplicas(block)
  }

  isCorrupt(blockId: number): boolean {
    return this.#layer.corrupt.has(blockId) && this.#redundancy.isCorrupt(blockId)
  }

  locations(block: BlockRecord, caller: string): readonly ReplicaLocation[] {
    const { nodes, env } = this.#layer
    const storages = block.state === 'committed' ? this.#readable(block) : this.#written(block)
    return sortByDistance(storages, { host: hostOf(caller), nodes, random: block.state === 'committed' ? env.random : undefined })
  }

  location(datanodeUuid: string, storageUuid: string): ReplicaLocation | undefined {
    const node = this.#layer.nodes.get(datanodeUuid)
    if (!node || node.state === 'dead') return undefined
    if (storageUuid === '') return node.storages.find((storage) => !storage.failed)?.location
    return this.#layer.nodes.storageOf(datanodeUuid, storageUuid)?.location
  }

  chooseTargets(request: {
    readonly caller: string
    readonly wanted: number
    readonly existing: readonly string[]
    readonly excluded: readonly string[]
    readonly favored: readonly string[]
    readonly blockSize: number
  }): Placement {
    return placeReplicas(this.#layer.nodes, this.#layer.env.random, request)
  }

  safeMode(): { readonly on: boolean; readonly reason: string } {
    return this.#layer.safeMode.state(this.#layer.env.clock.monotonicMs())
  }

  reportedReplicas(blockId: number): readonly ReportedReplica[] {
    const { replicas, nodes, open, view } = this.#layer
    // A datanode tells of a replica when its writing begins and ends. What lies between may have any number of bytes: it counts
    // as holding some, and block recovery asks the datanode itself.
    const unfinished = Math.max(1, view.block(blockId)?.length ?? 0)
    const out: ReportedReplica[] = []
    for (let slot = replicas.first(blockId); slot !== -1; slot = replicas.next(slot)) {
      const storage = nodes.storage(replicas.storage(slot))
      if (!this.#layer.isThere(slot) || replicas.isCorrupt(slot)) continue
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

  mayBeUnreported(blockId: number): boolean {
    return this.#layer.mayBeUnreported(blockId)
  }

  committed(effects: readonly Effect[]): void {
    for (const effect of effects) this.#apply(effect)
    this.#kick()
  }

  // --- datanode sessions ----------------------------------------------------------------------------------------------------

  /** Throws when the node must not join. */
  register(message: Register, link: NodeLink): Datanode {
    const node = this.#layer.nodes.register(message, link, this.#now())
    this.#scans.keep(node.storages)
    this.#layer.invalidations.drop(node)
    for (const blockId of this.#layer.pending.dropNode(node)) this.#redundancy.evaluateId(blockId)
    this.#updateSafeMode()
    this.#kick()
    return node
  }

  /** Something came in from the node. Told before the message is worked off, so that a long queue does not make a node look silent. */
  contact(node: Datanode): void {
    this.#layer.nodes.touch(node, this.#now())
  }

  heartbeat(node: Datanode, message: Heartbeat): { staleStorages: boolean } {
    for (const storage of this.#layer.nodes.heartbeat(node, message)) {
      this.#layer.env.log.warn('storage.failed', { datanode: node.id.uuid, storage: storage.uuid, replicas: storage.blocks })
      this.#scans.drop([storage])
    }
    if (message.transfers === 0) this.#redundancy.sourceIsIdle(node, this.#layer.env.clock.monotonicMs())
    return { staleStorages: node.storages.some((storage) => storage.contentStale && !storage.failed) }
  }

  received(node: Datanode, blocks: readonly ReceivedBlock[]): void {
    this.#intake.received(node, blocks)
    this.#updateSafeMode()
    this.#kick()
  }

  fullReport(node: Datanode, part: BlockReport): StepwiseJob {
    const job = this.#intake.fullReport(node, part)
    return {
      step: (limit) => {
        const done = job.step(limit)
        this.#updateSafeMode()
        if (done) this.#kick()
        return done
      },
    }
  }

  badReplicas(node: Datanode, replicas: readonly BadReplica[]): void {
    this.#intake.bad(node, replicas)
    this.#kick()
  }

  disconnected(node: Datanode, link: NodeLink): void {
    this.#layer.nodes.disconnected(node, link)
    if (!node.link) this.#layer.invalidations.drop(node)
    if (!node.link) this.#recoveries.nodeGone(node)
  }

  // --- callers that are not the namespace -----------------------------------------------------------------------------------

  /** A client found a replica to be corrupt. Unknown nodes and blocks are ignored: the report may be late. */
  reportBad(datanodeUuid: string, storageUuid: string, block: Block): void {
    const node = this.#layer.nodes.get(datanodeUuid)
    if (node) this.badReplicas(node, [{ storageUuid, block, reason: 'reported by a client' }])
  }

  /** In the safe mode of a start, which ends by itself. */
  get starting(): boolean {
    return this.#layer.safeMode.starting
  }

  setSafeMode(action: SafeModeAction): { readonly on: boolean; readonly reason: string } {
    const { safeMode } = this.#layer
    if (action === SafeModeAction.SAFE_MODE_ENTER) safeMode.enter()
    else if (action === SafeModeAction.SAFE_MODE_LEAVE || action === SafeModeAction.SAFE_MODE_FORCE_EXIT) {
      if (safeMode.leave(action === SafeModeAction.SAFE_MODE_FORCE_EXIT)) this.#leftSafeMode()
    }
    return this.safeMode()
  }

  counts(): ClusterCounts {
    const { queues, corrupt, invalidations, pending, replicas } = this.#layer
    return {
      underReplicated: queues.lowRedundancy + pending.ordered((blockId) => queues.has(blockId)),
      corruptBlocks: corrupt.size,
      missingBlocks: queues.size(4),
      missingSingle: queues.missingSingle,
      pendingDeletion: invalidations.size,
      mostUrgent: queues.size(0),
      pendingCopies: pending.size,
      postponed: this.#redundancy.postponed,
      blocksWithReplicas: replicas.blocks,
      replicas: replicas.replicas,
      replicaMapBytes: replicas.memoryBytes,
    }
  }

  capacity(): { capacity: number; used: number; remaining: number } {
    return this.#layer.nodes.totals()
  }

  datanodes(filter: DatanodeFilter): DatanodeReport[] {
    return this.#layer.nodes
      .all()
      .filter((node) => matches(node, filter))
      .map(reportOf)
  }

  datanodeStates(): Record<NodeState, number> {
    const counts = { live: 0, stale: 0, dead: 0 }
    for (const node of this.#layer.nodes.all()) counts[node.state]++
    return counts
  }

  // --- workers --------------------------------------------------------------------------------------------------------------

  /** Moves silent datanodes on. Returns those that have just died. */
  sweepLiveness(): Datanode[] {
    const { nodes, settings, pending, invalidations, env } = this.#layer
    const died = nodes.sweep(env.clock.monotonicMs(), settings)
    for (const node of died) {
      node.link?.close('silent for too long')
      node.link = undefined
      env.log.warn('datanode.dead', { uuid: node.id.uuid, address: node.id.ip, port: node.id.grpcPort })
      invalidations.drop(node)
      this.#scans.drop(node.storages)
      for (const blockId of pending.dropNode(node)) this.#redundancy.evaluateId(blockId)
    }
    this.#updateSafeMode()
    return died
  }

  /** One round of the redundancy loop; see the worker. */
  redundancyRound(): void {
    const nowMs = this.#layer.env.clock.monotonicMs()
    this.#redundancy.expire(nowMs)
    this.#redundancy.schedule(nowMs)
    if (!this.#layer.safeMode.on) this.#layer.invalidations.flush()
  }

  /** A bounded step of the background scans; false when there is nothing to scan. */
  scanStep(): boolean {
    const more = this.#scans.step()
    if (more) this.#kick()
    return more
  }

  rollScheduled(): void {
    this.#layer.nodes.rollScheduled()
  }

  // --- inside ---------------------------------------------------------------------------------------------------------------

  #apply(effect: Effect): void {
    const { open, pending } = this.#layer
    switch (effect.kind) {
      case 'block-allocated':
        open.set(effect.block.blockId, { targets: effect.targets })
        for (const node of this.#nodesOf(effect.targets)) node.scheduled++
        break
      case 'pipeline-updated':
        open.set(effect.block.blockId, { targets: effect.targets })
        for (const target of effect.targets) this.#expectRewrite(effect.block, target)
        break
      case 'block-committed':
        this.#commit(effect.block, effect.replication)
        break
      case 'file-closed':
        for (const block of effect.blocks) {
          if (open.has(block.blockId)) this.#commit(block, effect.replication)
          else this.#redundancy.evaluate(block, effect.replication)
        }
        break
      case 'blocks-deleted':
        for (const block of effect.blocks) this.#delete(block)
        break
      case 'replication-changed':
        for (const block of effect.blocks) {
          pending.forget(block.blockId)
          this.#redundancy.evaluate(block, effect.replication)
        }
        break
      case 'recover-block':
        this.#recoveries.start(
          effect.block,
          effect.genstamp,
          effect.replicas.flatMap((replica) => this.location(replica.datanodeUuid, replica.storageUuid) ?? []),
        )
        break
      case 'lease-released':
        break
      default:
        effect satisfies never
    }
  }

  /** The replicas of the pipeline that have not been reported yet are expected; copies are ordered only for what is lacking beyond them. */
  #commit(block: BlockRecord, replication: number): void {
    const { open, pending, env } = this.#layer
    // After a restart of the namenode the pipeline is whoever reported the block's last stamp.
    const writers = new Set(this.#written(block).map((storage) => storage.node))
    open.delete(block.blockId)
    this.#recoveries.end(block.blockId)
    this.#redundancy.checkCommitted(block, writers)
    const late = [...writers].filter((node) => !node.storages.some((storage) => this.#holdsGood(storage, block)))
    pending.add(
      block.blockId,
      late.map((target) => ({ target, source: undefined })),
      env.clock.monotonicMs(),
    )
    this.#redundancy.evaluate(block, replication)
  }

  #holdsGood(storage: Storage, block: BlockRecord): boolean {
    const slot = this.#layer.replicas.find(block.blockId, storage.index)
    return slot !== -1 && this.#layer.isGood(slot, block)
  }

  /** A replica that goes on under a new stamp is being written again, whatever was known of it. */
  #expectRewrite(block: BlockRecord, target: ReplicaLocation): void {
    const { replicas, nodes } = this.#layer
    const storage = nodes.storageOf(target.datanode?.uuid ?? '', target.storageUuid)
    const slot = storage ? replicas.find(block.blockId, storage.index) : -1
    if (storage && slot !== -1 && replicas.genstamp(slot) < block.genstamp) {
      this.#layer.putReplica(storage, {
        blockId: block.blockId,
        genstamp: block.genstamp,
        length: block.length,
        state: ReplicaState.REPLICA_RBW,
      })
    }
  }

  #delete(block: Block): void {
    const { replicas, invalidations, open, nodes } = this.#layer
    const holders = new Map<Datanode, number>()
    const pipeline = open.get(block.blockId)
    if (pipeline) {
      for (const node of this.#nodesOf(pipeline.targets)) {
        holders.set(node, block.genstamp)
        nodes.unschedule(node)
      }
    }
    for (let slot = replicas.first(block.blockId); slot !== -1; slot = replicas.next(slot))
      holders.set(this.#layer.nodeOf(slot), replicas.genstamp(slot))
    for (const [node, genstamp] of holders) invalidations.add(node, { blockId: block.blockId, genstamp, length: block.length })
    this.#layer.removeBlock(block.blockId)
    this.#recoveries.end(block.blockId)
  }

  #nodesOf(targets: readonly ReplicaLocation[]): Datanode[] {
    return targets.flatMap((target) => this.#layer.nodes.get(target.datanode?.uuid ?? '') ?? [])
  }

  /** Where a committed block can be read: good replicas, else unfinished ones of the same stamp, else corrupt ones. */
  #readable(block: BlockRecord): Storage[] {
    const { replicas, nodes } = this.#layer
    const good: Storage[] = []
    const leaving: Storage[] = []
    const late: Storage[] = []
    const corrupt: Storage[] = []
    for (let slot = replicas.first(block.blockId); slot !== -1; slot = replicas.next(slot)) {
      const storage = nodes.storage(replicas.storage(slot))
      if (!this.#layer.isThere(slot)) continue
      if (replicas.isCorrupt(slot)) corrupt.push(storage)
      else if (!this.#layer.isGood(slot, block)) {
        if (replicas.genstamp(slot) === block.genstamp) late.push(storage)
      } else if (replicas.isExcess(slot)) leaving.push(storage)
      else good.push(storage)
    }
    return [good, leaving, late, corrupt].find((storages) => storages.length > 0) ?? []
  }

  /** Where a block under construction is being written: its pipeline, else (after a restart) what datanodes reported. */
  #written(block: BlockRecord): Storage[] {
    const { open, nodes, replicas } = this.#layer
    const pipeline = open.get(block.blockId)
    if (pipeline) {
      return pipeline.targets.flatMap((target) => {
        const storage = nodes.storageOf(target.datanode?.uuid ?? '', target.storageUuid)
        return storage && storage.node.state !== 'dead' && !storage.failed ? [storage] : []
      })
    }
    const storages: Storage[] = []
    for (let slot = replicas.first(block.blockId); slot !== -1; slot = replicas.next(slot)) {
      if (this.#layer.isThere(slot) && !replicas.isCorrupt(slot) && replicas.genstamp(slot) >= block.genstamp)
        storages.push(nodes.storage(replicas.storage(slot)))
    }
    return storages
  }

  #updateSafeMode(): void {
    const { safeMode, nodes, env } = this.#layer
    if (safeMode.starting && safeMode.update(env.clock.monotonicMs(), nodes.liveCount())) this.#leftSafeMode()
  }

  /** Everything that safe mode held back: a look at every block, postponed deletions, replicas of no file. */
  #leftSafeMode(): void {
    this.#layer.env.log.info('safemode.left', { blocks: this.#layer.replicas.blocks, datanodes: this.#layer.nodes.liveCount() })
    this.#scans.recheckAll()
    this.#redundancy.releasePostponed()
    for (const node of this.#layer.nodes.all()) {
      if (node.unknownInSafeMode > 0) node.link?.send({ sendReport: {} })
      node.unknownInSafeMode = 0
    }
    this.#kick()
  }

  /** Sends what is due right after the current decision, not at the next heartbeat. */
  #kick(): void {
    if (this.#kicked) return
    this.#kicked = true
    this.#defer(() => {
      this.#kicked = false
      this.#redundancy.schedule(this.#layer.env.clock.monotonicMs())
      if (!this.#layer.safeMode.on) this.#layer.invalidations.flush()
    })
  }

  #now(): ContactTime {
    return { monotonicMs: this.#layer.env.clock.monotonicMs(), wallMs: this.#layer.env.clock.nowMs() }
  }
}

function matches(node: Datanode, filter: DatanodeFilter): boolean {
  switch (filter) {
    case DatanodeFilter.DATANODES_ALL:
      return true
    case DatanodeFilter.DATANODES_LIVE:
      return node.state !== 'dead'
    case DatanodeFilter.DATANODES_DEAD:
      return node.state === 'dead'
    case DatanodeFilter.DATANODES_DECOMMISSIONING:
    case DatanodeFilter.DATANODES_ENTERING_MAINTENANCE:
    case DatanodeFilter.DATANODES_IN_MAINTENANCE:
      return false
    default:
      throw new QuarryError('INVALID_ARGUMENT', `Unknown kind of datanode report: ${String(filter)}`)
  }
}

function reportOf(node: Datanode): DatanodeReport {
  const sum = (value: (storage: Storage) => number) => node.storages.reduce((total, storage) => total + value(storage), 0)
  return {
    datanode: node.id,
    live: node.state !== 'dead',
    stale: node.state === 'stale',
    adminState: 'In Service',
    storages: node.storages.map((storage) => ({
      storageUuid: storage.uuid,
      type: storage.type,
      capacity: storage.capacity,
      dfsUsed: storage.dfsUsed,
      remaining: storage.remaining,
      blocks: storage.blocks,
      failed: storage.failed,
      failure: '',
    })),
    capacity: sum((s) => s.capacity),
    dfsUsed: sum((s) => s.dfsUsed),
    nonDfsUsed: node.nonDfsUsed,
    remaining: remainingOf(node),
    xceivers: node.xceivers,
    lastContactMs: node.lastContactWallMs,
    lastBlockReportMs: Math.max(0, ...node.storages.map((s) => s.lastReportMs)),
    blocks: sum((s) => s.blocks),
    softwareVersion: node.softwareVersion,
    maintenanceUntilMs: 0,
    failedVolumes: node.storages.filter((storage) => storage.failed).length,
    blocksToLeave: 0,
    slow: false,
    slowLatencyMs: 0,
  }
}
