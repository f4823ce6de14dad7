// tail: the last 1,024 bytes, and with -f what is appended after them.
import { setTimeout as sleep } from 'node:timers/promises'
import { isQuarryError } from '../../../common/errors.ts'
import { parseArguments } from '../command-format.ts'
import { isDirectory, notFound, UsageError } from '../errors.ts'
import { RemoteStore } from '../store.ts'
import type { Item } from '../store.ts'
import { Verb } from '../verb.ts'

const tailBytes = 1024
/** Hadoop's interval. */
const followMsDefault = 5000
/** Looks in a row that may fail before it is an error. */
const failuresMax = 10

export class Tail extends Verb {
  #follow = false
  #intervalMs = followMsDefault

  protected options(words: string[]): string[] {
    const { flags, values, paths } = parseArguments(words, { min: 1, max: 1, flags: ['f'], valued: ['s'] })
    this.#follow = flags.has('f')
    const interval = values.get('s')
    if (this.#follow && interval) {
      if (!/^-?\d+$/.test(interval)) throw new UsageError(`For input string: "${interval}"`)
      if (Number(interval) > 0) this.#intervalMs = Number(interval)
    }
    return paths
  }

  /** One file, its name taken as it stands. */
  protected override async expandArgument(word: string): Promise<Item[]> {
    return [await this.shell.item(word)]
  }

  protected override async processPath(item: Item): Promise<void> {
    if (item.isDirectory) throw isDirectory(item.text)
    const { signal, out } = this.shell.streams
    let at = await this.#showFrom(item, Math.max((item.stat?.length ?? 0) - tailBytes, 0))
    for (let failures = 0; this.#follow;) {
      await out.flush()
      await sleep(this.#intervalMs, undefined, { signal })
      if (!(await item.refresh())) throw notFound(item.text)
      try {
        at = await this.#showFrom(item, at)
        failures = 0
      } catch (error) {
        // While a writer sets up its pipeline, no datanode can tell how long the block is: the next look will.
        if (!isQuarryError(error) || error.advice === 'fix-request' || ++failures === failuresMax) throw error
      }
    }
  }

  /** Answers where it stopped. */
  async #showFrom(item: Item, start: number): Promise<number> {
    const store = item.store
    if (!(store instanceof RemoteStore)) throw new UsageError('tail reads files of the cluster')
    const { signal, out } = this.shell.streams
    const reader = await store.fs.open(item.path, { signal })
    try {
      if (start >= reader.length) return reader.length
      for await (const part of reader.stream({ start, signal })) await out.write(part)
      return reader.length
    } finally {
      await reader.close()
    }
  }
}
