// Enough good copies of every block, and no more: what lacks copies is copied, what has too many loses some, what is corrupt is
// replaced first and deleted after. The rules are those of HDFS's BlockManager.
//
//   R1  The last good copy is never deleted, nor the last copy of all.
//   R2  A corrupt copy is deleted only when enough good ones exist, or when it stands in the way of making one.
//   R3  Nothing is deleted because of what a storage is thought to hold before it has sent a full report (postponed).
//   R4  A copy that was told to go (excess) never counts again, whatever late reports say of it.
//   R5  Blocks under construction belong to their writer: they are left alone.
//   R6  After a start datanodes get as long to come back as any silent one (dead.after) before their replicas count as lost; and no
//       copy goes to a datanode whose full report is outstanding: it may well hold one.
import { ReplicaState } from '../../../proto/ports.ts'
import type { BlockRecord } from '../model.ts'
import type { BlockLayer } from './block-layer.ts'
import type { Datanode } from './datanode-table.ts'
import { remainingOf } from './datanode-table.ts'
import { placeReplicas } from './placement.ts'
import { MISSING, priorityOf } from './redundancy-queues.ts'
import type { Priority } from './redundancy-queues.ts'

/** HDFS (dfs.namenode.replication.work.multiplier.per.iteration): blocks scheduled in one pass, times the live nodes. */
const blocksPerNodeAndPass = 4
/** Blocks looked at in one pass though they cannot be helped: bounds the pass when copies have nowhere to go. */
const examinedPerPass = 500
/**
 * A datanode that reports no outgoing copy this long after it was told to send one has failed at it: datanodes do not report
 * failed copies, and HDFS waits out the full time-out.
 */
const failedCopyMs = 10_000
/** The most urgent blocks may exceed the limit of streams by this factor, as in HDFS (hard limit). */
const urgentStreamsFactor = 2

interface Census {
  readonly good: number[]
  readonly corrupt: number[]
  readonly holders: Set<Datanode>
  readonly racks: Map<string, number>
  readonly contentStale: boolean
}

export class Redundancy {
  readonly #layer: BlockLayer
  /** Blocks whose surplus or corrupt copies may not be deleted yet (R3, or safe mode). */
  readonly #postponed = new Set<number>()

  constructor(layer: BlockLayer) {
    this.#layer = layer
  }

  get postponed(): number {
    return this.#postponed.size
  }

