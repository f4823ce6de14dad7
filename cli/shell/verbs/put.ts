// put, copyFromLocal and moveFromLocal.
import { parseArguments } from '../command-format.ts'
import { exists, inputOutput, ShellError, UsageError } from '../errors.ts'
import type { Item } from '../store.ts'
import { CopyVerb, preserveAll } from './copy-verb.ts'

export class Put extends CopyVerb {
  protected async options(words: string[]): Promise<string[]> {
    const { flags, values, paths } = parseArguments(words, { min: 1, flags: ['f', 'p', 'l', 'd'], valued: ['t', 'q'] })
    if (flags.has('l')) throw new ShellError('-l: lazy persistence is not supported; leave the flag out', 'UNSUPPORTED')
    this.overwrite = flags.has('f')
    this.direct = flags.has('d')
    if (flags.has('p')) this.preserve = preserveAll
    this.takeThreads(values)
    this.recursive = true
    await this.takeRemoteDestination(paths)
    return paths
  }

  protected override async expandArgument(word: string): Promise<Item[]> {
    return [await this.shell.localItem(word)]
  }

  protected override async processArguments(items: readonly Item[]): Promise<void> {
    const [first] = items
    if (items.length === 1 && first?.text === '-' && first.store === this.shell.local) {
      await this.#putInput(first)
      return
    }
    await super.processArguments(items)
  }

  async #putInput(source: Item): Promise<void> {
    const target = await this.targetOf(source)
    await this.copyBytes({ length: undefined, bytes: this.shell.streams.input(), close: async () => {} }, target, '-')
  }
}

export class MoveFromLocal extends Put {
  protected override async options(words: string[]): Promise<string[]> {
    if (words.includes('-t')) throw new UsageError('Illegal option -t')
    return super.options(words)
  }

  protected override async processPair(source: Item, target: Item): Promise<void> {
    if (target.isDirectory) throw exists(target.text)
    await super.processPair(source, target)
  }

  protected override async processed(source: Item): Promise<void> {
    if (!(await source.store.delete(source.path, false))) throw inputOutput(source.text, { operation: 'remove' })
  }
}
