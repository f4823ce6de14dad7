// What the scanner of a storage reads next, and how long it rests. Pure: the caller brings time, block ids and what it has seen.
//
// A pass goes through the finalised replicas by block id, from the cursor on, and is over when none is left. The next one begins a
// period after this one began, so that every replica is read once a period, or at once when a pass took longer. Suspects, of which a
// reader or a copy complained, go before everything else. The cursor is what a restart needs to go on.

export interface ScanCursor {
  /** When the pass began, by the wall clock. */
  readonly startedMs: number
  /** The last block that was read in it; 0 = none. */
  readonly afterBlockId: number
  /** Whether it is over. */
  readonly done: boolean
}

export type ScanStep =
  /** Tell me the ids of the replicas (`list`). */
  | { readonly kind: 'list' }
  | { readonly kind: 'block'; readonly blockId: number; readonly suspect: boolean }
  | { readonly kind: 'rest'; readonly ms: number }

/** Suspects that wait; more are found by the pass. */
const suspectsMax = 1000
/** A suspect that was read is not read again for its own sake within this time, however many complain. HDFS: 10 minutes. */
const suspectAgainMs = 600_000
/** The longest rest: the wall clock may be set meanwhile. */
const restMaxMs = 3_600_000

export class ScanSchedule {
  /** 0 = no passes, suspects only. */
  readonly #periodMs: number
  readonly #suspects = new Set<number>()
  /** Suspect -> when it was read. */
  readonly #lately = new Map<number, number>()
  #cursor: ScanCursor
  #ids: Float64Array | undefined
  #index = 0

  constructor(periodMs: number, cursor: ScanCursor | undefined, nowMs: number) {
    this.#periodMs = periodMs
    this.#cursor = cursor ?? { startedMs: nowMs, afterBlockId: 0, done: false }
  }

  get cursor(): ScanCursor {
    return this.#cursor
  }

  /** Replicas of this pass, and how many of them were read in it since it was taken up. */
  get progress(): { readonly total: number; readonly read: number; readonly suspects: number } {
    return { total: this.#ids?.length ?? 0, read: this.#index, suspects: this.#suspects.size }
  }

  /** Answers whether the block will be read out of turn. */
  suspect(blockId: number, nowMs: number): boolean {
    for (const [other, readMs] of this.#lately) {
      if (nowMs - readMs < suspectAgainMs && nowMs >= readMs) break
      this.#lately.delete(other)
    }
    if (this.#lately.has(blockId) || this.#suspects.has(blockId) || this.#suspects.size >= suspectsMax) return false
    this.#suspects.add(blockId)
    return true
  }

  /** The ids of the finalised replicas, ascending. */
  list(ids: Float64Array): void {
    this.#ids = ids.subarray(firstAfter(ids, this.#cursor.afterBlockId))
    this.#index = 0
  }

  /** Names the same block of the pass again until `read` was told of it. */
  next(nowMs: number): ScanStep {
    for (const blockId of this.#suspects) {
      this.#suspects.delete(blockId)
      this.#lately.delete(blockId)
      this.#lately.set(blockId, nowMs)
      return { kind: 'block', blockId, suspect: true }
    }
    if (this.#periodMs === 0) return { kind: 'rest', ms: restMaxMs }
    if (this.#cursor.done) {
      // A clock that was set back would put the next pass off for as long.
      if (nowMs < this.#cursor.startedMs) this.#cursor = { ...this.#cursor, startedMs: nowMs }
      const restMs = this.#cursor.startedMs + this.#periodMs - nowMs
      if (restMs > 0) return { kind: 'rest', ms: Math.min(restMs, restMaxMs) }
      this.#cursor = { startedMs: nowMs, afterBlockId: 0, done: false }
      this.#ids = undefined
    }
    if (this.#ids === undefined) return { kind: 'list' }
    const blockId = this.#ids[this.#index]
    if (blockId === undefined) {
      this.#cursor = { ...this.#cursor, done: true }
      return this.next(nowMs)
    }
    return { kind: 'block', blockId, suspect: false }
  }

  /** A block of the pass was read, or is not there any more. */
  read(blockId: number): void {
    if (this.#ids?.[this.#index] !== blockId) return
    this.#index++
    this.#cursor = { ...this.#cursor, afterBlockId: blockId }
  }
}

/** While others use the disk, the scanner reads for at most one part in this many of the time. */
const busyShare = 20
/** It never stands still for longer than this: it must get on under any load. */
const pauseMaxMs = 2_000

/** How long to pause after a read that took `tookMs`, when the rate asks for `rateMs` and `streams` block streams are open. */
export function scanPauseMs({
  tookMs,
  rateMs,
  streams,
}: {
  readonly tookMs: number
  readonly rateMs: number
  readonly streams: number
}): number {
  const yieldMs = streams > 0 ? Math.min(pauseMaxMs, tookMs * (busyShare - 1)) : 0
  return Math.max(rateMs, yieldMs)
}

/** Index of the first id above `after` in ascending ids. */
function firstAfter(ids: Float64Array, after: number): number {
  let [low, high] = [0, ids.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (ids[middle]! > after) high = middle
    else low = middle + 1
  }
  return low
}
