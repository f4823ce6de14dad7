// What happened, as lines: their hash tells whether two runs were the same, the last of them what led to a failure.
import type { LogFields, Logger } from '../../../common/env.ts'

/** Lines kept for people. */
const keptMax = 400

export class Trace {
  readonly #now: () => number
  readonly #listener: ((line: string) => void) | undefined
  readonly #kept: string[] = []
  #a = 0xdeadbeef
  #b = 0x41c6ce57
  /** Lines so far. */
  events = 0

  /** `listener` hears every line. */
  constructor(now: () => number, listener?: (line: string) => void) {
    this.#now = now
    this.#listener = listener
  }

  add(where: string, what: string): void {
    const line = `${this.#now().toFixed(3)} ${where} ${what}`
    this.events++
    this.mix(line)
    this.#listener?.(line)
    this.#kept[this.events % keptMax] = line
  }

  /** Counts for the hash without being kept as a line. */
  mix(text: string): void {
    let a = this.#a
    let b = this.#b
    for (let i = 0; i < text.length; i++) {
      const char = text.charCodeAt(i)
      a = Math.imul(a ^ char, 2654435761)
      b = Math.imul(b ^ char, 1597334677)
    }
    this.#a = a ^ (b >>> 15)
    this.#b = b ^ (a >>> 13)
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return [this.#a, this.#b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }

  /** The last lines, oldest first. */
  last(count: number): string[] {
    const from = Math.max(1, this.events - Math.min(count, keptMax) + 1)
    return Array.from({ length: this.events - from + 1 }, (_, i) => this.#kept[(from + i) % keptMax]!)
  }

  /** A log whose events become lines. */
  logger(where: string): Logger {
    const at = (level: string) => (event: string, fields?: LogFields) => this.add(where, `${level} ${event}${textOf(fields)}`)
    const logger: Logger = { error: at('ERROR'), warn: at('warn'), info: at('info'), debug: at('debug'), child: () => logger }
    return logger
  }
}

function textOf(fields: LogFields | undefined): string {
  if (fields === undefined) return ''
  let text = ''
  for (const [key, value] of Object.entries(fields)) {
    // Stacks differ between checkouts.
    if (key === 'stack') continue
    text += ` ${key}=${value instanceof Error ? value.message : typeof value === 'object' ? JSON.stringify(value) : String(value)}`
  }
  return text
}
