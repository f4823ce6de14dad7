// Removes replicas that the namenode no longer wants, a few at a time, so that the deletion of a million files does not hold up
// the readers.
import type { Env } from '../../common/env.ts'
import type { Block } from '../../proto/ports.ts'
import type { ReplicaStore } from '../store/replica-store.ts'
import type { DatanodeMetrics } from '../service/metrics.ts'

/** Files removed at the same time. */
const atOnceMax = 4

export class Deletions {
  readonly #deps: { readonly env: Env; readonly store: ReplicaStore; readonly metrics: DatanodeMetrics }
  readonly #queue: Block[] = []
  #running = 0
  #closed = false

  constructor(deps: { readonly env: Env; readonly store: ReplicaStore; readonly metrics: DatanodeMetrics }) {
    this.#deps = deps
  }

  /** Blocks that still wait. */
  get waiting(): number {
    return this.#queue.length
  }

  add(blocks: readonly Block[]): void {
    this.#queue.push(...blocks)
    while (this.#running < atOnceMax && this.#queue.length > 0) {
      this.#running++
      void this.#work()
    }
  }

  /** What still waits is asked for again after the next start. */
  close(): void {
    this.#closed = true
    this.#queue.length = 0
  }

  async #work(): Promise<void> {
    const { env, store, metrics } = this.#deps
    for (let block = this.#queue.shift(); block !== undefined && !this.#closed; block = this.#queue.shift()) {
      try {
        if (await store.delete(block)) metrics.blocksDeleted++
      } catch (error) {
        env.log.warn('replica.delete.failed', { blockId: block.blockId, error })
      }
    }
    this.#running--
  }
}
