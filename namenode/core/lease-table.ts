// Who writes what: a lease belongs to a holder (one a client) and covers all files it has open.
//
// Which files are open is durable (FileInode.holder); when a holder was last heard is not: after a restart everybody gets a full
// period to come back.

interface Lease {
  renewedMs: number
  readonly files: Set<number>
}

export class LeaseTable {
  #leases = new Map<string, Lease>()
  #holders = new Map<number, string>()
  /** Blocks under recovery: when the last attempt began, and the generation stamp that it will set. */
  readonly recoveries = new Map<number, { readonly startedMs: number; readonly genstamp: number }>()

  /** A holder has a file open. */
  open(holder: string, fileId: number, nowMs: number): void {
    const before = this.#holders.get(fileId)
    if (before !== undefined && before !== holder) this.close(fileId)
    let lease = this.#leases.get(holder)
    if (lease === undefined) {
      lease = { renewedMs: nowMs, files: new Set() }
      this.#leases.set(holder, lease)
    }
    lease.renewedMs = nowMs
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
  renew(holder: string, nowMs: number): void {
    const lease = this.#leases.get(holder)
    if (lease !== undefined) lease.renewedMs = nowMs
  }

  /** Files open for writing. */
  get size(): number {
    return this.#holders.size
  }

  /** When the holder was last heard; undefined when it has nothing open. */
  renewedMs(holder: string): number | undefined {
    return this.#leases.get(holder)?.renewedMs
  }

  filesOf(holder: string): readonly number[] {
    return [...(this.#leases.get(holder)?.files ?? [])]
  }

  /** Holders not heard since `beforeMs`. */
  silentSince(beforeMs: number): string[] {
    const silent: string[] = []
    for (const [holder, lease] of this.#leases) if (lease.renewedMs < beforeMs) silent.push(holder)
    return silent
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
