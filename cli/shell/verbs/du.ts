// du: bytes, bytes with all replicas, path; of each entry of a directory, or with -s of the argument.
import { parseArguments } from '../command-format.ts'
import { humanSize, table } from '../format.ts'
import type { Item, RemoteStore } from '../store.ts'
import { Verb } from '../verb.ts'

export class Du extends Verb {
  #flags: ReadonlySet<string> = new Set()
  readonly #rows: string[][] = []

  protected options(words: string[]): string[] {
    const { flags, paths } = parseArguments(this.name === 'dus' ? ['-s', ...words] : words, { min: 0, flags: ['h', 's', 'v', 'x'] })
    this.#flags = flags
    return paths.length > 0 ? paths : ['.']
  }

  protected override async processArguments(items: readonly Item[]): Promise<void> {
    await super.processArguments(items)
    if (this.#rows.length === 0) return
    const header = this.#flags.has('v') ? [['SIZE', 'DISK_SPACE_CONSUMED_WITH_ALL_REPLICAS', 'FULL_PATH_NAME']] : []
    await this.shell.streams.out.write(table([...header, ...this.#rows]))
  }

  protected override async processPathArgument(item: Item): Promise<void> {
    if (item.isDirectory && !this.#flags.has('s')) await this.recurse(item)
    else await super.processPathArgument(item)
  }

  protected override async processPath(item: Item): Promise<void> {
    const { length, spaceConsumed } = await (item.store as RemoteStore).fs.contentSummary(item.path)
    if (this.shell.json) return this.print('', { path: item.path, length, spaceConsumed })
    const size = (bytes: number): string => (this.#flags.has('h') ? humanSize(bytes) : String(bytes))
    this.#rows.push([size(length), size(spaceConsumed), item.text])
  }
}
