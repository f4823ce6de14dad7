// The block layer: what the namespace's commands ask of the cluster (ClusterPort), and what the datanode sessions and the
// workers tell it. Everything here is memory, rebuilt from reports and the namespace's records.
import { QuarryError } from '../../../common/errors.ts'
import type { Env } from '../../../common/env.ts'
import type {
  DatanodeId,
  BadReplica,
  Block,
  BlockReport,
  DatanodeFilter,
  DatanodeReport,
  Heartbeat,
  ReceivedBlock,
  Register,
  ReplicaLocation,
} from '../../../proto/ports.ts'
import { SafeModeAction } from '../../../proto/ports.ts'
import type { BlockRecord, ClusterPort, Effect, NamespaceView, Placement, ReportedReplica } from '../model.ts'
import { inReport } from './admin-states.ts'
import type { AdminState } from './admin-states.ts'
import { BackgroundScans } from './background-scans.ts'
import { BlockLayer } from './block-layer.ts'
import type { ClusterSettings } from './block-layer.ts'
import { BlockRecoveries } from './block-recoveries.ts'
import type { FailedRecovery } from './block-recoveries.ts'
import { countsOf } from './cluster-counts.ts'
import type { ClusterCounts } from './cluster-counts.ts'
import { ClusterAdmin } from './cluster-admin.ts'
import { reportOf } from './datanode-report.ts'
import type { ContactTime } from './datanode-table.ts'
import type { Datanode, NodeLink } from './datanode.ts'
import { sortByDistance } from './distance.ts'
import { Effects } from './effects.ts'
import type { NodeState } from './liveness.ts'
import type { LostStamps } from './lost-stamps.ts'
import { NodeAdmin } from './node-admin.ts'
import type { NodeRecords } from './node-admin.ts'
import { hostOf, placeReplicas } from './placement.ts'
import { Reconstruction } from './reconstruction.ts'
import { Redundancy } from './redundancy.ts'
import { readablePlaces, reportedReplicas, writtenPlaces } from './replica-places.ts'
import { ReportIntake } from './report-intake.ts'
import type { StepwiseJob } from './report-intake.ts'
import { SlowPeers } from './slow-peers.ts'

export interface BlockManagerDeps {
  readonly env: Env
  readonly view: NamespaceView
  readonly settings: ClusterSettings
  /** Runs something soon, after what is being decided now (setImmediate). */
  readonly defer: (callback: () => void) => void
  /** What operators set, kept over restarts. Without it, it is forgotten. */
  readonly records?: NodeRecords
  /** Left out: no restore has taken anything back. */
  readonly lost?: LostStamps
}

export class BlockManager implements ClusterPort {
  /** What operators ask for. */
  readonly admin: ClusterAdmin
  readonly #layer: BlockLayer
  readonly #redundancy: Redundancy
  readonly #reconstruction: Reconstruction
  readonly #recoveries: BlockRecoveries
  readonly #effects: Effects
  readonly #intake: ReportIntake
  readonly #scans: BackgroundScans
  readonly #nodeAdmin: NodeAdmin
  readonly #slowPeers = new SlowPeers()
  readonly #defer: (callback: () => void) => void
  /** Why the namespace takes no changes for now (core/disk-guard.ts); '' when it does. Replicas are looked after all the same. */
  diskReason = ''
  #kicked = false
  #arrivedListener: (blockId: number) => void = () => {}

