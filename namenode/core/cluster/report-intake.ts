// What a datanode says of its replicas, held against the namespace: full reports, and single events between them.
//
// The table (HDFS: BlockManager.reportDiffSorted and checkReplicaCorrupt). "Complete" = committed and with enough good replicas.
//
//   the namespace has        the node reports         what follows
//   nothing by that id       anything but temporary   told to delete it; kept while in safe mode, or if its stamp is from the future
//   under construction       anything but temporary   remembered as a place; moves nothing
//   committed                finalised, same stamp and length      a good replica
//   committed                finalised, other stamp or length      corrupt
//   committed                being written, same stamp             remembered, not counted (a report that comes late)
//   complete                 being written, other stamp            corrupt
//   complete                 waiting to be recovered               corrupt
//   committed, not complete  being written or waiting              remembered, not counted
//   anything                 temporary, under recovery             not counted
import { ReceivedKind, ReplicaState } from '../../../proto/ports.ts'
import type { BadReplica, Block, BlockReport, ReceivedBlock } from '../../../proto/ports.ts'
import { QuarryError } from '../../../common/errors.ts'
import type { BlockRecord } from '../model.ts'
import type { BlockLayer, ReplicaReport } from './block-layer.ts'
import { BlockCursor } from './block-cursor.ts'
import type { Datanode, Storage } from './datanode.ts'
import { epochs } from './replica-map.ts'
import type { Redundancy } from './redundancy.ts'

/** Entries of the replica map that one step of the final clean-up looks at. */
const scanStep = 20_000

/** Work that is done in steps, so that a large report does not keep heartbeats waiting. */
export interface StepwiseJob {
  /** Does a part of at most about `limit` replicas; true when all is done. */
  step(limit: number): boolean
}

export class ReportIntake {
  readonly #layer: BlockLayer
  readonly #redundancy: Redundancy
  /** Called when a finalised replica arrived that was not counted before. */
  readonly #arrived: (blockId: number) => void

  constructor(layer: BlockLayer, redundancy: Redundancy, arrived: (blockId: number) => void) {
    this.#layer = layer
    this.#redundancy = redundancy
    this.#arrived = arrived
  }

  /** Events between full reports. */
  received(node: Datanode, blocks: readonly ReceivedBlock[]): void {
    for (const { storageUuid, block, kind } of blocks) {
      const storage = this.#storageOf(node, storageUuid)
      if (!block) continue
      if (kind === ReceivedKind.DELETED) this.#deleted(storage, block)
      else {
        const state = kind === ReceivedKind.RECEIVED ? ReplicaState.REPLICA_FINALIZED : ReplicaState.REPLICA_RBW
        this.replica(
          storage,
          { blockId: block.blockId, genstamp: block.genstamp, length: block.length, state },
          this.#layer.view.block(block.blockId),
        )
      }
    }
  }

