// The log of a role: JSON lines on stderr, which `quarry up` sends to a file. Only here is pino known.
//
// A role that runs for months must not fill the disk with its log: when the file has more than logBytesMax, what is in it is copied
// to NAME.log.1 and the file begins anew. It stays the same file, because the process writes to a descriptor that it was given.
import { copyFileSync, fstatSync, ftruncateSync, rmSync } from 'node:fs'
import type { LogFields, Logger } from '../../common/env.ts'
import type { Settings } from '../../common/options.ts'

/** A log larger than this is set aside: some hundred thousand lines. */
export const logBytesMax = 16 * 1024 * 1024
/** Variable of the environment that says which file stderr is; set by RoleProcess. */
export const logFileVariable = 'QUARRY_LOG_FILE'
/** Log lines that cannot be written now are kept up to this; further ones are dropped. */
const logBacklogBytesMax = 1024 * 1024
const stderrFile = 2

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
      level: settings['log.level'],
      base: { pid: process.pid },
      serializers: { error: pino.stdSerializers.err, cause: pino.stdSerializers.err },
    },
    stream,
  )
  const wrap = (target: typeof root): Logger => ({
    error: (event, fields: LogFields = {}) => target.error(fields, event),
    warn: (event, fields: LogFields = {}) => target.warn(fields, event),
    info: (event, fields: LogFields = {}) => target.info(fields, event),
    debug: (event, fields: LogFields = {}) => target.debug(fields, event),
    child: (fields) => wrap(target.child(fields) as typeof root),
  })
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
