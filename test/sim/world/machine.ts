// A simulated machine: an address, a clock, a disk, and one process at a time. A process lives until it is killed or the machine
// loses its power; nothing of it runs afterwards: its timers, disk calls and messages are cut off between two events.
import type { Clock, Env, Random } from '../../../common/env.ts'
import type { VirtualClock } from '../../../common/testing/virtual-clock.ts'
import { VirtualDisk } from '../disk.ts'
import { streamOf } from './random.ts'
import type { Trace } from './trace.ts'

export interface World {
  readonly seed: number
  readonly clock: VirtualClock
  readonly trace: Trace
}

export class Machine {
  readonly name: string
  readonly ip: string
  readonly disk: VirtualDisk
  readonly #world: World
  /** Number of the process that runs, or ran last. */
  #life = 0
  #running = false
  /** How far the machine's wall clock is from the right time. */
  wallAheadMs = 0

  constructor(world: World, name: string, ip: string) {
    this.#world = world
    this.name = name
    this.ip = ip
    this.disk = new VirtualDisk(world.clock)
  }

  get running(): boolean {
    return this.#running
  }

  get life(): number {
    return this.#life
  }

  /** A new process; answers what it lives by. */
  boot(): Env {
    this.#life++
    this.#running = true
    const life = this.#life
    const name = `${this.name}#${life}`
    return {
      clock: new LifeClock(
        this.#world.clock,
        () => this.#running && this.#life === life,
        () => this.wallAheadMs,
      ),
      random: streamOf(this.#world.seed, name),
      log: this.#world.trace.logger(this.name),
    }
  }

  /** The process is gone; what it wrote stays. */
  kill(): void {
    this.#running = false
    this.disk.processDied()
  }

  /** The power is gone: of what was not synced, parts remain. */
  losePower(random: Random): void {
    this.#running = false
    this.disk.powerLoss(random)
  }
}

/** The clock of one process: silent once the process is dead. */
class LifeClock implements Clock {
  readonly #clock: VirtualClock
  readonly #alive: () => boolean
  readonly #wallAheadMs: () => number

  constructor(clock: VirtualClock, alive: () => boolean, wallAheadMs: () => number) {
    this.#clock = clock
    this.#alive = alive
    this.#wallAheadMs = wallAheadMs
  }

  nowMs(): number {
    return this.#clock.nowMs() + this.#wallAheadMs()
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs()
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#clock.sleep(ms, signal).then(
        () => (this.#alive() ? resolve() : undefined),
        (error: unknown) => (this.#alive() ? reject(error as Error) : undefined),
      )
    })
  }

  after(ms: number, callback: () => void): () => void {
    return this.#clock.after(ms, () => (this.#alive() ? callback() : undefined))
  }
}
