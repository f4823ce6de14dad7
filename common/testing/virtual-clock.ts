// A clock that stands still until the test moves it. Timers wait in a heap, so a simulation may have thousands of them.
import type { Clock } from '../env.ts'

interface Timer {
  readonly atMs: number
  /** Timers of the same moment fire in the order in which they were set. */
  readonly order: number
  /** Undefined once cancelled: the timer leaves the heap when its time comes, or when such timers are the most. */
  callback: (() => void) | undefined
}

/** Below this many timers the cancelled ones are not worth looking for. */
const sweepMin = 256

export class VirtualClock implements Clock {
  #nowMs: number
  #wallAheadMs = 0
  #order = 0
  #heap: Timer[] = []
  #cancelled = 0

  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs
  }

  nowMs(): number {
    return Math.floor(this.#nowMs + this.#wallAheadMs)
  }

  /** Sets the wall clock forward or back; the monotonic one and timers do not notice. */
  jump(ms: number): void {
    this.#wallAheadMs += ms
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const onAbort = () => {
        cancel()
        reject(signal?.reason as Error)
      }
      const cancel = this.after(ms, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  after(ms: number, callback: () => void): () => void {
    const timer: Timer = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order++, callback }
    this.#push(timer)
    return () => {
      if (timer.callback === undefined) return
      timer.callback = undefined
      this.#cancelled++
      if (this.#cancelled > sweepMin && this.#cancelled * 2 > this.#heap.length) this.#sweep()
    }
  }

  /** Moves time to the next timer that is due by `untilMs` (monotonic) and fires it. False when there is none. */
  fireNext(untilMs: number): boolean {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      const { callback, atMs } = first
      if (callback !== undefined && atMs > untilMs) return false
      this.#pop()
      if (callback === undefined) {
        this.#cancelled--
        continue
      }
      first.callback = undefined
      this.#nowMs = Math.max(this.#nowMs, atMs)
      callback()
      return true
    }
    return false
  }

  /** Moves time to `atMs` (monotonic) without firing anything. */
  skipTo(atMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, atMs)
  }

  /** Moves time forward, firing timers in order; yields between them so that promise chains settle. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    while (this.fireNext(untilMs)) await new Promise<void>((resolve) => setImmediate(resolve))
    this.#nowMs = untilMs
  }

  #push(timer: Timer): void {
    const heap = this.#heap
    let at = heap.push(timer) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(timer, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = timer
  }

  #pop(): void {
    const last = this.#heap.pop()!
    if (this.#heap.length > 0) this.#sink(0, last)
  }

  #sink(from: number, timer: Timer): void {
    const heap = this.#heap
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, timer)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = timer
  }

  /** Drops the cancelled timers. */
  #sweep(): void {
    // Sorted is a heap.
    this.#heap = this.#heap.filter((timer) => timer.callback !== undefined).sort((a, b) => (before(a, b) ? -1 : 1))
    this.#cancelled = 0
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
