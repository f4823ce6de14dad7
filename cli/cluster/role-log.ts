// The log of a role: JSON lines on stderr, which `quarry up` sends to a file. Only here is pino known.
//
// A role that runs for months must not fill the disk with its log: when the file has more than logBytesMax, what is in it is copied
// to NAME.log.1 and the file begins anew. It stays the same file, because the process writes to a descriptor that it was given.
import { copyFileSync, fstatSync, ftruncateSync, rmSync } from 'node:fs'
import type { LogFields, Logger, LogLevel } from '../../common/env.ts'
import type { Settings } from '../../common/options.ts'

/** A log larger than this is set aside: some hundred thousand lines. */
export const logBytesMax = 16 * 1024 * 1024
/** Variable of the environment that says which file stderr is; set by RoleProcess. */
export const logFileVariable = 'QUARRY_LOG_FILE'
/** Log lines that cannot be written now are kept up to this; further ones are dropped. */
const logBacklogBytesMax = 1024 * 1024
const stderrFile = 2
const verbosity: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 }

export async function openLog(settings: Settings): Promise<Logger> {
  const { pino } = await import('pino')
  const destination = pino.destination({ fd: stderrFile, sync: true, maxLength: logBacklogBytesMax })
  // A full disk under the log must not stop a role that still has something to say to its clients.
  destination.on('error', () => {})
  const file = process.env[logFileVariable]
  const bound = file === undefined ? undefined : new LogBound(stderrFile, file, logBytesMax)
  const stream = {
    write(line: string): void {
      destination.write(line)
      bound?.wrote(line.length)
    },
  }
  const root = pino(
    {
      // What is logged is decided below: a child of pino would keep the level that its parent had when it was made.
      level: 'debug',
      base: { pid: process.pid },
      serializers: { error: pino.stdSerializers.err, cause: pino.stdSerializers.err },
    },
    stream,
  )
  return leveled(root, settings['log.level'] as LogLevel)
}

/** What leveled() needs of pino. */
export interface LogSink extends Record<LogLevel, (fields: LogFields, event: string) => void> {
  child(fields: LogFields): LogSink
}

/** A logger whose level can be changed while it runs, for all its children, too. */
export function leveled(root: LogSink, level: LogLevel): Logger {
  const wrap = (target: LogSink): Logger => {
    const at = (severity: LogLevel) => {
      return (event: string, fields: LogFields = {}) => {
        if (verbosity[severity] <= verbosity[level]) target[severity](fields, event)
      }
    }
    return {
      error: at('error'),
      warn: at('warn'),
      info: at('info'),
      debug: at('debug'),
      child: (fields) => wrap(target.child(fields)),
      level: (change) => (level = change ?? level),
    }
  }
  return wrap(root)
}

/** Keeps a file that is open for appending below a size. */
export class LogBound {
  readonly #fd: number
  readonly #file: string
  readonly #bytesMax: number
  /** Written since the size was looked at. */
  #written = 0
  #size: number

  constructor(fd: number, file: string, bytesMax: number) {
    this.#fd = fd
    this.#file = file
    this.#bytesMax = bytesMax
    this.#size = sizeOf(fd)
  }

  wrote(bytes: number): void {
    this.#written += bytes
    if (this.#size + this.#written <= this.#bytesMax) return
    // Others write to it, too: what Node says when it ends.
    this.#size = sizeOf(this.#fd)
    this.#written = 0
    if (this.#size > this.#bytesMax) this.#setAside()
  }

  #setAside(): void {
    const aside = `${this.#file}.1`
    try {
      copyFileSync(this.#file, aside)
    } catch {
      // No room for two: the newest lines are worth more than the older ones.
      rmSync(aside, { force: true })
    }
    try {
      ftruncateSync(this.#fd, 0)
      this.#size = 0
    } catch {
      // Not a file of ours, such as a terminal or a pipe: nothing to bound.
      this.#size = 0
    }
  }
}

function sizeOf(fd: number): number {
  try {
    return fstatSync(fd).size
  } catch {
    return 0
  }
}
