// Walks over everything, in bounded steps between other work: dropping the replicas of dead datanodes and failed storages, looking at
// what nodes hold that leave or are back, and looking at every block after safe mode or when racks appear.
import type { BlockLayer } from './block-layer.ts'
import type { Datanode, Storage } from './datanode.ts'
import { isReported } from './node-admin.ts'
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
  /** Nodes whose blocks are being looked at -> where in the replica map. */
  readonly #rechecking = new Map<Datanode, number>()

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

  /** Looks at every block of which a node holds a replica. */
  recheck(node: Datanode): void {
    this.#rechecking.set(node, 0)
  }

  get pending(): boolean {
    return this.#dropping.size > 0 || this.#rechecking.size > 0 || this.#layer.recheckFrom !== undefined || this.#drain() !== undefined
  }

  /** Whether replicas of this node are still being dropped. */
  isDropping(node: Datanode): boolean {
    return node.storages.some((storage) => this.#dropping.has(storage))
  }

  /** One bounded step; false when there is nothing to do. */
  step(): boolean {
    for (const [storage, from] of this.#dropping) {
      const next = storage.blocks === 0 ? -1 : this.#layer.replicas.scan(from, entriesPerStep, (blockId) => this.#forget(storage, blockId))
      if (next === -1) this.#dropping.delete(storage)
      else this.#dropping.set(storage, next)
      return true
    }
    for (const [node, from] of this.#rechecking) {
      const next = this.#lookAt(node, from)
      if (next === -1) this.#rechecking.delete(node)
      else this.#rechecking.set(node, next)
      return true
    }
    const drain = this.#drain()
    if (drain) {
      const next = this.#lookAt(drain.node, drain.from)
      if (next === -1) this.#lookAtOpen(drain.node)
      this.#layer.drains.scanned(drain.node, next)
      return true
    }
    if (this.#layer.recheckFrom === undefined) return false
    const blocks = this.#layer.view.blocksFrom(this.#layer.recheckFrom, blocksPerStep)
    for (const block of blocks) this.#redundancy.evaluate(block, this.#layer.wanted(block))
    const last = blocks.at(-1)
    this.#layer.recheckFrom = last && blocks.length === blocksPerStep ? last.blockId + 1 : undefined
    return true
  }

  /** The node on its way out that is to be scanned next: one that has said what it holds, while that means anything. */
  #drain(): { readonly node: Datanode; readonly from: number } | undefined {
    const { drains, safeMode } = this.#layer
    return drains.size === 0 || safeMode.on ? undefined : drains.nextScan((node) => node.state !== 'dead' && isReported(node))
  }

  #lookAt(node: Datanode, from: number): number {
    const { replicas } = this.#layer
    return replicas.scan(from, entriesPerStep, (blockId) => {
      if (node.storages.some((storage) => replicas.find(blockId, storage.index) !== -1)) this.#redundancy.evaluateId(blockId)
    })
  }

  /** Blocks that are being written through the node may not have been reported by it. */
  #lookAtOpen(node: Datanode): void {
    for (const [blockId, { targets }] of this.#layer.open)
      if (targets.some((target) => target.datanode?.uuid === node.id.uuid)) this.#redundancy.evaluateId(blockId)
  }

  #forget(storage: Storage, blockId: number): void {
    this.#layer.rememberBad(storage, blockId)
    this.#intake.lost(storage, blockId)
  }
}
