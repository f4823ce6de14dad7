// Which copies go: corrupt ones once they are not needed, and those beyond what the file wants. R1 to R4 of redundancy.ts.
import type { BlockRecord } from '../model.ts'
import type { BlockLayer } from './block-layer.ts'
import type { Census } from './census.ts'
import type { Datanode } from './datanode.ts'
import { remainingOf } from './datanode.ts'

export class Surplus {
  readonly #layer: BlockLayer
  readonly #postponed = new Set<number>()

  constructor(layer: BlockLayer) {
    this.#layer = layer
  }

  get postponed(): readonly number[] {
    return [...this.#postponed]
  }

  get postponedCount(): number {
    return this.#postponed.size
  }

  /** Hands out the blocks whose deletions were put off; they are to be looked at again. */
  release(): number[] {
    const blocks = [...this.#postponed]
    this.#postponed.clear()
    return blocks
  }

  /** HDFS: markBlockAsCorrupt. */
  deleteCorrupt(block: BlockRecord, wanted: number, census: Census): void {
    const { replicas, settings, safeMode, nodes } = this.#layer
    const live = census.live.length
    if (live === 0) return // R1
    if (census.contentStale || safeMode.on) {
      this.#postponed.add(block.blockId)
      return
    }
    const minimum = live >= settings.replicationMin
    const enough = live >= wanted
    const crowded = minimum && live + census.corrupt.length > wanted
    // In a small cluster the bad copy may occupy the only node that could take a new one.
    const inTheWay = minimum && nodes.inService().every((node) => census.holders.has(node))
    for (const slot of census.corrupt) {
      const outdated = minimum && replicas.genstamp(slot) < block.genstamp
      if (enough || crowded || inTheWay || outdated) this.#discard(slot, block.blockId)
    }
  }

  /** HDFS: processExtraRedundancyBlock and chooseExcessRedundancies. Copies on nodes that are out of service are not touched. */
  deleteExcess(block: BlockRecord, wanted: number, census: Census): void {
    if (census.contentStale || this.#layer.safeMode.on) {
      this.#postponed.add(block.blockId)
      return
    }
    const candidates = new Set(census.live)
    const racks = new Map(census.racks)
    while (candidates.size > Math.max(1, wanted)) {
      const slots = [...candidates]
      const victim = this.#hinted(block.blockId, slots, racks, wanted) ?? this.#pick(slots, racks)
      const node = this.#layer.nodeOf(victim)
      candidates.delete(victim)
      takeOff(racks, node.id.rack)
      this.#discard(victim, block.blockId)
      this.#layer.moves.discarded(block.blockId, node)
    }
  }

  /** The copy that a move of the balancer was to replace, unless the block would be on fewer racks than it needs without it. */
  #hinted(blockId: number, slots: readonly number[], racks: ReadonlyMap<string, number>, wanted: number): number | undefined {
    const source = this.#layer.moves.hint(blockId)
    const slot = source && slots.find((one) => this.#layer.nodeOf(one) === source)
    if (!source || slot === undefined) return undefined
    const alone = racks.get(source.id.rack) === 1
    return alone && racks.size - 1 < Math.min(2, wanted, this.#layer.nodes.racks) ? undefined : slot
  }

  /** HDFS: from racks that hold more than one copy first; then a node that has gone quiet, else the one with least space left. */
  #pick(slots: readonly number[], racks: ReadonlyMap<string, number>): number {
    const crowded = slots.filter((slot) => (racks.get(this.#layer.nodeOf(slot).id.rack) ?? 0) > 1)
    return (crowded.length > 0 ? crowded : slots).reduce((worst, slot) =>
      goesFirst(this.#layer.nodeOf(slot), this.#layer.nodeOf(worst)) ? slot : worst,
    )
  }

  /** Tells the holder to delete this copy; it does not count any more (R4). */
  #discard(slot: number, blockId: number): void {
    const { replicas, invalidations } = this.#layer
    replicas.setExcess(slot)
    invalidations.add(this.#layer.nodeOf(slot), { blockId, genstamp: replicas.genstamp(slot), length: replicas.length(slot) })
  }
}

function goesFirst(a: Datanode, b: Datanode): boolean {
  if (a.state !== b.state) return a.state === 'stale'
  return remainingOf(a) < remainingOf(b)
}

function takeOff(racks: Map<string, number>, rack: string): void {
  const left = (racks.get(rack) ?? 1) - 1
  if (left === 0) racks.delete(rack)
  else racks.set(rack, left)
}
