// Which blocks are under recovery, and when the next attempt at each may begin.
//
// HDFS tries at most once in 30 heartbeats (90 s), whatever happened. Here an attempt that is known to have failed (its primary
// said so, or its session broke) is followed by another soon, with doubling pauses; one of which nothing is heard gets the time
// that a primary may take. Only the answer of the last attempt counts: the datanodes hold the others' stamps no more.
import type { Clock } from '../../common/env.ts'

/** An attempt may take this long before another begins: more than a primary waits for its locations, twice. */
const silentAttemptMs = 10_000
/** Pause after the first failed attempt; doubles, up to silentAttemptMs. */
const failedPauseMs = 200

interface Attempt {
  /** The generation stamp that it will set: its id. 0 = of a namenode before this one, whose answers are not taken. */
  genstamp: number
  /** Monotonic. */
  startedMs: number
  failures: number
  failed: boolean
}

export class RecoveryAttempts {
  readonly #clock: Clock
  readonly #attempts = new Map<number, Attempt>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#attempts.size
  }

  begin(blockId: number, genstamp: number): void {
    const failures = this.#attempts.get(blockId)?.failures ?? 0
    this.#attempts.set(blockId, { genstamp, startedMs: this.#clock.monotonicMs(), failures, failed: false })
  }

  /** A recovery that a restart interrupted: another attempt is due. */
  interrupted(blockId: number): void {
    this.#attempts.set(blockId, { genstamp: 0, startedMs: -Infinity, failures: 0, failed: true })
  }

  isCurrent(blockId: number, genstamp: number): boolean {
    return this.#attempts.get(blockId)?.genstamp === genstamp
  }

  /** Whether that was the current attempt. */
  fail(blockId: number, genstamp: number): boolean {
    const attempt = this.#attempts.get(blockId)
    if (attempt === undefined || attempt.genstamp !== genstamp || attempt.failed) return false
    attempt.failed = true
    attempt.failures++
    return true
  }

  end(blockId: number): void {
    this.#attempts.delete(blockId)
  }

  /** Milliseconds until another attempt may begin; 0 = now. */
  waitMs(blockId: number): number {
    const attempt = this.#attempts.get(blockId)
    if (attempt === undefined) return 0
    const pauseMs = attempt.failed ? Math.min(silentAttemptMs, failedPauseMs * 2 ** Math.max(0, attempt.failures - 1)) : silentAttemptMs
    return Math.max(0, attempt.startedMs + pauseMs - this.#clock.monotonicMs())
  }

  /** Blocks whose next attempt may begin, at most `limit`. */
  due(limit: number): number[] {
    const due: number[] = []
    for (const blockId of this.#attempts.keys()) {
      if (due.length >= limit) break
      if (this.waitMs(blockId) === 0) due.push(blockId)
    }
    return due
  }

  clear(): void {
    this.#attempts.clear()
  }
}
