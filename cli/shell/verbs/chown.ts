// chown and chgrp.
import { parseArguments } from '../command-format.ts'
import { describeFailure, ShellError, UsageError } from '../errors.ts'
import type { Item } from '../store.ts'
import { RemoteStore } from '../store.ts'
import { Verb } from '../verb.ts'

const ownerAndGroup = /^\s*([-+_./@a-zA-Z0-9]+)?(:([-+_./@a-zA-Z0-9]*))?\s*$/
const groupOnly = /^\s*([-+_./@a-zA-Z0-9]+)\s*$/

export class Chown extends Verb {
  #owner: string | undefined
  #group: string | undefined

  protected options(words: string[]): string[] {
    const { flags, paths } = parseArguments(words, { min: 2, flags: ['R'] })
    this.recursive = flags.has('R')
    const { owner, group } = this.parseWho(paths.shift() as string)
    this.#owner = owner || undefined
    this.#group = group || undefined
    return paths
  }

  protected parseWho(text: string): { readonly owner?: string | undefined; readonly group?: string | undefined } {
    const match = ownerAndGroup.exec(text)
    if (!match) throw new UsageError(`'${text}' does not match expected pattern for [owner][:group].`)
    const [, owner, , group] = match
    if (!owner && !group) throw new UsageError(`'${text}' does not specify owner or group.`)
    return { owner, group }
  }

  protected override async processPath(item: Item): Promise<void> {
    const owner = this.#owner === item.stat?.owner ? undefined : this.#owner
    const group = this.#group === item.stat?.group ? undefined : this.#group
    if ((owner === undefined && group === undefined) || !(item.store instanceof RemoteStore)) return
    try {
      await item.store.fs.setOwner(item.path, { ...(owner !== undefined && { owner }), ...(group !== undefined && { group }) })
    } catch (error) {
      const { code, message } = describeFailure(error)
      throw new ShellError(`changing ownership of '${item.text}': ${message}`, code)
    }
  }
}

export class Chgrp extends Chown {
  protected override parseWho(text: string): { readonly group?: string | undefined } {
    const group = groupOnly.exec(text)?.[1]
    if (group === undefined) throw new UsageError(`'${text}' does not match expected pattern for group`)
    return { group }
  }
}
