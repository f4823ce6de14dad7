import { parseArguments } from '../command-format.ts'
import { isDirectory } from '../errors.ts'
import type { Item } from '../store.ts'
import { Verb } from '../verb.ts'

const headBytes = 1024

export class Head extends Verb {
  protected options(words: string[]): string[] {
    return parseArguments(words, { min: 1, max: 1 }).paths
  }

  /** One file, its name taken as it stands. */
  protected override async expandArgument(word: string): Promise<Item[]> {
    return [await this.shell.item(word)]
  }

  protected override async processPath(item: Item): Promise<void> {
    if (item.isDirectory) throw isDirectory(item.text)
    await this.show(item, firstBytes)
  }
}

async function* firstBytes(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let left = headBytes
  for await (const part of bytes) {
    yield part.subarray(0, left)
    left -= part.length
    if (left <= 0) return
  }
}
