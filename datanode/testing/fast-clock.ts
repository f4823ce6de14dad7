// A clock on which waiting takes no time: it jumps to where a sleep ends. Long rests wait until somebody ends them, so that a test
// sees what was done before.
import type { Clock } from '../../common/env.ts'

/** What sleeps at least this long rests until it is woken. */
const restMs = 30_000

export class FastClock implements Clock {
  #now = 1_700_000_000_000
  /** Sleeps that took place, in ms. */
  readonly slept: number[] = []
  #resting: { readonly ms: number; readonly wake: () => void }[] = []

  nowMs(): number {
    return this.#now
  }

  monotonicMs(): number {
    return this.#now
  }

  advance(ms: number): void {
    this.#now += ms
  }

  /** Rests under way, in ms. */
  get rests(): number[] {
    return this.#resting.map(({ ms }) => ms)
  }

  /** Lets the time of every rest pass. */
  endRests(): void {
    const resting = this.#resting
    this.#resting = []
    this.#now += Math.max(0, ...resting.map(({ ms }) => ms))
    for (const { wake } of resting) wake()
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      this.slept.push(ms)
      if (ms >= restMs) {
        const rest = { ms, wake: resolve }
        this.#resting.push(rest)
        signal?.addEventListener('abort', () => {
          this.#resting = this.#resting.filter((one) => one !== rest)
          reject(signal.reason as Error)
        })
        return
      }
      this.#now += ms
      setImmediate(resolve)
    })
  }

  after(_ms: number, _callback: () => void): () => void {
    return () => {}
  }
}
