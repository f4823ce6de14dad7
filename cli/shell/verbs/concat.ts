// concat: the blocks of the sources become the target's; the sources are gone afterwards.
import { ShellError } from '../errors.ts'
import { verbs } from '../registry.ts'
import type { Item, RemoteStore } from '../store.ts'
import { Verb } from '../verb.ts'

export class Concat extends Verb {
  protected options(words: string[]): string[] {
    return words
  }

  protected override async processArguments(items: readonly Item[]): Promise<void> {
    const usage = verbs['concat']?.usage ?? ''
    const [target, ...sources] = items
    if (!target) throw new ShellError(`Target path not specified. ${usage}`)
    if (sources.length < 2) throw new ShellError(`The number of source paths is less than 2. ${usage}`)
    if (!isFile(target)) throw new ShellError(`Target path ${target.qualified} does not exist or is not file.`, 'NOT_FOUND')
    for (const source of sources)
      if (!isFile(source)) throw new ShellError(`${source.qualified} does not exist or is not file.`, 'NOT_FOUND')
    await (target.store as RemoteStore).fs.concat(
      target.path,
      sources.map((source) => source.path),
    )
  }
}

const isFile = (item: Item): boolean => item.stat?.isDirectory === false
