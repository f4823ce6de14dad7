import { parseArguments } from '../command-format.ts'
import { inputOutput, notDirectory, PathError } from '../errors.ts'
import type { Item } from '../store.ts'
import { Verb } from '../verb.ts'

const ignoreFlag = '-ignore-fail-on-non-empty'

export class Rmdir extends Verb {
  #ignoreNonEmpty = false

  protected options(words: string[]): string[] {
    const { flags, paths } = parseArguments(words, { min: 1, flags: [ignoreFlag] })
    this.#ignoreNonEmpty = flags.has(ignoreFlag)
    return paths
  }

  protected override async processPath(item: Item): Promise<void> {
    if (!item.isDirectory) throw notDirectory(item.text)
    for await (const _ of item.store.list(item.path)) {
      if (this.#ignoreNonEmpty) return
      throw new PathError(item.text, 'NOT_EMPTY')
    }
    if (!(await item.store.delete(item.path, false))) throw inputOutput(item.text)
  }
}
