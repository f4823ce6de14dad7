// Enough good copies of every block, and no more: what lacks copies is queued to be copied, what has too many loses some, what is
// corrupt is replaced first and deleted after. The rules are those of HDFS's BlockManager.
//
//   R1  The last good copy is never deleted, nor the last copy of all.
//   R2  A corrupt copy is deleted only when enough good ones exist, or when it stands in the way of making one.
//   R3  Nothing is deleted because of what a storage is thought to hold before it has sent a full report (postponed).
//   R4  A copy that was told to go (excess) never counts again, whatever late reports say of it.
//   R5  Blocks under construction belong to their writer: they are left alone.
//   R6  After a start datanodes get as long to come back as any silent one (dead.after) before their replicas count as lost; and no
//       copy goes to a datanode whose full report is outstanding: it may well hold one.
//   R7  Only copies on nodes in service count. Those on nodes that leave can be copied from and read; those on nodes in maintenance
//       lower what is required, since they will be back (census.ts).
//
// Here is decided what a block needs; reconstruction.ts orders the copies, surplus.ts the deletions.
import { ReplicaState } from '../../../proto/ports.ts'
import type { BlockRecord } from '../model.ts'
import { isDraining } from './admin-states.ts'
import type { BlockLayer } from './block-layer.ts'
import { racksMissing, requiredLive, takeCensus } from './census.ts'
import type { Census } from './census.ts'
import type { Datanode } from './datanode.ts'
import { leftovers, repeatDeletions } from './leftovers.ts'
import { MISSING, priorityOf } from './redundancy-queues.ts'
import { writtenPlaces } from './replica-places.ts'
import { isSufficient } from './sufficiency.ts'
import { Surplus } from './surplus.ts'

export class Redundancy {
  readonly #layer: BlockLayer
  readonly #surplus: Surplus

  constructor(layer: BlockLayer) {
    this.#layer = layer
    this.#surplus = new Surplus(layer)
  }

  /** Blocks whose surplus or corrupt copies may not be deleted yet (R3, or safe mode). */
  get postponed(): readonly number[] {
    return this.#surplus.postponed
  }

  get postponedCount(): number {
    return this.#surplus.postponedCount
  }

  /** Looks at a block again after something about it changed. */
  evaluateId(blockId: number): void {
    const block = this.#layer.view.block(blockId)
    if (block) this.evaluate(block, this.#layer.wanted(block))
    else {
      this.#layer.queues.delete(blockId)
      this.#layer.drains.forget(blockId)
    }
  }

  evaluate(block: BlockRecord, wanted: number): void {
    const { queues, pending, safeMode, corrupt, drains, nodes, settings } = this.#layer
    // While starting most replicas are merely not reported yet; a scan over all blocks follows when safe mode ends.
    if (safeMode.starting || wanted === 0) return
    if (block.state !== 'committed') {
      queues.delete(block.blockId)
      if (drains.size > 0) this.#judgeOpen(block, wanted)
      return
    }
    const census = this.#censusOf(block)
    const live = census.live.length
    const required = requiredLive(wanted, census, settings.maintenanceMin)
    const misplaced = racksMissing(wanted, census, nodes.racks) > 0
    if (census.corrupt.length > 0) corrupt.add(block.blockId)
    else corrupt.delete(block.blockId)
    const known = live > 0 || census.leaving.length > 0 || required === 0
    if (known && live + pending.count(block.blockId) >= required && !misplaced) queues.delete(block.blockId)
    else queues.set(block.blockId, priorityOf({ live, required, outOfService: census.leaving.length + census.maintenance }), wanted)
    if (live >= required && !misplaced) pending.forget(block.blockId)
    if (census.corrupt.length > 0) this.#surplus.deleteCorrupt(block, wanted, census)
    if (live > wanted) this.#surplus.deleteExcess(block, wanted, census)
    if (drains.size > 0) this.#judge(block, wanted, census, misplaced)
  }

  /** A complete block's leftovers count as corrupt from the first look at it on. */
  #censusOf(block: BlockRecord): Census {
    const census = takeCensus(this.#layer, block)
    if (census.live.length < this.#layer.settings.replicationMin) return census
    const left = leftovers(this.#layer, block)
    for (const slot of left) this.markCorrupt(slot, block)
    return left.length === 0 ? census : takeCensus(this.#layer, block)
  }

  /** Takes postponed deletions up again: a storage has sent its full report, or safe mode ended. */
  releasePostponed(): void {
    for (const blockId of this.#surplus.release()) this.evaluateId(blockId)
  }

  /** Marks a replica corrupt and lets the rules decide what becomes of it. */
  markCorrupt(slot: number, block: BlockRecord): void {
    this.#layer.replicas.setCorrupt(slot)
    this.#layer.corrupt.add(block.blockId)
  }

  /** Whether the block has replicas on nodes that are not dead, and all of them are corrupt. */
  isCorrupt(blockId: number): boolean {
    const { replicas } = this.#layer
    let seen = false
    for (let slot = replicas.first(blockId); slot !== -1; slot = replicas.next(slot)) {
      if (!this.#layer.isThere(slot)) continue
      if (!replicas.isCorrupt(slot)) return false
      seen = true
    }
    return seen
  }

  /**
   * Looks at the replicas of a block that has just been committed, outside the pipeline that wrote it last: those left behind with
   * an older stamp, and finalised ones that differ from it, are corrupt. Those of the pipeline are about to be reported anew.
   */
  checkCommitted(block: BlockRecord, pipeline: ReadonlySet<Datanode>): void {
    const { replicas } = this.#layer
    repeatDeletions(this.#layer, block, (slot) => pipeline.has(this.#layer.nodeOf(slot)))
    for (let slot = replicas.first(block.blockId); slot !== -1; slot = replicas.next(slot)) {
      if (pipeline.has(this.#layer.nodeOf(slot)) || this.#layer.isGood(slot, block)) continue
      const finalised = replicas.state(slot) === ReplicaState.REPLICA_FINALIZED
      if (finalised || replicas.genstamp(slot) < block.genstamp) this.markCorrupt(slot, block)
    }
  }

  /** Blocks with no good copy, at most `limit`. */
  missing(limit: number): number[] {
    return this.#layer.queues.missing(limit)
  }

  get missingCount(): number {
    return this.#layer.queues.size(MISSING)
  }

  /** Tells the nodes that are on their way out whether this block still keeps them. */
  #judge(block: BlockRecord, wanted: number, census: Census, misplaced: boolean): void {
    const { drains, settings } = this.#layer
    const live = census.live.length
    const required = requiredLive(wanted, census, settings.maintenanceMin)
    const leaving = new Set(census.leaving.map((slot) => this.#layer.nodeOf(slot)))
    drains.judge(block.blockId, leaving, (node) =>
      isSufficient({ live, wanted, required, open: false, misplaced }, drainKind(node), settings),
    )
  }

  /** A block that is being written: every node of its pipeline that is in service counts. */
  #judgeOpen(block: BlockRecord, wanted: number): void {
    const leaving = new Set<Datanode>()
    let live = 0
    for (const { node } of writtenPlaces(this.#layer, block)) {
      if (node.admin === 'in-service') live++
      else if (isDraining(node.admin)) leaving.add(node)
    }
    this.#layer.drains.judge(block.blockId, leaving, (node) =>
      isSufficient({ live, wanted, required: wanted, open: true, misplaced: false }, drainKind(node), this.#layer.settings),
    )
  }
}

function drainKind(node: Datanode): 'decommission' | 'maintenance' {
  return node.admin === 'entering-maintenance' ? 'maintenance' : 'decommission'
}
