// Several of these append records to one file, as writers that do not trust each other do: whoever gets the lease writes a record
// and closes. No record that was acknowledged may be missing, and no two of them may have the file at the same time.
import type { FileSystem } from '../../../client/filesystem.ts'
import type { Random } from '../../../common/env.ts'
import { chunkBytes } from '../../../common/limits.ts'
import { Violation } from '../run/violation.ts'
import { between } from '../world/random.ts'
import { attempt } from './attempt.ts'

export const recordBytes = 100

interface Tenure {
  readonly who: string
  /** Times between which the file was certainly this writer's. */
  readonly fromMs: number
  readonly untilMs: number
}

export class SharedLog {
  readonly path = '/log/records'
  readonly acked = new Set<string>()
  readonly sent = new Set<string>()
  /** Flushed, but the close failed: kept unless power fails. */
  readonly flushed = new Set<string>()
  readonly #tenures: Tenure[] = []
  readonly #softLeaseMs: number

  constructor(softLeaseMs: number) {
    this.#softLeaseMs = softLeaseMs
  }

  /** A writer closed the file in order, so it was its own all the time. */
  held(tenure: Tenure): void {
    // Longer, and another may have taken it over by right.
    if (tenure.untilMs - tenure.fromMs >= this.#softLeaseMs) return
    for (const other of this.#tenures) {
      if (other.fromMs < tenure.untilMs && tenure.fromMs < other.untilMs)
        throw new Violation(
          'I2',
          `${tenure.who} and ${other.who} both had ${this.path} open at ${Math.max(other.fromMs, tenure.fromMs)} ms`,
        )
    }
    this.#tenures.push(tenure)
  }

  /** What was flushed may be gone; of an open file the last partial chunk too (see owner.ts), which holds this many records. */
  powerFailed(): void {
    this.flushed.clear()
    for (const name of [...this.acked].slice(-Math.ceil(chunkBytes / recordBytes) - 1)) this.acked.delete(name)
  }

  /** What is wrong with the content of the file at the end. */
  check(content: Buffer): void {
    const found = new Map<string, number>()
    if (content.length % recordBytes !== 0 && this.sent.size === this.acked.size)
      throw new Violation('I1', `${this.path} has ${content.length} bytes, which are not whole records`)
    for (let at = 0; at + recordBytes <= content.length; at += recordBytes) {
      const text = content.toString('latin1', at, at + recordBytes)
      const name = text.trimEnd()
      if (!this.sent.has(name)) {
        // A record that was cut when its writer died moves those behind it.
        return this.#checkLoosely(content)
      }
      found.set(name, (found.get(name) ?? 0) + 1)
    }
    for (const name of [...this.acked, ...this.flushed])
      if (!found.has(name)) throw new Violation('I1', `record '${name}' was acknowledged and is not in ${this.path}`)
  }

  #checkLoosely(content: Buffer): void {
    const text = content.toString('latin1')
    for (const name of [...this.acked, ...this.flushed])
      if (!text.includes(name.padEnd(recordBytes)))
        throw new Violation('I1', `record '${name}' was acknowledged and is not in ${this.path}`)
  }
}

export class LogWriter {
  readonly #log: SharedLog
  readonly #name: string
  readonly #random: Random
  readonly #pauseMs: number
  readonly #now: () => number
  #next = 1
  operations = 0

  constructor(
    log: SharedLog,
    options: { readonly name: string; readonly random: Random; readonly pauseMs: number; readonly now: () => number },
  ) {
    this.#log = log
    this.#name = options.name
    this.#random = options.random
    this.#pauseMs = options.pauseMs
    this.#now = options.now
  }

  killed(): void {}

  async work(fs: FileSystem, sleep: (ms: number) => Promise<void>, over: () => boolean): Promise<void> {
    while (!over() && (await attempt(() => this.#make(fs))).kind !== 'done') await sleep(500)
    while (!over()) {
      await attempt(() => this.#append(fs, sleep))
      this.operations++
      await sleep(between(this.#random, 0.2, 1.8) * this.#pauseMs)
    }
  }

  async #make(fs: FileSystem): Promise<void> {
    if (await fs.exists(this.#log.path)) return
    const writer = await fs.create(this.#log.path, { overwrite: false, blockSize: 4096 })
    await writer.close()
  }

  async #append(fs: FileSystem, sleep: (ms: number) => Promise<void>): Promise<void> {
    const writer = await fs.append(this.#log.path)
    const fromMs = this.#now()
    const name = `${this.#name} record ${this.#next++}`
    this.#log.sent.add(name)
    await writer.write(Buffer.from(name.padEnd(recordBytes), 'latin1'))
    if (this.#random.float() < 0.5) {
      await writer.hflush()
      this.#log.flushed.add(name)
      await sleep(between(this.#random, 0, 2_000))
    }
    const untilMs = this.#now()
    await writer.close()
    this.#log.flushed.delete(name)
    this.#log.acked.add(name)
    this.#log.held({ who: this.#name, fromMs, untilMs })
  }
}
