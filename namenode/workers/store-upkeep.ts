// Looks after the store's disk: stops changes before it is full, lets them go on when there is room again, and empties a WAL that
// SQLite could not checkpoint by itself (it says nothing then, and the WAL grows).
import type { Env } from '../../common/env.ts'
import { QuarryError, isQuarryError, toQuarryError } from '../../common/errors.ts'
import type { DiskGuard } from '../core/disk-guard.ts'
import { Periodic } from './periodic.ts'

/** Four times what a checkpoint leaves; only failed checkpoints, or a copy being made, let it come so far. */
const walBytesMax = 64 * 1024 * 1024

/** What this needs of the store. */
export interface StoreDisk {
  freeBytes(): number
  walBytes(): number
  /** Throws DISK_FULL, or INTERNAL when the disk fails. */
  tryCommit(): void
  checkpoint(): void
}

export interface UpkeepDeps {
  readonly env: Env
  readonly disk: StoreDisk
  readonly guard: DiskGuard
  readonly intervalMs: number
  /** The disk fails: nothing can be promised any more. */
  readonly failed: (error: QuarryError) => void
}

export class StoreUpkeep {
  readonly #deps: UpkeepDeps

  constructor(deps: UpkeepDeps) {
    this.#deps = deps
  }

  start(): Periodic {
    return new Periodic(this.#deps.env, { name: 'store-upkeep', intervalMs: () => this.#deps.intervalMs, run: () => this.look() })
  }

  look(): void {
    const { disk, guard, env } = this.#deps
    const wasLow = guard.reason !== ''
    if (guard.look(disk.freeBytes()) === 'try' && this.#attempt(() => disk.tryCommit())) {
      guard.recovered()
      env.log.info('disk.recovered', { freeBytes: disk.freeBytes() })
    }
    if (!wasLow && guard.reason !== '') env.log.error('disk.low', { reason: guard.reason })
    if (disk.walBytes() > walBytesMax && this.#attempt(() => disk.checkpoint())) {
      env.log.warn('store.checkpoint.late', { walBytes: disk.walBytes() })
    }
  }

  /** What the engine answers to a batch whose commit found no room. */
  commitFailed(cause: QuarryError): QuarryError {
    const { disk, guard, env } = this.#deps
    guard.full(disk.freeBytes())
    env.log.error('disk.full', { reason: guard.reason })
    return new QuarryError('SAFE_MODE', `${guard.reason}. Nothing was changed.`, { reason: guard.reason }, { cause })
  }

  #attempt(write: () => void): boolean {
    const { disk, guard, env, failed } = this.#deps
    try {
      write()
      return true
    } catch (error) {
      const failure = toQuarryError(error)
      if (isQuarryError(failure, 'DISK_FULL')) guard.full(disk.freeBytes())
      else failed(failure)
      env.log.warn('store.write.failed', { code: failure.code, message: failure.message })
      return false
    }
  }
}
