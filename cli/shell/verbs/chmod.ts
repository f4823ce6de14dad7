import { applyMode } from '../../../client/index.ts'
import { parseArguments } from '../command-format.ts'
import { describeFailure, ShellError, UsageError } from '../errors.ts'
import type { Item, Stat } from '../store.ts'
import { Verb } from '../verb.ts'

/** Hadoop's grammar: octal with an optional sticky bit, or clauses. */
const octal = /^\s*\+?([01]?[0-7]{3})\s*$/
const symbolic = /^\s*[ugoa]*[+=-]+[rwxXt]+(?:[,\s]+[ugoa]*[+=-]+[rwxXt]+)*\s*$/

export class Chmod extends Verb {
  #mode = ''

  protected options(words: string[]): string[] {
    const { flags, paths } = parseArguments(words, { min: 2, flags: ['R'], keepUnknown: true })
    this.recursive = flags.has('R')
    const text = paths.shift() as string
    const digits = octal.exec(text)?.[1]
    if (digits === undefined && !symbolic.test(text)) throw new UsageError(`chmod : mode '${text}' does not match the expected pattern.`)
    this.#mode = digits ?? text.trim().replaceAll(/\s+/g, '')
    return paths
  }

  protected override async processPath(item: Item): Promise<void> {
    const { permission, isDirectory } = item.stat as Stat
    const wanted = applyMode(this.#mode, permission, isDirectory)
    if (wanted === permission) return
    try {
      await item.store.setPermission(item.path, wanted)
    } catch (error) {
      const { code, message } = describeFailure(error)
      throw new ShellError(`changing permissions of '${item.text}': ${message}`, code)
    }
  }
}
