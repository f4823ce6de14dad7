import { setTimeout as sleep } from 'node:timers/promises'
import { parseArguments } from '../command-format.ts'
import { isDirectory, UsageError } from '../errors.ts'
import type { Item, RemoteStore } from '../store.ts'
import { Verb } from '../verb.ts'

/** Between looks at a file whose last block is being cut. */
const lookMs = 1000

export class Truncate extends Verb {
  #length = 0
  #wait = false
  readonly #waiting: Item[] = []

  protected options(words: string[]): string[] {
    const { flags, paths } = parseArguments(words, { min: 2, flags: ['w'] })
    this.#wait = flags.has('w')
    const text = paths.shift() as string
    if (!/^[+-]?\d+$/.test(text)) {
      this.warn('Illegal length, a non-negative integer expected')
      throw new UsageError(`For input string: "${text}"`)
    }
    this.#length = Number(text)
    if (this.#length < 0) throw new UsageError('length must be >= 0')
    return paths
  }

  protected override async processArguments(items: readonly Item[]): Promise<void> {
    await super.processArguments(items)
    for (const item of this.#waiting) await this.#waitFor(item)
  }

  protected override async processPath(item: Item): Promise<void> {
    if (item.isDirectory) throw isDirectory(item.text)
    const before = item.stat?.length ?? 0
    if (this.#length > before) {
      throw new UsageError(`Cannot truncate to a larger file size. Current size: ${before}, truncate size: ${this.#length}.`)
    }
    if (await (item.store as RemoteStore).fs.truncate(item.path, this.#length)) await this.#tellDone(item)
    else if (this.#wait) this.#waiting.push(item)
    else
      await this.print(
        `Truncating ${item.text} to length: ${this.#length}. Wait for block recovery to complete before further updating this file.`,
        { path: item.path, length: this.#length, done: false },
      )
  }

  async #waitFor(item: Item): Promise<void> {
    await this.print(`Waiting for ${item.text} ...`)
    await this.shell.streams.out.flush()
    while ((await item.refresh())?.length !== this.#length) await sleep(lookMs, undefined, { signal: this.shell.streams.signal })
    await this.#tellDone(item)
  }

  #tellDone(item: Item): Promise<void> | void {
    return this.print(`Truncated ${item.text} to length: ${this.#length}`, { path: item.path, length: this.#length, done: true })
  }
}
