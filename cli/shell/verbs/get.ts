// get and copyToLocal.
import { parseArguments } from '../command-format.ts'
import { ShellError } from '../errors.ts'
import type { Item } from '../store.ts'
import { CopyVerb, preserveAll } from './copy-verb.ts'

export class Get extends CopyVerb {
  #toOutput = false

  protected async options(words: string[]): Promise<string[]> {
    const { flags, values, paths } = parseArguments(words, { min: 1, flags: ['crc', 'ignoreCrc', 'p', 'f'], valued: ['t', 'q'] })
    if (flags.has('crc'))
      throw new ShellError('-crc: checksum files beside downloads are not supported; every byte is checked while it is read', 'UNSUPPORTED')
    this.overwrite = flags.has('f')
    if (flags.has('p')) this.preserve = preserveAll
    this.recursive = true
    // Hadoop writes a file named '-'; without ceremony it is standard output.
    this.#toOutput = this.shell.style === 'plain' && paths.length > 1 && paths.at(-1) === '-'
    this.takeThreads(this.#toOutput ? new Map([['t', '1']]) : values)
    await this.takeLocalDestination(paths)
    return paths
  }

  protected override async processArguments(items: readonly Item[]): Promise<void> {
    if (!this.#toOutput) return super.processArguments(items)
    for (const item of items) await this.surviving(() => this.processArgument(item))
  }

  protected override async copyFile(source: Item, target: Item): Promise<void> {
    if (!this.#toOutput) return super.copyFile(source, target)
    await this.show(source)
  }
}
