// mv: a rename of the namespace; no byte moves.
import { parseArguments } from '../command-format.ts'
import { exists, inputOutput, PathError } from '../errors.ts'
import type { Item } from '../store.ts'
import { CopyVerb } from './copy-verb.ts'

export class Mv extends CopyVerb {
  protected async options(words: string[]): Promise<string[]> {
    const { paths } = parseArguments(words, { min: 2 })
    await this.takeRemoteDestination(paths)
    return paths
  }

  protected override async processPair(source: Item, target: Item): Promise<void> {
    if (source.store !== target.store) throw new PathError(source.text, 'INVALID_ARGUMENT', { text: 'Does not match target filesystem' })
    if (target.stat) throw exists(target.text)
    if (!(await source.store.rename(source.path, target.path))) throw inputOutput(source.text)
  }
}
