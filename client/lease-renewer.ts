// Keeps the lease of a client alive while it has files open for writing. One renewal covers all files of the holder.
import type { Env } from '../common/env.ts'
import type { NamenodePort } from '../proto/ports.ts'

/** HDFS renews every 30 s, half of the soft limit. */
const renewIntervalMs = 30_000

export class LeaseRenewer {
  readonly holder: string
  readonly #namenode: NamenodePort
  readonly #env: Env
  readonly #softLeaseMs: () => Promise<number>
  /** How to give up each file that is open for writing. */
  readonly #files = new Set<() => void>()
  #stopTimer: (() => void) | undefined
  /** Known once the namenode was asked. */
  #intervalMs: number | undefined
  #closed = false

  constructor(parts: { holder: string; namenode: NamenodePort; env: Env; softLeaseMs: () => Promise<number> }) {
    this.holder = parts.holder
    this.#namenode = parts.namenode
    this.#env = parts.env
    this.#softLeaseMs = parts.softLeaseMs
  }

  /** A file was opened for writing, and `giveUp` ends that early. The result says that it is open no more. */
  hold(giveUp: () => void): () => void {
    const file = (): void => giveUp()
    this.#files.add(file)
    if (this.#files.size === 1) this.#schedule(renewIntervalMs)
    return () => {
      if (this.#files.delete(file) && this.#files.size === 0) this.#stop()
    }
  }

  /** Gives up the files that are still open. */
  close(): void {
    this.#closed = true
    this.#stop()
    for (const giveUp of [...this.#files]) giveUp()
  }

  #stop(): void {
    this.#stopTimer?.()
    this.#stopTimer = undefined
  }

  #schedule(afterMs: number): void {
    if (this.#closed) return
    // The first file asks for the soft limit, which a cluster may have set far below a minute.
    if (this.#intervalMs === undefined) void this.#learnInterval()
    this.#stopTimer?.()
    this.#stopTimer = this.#env.clock.after(Math.min(afterMs, this.#intervalMs ?? afterMs), () => void this.#renew())
  }

  async #learnInterval(): Promise<void> {
    try {
      this.#intervalMs = Math.max(50, Math.min(renewIntervalMs, (await this.#softLeaseMs()) / 3))
    } catch {
      return
    }
    if (this.#files.size > 0 && this.#stopTimer && this.#intervalMs < renewIntervalMs) this.#schedule(this.#intervalMs)
  }

  async #renew(): Promise<void> {
    try {
      await this.#namenode.call('renewLease', { holder: this.holder }, { deadlineMs: renewIntervalMs })
    } catch (error) {
      // The next write or close tells the caller, if the lease is really lost.
      this.#env.log.warn('lease.renew.failed', { holder: this.holder, reason: error instanceof Error ? error.message : String(error) })
    }
    if (this.#files.size > 0) this.#schedule(renewIntervalMs)
  }
}
