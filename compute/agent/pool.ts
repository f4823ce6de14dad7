// The executor processes of a datanode: started when the first fragment arrives, one fragment at a time each, ended after a
// while without work, replaced when they die. Each has a jail of its own, a directory on the file system of the blocks.
import { mkdir, readdir, realpath, rm } from 'node:fs/promises'
import path from 'node:path'
import { must } from '../../common/assert.ts'
import type { Env } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'
import type { EngineOptions, SqlEngine } from '../executor/protocol.ts'
import { Gate } from '../gate.ts'

/** An executor as the pool sees it. */
export interface PooledEngine extends SqlEngine {
  readonly alive: boolean
  readonly pid: number
  kill(): void
}

export interface PoolOptions {
  /** Emptied when the pool is opened; the jails are made in it. */
  readonly dir: string
  readonly executors: number
  readonly threads: number
  readonly memoryLimit: number
  readonly start: (options: EngineOptions) => Promise<PooledEngine>
  readonly env: Env
}

/** An executor in one caller's hands. */
export interface Lease {
  readonly engine: PooledEngine
  readonly jail: string
  /** Gives it back; the jail is emptied. Idempotent. */
  release(): Promise<void>
}

/** Executors without work end after this long: an idle one holds about 100 MB. */
const idleMs = 120_000
/** Fragments that may wait for an executor. */
const waitingMax = 256
/** Temporary files that one executor may write when its memory does not suffice. */
const spillLimit = 8 * 1024 * 1024 * 1024

interface Slot {
  readonly jail: string
  engine: PooledEngine | undefined
  busy: boolean
  cancelIdle: (() => void) | undefined
}

export class ExecutorPool {
  readonly #options: PoolOptions
  readonly #slots: Slot[]
  readonly #gate: Gate
  #closed = false

  private constructor(options: PoolOptions, dir: string) {
    this.#options = options
    this.#gate = new Gate(options.executors, waitingMax)
    this.#slots = Array.from({ length: options.executors }, (_, i) => ({
      jail: path.join(dir, `jail-${i}`),
      engine: undefined,
      busy: false,
      cancelIdle: undefined,
    }))
  }

  /** Removes what an earlier process left behind. */
  static async open(options: PoolOptions): Promise<ExecutorPool> {
    await rm(options.dir, { recursive: true, force: true })
    await mkdir(options.dir, { recursive: true })
    // DuckDB compares real paths; a link on the way would shut the executor out of its own jail.
    return new ExecutorPool(options, await realpath(options.dir))
  }

  /** Processes that run now; for tests and status. */
  get pids(): number[] {
    return this.#slots.flatMap((slot) => (slot.engine?.alive ? [slot.engine.pid] : []))
  }

  /** Waits for a free executor, starting it if need be. */
  async acquire(signal: AbortSignal): Promise<Lease> {
    const leave = await this.#gate.enter(signal)
    let slot: Slot | undefined
    try {
      slot = this.#take()
      if (slot.engine === undefined || !slot.engine.alive) {
        await empty(slot.jail)
        const { memoryLimit, threads, start, env } = this.#options
        slot.engine = await start({ jail: slot.jail, memoryLimit, threads, spillLimit })
        env.log.info('compute.executor.started', { pid: slot.engine.pid })
      }
      signal.throwIfAborted()
    } catch (error) {
      if (slot !== undefined) this.#free(slot)
      leave()
      throw error
    }
    const { engine } = slot
    let released: Promise<void> | undefined
    const held = slot
    return { engine, jail: slot.jail, release: () => (released ??= this.#release(held).finally(leave)) }
  }

  /** Callers end their fragments first; what runs is killed. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(
      this.#slots.map(async (slot) => {
        slot.cancelIdle?.()
        await slot.engine?.close()
      }),
    )
    await rm(this.#options.dir, { recursive: true, force: true })
  }

  /** A free slot, rather one whose executor runs. */
  #take(): Slot {
    if (this.#closed) throw new QuarryError('UNAVAILABLE', 'The datanode is stopping.')
    const free = this.#slots.filter((slot) => !slot.busy)
    const slot = must(free.find((one) => one.engine?.alive) ?? free[0], 'the gate lets no more through than there are slots')
    slot.busy = true
    slot.cancelIdle?.()
    slot.cancelIdle = undefined
    return slot
  }

  async #release(slot: Slot): Promise<void> {
    try {
      if (!this.#closed) await emptyBut(slot.jail, slot.engine?.alive ? 'spill' : undefined)
    } finally {
      this.#free(slot)
    }
  }

  #free(slot: Slot): void {
    slot.busy = false
    if (slot.engine === undefined || this.#closed) return
    slot.cancelIdle = this.#options.env.clock.after(idleMs, () => {
      const { engine } = slot
      slot.engine = undefined
      void engine?.close().catch(() => {})
    })
  }
}

async function empty(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true })
}

async function emptyBut(dir: string, kept: string | undefined): Promise<void> {
  for (const name of await readdir(dir)) if (name !== kept) await rm(path.join(dir, name), { recursive: true, force: true })
}
