import { parseArguments } from '../command-format.ts'
import { humanSize, percent, table } from '../format.ts'
import type { Item, RemoteStore } from '../store.ts'
import { Verb } from '../verb.ts'

export class Df extends Verb {
  #human = false
  readonly #rows: string[][] = []

  protected options(words: string[]): string[] {
    const { flags, paths } = parseArguments(words, { min: 0, flags: ['h'] })
    this.#human = flags.has('h')
    return paths.length > 0 ? paths : ['/']
  }

  protected override async processArguments(items: readonly Item[]): Promise<void> {
    await super.processArguments(items)
    if (this.#rows.length === 0) return
    await this.shell.streams.out.write(table([['Filesystem', 'Size', 'Used', 'Available', 'Use%'], ...this.#rows], [1, 2, 3, 4]))
  }

  protected override async processPath(item: Item): Promise<void> {
    const { uri, fs } = item.store as RemoteStore
    const { capacity, used, remaining } = await fs.stats()
    if (this.shell.json) return this.print('', { filesystem: uri, capacity, used, remaining })
    const size = (bytes: number): string => (this.#human ? humanSize(bytes) : String(bytes))
    this.#rows.push([uri, size(capacity), size(used), size(remaining), percent(used / capacity, 0)])
  }
}
