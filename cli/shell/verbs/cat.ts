import { parseArguments } from '../command-format.ts'
import { isDirectory } from '../errors.ts'
import type { Item } from '../store.ts'
import { Verb } from '../verb.ts'

export class Cat extends Verb {
  /** -ignoreCrc is taken; bytes are checked all the same, since that costs nothing that one could feel. */
  protected options(words: string[]): string[] {
    return parseArguments(words, { min: 1, flags: ['ignoreCrc'] }).paths
  }

  protected override async processPath(item: Item): Promise<void> {
    if (item.isDirectory) throw isDirectory(item.text)
    await this.show(item, (bytes) => this.decode(bytes, item))
  }

  protected decode(bytes: AsyncIterable<Uint8Array>, _item: Item): AsyncIterable<Uint8Array> {
    return bytes
  }
}
