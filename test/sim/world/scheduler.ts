// Runs a simulated world: one event after another, each with everything that follows from it at once.
//
// An event is a timer of the virtual clock (a message arrives, a disk call ends, a pause is over) or a callback that was put off
// with setImmediate, which the scheduler stands in for while it runs. Each is a macrotask of the real event loop, so that promise
// chains of any depth have settled before the next: the order of everything is the order of the virtual clock.
import type { VirtualClock } from '../../../common/testing/virtual-clock.ts'

const realImmediate = globalThis.setImmediate
/** Events in one turn of the real event loop. */
const eventsPerTurn = 64

export class Scheduler {
  readonly clock: VirtualClock
  #soon: (() => void)[] = []
  #failure: unknown
  /** Events so far. */
  events = 0

  constructor(clock: VirtualClock) {
    this.clock = clock
  }

  /** Ends the run under way with this error. */
  fail(error: unknown): void {
    this.#failure ??= error
  }

  /** Runs until `untilMs` (monotonic), or until `done` says so between two events. */
  run(untilMs: number, done: () => boolean = () => false): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      let over = false
      const end = (how: () => void) => {
        over = true
        how()
      }
      const tick = () => {
        if (over) return
        try {
          if (this.#failure !== undefined) return end(() => reject(this.#failure as Error))
          if (!this.#next(untilMs, done)) end(resolve)
        } catch (error) {
          end(() => reject(error as Error))
        }
      }
      // Node settles promises between two immediates of one turn just as it does between two turns, which are dearer.
      const turn = () => {
        if (over) return
        for (let i = 0; i < eventsPerTurn; i++) realImmediate(tick)
        realImmediate(turn)
      }
      turn()
    })
  }

  #next(untilMs: number, done: () => boolean): boolean {
    const soon = this.#soon.shift()
    if (soon !== undefined) {
      this.events++
      soon()
      return true
    }
    if (done()) return false
    if (this.clock.fireNext(untilMs)) {
      this.events++
      return true
    }
    this.clock.skipTo(untilMs)
    return false
  }

  /**
   * Puts the scheduler in the place of what would make the order of events depend on the machine, from before the first event until
   * after the last. Answers how to go back.
   */
  takeOver(): () => void {
    const real = { setImmediate, clearImmediate, setInterval, clearInterval }
    const handles = new WeakMap<object, () => void>()
    const later = (callback: (...args: unknown[]) => void, ...args: unknown[]): object => {
      let run: (() => void) | undefined = () => callback(...args)
      const handle = { ref: () => handle, unref: () => handle }
      handles.set(handle, () => (run = undefined))
      this.#soon.push(() => run?.())
      return handle
    }
    const cancel = (handle: object | undefined) => (handle === undefined ? undefined : handles.get(handle)?.())
    // Intervals keep processes alive, nothing else; whoever wants to wait asks the clock of its environment.
    const idle = { ref: () => idle, unref: () => idle }
    Object.assign(globalThis, { setImmediate: later, clearImmediate: cancel, setInterval: () => idle, clearInterval: () => {} })
    const onRejection = (reason: unknown) => this.fail(new Error('a promise was rejected and nobody looked', { cause: reason }))
    process.on('unhandledRejection', onRejection)
    return () => {
      Object.assign(globalThis, real)
      process.off('unhandledRejection', onRejection)
    }
  }
}
