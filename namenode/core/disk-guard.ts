// Whether the namenode's disk has room for changes. While it has not, the namespace is read-only: HDFS calls it safe mode because
// resources are low; here it also ends by itself.
//
// It begins when a commit finds no room, or before that, when less than the reserve is free. It ends when a quarter more than the
// reserve is free and a trial commit succeeds: what is free tells nothing of quotas, and a bound that is crossed once must not be
// crossed back by the next few commits.

export interface DiskGuardSettings {
  readonly directory: string
  /** 0: only a commit that fails tells that the disk is full. */
  readonly reservedBytes: number
}

type State = { readonly kind: 'fine' } | { readonly kind: 'low' | 'full'; readonly freeBytes: number }

export class DiskGuard {
  readonly #settings: DiskGuardSettings
  readonly #changed: (reason: string) => void
  #state: State = { kind: 'fine' }

  /** `changed` hears the new reason, '' when changes are possible again. */
  constructor(settings: DiskGuardSettings, changed: (reason: string) => void) {
    this.#settings = settings
    this.#changed = changed
  }

  /** Why nothing can be changed; '' while the disk has room. */
  get reason(): string {
    if (this.#state.kind === 'fine') return ''
    const { directory, reservedBytes } = this.#settings
    const { kind, freeBytes } = this.#state
    const what =
      kind === 'full'
        ? `full (${freeBytes} bytes free in ${directory})`
        : `nearly full (${freeBytes} bytes free in ${directory}, ${reservedBytes} are kept in reserve)`
    return `The disk of the namenode is ${what}: free some space; the namenode goes on by itself`
  }

  /** A commit found no room. */
  full(freeBytes: number): void {
    this.#enter({ kind: 'full', freeBytes })
  }

  /** What a look at the disk says: whether to try a commit, which may end the state. */
  look(freeBytes: number): 'leave' | 'try' {
    const { reservedBytes } = this.#settings
    if (this.#state.kind === 'fine') {
      if (freeBytes < reservedBytes) this.#enter({ kind: 'low', freeBytes })
      return 'leave'
    }
    if (freeBytes >= reservedBytes + reservedBytes / 4) return 'try'
    this.#enter({ kind: this.#state.kind, freeBytes })
    return 'leave'
  }

  /** A trial commit succeeded. */
  recovered(): void {
    this.#enter({ kind: 'fine' })
  }

  #enter(state: State): void {
    this.#state = state
    this.#changed(this.reason)
  }
}
