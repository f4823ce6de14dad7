import { parseArguments } from '../command-format.ts'
import { exists, notDirectory, notFound } from '../errors.ts'
import type { Item } from '../store.ts'
import { Verb } from '../verb.ts'

export class Mkdir extends Verb {
  #parents = false

  protected options(words: string[]): string[] {
    const { flags, paths } = parseArguments(words, { min: 1, flags: ['p'] })
    this.#parents = flags.has('p')
    return paths
  }

  protected override async processPath(item: Item): Promise<void> {
    if (!item.isDirectory) throw notDirectory(item.text)
    if (!this.#parents) throw exists(item.text)
  }

  protected override async processMissing(item: Item): Promise<void> {
    if (!this.#parents && !(await item.store.stat(item.parent))) throw notFound(item.store.qualify(item.parent))
    await item.store.mkdirs(item.path)
    await this.print('', { created: item.path })
  }

  /** Silence is success; only JSON wants a word. */
  protected override print(_text: string, record?: Readonly<Record<string, unknown>>): Promise<void> | void {
    if (this.shell.json) return super.print('', record)
  }
}
