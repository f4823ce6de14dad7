// Background work that comes round: one run at a time, a pause between the end of one and the start of the next, none after close.
//
// A run begins in setImmediate, not in the timer itself: timers fire before sockets are read, so a process that was starved for a
// while would otherwise judge its peers by heartbeats that lie unread in the kernel.
import type { Env } from '../../common/env.ts'
import { toQuarryError } from '../../common/errors.ts'

export interface PeriodicWork {
  readonly name: string
  /** Milliseconds until the next run; asked before each. */
  readonly intervalMs: () => number
  readonly run: (signal: AbortSignal) => void | Promise<void>
}

export class Periodic {
  readonly #env: Env
  readonly #work: PeriodicWork
  readonly #abort = new AbortController()
  #cancelTimer: (() => void) | undefined
  #running: Promise<void> | undefined

  constructor(env: Env, work: PeriodicWork) {
    this.#env = env
    this.#work = work
    this.#schedule()
  }

  /** Waits for the run under way. Idempotent. */
  async close(): Promise<void> {
    this.#abort.abort()
    this.#cancelTimer?.()
    await this.#running
  }

  #schedule(): void {
    if (this.#abort.signal.aborted) return
    this.#cancelTimer = this.#env.clock.after(this.#work.intervalMs(), () => {
      setImmediate(() => {
        if (!this.#abort.signal.aborted) this.#running = this.#run()
      })
    })
  }

  async #run(): Promise<void> {
    try {
      await this.#work.run(this.#abort.signal)
    } catch (error) {
      if (!this.#abort.signal.aborted)
        this.#env.log.warn('worker.failed', { worker: this.#work.name, message: toQuarryError(error).message })
    }
    this.#running = undefined
    this.#schedule()
  }
}