  /** Looks at a block again after something about it changed. */
  evaluateId(blockId: number): void {
    const block = this.#layer.view.block(blockId)
    if (block) this.evaluate(block, this.#layer.wanted(block))
    else this.#layer.queues.delete(blockId)
  }

  evaluate(block: BlockRecord, wanted: number): void {
    const { queues, pending, safeMode, corrupt } = this.#layer
    // While starting most replicas are merely not reported yet; a scan over all blocks follows when safe mode ends.
    if (safeMode.starting || wanted === 0) return
    if (block.state !== 'committed') {
      queues.delete(block.blockId)
      return
    }
    const census = this.#census(block)
    const live = census.good.length
    if (census.corrupt.length > 0) corrupt.add(block.blockId)
    else corrupt.delete(block.blockId)
    const oneRack = wanted > 1 && census.racks.size === 1 && this.#layer.nodes.racks > 1
    if (live + pending.count(block.blockId) >= wanted && live > 0 && !oneRack) queues.delete(block.blockId)
    else queues.set(block.blockId, priorityOf({ live, wanted, oneRack }), wanted)
    if (live >= wanted) pending.forget(block.blockId)
    if (census.corrupt.length > 0) this.#deleteCorrupt(block, wanted, census)
    if (live > wanted) this.#deleteExcess(block, live - wanted, census)
  }

  /**
   * Orders copies for the most urgent blocks, as far as their sources have streams free. Returns how many blocks were helped.
   */
  schedule(nowMs: number): number {
    const { queues, nodes, safeMode } = this.#layer
    if (safeMode.on || nowMs < this.#layer.copiesFromMs) return 0
    const limit = Math.max(1, nodes.liveCount()) * blocksPerNodeAndPass
    let helped = 0
    let examined = 0
    for (const priority of [0, 1, 2, 3] as const) {
      if (helped >= limit || examined >= examinedPerPass) break
      for (const blockId of queues.take(priority, Math.min(queues.size(priority), examinedPerPass - examined))) {
        examined++
        if (this.#copy(blockId, priority, nowMs)) helped++
        if (helped >= limit) break
      }
    }
    return helped
  }

  /** Gives up copies that did not arrive in time. */
  expire(nowMs: number): void {
    for (const blockId of this.#layer.pending.expire(nowMs - this.#layer.settings.copyTimeoutMs)) this.evaluateId(blockId)
  }

  /** The node says that it is sending no copy at all: those it was told to send a while ago have failed. */
  sourceIsIdle(node: Datanode, nowMs: number): void {
    if (node.outgoing === 0) return
    const beforeMs = nowMs - Math.min(failedCopyMs, this.#layer.settings.copyTimeoutMs)
    for (const blockId of this.#layer.pending.giveUpFrom(node, beforeMs)) this.evaluateId(blockId)
  }

  /** Takes postponed deletions up again: a storage has sent its full report, or safe mode ended. */
  releasePostponed(): void {
    const again = [...this.#postponed]
    this.#postponed.clear()
    for (const blockId of again) this.evaluateId(blockId)
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

  #census(block: BlockRecord): Census {
    const { replicas, nodes } = this.#layer
    const good: number[] = []
    const corrupt: number[] = []
    const holders = new Set<Datanode>()
    const racks = new Map<string, number>()
    let contentStale = false
    for (let slot = replicas.first(block.blockId); slot !== -1; slot = replicas.next(slot)) {
      const storage = nodes.storage(replicas.storage(slot))
      if (!this.#layer.isThere(slot)) continue
      holders.add(storage.node)
      if (replicas.isExcess(slot)) continue
      if (replicas.isCorrupt(slot)) corrupt.push(slot)
      else if (this.#layer.isGood(slot, block)) {
        good.push(slot)
        contentStale ||= storage.contentStale
        racks.set(storage.node.id.rack, (racks.get(storage.node.id.rack) ?? 0) + 1)
      }
    }
    return { good, corrupt, holders, racks, contentStale }
  }

  #deleteCorrupt(block: BlockRecord, wanted: number, census: Census): void {
    const { replicas, settings, safeMode, nodes } = this.#layer
    const live = census.good.length
    if (live === 0) return // R1
    if (census.contentStale || safeMode.on) {
      this.#postponed.add(block.blockId)
      return
    }
    const enough = live >= wanted
    const crowded = live >= settings.replicationMin && live + census.corrupt.length > wanted
    // In a small cluster the bad copy may occupy the only node that could take a new one.
    const inTheWay = live >= settings.replicationMin && census.holders.size >= nodes.liveCount()
    for (const slot of census.corrupt) {
      const outdated = replicas.genstamp(slot) < block.genstamp && live >= settings.replicationMin
      if (enough || crowded || inTheWay || outdated) this.#discard(slot, block.blockId)
    }
  }

  #deleteExcess(block: BlockRecord, surplus: number, census: Census): void {
    if (census.contentStale || this.#layer.safeMode.on) {
      this.#postponed.add(block.blockId)
      return
    }
    const candidates = new Set(census.good)
    for (let i = 0; i < surplus && candidates.size > 1; i++) {
      const victim = this.#pickExcess([...candidates], census.racks)
      candidates.delete(victim)
      const rack = this.#layer.nodeOf(victim).id.rack
      const left = (census.racks.get(rack) ?? 1) - 1
      if (left === 0) census.racks.delete(rack)
      else census.racks.set(rack, left)
      this.#discard(victim, block.blockId)
    }
  }

  /** HDFS: from racks that hold more than one copy first; then a node that has gone quiet, else the one with least space left. */
  #pickExcess(slots: readonly number[], racks: ReadonlyMap<string, number>): number {
    const crowded = slots.filter((slot) => (racks.get(this.#layer.nodeOf(slot).id.rack) ?? 0) > 1)
    const from = crowded.length > 0 ? crowded : slots
    return from.reduce((worst, slot) => {
      const a = this.#layer.nodeOf(worst)
      const b = this.#layer.nodeOf(slot)
      if (a.state !== b.state) return b.state === 'stale' ? slot : worst
      return remainingOf(b) < remainingOf(a) ? slot : worst
    })
  }

  /** Tells the holder to delete this copy; it does not count any more (R4). */
  #discard(slot: number, blockId: number): void {
    const { replicas, invalidations } = this.#layer
    replicas.setExcess(slot)
    invalidations.add(this.#layer.nodeOf(slot), { blockId, genstamp: replicas.genstamp(slot), length: replicas.length(slot) })
  }

  #copy(blockId: number, priority: Priority, nowMs: number): boolean {
    const { view, queues, pending, nodes, env } = this.#layer
    const block = view.block(blockId)
    const wanted = block ? this.#layer.wanted(block) : 0
    if (!block || block.state !== 'committed' || wanted === 0) {
      queues.delete(blockId)
      return false
    }
    const census = this.#census(block)
    const lacking = Math.max(wanted - census.good.length, priority === 3 ? 1 : 0) - pending.count(blockId)
    if (lacking <= 0 || census.good.length === 0) {
      this.evaluate(block, wanted)
      return false
    }
    const source = this.#chooseSource(census.good, priority)
    if (!source) return false
    const existing = [...new Set([...census.good.map((slot) => this.#layer.nodeOf(slot).id.uuid), ...pending.targets(blockId)])]
    const unsure = nodes
      .all()
      .filter((node) => census.holders.has(node) || node.storages.some((storage) => storage.contentStale && !storage.failed))
    const excluded = unsure.map((node) => node.id.uuid).filter((uuid) => !existing.includes(uuid))
    const { targets } = placeReplicas(nodes, env.random, {
      caller: source.id.ip,
      wanted: lacking,
      existing,
      excluded,
      favored: [],
      blockSize: Math.max(1, block.length),
    })
    if (targets.length === 0) return false
    source.link?.send({ replicate: { block: { blockId, genstamp: block.genstamp, length: block.length }, targets } })
    const copies = targets.flatMap((target) => {
      const node = nodes.get(target.datanode?.uuid ?? '')
      if (node) node.scheduled++
      return node ? [{ target: node, source }] : []
    })
    pending.add(blockId, copies, nowMs)
    this.evaluate(block, wanted)
    return true
  }

  /** A random holder that is connected and has a stream free; live ones before stale ones. */
  #chooseSource(good: readonly number[], priority: Priority): Datanode | undefined {
    const { settings, env } = this.#layer
    const streams = settings.streamsMax * (priority === 0 ? urgentStreamsFactor : 1)
    const able = good.map((slot) => this.#layer.nodeOf(slot)).filter((node) => node.link && node.outgoing < streams)
    const live = able.filter((node) => node.state === 'live')
    const from = live.length > 0 ? live : able
    return from[Math.floor(env.random.float() * from.length)]
  }

  /**
   * Looks at the replicas of a block that has just been committed, outside the pipeline that wrote it last: those left behind with
   * an older stamp, and finalised ones that differ from it, are corrupt. Those of the pipeline are about to be reported anew.
   */
  checkCommitted(block: BlockRecord, pipeline: ReadonlySet<Datanode>): void {
    const { replicas } = this.#layer
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
}
