// getmerge: the files of directories, sorted, one behind the other in one local file.
import { parseArguments } from '../command-format.ts'
import { isDirectory } from '../errors.ts'
import type { Item } from '../store.ts'
import { exitFailure, Verb } from '../verb.ts'

export class Getmerge extends Verb {
  #target: Item | undefined
  #newline = false
  #skipEmpty = false
  readonly #files: Item[] = []

  protected async options(words: string[]): Promise<string[]> {
    const { flags, paths } = parseArguments(words, { min: 2, flags: ['nl', 'skip-empty-file'] })
    this.#newline = flags.has('nl')
    this.#skipEmpty = flags.has('skip-empty-file')
    this.#target = await this.shell.localItem(paths.pop() as string)
    if (this.#target.isDirectory) throw isDirectory(this.#target.text)
    return paths
  }

  protected override async processArguments(items: readonly Item[]): Promise<void> {
    await super.processArguments(items)
    if (this.exitCode !== 0) return
    const target = this.#target as Item
    await target.store.write(
      target.path,
      { length: undefined, bytes: this.#merged(), close: async () => {} },
      { signal: this.shell.streams.signal },
    )
  }

  async *#merged(): AsyncIterable<Uint8Array> {
    const newline = Buffer.from('\n')
    for (const file of this.#files) {
      const empty = file.stat?.length === 0
      if (!empty) {
        const source = await file.store.read(file.path, this.shell.streams.signal)
        try {
          yield* source.bytes
        } finally {
          await source.close()
        }
      }
      if (this.#newline && !(empty && this.#skipEmpty)) yield newline
    }
  }

  protected override async processMissing(item: Item): Promise<void> {
    this.exitCode = exitFailure
    await super.processMissing(item)
  }

  /** Files of a directory, but not of the directories in it. */
  protected override async processPath(item: Item): Promise<void> {
    if (!item.isDirectory) this.#files.push(item)
    else if (this.depth === 0) await this.recurse(item)
  }
}
