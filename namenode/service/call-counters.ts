// What the namenode counts about its calls, for /metrics.
import type { Method } from '../../proto/ports.ts'

export class CallCounters {
  readonly #calls = new Map<Method, number>()
  readonly #failures = new Map<string, number>()
  /** Calls accepted that have not been answered. */
  inFlight = 0
  sessions = 0

  started(method: Method): void {
    this.inFlight++
    this.#calls.set(method, (this.#calls.get(method) ?? 0) + 1)
  }

  finished(errorCode: string | undefined): void {
    this.inFlight--
    if (errorCode !== undefined) this.#failures.set(errorCode, (this.#failures.get(errorCode) ?? 0) + 1)
  }

  byMethod(): readonly (readonly [Method, number])[] {
    return [...this.#calls]
  }

  failuresByCode(): readonly (readonly [string, number])[] {
    return [...this.#failures]
  }
}
