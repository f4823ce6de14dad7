import { parseArguments } from '../command-format.ts'
import { isDirectory } from '../errors.ts'
import type { Item, RemoteStore } from '../store.ts'
import { Verb } from '../verb.ts'

export class Checksum extends Verb {
  #blockSize = false

  protected options(words: string[]): string[] {
    const { flags, paths } = parseArguments(words, { min: 1, flags: ['v'] })
    this.#blockSize = flags.has('v')
    return paths
  }

  protected override async processPath(item: Item): Promise<void> {
    if (item.isDirectory) throw isDirectory(item.text)
    const { algorithm, hex } = await (item.store as RemoteStore).fs.checksum(item.path)
    const blockSize = item.stat?.blockSize ?? 0
    return this.print(`${item.text}\t${algorithm}\t${hex}${this.#blockSize ? `\tBlockSize=${blockSize}` : ''}`, {
      path: item.path,
      algorithm,
      hex,
      blockSize,
    })
  }
}