  constructor(deps: BlockManagerDeps) {
    this.#layer = new BlockLayer(deps)
    this.#redundancy = new Redundancy(this.#layer)
    this.#reconstruction = new Reconstruction(this.#layer, this.#redundancy)
    this.#recoveries = new BlockRecoveries(this.#layer, deps.defer)
    this.#effects = new Effects(this.#layer, this.#redundancy, this.#recoveries)
    this.#intake = new ReportIntake(this.#layer, this.#redundancy, (blockId) => this.#arrivedListener(blockId))
    this.#scans = new BackgroundScans(this.#layer, this.#redundancy, this.#intake)
    this.#defer = deps.defer
    this.#nodeAdmin = new NodeAdmin(this.#layer, deps.records ?? forgetful, {
      recheck: (node) => this.#scans.recheck(node),
      drop: (node) => this.#scans.drop(node.storages),
    })
    this.admin = new ClusterAdmin(this.#layer, this.#redundancy, this.#nodeAdmin, () => this.#kick())
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
    const storages = block.state === 'committed' ? readablePlaces(this.#layer, block) : writtenPlaces(this.#layer, block)
    return sortByDistance(storages, { host: hostOf(caller), nodes, random: block.state === 'committed' ? env.random : undefined })
  }

  location(datanodeUuid: string, storageUuid: string): ReplicaLocation | undefined {
    return this.#layer.location(datanodeUuid, storageUuid)
  }

  chooseTargets(request: {
    readonly caller: string
    readonly wanted: number
    readonly existing: readonly string[]
    readonly excluded: readonly string[]
    readonly favored: readonly string[]
    readonly blockSize: number
  }): Placement {
    return placeReplicas(this.#layer.nodes, this.#layer.env.random, request, this.#layer.settings.avoidSlow)
  }

  safeMode(): { readonly on: boolean; readonly reason: string } {
    if (this.diskReason !== '') return { on: true, reason: this.diskReason }
    return this.#layer.safeMode.state(this.#layer.env.clock.monotonicMs())
  }

  reportedReplicas(blockId: number): readonly ReportedReplica[] {
    return reportedReplicas(this.#layer, blockId)
  }

  mayBeUnreported(blockId: number): boolean {
    return this.#layer.mayBeUnreported(blockId)
  }

  keepsNodeFromLeaving(block: BlockRecord): boolean {
    const { drains } = this.#layer
    return drains.size > 0 && drains.nodes().some((node) => drains.waiting(node).has(block.blockId))
  }

  committed(effects: readonly Effect[]): void {
    for (const effect of effects) this.#effects.apply(effect)
    this.#kick()
  }

  // --- datanode sessions ----------------------------------------------------------------------------------------------------

  /** Throws when the node must not join. */
  register(message: Register, link: NodeLink): Datanode {
    if (message.datanode) this.#nodeAdmin.admit(message.datanode)
    const { nodes, invalidations, pending, moves } = this.#layer
    const racksBefore = nodes.racks
    const node = nodes.register(message, link, this.#now())
    this.#scans.keep(node.storages)
    invalidations.drop(node)
    moves.dropNode(node)
    for (const blockId of pending.dropNode(node)) this.#redundancy.evaluateId(blockId)
    this.#nodeAdmin.registered(node)
    // What was written while there was one rack lies on one rack. HDFS: checkIfClusterIsNowMultiRack.
    if (racksBefore === 1 && nodes.racks > 1) this.#scans.recheckAll()
    this.#updateSafeMode()
    this.#defer(() => {
      if (node.link === link && this.#nodeAdmin.bandwidth !== undefined)
        link.send({ bandwidth: { balancingBytes: this.#nodeAdmin.bandwidth } })
    })
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
    if (message.transfers === 0) this.#reconstruction.sourceIsIdle(node, this.#layer.env.clock.monotonicMs())
    if (this.#slowPeers.record(node.id.uuid, message.slowPeers, this.#layer.env.clock.monotonicMs())) this.#decideSlow()
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

  /** `goodbye`: the node said so before, and is expected back. */
  disconnected(node: Datanode, link: NodeLink, goodbye = false): void {
    this.#layer.nodes.disconnected(node, link, { goodbye, nowMs: this.#layer.env.clock.monotonicMs() })
    if (node.link) return
    this.#layer.invalidations.drop(node)
    this.#recoveries.nodeGone(node)
  }

  // --- callers that are not the namespace -----------------------------------------------------------------------------------

  /** A client found a replica to be corrupt. Unknown nodes and blocks are ignored: the report may be late. */
  reportBad(datanodeUuid: string, storageUuid: string, block: Block): void {
    const node = this.#layer.nodes.get(datanodeUuid)
    if (node) this.badReplicas(node, [{ storageUuid, block, reason: 'reported by a client' }])
  }

  /** In a safe mode that ends by itself: of a start, or because the disk of the namenode is full. */
  get starting(): boolean {
    return this.#layer.safeMode.starting || this.diskReason !== ''
  }

  setSafeMode(action: SafeModeAction): { readonly on: boolean; readonly reason: string } {
    const { safeMode } = this.#layer
    if (action === SafeModeAction.SAFE_MODE_ENTER) safeMode.enter()
    else if (action === SafeModeAction.SAFE_MODE_LEAVE || action === SafeModeAction.SAFE_MODE_FORCE_EXIT) {
      if (action === SafeModeAction.SAFE_MODE_FORCE_EXIT) this.#layer.lost?.accept()
      if (safeMode.leave(action === SafeModeAction.SAFE_MODE_FORCE_EXIT)) this.#leftSafeMode()
    }
    return this.safeMode()
  }

  counts(): ClusterCounts {
    return countsOf(this.#layer, this.#redundancy)
  }

  capacity(): { capacity: number; used: number; remaining: number } {
    return this.#layer.nodes.totals()
  }

  datanodes(filter: DatanodeFilter): DatanodeReport[] {
    const { nodes, drains } = this.#layer
    return nodes
      .all()
      .filter((node) => {
        const belongs = inReport(filter, { dead: node.state === 'dead', admin: node.admin })
        if (belongs === undefined) throw new QuarryError('INVALID_ARGUMENT', `Unknown kind of datanode report: ${String(filter)}`)
        return belongs
      })
      .map((node) => reportOf(node, drains.waiting(node).size))
  }

  /** Of all nodes that ever registered. */
  datanodeIds(): DatanodeId[] {
    return this.#layer.nodes.all().map((node) => node.id)
  }

  /** How many nodes are in each state that operators give. */
  adminStates(): Record<AdminState, number> {
    const counts = { 'in-service': 0, 'decommissioning': 0, 'decommissioned': 0, 'entering-maintenance': 0, 'in-maintenance': 0 }
    for (const node of this.#layer.nodes.all()) counts[node.admin]++
    return counts
  }

  datanodeStates(): Record<NodeState, number> {
    const counts = { live: 0, stale: 0, dead: 0 }
    for (const node of this.#layer.nodes.all()) counts[node.state]++
    return counts
  }

  // --- workers --------------------------------------------------------------------------------------------------------------

  /** Moves silent datanodes on. Returns those that have just died. */
  sweepLiveness(): Datanode[] {
    const { nodes, settings, pending, invalidations, moves, env } = this.#layer
    const died = nodes.sweep(env.clock.monotonicMs(), settings)
    for (const node of died) {
      node.link?.close('silent for too long')
      node.link = undefined
      env.log.warn('datanode.dead', { uuid: node.id.uuid, address: node.id.ip, port: node.id.grpcPort })
      invalidations.drop(node)
      moves.dropNode(node)
      // A node in maintenance may be away: its copies are expected back and nothing is copied because of it.
      if (node.admin === 'in-maintenance') this.#scans.recheck(node)
      else this.#scans.drop(node.storages)
      for (const blockId of pending.dropNode(node)) this.#redundancy.evaluateId(blockId)
    }
    this.#updateSafeMode()
    return died
  }

  /** One round of the redundancy loop; see the worker. */
  redundancyRound(): void {
    const nowMs = this.#layer.env.clock.monotonicMs()
    this.#reconstruction.expire(nowMs)
    this.#layer.moves.expire(nowMs)
    if (this.#nodeAdmin.check()) this.#updateSafeMode()
    this.#decideSlow()
    this.#reconstruction.schedule(nowMs, true)
    if (!this.#layer.safeMode.on) this.#layer.invalidations.flush()
  }

  /** Whether there is something to scan. */
  get scanPending(): boolean {
    return this.#scans.pending
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

  #decideSlow(): void {
    const { nodes, env } = this.#layer
    const slow = this.#slowPeers.decide(nodes.liveCount(), env.clock.monotonicMs())
    for (const node of nodes.all()) {
      const latencyMs = slow.get(node.id.uuid)
      if ((latencyMs === undefined) !== (node.slowLatencyMs === undefined))
        env.log.warn(latencyMs === undefined ? 'datanode.fast.again' : 'datanode.slow', { uuid: node.id.uuid, latencyMs })
      node.slowLatencyMs = latencyMs
    }
  }

  /** Sends what is due right after the current decision, not at the next heartbeat. */
  #kick(): void {
    if (this.#kicked) return
    this.#kicked = true
    this.#defer(() => {
      this.#kicked = false
      this.#reconstruction.schedule(this.#layer.env.clock.monotonicMs(), false)
      // The last copy that a node waited for may just have come.
      if (this.#layer.drains.size > 0) this.#nodeAdmin.check()
      if (!this.#layer.safeMode.on) this.#layer.invalidations.flush()
    })
  }

  #now(): ContactTime {
    return { monotonicMs: this.#layer.env.clock.monotonicMs(), wallMs: this.#layer.env.clock.nowMs() }
  }
}

const forgetful: NodeRecords = { load: () => undefined, save() {} }
