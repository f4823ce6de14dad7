// What a component may not reach for by itself: time, chance and the log. Handed in at the top, so that tests and the
// simulator can put their own in place.

export interface Clock {
  /** Milliseconds since the epoch; may jump when the machine's clock is set. */
  nowMs(): number
  /** Milliseconds that never go back; for durations and time-outs. */
  monotonicMs(): number
  /** Resolves after `ms`, rejects with the signal's reason when aborted. Does not keep the process alive by itself. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls back once after `ms`; the result cancels. Does not keep the process alive by itself. */
  after(ms: number, callback: () => void): () => void
}

export interface Random {
  /** In [0, 1). */
  float(): number
  /** In [0, limit). */
  int(limit: number): number
  bytes(length: number): Uint8Array
}

export type LogFields = Readonly<Record<string, unknown>>

/** Of what is logged at all: the named one and what is more severe. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug'

/** Events with fields: `log.info('block.replicated', { blockId })`. error = someone must act, warn = degraded. */
export interface Logger {
  error(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  debug(event: string, fields?: LogFields): void
  child(fields: LogFields): Logger
  /** How much is logged, by this logger and all that share its root; with `change`, from now on. Absent where nothing is filtered. */
  level?(change?: LogLevel): LogLevel
}

export interface Env {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

export const silentLogger: Logger = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  child() {
    return silentLogger
  },
}
