// Blocks that lack copies, in HDFS's five queues: the lower the number, the more urgent. HDFS: LowRedundancyBlocks.

/** What makes a block's priority. */
export interface CopyCounts {
  /** Good copies that count. */
  readonly live: number
  readonly required: number
  /** Copies on nodes that are out of service or on their way out: they are still there, but not for long. */
  readonly outOfService: number
}

export type Priority = 0 | 1 | 2 | 3 | 4
export const priorities: readonly Priority[] = [0, 1, 2, 3, 4]
/** No good copy is known: nothing can be copied; listed so that people can see it. */
export const MISSING: Priority = 4
/** Blocks that became urgent since the last pass and are remembered as such: more than a few passes can help. */
const freshMax = 10_000

export function priorityOf({ live, required, outOfService }: CopyCounts): Priority {
  if (live === 0) return outOfService > 0 ? 0 : MISSING
  if (live >= required) return 3
  if (live === 1) return 0
  if (live * 3 < required) return 1
  return 2
}

export class RedundancyQueues {
  readonly #queues = priorities.map(() => new Set<number>())
  /** Ids that came into their queue since they were last taken. */
  readonly #fresh = priorities.map(() => new Set<number>())
  /** Blocks of queue 4 that were meant to have one copy only. */
  readonly #missingSingle = new Set<number>()

  /** Puts a block into the queue of its priority, at the end unless it is there already. */
  set(blockId: number, priority: Priority, wanted: number): void {
    for (const other of priorities) if (other !== priority) this.#remove(other, blockId)
    const queue = this.#queues[priority]!
    if (!queue.has(blockId)) {
      queue.add(blockId)
      const fresh = this.#fresh[priority]!
      if (fresh.size < freshMax) fresh.add(blockId)
    }
    if (priority === MISSING && wanted === 1) this.#missingSingle.add(blockId)
    else this.#missingSingle.delete(blockId)
  }

  delete(blockId: number): void {
    for (const priority of priorities) this.#remove(priority, blockId)
    this.#missingSingle.delete(blockId)
  }

  has(blockId: number): boolean {
    return this.#queues.some((queue) => queue.has(blockId))
  }

  isIn(blockId: number, priority: Priority): boolean {
    return this.#queues[priority]!.has(blockId)
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

  /**
   * Blocks of a queue: those that have just come, then those that waited longest. What is taken moves to the end, so that blocks that
   * cannot be helped do not hide the others.
   */
  take(priority: Priority, limit: number): number[] {
    const queue = this.#queues[priority]!
    if (queue.size === 0 || limit <= 0) return []
    const out = firstOf(this.#fresh[priority]!, limit)
    const taken = new Set(out)
    for (const blockId of queue) {
      if (taken.size >= limit) break
      taken.add(blockId)
    }
    for (const blockId of taken) {
      this.#fresh[priority]!.delete(blockId)
      queue.delete(blockId)
      queue.add(blockId)
    }
    return [...taken]
  }

  /** Ids of a queue from its front, at most `limit`. */
  list(priority: Priority, limit: number): number[] {
    return firstOf(this.#queues[priority]!, limit)
  }

  /** Ids in queue 4, at most `limit`. */
  missing(limit: number): number[] {
    return this.list(MISSING, limit)
  }

  #remove(priority: Priority, blockId: number): void {
    if (this.#queues[priority]!.delete(blockId)) this.#fresh[priority]!.delete(blockId)
  }
}

function firstOf(ids: ReadonlySet<number>, limit: number): number[] {
  const out: number[] = []
  for (const blockId of ids) {
    if (out.length >= limit) break
    out.push(blockId)
  }
  return out
}
