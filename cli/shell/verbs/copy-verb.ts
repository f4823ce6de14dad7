// What put, get, cp and mv share: a destination named last, rules for when it must exist, and the way a file gets there: written
// beside its target as NAME._COPYING_, then renamed, so that nobody sees half of it under its name.
import { createHash } from 'node:crypto'
import { nameBytesMax } from '../../../common/limits.ts'
import { utf8Length } from '../../../common/path.ts'
import { exists, inputOutput, isDirectory, notDirectory, notFound, PathError, UsageError } from '../errors.ts'
import { Item, RemoteStore } from '../store.ts'
import type { WriteSource } from '../store.ts'
import { Verb } from '../verb.ts'

const copyingSuffix = '._COPYING_'
/** Copies at the same time where nobody says: small files are mostly waiting. */
const plainWidth = 4
/** Each copy has buffers of its own, some 16 MiB. */
const widthMax = 64

export interface Preserve {
  readonly times: boolean
  readonly ownership: boolean
  readonly permission: boolean
  readonly acl: boolean
  readonly xattrs: boolean
}

const preserveNothing: Preserve = { times: false, ownership: false, permission: false, acl: false, xattrs: false }
/** What -p alone means. */
export const preserveAll: Preserve = { times: true, ownership: true, permission: true, acl: false, xattrs: false }

export abstract class CopyVerb extends Verb {
  protected destination: Item | undefined
  protected overwrite = false
  /** Write to the target itself. */
  protected direct = false
  protected preserve: Preserve = preserveNothing
  /** Files copied at the same time. */
  #width = 1
  /** By path of the target. */
  readonly #copying = new Map<string, Promise<void>>()

  protected get target(): Item {
    return this.destination as Item
  }

  /** The last path, taken off the others; the home directory when it is the only one. */
  protected async takeRemoteDestination(paths: string[]): Promise<void> {
    if (paths.length < 2) {
      this.destination = await this.shell.item('.')
      return
    }
    const pattern = paths.pop() as string
    const found = await this.shell.expand(pattern)
    if (found.length === 0) throw notFound(pattern)
    if (found.length > 1) throw new PathError(pattern, 'INVALID_ARGUMENT', { text: 'Too many matches' })
    this.destination = found[0]
  }

  protected async takeLocalDestination(paths: string[]): Promise<void> {
    this.destination = await this.shell.localItem(paths.length < 2 ? '.' : (paths.pop() as string))
  }