  /** Replicas that somebody found to be bad: their own datanode, or a reader that had a good one to compare with. */
  bad(node: Datanode, replicas: readonly BadReplica[]): void {
    for (const { storageUuid, block, reason } of replicas) {
      if (!block) continue
      const slot = this.#slotOn(node, storageUuid, block.blockId)
      const record = this.#layer.view.block(block.blockId)
      // A stamp that is not the replica's own speaks of an earlier version of it.
      if (slot === -1 || !record || this.#layer.replicas.genstamp(slot) !== block.genstamp) continue
      this.#layer.env.log.warn('block.corrupt', { blockId: block.blockId, datanode: node.id.uuid, reason })
      this.#redundancy.markCorrupt(slot, record)
      // A copy may be under way from this very replica and never arrive.
      this.#layer.pending.forgetFrom(block.blockId, node)
      this.#redundancy.evaluateId(block.blockId)
    }
  }

  /** One part of a full report. Parts come in order; a part out of order makes the node send everything again. */
  fullReport(node: Datanode, part: BlockReport): StepwiseJob {
    const storage = this.#storageOf(node, part.storageUuid)
    checkColumns(part)
    if (part.part === 0) {
      storage.epoch = (storage.epoch + 1) % epochs
      storage.marked = 0
      storage.report = { id: part.reportId, nextPart: 0 }
    }
    if (storage.report?.id !== part.reportId || storage.report.nextPart !== part.part) {
      storage.report = undefined
      node.link?.send({ sendReport: {} })
      return { step: () => true }
    }
    storage.report = { id: part.reportId, nextPart: part.part + 1 }
    return new PartJob(this.#layer, this.#redundancy, this, storage, part)
  }

  /** Applies the table to one replica. */
  replica(storage: Storage, reported: ReplicaReport, block: BlockRecord | undefined): void {
    if (reported.state === ReplicaState.REPLICA_TEMPORARY) return
    if (!block) return this.#unknown(storage, reported)
    const { replicas, safeMode } = this.#layer
    const finalized = reported.state === ReplicaState.REPLICA_FINALIZED
    const before = replicas.find(reported.blockId, storage.index)
    const counted = before !== -1 && this.#layer.isGood(before, block)
    const slot = this.#layer.putReplica(storage, reported)
    if (finalized) this.#settle(storage.node, reported.blockId)
    if (block.state !== 'committed') {
      if (finalized) this.#arrived(reported.blockId)
      return
    }
    if (replicas.isExcess(slot)) {
      // Still there although it was told to go: the order may have been lost with a connection.
      this.#layer.invalidations.add(storage.node, reported)
      return
    }
    if (this.#layer.isGood(slot, block)) {
      // A replica that is known from before its node went away counts again only now, if the node was dead meanwhile.
      if (counted && !storage.contentStale) return
      if (safeMode.starting) {
        if (!counted) this.#countSafe(block)
      } else if (!storage.contentStale || !this.#comesLater(block)) this.#redundancy.evaluate(block, this.#layer.wanted(block))
      this.#arrived(reported.blockId)
    } else if (this.#contradicts(reported, block)) {
      this.#redundancy.markCorrupt(slot, block)
      this.#redundancy.evaluate(block, this.#layer.wanted(block))
    }
  }

  /** The replica is gone, by report or by absence from a full one. */
  lost(storage: Storage, blockId: number): void {
    const slot = this.#layer.replicas.find(blockId, storage.index)
    if (slot === -1) return
    const block = this.#layer.view.block(blockId)
    const wasSafe =
      block !== undefined &&
      this.#layer.safeMode.starting &&
      this.#layer.isGood(slot, block) &&
      this.#layer.goodReplicas(block) === this.#layer.settings.replicationMin
    this.#layer.removeReplica(storage, blockId)
    if (block && wasSafe && !this.#layer.openAtStart.has(blockId)) this.#layer.safeMode.countSafe(-1)
    if (block) this.#redundancy.evaluate(block, this.#layer.wanted(block))
  }

  #unknown(storage: Storage, reported: ReplicaReport): void {
    const { safeMode, invalidations, view, lost } = this.#layer
    if (reported.genstamp >= view.counters().nextGenstamp || lost?.has(reported.genstamp) === true) {
      // Never given out by this namenode: to delete it could destroy what a newer copy of the namespace knows.
      safeMode.countFuture(`${storage.index}:${reported.blockId}`, reported.length)
      storage.node.unknownInSafeMode++
    } else if (safeMode.on) storage.node.unknownInSafeMode++
    else invalidations.add(storage.node, reported)
  }

  #contradicts(reported: ReplicaReport, block: BlockRecord): boolean {
    if (reported.state === ReplicaState.REPLICA_FINALIZED) return true
    const complete = this.#layer.liveReplicas(block) >= this.#layer.settings.replicationMin
    if (!complete) return false
    if (reported.state === ReplicaState.REPLICA_RBW) return reported.genstamp !== block.genstamp
    return reported.state === ReplicaState.REPLICA_RWR
  }

  /** The look at every block that follows safe mode has yet to reach this one: no need to look now. */
  #comesLater(block: BlockRecord): boolean {
    return this.#layer.recheckFrom !== undefined && block.blockId >= this.#layer.recheckFrom
  }

  #countSafe(block: BlockRecord): void {
    if (this.#layer.openAtStart.has(block.blockId)) return
    if (this.#layer.goodReplicas(block) === this.#layer.settings.replicationMin) this.#layer.safeMode.countSafe(1)
  }

  #deleted(storage: Storage, block: Block): void {
    const slot = this.#layer.replicas.find(block.blockId, storage.index)
    if (slot === -1 || this.#layer.replicas.genstamp(slot) > block.genstamp) return
    this.lost(storage, block.blockId)
  }

  #settle(node: Datanode, blockId: number): void {
    this.#layer.pending.settle(blockId, node)
    if (this.#layer.moves.size > 0) this.#layer.moves.arrived(blockId, node)
    this.#layer.nodes.unschedule(node)
  }

  #storageOf(node: Datanode, storageUuid: string): Storage {
    const storage = this.#layer.nodes.storageOf(node.id.uuid, storageUuid)
    if (!storage)
      throw new QuarryError(
        'INVALID_ARGUMENT',
        `Datanode ${node.id.uuid} reported blocks of storage ${storageUuid}, which it has not registered.`,
      )
    return storage
  }

  /** The replica on the named storage, or on any of the node's when the reporter does not know which. */
  #slotOn(node: Datanode, storageUuid: string, blockId: number): number {
    for (const storage of node.storages) {
      if (storageUuid !== '' && storage.uuid !== storageUuid) continue
      const slot = this.#layer.replicas.find(blockId, storage.index)
      if (slot !== -1) return slot
    }
    return -1
  }
}

