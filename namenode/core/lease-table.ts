// Who writes what: a lease belongs to a holder (one a client) and covers all files it has open.
//
// Which files are open is durable (FileInode.holder); when a holder was last heard, and from where, is not: after a restart
// everybody gets a full period to come back. Silence is measured by the monotonic clock: a machine whose wall clock is set takes
// no lease away and keeps none alive.
import type { Clock } from '../../common/env.ts'
import { RecoveryAttempts } from './recovery-attempts.ts'

interface Lease {
  /** Monotonic. */
  heardMs: number
  /** Host of the last call under the lease; '' when none came since the start. */
  host: string
  readonly files: Set<number>
}

export class LeaseTable {
  readonly #clock: Clock
  readonly #leases = new Map<string, Lease>()
  readonly #holders = new Map<number, string>()
  /** Blocks under recovery. */
  readonly recoveries: RecoveryAttempts

  constructor(clock: Clock) {
    this.#clock = clock
    this.recoveries = new RecoveryAttempts(clock)
  }

  /** A holder has a file open; a file that somebody else had open is taken from him. */
  open(holder: string, fileId: number, host: string): void {
    const before = this.#holders.get(fileId)
    if (before !== undefined && before !== holder) this.close(fileId)
    let lease = this.#leases.get(holder)
    if (lease === undefined) {
      lease = { heardMs: 0, host, files: new Set() }
      this.#leases.set(holder, lease)
    }
    lease.heardMs = this.#clock.monotonicMs()
    if (host !== '') lease.host = host
    lease.files.add(fileId)
    this.#holders.set(fileId, holder)
  }

  /** The file is closed or gone. */
  close(fileId: number): void {
    const holder = this.#holders.get(fileId)
    if (holder === undefined) return
    this.#holders.delete(fileId)
    const lease = this.#leases.get(holder)!
    lease.files.delete(fileId)
    if (lease.files.size === 0) this.#leases.delete(holder)
  }

  /** Any call of the holder that carries its name counts. */
  renew(holder: string, host: string): void {
    const lease = this.#leases.get(holder)
    if (lease === undefined) return
    lease.heardMs = this.#clock.monotonicMs()
    lease.host = host
  }

  /** Milliseconds since the holder was last heard; Infinity when it has nothing open. */
  silentMs(holder: string): number {
    const lease = this.#leases.get(holder)
    return lease === undefined ? Infinity : this.#clock.monotonicMs() - lease.heardMs
  }

  /** Where the holder last called from; '' when not known. */
  hostOf(holder: string): string {
    return this.#leases.get(holder)?.host ?? ''
  }

  filesOf(holder: string): readonly number[] {
    return [...(this.#leases.get(holder)?.files ?? [])]
  }

  /** At most `limit` files of holders that have been silent for `ms` or longer. */
  silentFiles(ms: number, limit: number): { readonly holder: string; readonly fileId: number }[] {
    const beforeMs = this.#clock.monotonicMs() - ms
    const silent: { holder: string; fileId: number }[] = []
    for (const [holder, lease] of this.#leases) {
      if (lease.heardMs >= beforeMs) continue
      for (const fileId of lease.files) if (silent.length < limit) silent.push({ holder, fileId })
      if (silent.length >= limit) break
    }
    // Those that are told of now go to the end, so that files which cannot be closed yet do not hold up the others.
    for (const { holder, fileId } of silent) {
      const lease = this.#leases.get(holder)!
      lease.files.delete(fileId)
      lease.files.add(fileId)
      this.#leases.delete(holder)
      this.#leases.set(holder, lease)
    }
    return silent
  }

  /** Files open for writing. */
  get size(): number {
    return this.#holders.size
  }

  get holders(): number {
    return this.#leases.size
  }

  get openFiles(): number {
    return this.#holders.size
  }

  clear(): void {
    this.#leases.clear()
    this.#holders.clear()
    this.recoveries.clear()
  }
}
