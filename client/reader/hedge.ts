// The bytes of a range from one replica, and from a second one too when the first is slow to bring any: the first to answer goes
// on alone, the other is cancelled (HDFS: hedged reads).
import { toQuarryError } from '../../common/errors.ts'
import type { Clock } from '../../common/env.ts'
import type { ReplicaLocation } from '../../proto/ports.ts'

/** What became of hedged reads; numbers only grow. */
export interface HedgeCounters {
  /** Reads that were also sent to another replica. */
  sent: number
  /** Those where the other answered first. */
  won: number
  /** Requests that were cancelled because the other answered first. */
  cancelled: number
}

export interface HedgeOptions {
  readonly clock: Clock
  /** 0 = never. */
  readonly thresholdMs: number
  readonly counters: HedgeCounters
  readonly signal: AbortSignal | undefined
  /** The rest of the range from this replica. */
  open(location: ReplicaLocation, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void, undefined>
  /** Another replica, if there is one. */
  other(asked: readonly ReplicaLocation[]): ReplicaLocation | undefined
  failed(location: ReplicaLocation, error: unknown): void
  /** It was slower than the other. */
  passedOver(location: ReplicaLocation): void
}

type Outcome =
  | { readonly kind: 'bytes'; readonly run: Run; readonly bytes: Uint8Array }
  | { readonly kind: 'end'; readonly run: Run }
  | { readonly kind: 'failed'; readonly run: Run; readonly error: unknown }
  | { readonly kind: 'slow' }

class Run {
  readonly location: ReplicaLocation
  readonly #bytes: AsyncGenerator<Uint8Array, void, undefined>
  readonly #abort: AbortController | undefined
  readonly #unlink: () => void
  #next: Promise<Outcome> | undefined

  constructor(location: ReplicaLocation, options: HedgeOptions) {
    this.location = location
    const { signal } = options
    if (options.thresholdMs === 0) {
      this.#unlink = () => {}
      this.#bytes = options.open(location, signal)
      return
    }
    const abort = (this.#abort = new AbortController())
    const onAbort = (): void => abort.abort(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#unlink = () => signal?.removeEventListener('abort', onAbort)
    this.#bytes = options.open(location, abort.signal)
  }

  /** The same promise until its outcome was taken. */
  next(): Promise<Outcome> {
    this.#next ??= this.#bytes.next().then(
      ({ done, value }): Outcome => (done ? { kind: 'end', run: this } : { kind: 'bytes', run: this, bytes: value }),
      (error: unknown): Outcome => ({ kind: 'failed', run: this, error }),
    )
    return this.#next
  }

  taken(): void {
    this.#next = undefined
  }

  end(): void {
    this.#unlink()
    this.#abort?.abort()
    this.#bytes.return().catch(() => {
      // Given up: how it ends is nobody's business.
    })
  }
}

/** Ends when a replica brought everything, or every one that was asked has failed (`failed` was told why). */
export async function* readHedged(first: ReplicaLocation, options: HedgeOptions): AsyncGenerator<Uint8Array, void, undefined> {
  let runs = [new Run(first, options)]
  const asked = [first]
  try {
    while (runs.length > 0) {
      const outcome = await nextOutcome(runs, options)
      if (outcome.kind === 'slow') {
        const location = options.other(asked)
        if (location) {
          asked.push(location)
          options.counters.sent++
          runs.push(new Run(location, options))
        } else options = { ...options, thresholdMs: 0 }
        continue
      }
      const { run } = outcome
      run.taken()
      if (outcome.kind === 'failed') {
        if (options.signal?.aborted) throw toQuarryError(outcome.error)
        runs = runs.filter((one) => one !== run)
        run.end()
        options.failed(run.location, outcome.error)
        continue
      }
      for (const loser of runs) {
        if (loser === run) continue
        options.counters.cancelled++
        loser.end()
        if (run.location !== first) options.counters.won++
        if (run.location !== first) options.passedOver(loser.location)
      }
      runs = [run]
      if (outcome.kind === 'end') return
      yield outcome.bytes
    }
  } finally {
    for (const run of runs) run.end()
  }
}

async function nextOutcome(runs: readonly Run[], { clock, thresholdMs }: HedgeOptions): Promise<Outcome> {
  if (thresholdMs === 0 && runs.length === 1) return runs[0]!.next()
  let stop = (): void => {}
  const outcomes = runs.map((run) => run.next())
  if (runs.length === 1) outcomes.push(new Promise((resolve) => (stop = clock.after(thresholdMs, () => resolve({ kind: 'slow' })))))
  const outcome = await Promise.race(outcomes)
  stop()
  return outcome
}
