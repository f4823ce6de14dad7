// Lets so many through at a time; the others wait in the order they came.
import { QuarryError } from '../common/errors.ts'

interface Waiting {
  go(): void
}

export class Gate {
  readonly #max: number
  readonly #waitingMax: number
  readonly #waiting = new Set<Waiting>()
  #inside = 0

  /** `max` may be inside; beyond `waitingMax` that wait, callers are turned away with OVERLOADED. */
  constructor(max: number, waitingMax: number) {
    this.#max = max
    this.#waitingMax = waitingMax
  }

  /** Waits for its turn; the answer leaves again, and does so once. Rejects with the signal's reason. */
  async enter(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    // Whoever leaves hands its place to the next, so that nobody slips in between.
    if (this.#inside >= this.#max) await this.#turn(signal)
    else this.#inside++
    let left = false
    return () => {
      if (left) return
      left = true
      const [next] = this.#waiting
      if (next === undefined) this.#inside--
      else next.go()
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.#waitingMax) {
      throw new QuarryError('OVERLOADED', `${this.#waitingMax} wait already; try again later.`)
    }
    return new Promise((resolve, reject) => {
      const finish = (done: () => void) => {
        this.#waiting.delete(waiting)
        signal.removeEventListener('abort', onAbort)
        done()
      }
      const onAbort = () => finish(() => reject(signal.reason as Error))
      const waiting: Waiting = { go: () => finish(resolve) }
      this.#waiting.add(waiting)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }
}
