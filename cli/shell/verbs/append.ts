// appendToFile: local files, or standard input, at the end of a file that is made when it is not there.
import { isQuarryError } from '../../../common/errors.ts'
import { parseArguments } from '../command-format.ts'
import { ShellError } from '../errors.ts'
import { nothing, RemoteStore } from '../store.ts'
import type { Item } from '../store.ts'
import { CopyVerb } from './copy-verb.ts'

export class AppendToFile extends CopyVerb {
  #fromInput = false

  protected async options(words: string[]): Promise<string[]> {
    if (words.length < 2) throw new ShellError('missing destination argument')
    const { flags, paths } = parseArguments(words, { min: 2, flags: ['n'] })
    if (flags.has('n')) throw new ShellError('-n: appending to a new block is not supported; leave the flag out', 'UNSUPPORTED')
    await this.takeRemoteDestination(paths)
    return paths
  }

  protected override async expandArgument(word: string): Promise<Item[]> {
    if (word !== '-') return [await this.shell.localItem(word)]
    this.#fromInput = true
    return []
  }

  protected override async processArguments(items: readonly Item[]): Promise<void> {
    const { target } = this
    const { store } = target
    if (!(store instanceof RemoteStore)) throw new ShellError('appendToFile writes to the cluster')
    if (this.#fromInput && items.length > 0) throw new ShellError('stdin (-) must be the sole input argument when present')
    if (target.isDirectory)
      throw new ShellError(`Cannot append to directory ${target.path}; already exists as a directory.`, 'IS_A_DIRECTORY')
    // The sources are looked at before the target is touched.
    for (const item of items)
      if (!item.stat || item.isDirectory) throw new ShellError(item.isDirectory ? `${item.path}: Is a directory` : item.path, 'NOT_FOUND')
    if (!target.stat) await store.write(target.path, nothing)
    const { signal } = this.shell.streams
    const writer = await store.fs.append(target.path, { signal })
    try {
      if (this.#fromInput) await pour(this.shell.streams.input(), writer, signal)
      for (const item of items) {
        const source = await item.store.read(item.path)
        await pour(source.bytes, writer, signal).finally(() => source.close())
      }
      await writer.close()
    } catch (error) {
      await writer.abort(error).catch(() => {}) // the first failure is the one to tell
      if (isQuarryError(error, 'NOT_FOUND')) throw new ShellError(error.message, 'NOT_FOUND')
      throw error
    }
  }
}

async function pour(
  source: AsyncIterable<Uint8Array>,
  writer: { write(data: Uint8Array): Promise<void> },
  signal: AbortSignal,
): Promise<void> {
  for await (const bytes of source) {
    signal.throwIfAborted()
    await writer.write(bytes)
  }
}
