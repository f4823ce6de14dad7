// Blocks that lack copies, in HDFS's five queues: the lower the number, the more urgent.

/** What makes a block's priority. */
export interface CopyCounts {
  /** Good copies on nodes that are not dead. */
  readonly live: number
  readonly wanted: number
  /** All good copies are on one rack although the cluster has several. */
  readonly oneRack: boolean
}

export type Priority = 0 | 1 | 2 | 3 | 4
export const priorities: readonly Priority[] = [0, 1, 2, 3, 4]
/** No good copy is known: nothing can be copied; listed so that people can see it. */
export const MISSING: Priority = 4

export function priorityOf({ live, wanted }: CopyCounts): Priority {
  if (live === 0) return MISSING
  if (live >= wanted) return 3
  if (live === 1) return 0
  if (live * 3 < wanted) return 1
  return 2
}

export class RedundancyQueues {
  readonly #queues = priorities.map(() => new Set<number>())
  /** Blocks of queue 4 that were meant to have one copy only. */
  readonly #missingSingle = new Set<number>()

  /** Puts a block into the queue of its priority, at the end unless it is there already. */
  set(blockId: number, priority: Priority, wanted: number): void {
    for (const other of priorities) if (other !== priority) this.#queues[other]!.delete(blockId)
    this.#queues[priority]!.add(blockId)
    if (priority === MISSING && wanted === 1) this.#missingSingle.add(blockId)
    else this.#missingSingle.delete(blockId)
  }

  delete(blockId: number): void {
    for (const queue of this.#queues) queue.delete(blockId)
    this.#missingSingle.delete(blockId)
  }

  has(blockId: number): boolean {
    return this.#queues.some((queue) => queue.has(blockId))
  }

  size(priority: Priority): number {
    return this.#queues[priority]!.size
  }

  get missingSingle(): number {
    return this.#missingSingle.size
  }

  /** All blocks but those with no good copy. */
  get lowRedundancy(): number {
    return this.#queues.reduce((sum, queue, priority) => sum + (priority === MISSING ? 0 : queue.size), 0)
  }

  /** The first blocks of a queue; they move to its end, so that blocks that cannot be helped do not hide the others. */
  take(priority: Priority, limit: number): number[] {
    const queue = this.#queues[priority]!
    const out: number[] = []
    for (const blockId of queue) {
      if (out.length >= limit) break
      out.push(blockId)
    }
    for (const blockId of out) {
      queue.delete(blockId)
      queue.add(blockId)
    }
    return out
  }

  /** Ids in queue 4, at most `limit`. */
  missing(limit: number): number[] {
    const out: number[] = []
    for (const blockId of this.#queues[MISSING]!) {
      if (out.length >= limit) break
      out.push(blockId)
    }
    return out
  }
}
