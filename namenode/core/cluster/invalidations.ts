// Replicas that datanodes are to delete. A queue for each node, sent at once in bounded commands; what a node does not carry out
// because it went away is found again in its next full report.
import { invalidateBatchMax } from '../../../common/limits.ts'
import type { Block } from '../../../proto/ports.ts'
import type { Datanode } from './datanode.ts'

/** Commands to one node in one go: keeps a node that is told to delete a great tree answering heartbeats meanwhile. */
const commandsPerFlush = 4

export class Invalidations {
  readonly #queues = new Map<Datanode, Block[]>()

  /** Replicas waiting to be sent. */
  get size(): number {
    let sum = 0
    for (const queue of this.#queues.values()) sum += queue.length
    return sum
  }

  /** Nodes for which replicas wait. */
  get nodes(): number {
    return this.#queues.size
  }

  /** What waits for each node, at most `limit` of each. */
  list(limit: number): { node: Datanode; blockIds: number[] }[] {
    return [...this.#queues].map(([node, blocks]) => ({ node, blockIds: blocks.slice(0, limit).map(({ blockId }) => blockId) }))
  }

  /** The generation stamp in `block` is the replica's own: the node deletes nothing newer. */
  add(node: Datanode, block: Block): void {
    if (!node.link) return
    const queue = this.#queues.get(node)
    if (queue) queue.push(block)
    else this.#queues.set(node, [block])
  }

  drop(node: Datanode): void {
    this.#queues.delete(node)
  }

  /** Sends what is due. Whether something had to wait for the next time. */
  flush(): boolean {
    for (const [node, queue] of this.#queues) {
      for (let i = 0; i < commandsPerFlush && queue.length > 0; i++) {
        node.link?.send({ invalidate: { blocks: queue.splice(0, invalidateBatchMax) } })
      }
      if (queue.length === 0) this.#queues.delete(node)
    }
    return this.#queues.size > 0
  }
}
