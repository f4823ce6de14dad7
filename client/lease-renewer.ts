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
  #files = 0
  #stopTimer: (() => void) | undefined
  #closed = false

  constructor(parts: { holder: string; namenode: NamenodePort; env: Env; softLeaseMs: () => Promise<number> }) {
    this.holder = parts.holder
    this.#namenode = parts.namenode
    this.#env = parts.env
    this.#softLeaseMs = parts.softLeaseMs
  }

  /** A file was opened for writing; the result, called once, says that it is open no more. */
  hold(): () => void {
    this.#files++
    if (this.#files === 1) this.#schedule(renewIntervalMs)
    let held = true
    return () => {
      if (!held) return
      held = false
      this.#files--
      if (this.#files === 0) this.#stop()
    }
  }

  close(): void {
    this.#closed = true
    this.#stop()
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

  #intervalMs: number | undefined

  async #learnInterval(): Promise<void> {
    try {
      this.#intervalMs = Math.max(50, Math.min(renewIntervalMs, (await this.#softLeaseMs()) / 3))
    } catch {
      return
    }
    if (this.#files > 0 && this.#stopTimer && this.#intervalMs < renewIntervalMs) this.#schedule(this.#intervalMs)
  }

  async #renew(): Promise<void> {
    try {
      await this.#namenode.call('renewLease', { holder: this.holder }, { deadlineMs: renewIntervalMs })
    } catch (error) {
      // The next write or close tells the caller, if the lease is really lost.
      this.#env.log.warn('lease.renew.failed', { holder: this.holder, reason: error instanceof Error ? error.message : String(error) })
    }
    if (this.#files > 0) this.#schedule(renewIntervalMs)
  }
}