/** Takes in one part; the last part also drops what the report did not name. */
class PartJob implements StepwiseJob {
  readonly #layer: BlockLayer
  readonly #redundancy: Redundancy
  readonly #intake: ReportIntake
  readonly #storage: Storage
  readonly #part: BlockReport
  readonly #epoch: number
  readonly #last: boolean
  #at = 0
  /** Where the clean-up scan is; -1 before and after it. */
  #scanAt = -1

  constructor(layer: BlockLayer, redundancy: Redundancy, intake: ReportIntake, storage: Storage, part: BlockReport) {
    this.#layer = layer
    this.#redundancy = redundancy
    this.#intake = intake
    this.#storage = storage
    this.#part = part
    this.#epoch = storage.epoch
    this.#last = part.part + 1 >= part.parts
  }

  step(limit: number): boolean {
    if (this.#storage.epoch !== this.#epoch) return true // a newer report has begun
    if (this.#at < this.#part.blockIds.length) {
      this.#takeIn(limit)
      return false
    }
    if (!this.#last) return true
    if (this.#scanAt === -1) {
      if (this.#storage.marked === this.#storage.blocks) return this.#finish()
      this.#scanAt = 0
    }
    this.#scanAt = this.#layer.replicas.scan(this.#scanAt, scanStep, (blockId) => this.#dropUnmarked(blockId))
    return this.#scanAt === -1 ? this.#finish() : false
  }

  #takeIn(limit: number): void {
    const { blockIds, genstamps, lengths, states } = this.#part
    const cursor = new BlockCursor(this.#layer.view)
    const until = Math.min(this.#at + limit, blockIds.length)
    for (let i = this.#at; i < until; i++) {
      const reported = { blockId: blockIds[i]!, genstamp: genstamps[i]!, length: lengths[i]!, state: states[i]! as ReplicaState }
      this.#intake.replica(this.#storage, reported, cursor.seek(reported.blockId))
    }
    this.#at = until
  }

  #dropUnmarked(blockId: number): void {
    const slot = this.#layer.replicas.find(blockId, this.#storage.index)
    if (slot !== -1 && this.#layer.replicas.epoch(slot) !== this.#epoch) this.#intake.lost(this.#storage, blockId)
  }

  #finish(): boolean {
    this.#storage.report = undefined
    this.#storage.contentStale = false
    this.#storage.lastReportMs = this.#layer.env.clock.nowMs()
    this.#redundancy.releasePostponed()
    return true
  }
}

function checkColumns(part: BlockReport): void {
  const rows = part.blockIds.length
  if (part.genstamps.length !== rows || part.lengths.length !== rows || part.states.length !== rows) {
    throw new QuarryError(
      'INVALID_ARGUMENT',
      `A block report's columns differ in length: ${rows} ids, ${part.genstamps.length} stamps, ${part.lengths.length} lengths, ${part.states.length} states.`,
    )
  }
}
