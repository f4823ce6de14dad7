// Walks over everything, in bounded steps between other work: dropping the replicas of dead datanodes and failed storages, and looking at every block
// after safe mode.
import type { BlockLayer } from './block-layer.ts'
import type { Storage } from './datanode-table.ts'
import type { Redundancy } from './redundancy.ts'
import type { ReportIntake } from './report-intake.ts'

/** Entries of the replica map looked at in one step: under a millisecond when few of them concern the storage. */
const entriesPerStep = 5_000
/** Blocks read from the namespace in one step: some 2 ms. */
const blocksPerStep = 500

export class BackgroundScans {
  readonly #layer: BlockLayer
  readonly #redundancy: Redundancy
  readonly #intake: ReportIntake
  /** Storages that failed or whose node died, and whose replicas are being dropped -> where in the replica map. */
  readonly #dropping = new Map<Storage, number>()

  constructor(layer: BlockLayer, redundancy: Redundancy, intake: ReportIntake) {
    this.#layer = layer
    this.#redundancy = redundancy
    this.#intake = intake
  }

  drop(storages: readonly Storage[]): void {
    for (const storage of storages) this.#dropping.set(storage, 0)
  }

  /** The node came back: what has not been dropped stays, its full report puts the rest right. */
  keep(storages: readonly Storage[]): void {
    for (const storage of storages) if (!storage.failed) this.#dropping.delete(storage)
  }

  recheckAll(): void {
    this.#layer.recheckFrom = 0
  }

  /** One bounded step; false when there is nothing to do. */
  step(): boolean {
    for (const [storage, from] of this.#dropping) {
      const next = storage.blocks === 0 ? -1 : this.#layer.replicas.scan(from, entriesPerStep, (blockId) => this.#forget(storage, blockId))
      if (next === -1) this.#dropping.delete(storage)
      else this.#dropping.set(storage, next)
      return true
    }
    if (this.#layer.recheckFrom === undefined) return false
    const blocks = this.#layer.view.blocksFrom(this.#layer.recheckFrom, blocksPerStep)
    for (const block of blocks) this.#redundancy.evaluate(block, this.#layer.wanted(block))
    const last = blocks.at(-1)
    this.#layer.recheckFrom = last && blocks.length === blocksPerStep ? last.blockId + 1 : undefined
    return true
  }

  #forget(storage: Storage, blockId: number): void {
    this.#layer.rememberBad(storage, blockId)
    this.#intake.lost(storage, blockId)
  }
}
