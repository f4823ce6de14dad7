// touch and touchz.
import { parseArguments } from '../command-format.ts'
import { isDirectory, notFound, PathError, UsageError } from '../errors.ts'
import { nothing } from '../store.ts'
import type { Item } from '../store.ts'
import { Verb } from '../verb.ts'

abstract class TouchVerb extends Verb {
  protected override async processMissing(item: Item): Promise<void> {
    const parent = item.looksLikeDirectory ? item.path : item.parent
    if (!(await item.store.stat(parent))) throw notFound(item.text, item.qualified)
    await this.touch(item)
  }

  protected abstract touch(item: Item): Promise<void>
}

/** Makes empty files; files with content are left alone. */
export class Touchz extends TouchVerb {
  protected options(words: string[]): string[] {
    return parseArguments(words, { min: 1 }).paths
  }

  protected override async processPath(item: Item): Promise<void> {
    if (item.isDirectory) throw isDirectory(item.text)
    if (item.stat?.length !== 0) throw new PathError(item.text, 'INVALID_ARGUMENT', { text: 'Not a zero-length file' })
    await this.touch(item)
  }

  protected touch(item: Item): Promise<void> {
    return item.store.write(item.path, nothing)
  }
}

/** Sets times, and makes files that are not there. */
export class Touch extends TouchVerb {
  #flags: ReadonlySet<string> = new Set()
  #timestamp: string | undefined

  protected options(words: string[]): string[] {
    const at = words.indexOf('-t')
    if (at >= 0) {
      this.#timestamp = words[at + 1]
      if (this.#timestamp === undefined) throw new UsageError('option -t requires 1 argument')
      words.splice(at, 2)
    }
    const { flags, paths } = parseArguments(words, { min: 1, flags: ['t', 'a', 'm', 'c'] })
    this.#flags = flags
    return paths
  }

  protected override processPath(item: Item): Promise<void> {
    return this.touch(item)
  }

  protected async touch(item: Item): Promise<void> {
    if (!item.stat) {
      if (this.#flags.has('c')) return
      await item.store.write(item.path, nothing)
      if (this.#timestamp === undefined) return
    }
    const ms = this.#timestamp === undefined ? Date.now() : parseTimestamp(this.#timestamp)
    const onlyOne = this.#flags.has('a') !== this.#flags.has('m')
    await item.store.setTimes(item.path, onlyOne && this.#flags.has('a') ? -1 : ms, onlyOne && this.#flags.has('m') ? -1 : ms)
  }
}

/** yyyyMMdd:HHmmss in local time. */
function parseTimestamp(text: string): number {
  const match = /^(\d{4})(\d\d)(\d\d):(\d\d)(\d\d)(\d\d)$/.exec(text)
  if (!match) throw new UsageError(`Unable to parse the specified timestamp ${text}. The expected format is yyyyMMdd:HHmmss`)
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [number, number, number, number, number, number]
  return new Date(year, month - 1, day, hour, minute, second).getTime()
}
