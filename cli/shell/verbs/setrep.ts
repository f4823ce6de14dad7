import { setTimeout as sleep } from 'node:timers/promises'
import { parseArguments } from '../command-format.ts'
import { ShellError, UsageError } from '../errors.ts'
import { RemoteStore } from '../store.ts'
import type { Item } from '../store.ts'
import { Verb } from '../verb.ts'

/** A dot is printed this often, as Hadoop does; the blocks are looked at more often. */
const dotMs = 10_000
const lookMs = 500
const replicationLimit = 32_767

export class Setrep extends Verb {
  #replication = 0
  #wait = false
  readonly #waiting: Item[] = []

  protected options(words: string[]): string[] {
    const { flags, paths } = parseArguments(words, { min: 2, flags: ['R', 'w'] })
    this.#wait = flags.has('w')
    this.recursive = true
    const text = paths.shift() as string
    if (!/^[+-]?\d+$/.test(text) || Math.abs(Number(text)) > replicationLimit) {
      this.warn('Illegal replication, a positive integer expected')
      throw new UsageError(/^[+-]?\d+$/.test(text) ? `Value out of range. Value:"${text}" Radix:10` : `For input string: "${text}"`)
    }
    this.#replication = Number(text)
    if (this.#replication < 1) throw new UsageError('replication must be >= 1')
    return paths
  }

  protected override async processArguments(items: readonly Item[]): Promise<void> {
    await super.processArguments(items)
    if (this.#wait) for (const item of this.#waiting) await this.#waitFor(item)
  }

  protected override async processPath(item: Item): Promise<void> {
    if (item.isDirectory || !(item.store instanceof RemoteStore)) return
    if (!(await item.store.fs.setReplication(item.path, this.#replication)))
      throw new ShellError(`Could not set replication for: ${item.text}`)
    await this.print(`Replication ${this.#replication} set: ${item.text}`, { path: item.path, replication: this.#replication })
    if (this.#wait) this.#waiting.push(item)
  }

  async #waitFor(item: Item): Promise<void> {
    const { out, signal } = this.shell.streams
    const { fs } = item.store as RemoteStore
    const say = (text: string): void => {
      if (!this.shell.json) void out.write(text)
    }
    say(`Waiting for ${item.text} ...`)
    await out.flush()
    let warned = false
    for (let waitedMs = 0; ; waitedMs += lookMs) {
      const counts = (await fs.blockLocations(item.path)).map((block) => block.hosts.length)
      if (counts.every((count) => count === this.#replication)) break
      if (!warned && counts.some((count) => count > this.#replication)) {
        say('\nWARNING: the waiting time may be long for DECREASING the number of replications.\n')
        warned = true
      }
      if (waitedMs % dotMs === 0) say('.')
      await out.flush()
      await sleep(lookMs, undefined, { signal })
    }
    say(' done\n')
  }
}