  protected override async processArguments(items: readonly Item[]): Promise<void> {
    const { target } = this
    if (items.length > 1) {
      if (!target.stat) throw notFound(target.text)
      if (!target.isDirectory) throw notDirectory(target.text)
    } else if (target.stat) {
      if (!target.isDirectory && !this.overwrite) throw exists(target.text)
    } else if (!(await this.parentExists(target))) {
      throw notFound(target.text, target.qualified)
    }
    if (items.length === 1 && !items[0]?.isDirectory) this.#width = 1
    try {
      await super.processArguments(items)
      await Promise.all(this.#copying.values())
    } finally {
      // What was interrupted cleans up after itself.
      await Promise.allSettled(this.#copying.values())
    }
  }

  protected async parentExists(target: Item): Promise<boolean> {
    return (await target.store.stat(target.looksLikeDirectory ? target.path : target.parent)) !== undefined
  }

  protected override async processPathArgument(source: Item): Promise<void> {
    if (source.isDirectory && source.store === this.target.store) {
      const target = await this.targetOf(source)
      if (target.path === source.path)
        throw new PathError(source.text, 'INVALID_ARGUMENT', { text: 'are identical', target: target.qualified })
      if (target.path.startsWith(source.path === '/' ? '/' : `${source.path}/`)) {
        throw new PathError(source.text, 'INVALID_ARGUMENT', { text: 'is a subdirectory of itself', target: target.text })
      }
    }
    await super.processPathArgument(source)
  }

  protected override async processPath(source: Item): Promise<void> {
    await this.processPair(source, await this.targetOf(source))
  }

  protected async processPair(source: Item, target: Item): Promise<void> {
    if (!source.isDirectory) await this.#startCopy(source, target)
    else if (!this.recursive) throw isDirectory(source.text)
  }

  /** Waits for the copy, or only for room beside the copies that are under way. */
  async #startCopy(source: Item, target: Item): Promise<void> {
    if (this.#width === 1) return this.copyFile(source, target)
    while (this.#copying.size >= this.#width) await Promise.race(this.#copying.values())
    const other = this.#copying.get(target.path)
    if (other) {
      // Two sources of one name: the second finds what the first has left.
      await other
      await target.refresh()
    }
    const copy = this.surviving(() => this.copyFile(source, target)).finally(() => this.#copying.delete(target.path))
    copy.catch(() => {}) // an interrupt, which the wait at the end hears of
    this.#copying.set(target.path, copy)
  }

  /** -t N: copies at the same time. -q N, the length of a queue, means nothing here. */
  protected takeThreads(values: ReadonlyMap<string, string>): void {
    for (const name of ['t', 'q']) {
      const value = values.get(name)
      if (value !== undefined && !/^[+-]?\d+$/.test(value)) throw new UsageError(`For input string: "${value}"`)
    }
    const usual = this.shell.style === 'plain' ? plainWidth : 1
    const wanted = Math.min(Math.max(Number(values.get('t') ?? usual), 1), widthMax)
    // Times of a directory are set when all in it is there, so one after the other where they are to be kept.
    this.#width = this.preserve.times ? 1 : wanted
  }

  protected override async recurse(directory: Item): Promise<void> {
    const outer = this.destination
    try {
      const target = await this.targetOf(directory)
      this.destination = target
      if (!target.stat) {
        await target.store.mkdirs(target.path)
        await target.refresh()
      } else if (!target.isDirectory) {
        throw notDirectory(target.text)
      }
      await super.recurse(directory)
      await this.keepAttributes(directory, target)
    } finally {
      this.destination = outer
    }
  }

  /** Into a directory, or the destination itself. */
  protected async targetOf(source: Item): Promise<Item> {
    const { target } = this
    const into = this.depth > 0 || target.isDirectory || target.looksLikeDirectory
    return into ? target.lookUpChild(source.name) : target
  }

  protected async copyFile(source: Item, target: Item): Promise<void> {
    const { signal } = this.shell.streams
    const bytes = await source.store.read(source.path, signal)
    try {
      await this.copyBytes(bytes, target, source.text)
    } finally {
      await bytes.close()
    }
    await this.keepAttributes(source, target)
  }

  protected async copyBytes(source: WriteSource, target: Item, label: string): Promise<void> {
    if (target.stat && (target.isDirectory || !this.overwrite)) throw exists(target.text)
    const { signal, progress } = this.shell.streams
    const written = this.direct ? target : copyingItem(target)
    // Several lines of progress would overwrite each other.
    const shown = this.#width === 1 ? progress : undefined
    const meter = shown && new (await import('../../output/progress.ts')).Progress(shown, label, source.length)
    let kept = false
    try {
      await target.store.write(written.path, source, { signal, onBytes: meter && ((bytes) => meter.update(bytes)) })
      if (!this.direct) await this.#moveInPlace(written, target)
      kept = true
    } finally {
      meter?.close()
      // What was written half must not stay, and the failure that brought us here is the one to tell.
      if (!kept && !this.direct) await target.store.delete(written.path, false).catch(() => false)
    }
  }

  async #moveInPlace(written: Item, target: Item): Promise<void> {
    if (target.stat && !(await target.store.delete(target.path, false))) throw inputOutput(target.text, { operation: 'delete' })
    if (!(await target.store.rename(written.path, target.path))) {
      throw inputOutput(written.text, { operation: 'rename', target: target.text })
    }
  }

  protected async keepAttributes(source: Item, target: Item): Promise<void> {
    const { stat } = source
    if (!stat) return
    if (this.preserve.times) await target.store.setTimes(target.path, stat.mtimeMs, stat.atimeMs)
    if (this.preserve.ownership) {
      const [owner, group] = await this.ownership(source)
      await target.store.setOwner(target.path, owner, group)
    }
    if (this.preserve.permission) await target.store.setPermission(target.path, stat.permission)
    if (!(source.store instanceof RemoteStore) || !(target.store instanceof RemoteStore)) return
    if (this.preserve.acl && stat.hasAcl === true) {
      const { fullAcl, sdkEntries } = await import('./facl.ts')
      await target.store.fs.setAcl(target.path, sdkEntries((await fullAcl(source)).flat()))
    }
    if (this.preserve.xattrs)
      for (const [name, value] of await source.store.fs.xattrs(source.path)) await target.store.fs.setXAttr(target.path, name, value)
  }

  /** Owner and group by name. */
  protected async ownership(source: Item): Promise<readonly [string, string]> {
    const { owner = '', group = '' } = source.stat ?? {}
    if (source.store !== this.shell.local) return [owner, group]
    const { nameOfId } = await import('../local-users.ts')
    return [await nameOfId('user', owner), await nameOfId('group', group)]
  }
}

/** Beside the target, so that the rename stays in one directory. A name that is too long with the suffix gets a short stand-in. */
function copyingItem(target: Item): Item {
  if (utf8Length(target.name) + copyingSuffix.length <= nameBytesMax) return target.withSuffix(copyingSuffix)
  const name = `${createHash('sha256').update(target.name).digest('hex')}${copyingSuffix}`
  const directory = target.path.slice(0, -target.name.length)
  return new Item(target.store, directory + name, directory + name, undefined)
}
