// Walks over everything, in bounded steps between other work: dropping the replicas of dead datanodes, and looking at every block
// after safe mode.
import type { BlockLayer } from './block-layer.ts'
import type { Datanode } from './datanode-table.ts'
import type { Redundancy } from './redundancy.ts'
import type { ReportIntake } from './report-intake.ts'

/** Entries of the replica map looked at in one step: under a millisecond when few of them concern the node. */
const entriesPerStep = 5_000
/** Blocks read from the namespace in one step: some 2 ms. */
const blocksPerStep = 500

export class BackgroundScans {
  readonly #layer: BlockLayer
  readonly #redundancy: Redundancy
  readonly #intake: ReportIntake
  /** Dead nodes whose replicas are being dropped -> where in the replica map. */
  readonly #dropping = new Map<Datanode, number>()
  /** The next block id that the look at every block comes to; undefined when none is running. */
  #recheckFrom: number | undefined

  constructor(layer: BlockLayer, redundancy: Redundancy, intake: ReportIntake) {
    this.#layer = layer
    this.#redundancy = redundancy
    this.#intake = intake
  }

  drop(node: Datanode): void {
    this.#dropping.set(node, 0)
  }

  /** The node came back: what has not been dropped stays, its full report puts the rest right. */
  keep(node: Datanode): void {
    this.#dropping.delete(node)
  }

  recheckAll(): void {
    this.#recheckFrom = 0
  }

  /** One bounded step; false when there is nothing to do. */
  step(): boolean {
    for (const [node, from] of this.#dropping) {
      const next = this.#layer.replicas.scan(from, entriesPerStep, (blockId) => this.#dropReplicas(node, blockId))
      if (next === -1) this.#dropping.delete(node)
      else this.#dropping.set(node, next)
      return true
    }
    if (this.#recheckFrom === undefined) return false
    const blocks = this.#layer.view.blocksFrom(this.#recheckFrom, blocksPerStep)
    for (const block of blocks) this.#redundancy.evaluate(block, this.#layer.wanted(block))
    const last = blocks.at(-1)
    this.#recheckFrom = last && blocks.length === blocksPerStep ? last.blockId + 1 : undefined
    return true
  }

  #dropReplicas(node: Datanode, blockId: number): void {
    for (const storage of node.storages) {
      if (this.#layer.replicas.find(blockId, storage.index) !== -1) this.#intake.lost(storage, blockId)
    }
  }
}
