// Orders copies of blocks that lack some, the most urgent first, as far as the streams of their sources reach. HDFS:
// computeReconstructionWorkForBlocks, chooseSourceDatanodes.
//
// A pass runs right after every change that may have made work (the block layer's kick), and once every `redundancy.interval`. Blocks
// that have just become urgent are looked at first; those that could not be helped before take turns.
import type { BlockRecord } from '../model.ts'
import type { BlockLayer } from './block-layer.ts'
import { racksMissing, requiredLive, takeCensus } from './census.ts'
import type { Census } from './census.ts'
import type { Datanode } from './datanode.ts'
import { placeReplicas } from './placement.ts'
import type { Priority } from './redundancy-queues.ts'
import type { Redundancy } from './redundancy.ts'

/** Blocks scheduled in one pass, times the live nodes. HDFS (replication.work.multiplier.per.iteration): 2, every 3 s. */
const blocksPerNodeAndPass = 4
/** Blocks looked at in one pass though they cannot be helped: bounds the pass when copies have nowhere to go. */
const examinedPerPass = 500
/** The same after a pass that helped nobody: what waits then waits for streams, space or nodes, and passes come with every change. */
const examinedWhenStuck = 20
/**
 * A datanode that reports no outgoing copy this long after it was told to send one has failed at it: datanodes do not report
 * failed copies, and HDFS waits out the full time-out.
 */
const failedCopyMs = 10_000
/** The most urgent blocks, and nodes on their way out, may exceed the limit of streams by this factor, as in HDFS (hard limit). */
const urgentStreamsFactor = 2

export class Reconstruction {
  readonly #layer: BlockLayer
  readonly #redundancy: Redundancy
  #stuck = false

  constructor(layer: BlockLayer, redundancy: Redundancy) {
    this.#layer = layer
    this.#redundancy = redundancy
  }

  /** Orders copies for the most urgent blocks. `thorough`: look at many even if the last pass helped none. Returns how many were helped. */
  schedule(nowMs: number, thorough: boolean): number {
    const { queues, nodes, safeMode } = this.#layer
    if (safeMode.on || nowMs < this.#layer.copiesFromMs) return 0
    const limit = Math.max(1, nodes.liveCount()) * blocksPerNodeAndPass
    const examinedMax = this.#stuck && !thorough ? examinedWhenStuck : examinedPerPass
    let helped = 0
    let examined = 0
    for (const priority of [0, 1, 2, 3] as const) {
      if (helped >= limit || examined >= examinedMax) break
      for (const blockId of queues.take(priority, examinedMax - examined)) {
        examined++
        if (this.#copy(blockId, priority, nowMs)) helped++
        if (helped >= limit) break
      }
    }
    this.#stuck = helped === 0
    return helped
  }

  /** Gives up copies that did not arrive in time. */
  expire(nowMs: number): void {
    for (const blockId of this.#layer.pending.expire(nowMs - this.#layer.settings.copyTimeoutMs)) this.#redundancy.evaluateId(blockId)
  }

  /** The node says that it is sending no copy at all: those it was told to send a while ago have failed. */
  sourceIsIdle(node: Datanode, nowMs: number): void {
    const beforeMs = nowMs - Math.min(failedCopyMs, this.#layer.settings.copyTimeoutMs)
    this.#layer.moves.giveUpFrom(node, beforeMs)
    if (node.outgoing === 0) return
    for (const blockId of this.#layer.pending.giveUpFrom(node, beforeMs)) this.#redundancy.evaluateId(blockId)
  }

  #copy(blockId: number, priority: Priority, nowMs: number): boolean {
    const { view, queues, pending, nodes, env, settings } = this.#layer
    const block = view.block(blockId)
    const wanted = block ? this.#layer.wanted(block) : 0
    if (!block || block.state !== 'committed' || wanted === 0) {
      queues.delete(blockId)
      return false
    }
    const census = takeCensus(this.#layer, block)
    const misplaced = racksMissing(wanted, census, nodes.racks) > 0
    const missing = requiredLive(wanted, census, settings.maintenanceMin) - census.live.length
    const lacking = Math.max(missing, misplaced ? 1 : 0) - pending.count(blockId)
    if (lacking <= 0) {
      this.#redundancy.evaluate(block, wanted)
      return false
    }
    const source = this.#chooseSource(census, priority)
    if (!source) return false
    const { existing, excluded } = this.#around(block, census, missing <= 0)
    const request = { caller: source.id.ip, wanted: lacking, existing, excluded, favored: [], blockSize: Math.max(1, block.length) }
    const { targets } = placeReplicas(nodes, env.random, request, settings.avoidSlow)
    if (targets.length === 0) return false
    source.link?.send({ replicate: { block: { blockId, genstamp: block.genstamp, length: block.length }, targets } })
    const copies = targets.flatMap((target) => {
      const node = nodes.get(target.datanode?.uuid ?? '')
      if (node) node.scheduled++
      return node ? [{ target: node, source }] : []
    })
    pending.add(blockId, copies, nowMs)
    this.#redundancy.evaluate(block, wanted)
    return true
  }

  /**
   * The nodes that a new copy is to keep its distance from, and those that cannot take one: they hold a copy of whatever worth, or may
   * hold one that they have not reported (R6). A copy that is only to spread the block goes to a rack that has none.
   */
  #around(block: BlockRecord, census: Census, onlySpread: boolean): { existing: string[]; excluded: string[] } {
    const { pending, nodes, moves } = this.#layer
    const existing = [...new Set([...census.live.map((slot) => this.#layer.nodeOf(slot).id.uuid), ...pending.targets(block.blockId)])]
    const moving = moves.target(block.blockId)
    const excluded = nodes
      .all()
      .filter(
        (node) =>
          node === moving ||
          census.holders.has(node) ||
          node.storages.some((storage) => storage.contentStale && !storage.failed) ||
          (onlySpread && census.racks.has(node.id.rack)),
      )
      .map((node) => node.id.uuid)
      .filter((uuid) => !existing.includes(uuid))
    return { existing, excluded }
  }

  /**
   * A connected holder with a stream free: first one that is on its way out, since nobody writes to it; then any in service, live ones
   * before stale ones; then what has left already. By chance among equals.
   */
  #chooseSource(census: Census, priority: Priority): Datanode | undefined {
    const { settings, env } = this.#layer
    const hard = settings.streamsMax * urgentStreamsFactor
    const soft = priority === 0 ? hard : settings.streamsMax
    const able = (slots: readonly number[], streams: number, suits: (node: Datanode) => boolean): Datanode[] =>
      slots.map((slot) => this.#layer.nodeOf(slot)).filter((node) => node.link && node.outgoing < streams && suits(node))
    const groups = [
      () => able(census.leaving, hard, ({ admin }) => admin === 'decommissioning' || admin === 'entering-maintenance'),
      () => able(census.live, soft, ({ state }) => state === 'live'),
      () => able(census.live, soft, ({ state }) => state !== 'live'),
      () => able(census.leaving, hard, ({ admin }) => admin === 'decommissioned' || admin === 'in-maintenance'),
    ]
    for (const group of groups) {
      const nodes = group()
      if (nodes.length > 0) return nodes[Math.floor(env.random.float() * nodes.length)]
    }
    return undefined
  }
}
