// So many at a time, the others wait in order, and no more than may wait.
import { QuarryError } from '../../common/errors.ts'

export class Lane {
  readonly #max: number
  readonly #waitingMax: number
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(max: number, waitingMax: number) {
    this.#max = max
    this.#waitingMax = waitingMax
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Throws OVERLOADED when too many wait. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#max) this.#running++
    else {
      if (this.#waiting.length >= this.#waitingMax)
        throw new QuarryError('OVERLOADED', `${this.#running} copies run on this datanode and ${this.#waiting.length} wait.`)
      // Whoever ends hands its place on: it stays taken.
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }
}
