// What the cluster has promised. Every client says before an operation what it is about to do, and afterwards how it went; an
// operation whose end was never heard (its client was killed, or the call failed) may have happened or not. From this follows what
// must be there at the end:
//
//   a file exists under exactly one of the names it may have, unless it was deleted, or may have been, or its creation was never
//   acknowledged; its length lies between what was acknowledged and what was sent; its bytes are those that were sent.
import { must } from '../../common/assert.ts'

export type Step =
  | { readonly kind: 'create'; readonly file: number; readonly path: string }
  /** Up to `length` bytes may be there from now on. */
  | { readonly kind: 'send'; readonly file: number; readonly length: number }
  /** hflush, hsync or close: at least these bytes stay. */
  | { readonly kind: 'flush'; readonly file: number; readonly length: number }
  | { readonly kind: 'close'; readonly file: number; readonly length: number }
  | { readonly kind: 'append'; readonly file: number }
  | { readonly kind: 'rename'; readonly file: number; readonly target: string }
  | { readonly kind: 'delete'; readonly file: number }
  | { readonly kind: 'read'; readonly file: number }

/** A line that a client writes: before a step, after it, or about something that must not be. */
export type Line =
  | { readonly at: 'begin'; readonly id: number; readonly step: Step }
  | { readonly at: 'end'; readonly id: number; readonly ms: number; readonly error?: string }
  | { readonly at: 'violation'; readonly what: string }
  | { readonly at: 'ready' }

export interface ExpectedFile {
  readonly file: number
  /** Names it may have. */
  paths: string[]
  created: 'maybe' | 'yes'
  deleted: 'no' | 'maybe' | 'yes'
  /** Bytes that must be there. */
  acknowledged: number
  /** Bytes that may be there. */
  sent: number
}

export interface Slowest {
  readonly kind: Step['kind']
  readonly ms: number
  readonly path: string
}

export class Ledger {
  readonly files = new Map<number, ExpectedFile>()
  readonly violations: string[] = []
  readonly failures = new Map<string, number>()
  readonly counts = new Map<Step['kind'], number>()
  /** Bytes acknowledged by hflush or close. */
  bytes = 0
  slowest: Slowest | undefined
  #nextFile = 1

  /** A number that no file has had, for a new client: it may use a million of them. */
  takeNumbers(): number {
    const first = this.#nextFile
    this.#nextFile += 1_000_000
    return first
  }

  get operations(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Files that must be there. */
  get living(): number {
    return [...this.files.values()].filter((file) => file.created === 'yes' && file.deleted === 'no').length
  }

  begin(step: Step): void {
    if (step.kind === 'create') {
      const expected: ExpectedFile = { file: step.file, paths: [step.path], created: 'maybe', deleted: 'no', acknowledged: 0, sent: 0 }
      this.files.set(step.file, expected)
      return
    }
    const file = must(this.files.get(step.file))
    if (step.kind === 'send') file.sent = Math.max(file.sent, step.length)
    else if (step.kind === 'rename') file.paths.push(step.target)
    else if (step.kind === 'delete') file.deleted = 'maybe'
  }

  /** The step succeeded. */
  acknowledge(step: Step, ms: number): void {
    const file = must(this.files.get(step.file))
    this.counts.set(step.kind, (this.counts.get(step.kind) ?? 0) + 1)
    if (ms > (this.slowest?.ms ?? 0)) this.slowest = { kind: step.kind, ms, path: file.paths.at(-1) ?? '' }
    switch (step.kind) {
      case 'create':
        file.created = 'yes'
        return
      case 'flush':
      case 'close':
        this.bytes += Math.max(0, step.length - file.acknowledged)
        file.acknowledged = Math.max(file.acknowledged, step.length)
        return
      case 'rename':
        file.paths = [step.target]
        return
      case 'delete':
        file.deleted = 'yes'
        return
      case 'send':
      case 'append':
      case 'read':
        return
    }
  }

  /** The step failed, as it may under faults: it may have happened or not. */
  fail(step: Step, error: string): void {
    const kind = `${step.kind} ${error}`
    this.failures.set(kind, (this.failures.get(kind) ?? 0) + 1)
  }
}

/** The lines of one client, which may end in the middle of one. */
export class ClientLines {
  readonly #ledger: Ledger
  readonly #open = new Map<number, Step>()
  #rest = ''

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  take(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') this.#line(JSON.parse(line) as Line)
  }

  #line(line: Line): void {
    if (line.at === 'violation') this.#ledger.violations.push(line.what)
    else if (line.at === 'begin') {
      this.#open.set(line.id, line.step)
      this.#ledger.begin(line.step)
    } else if (line.at === 'end') {
      const step = must(this.#open.get(line.id))
      this.#open.delete(line.id)
      if (line.error === undefined) this.#ledger.acknowledge(step, line.ms)
      else this.#ledger.fail(step, line.error)
    }
  }
}
