// rm: into the trash where there is one, else for good.
import { isQuarryError } from '../../../common/errors.ts'
import { parseArguments } from '../command-format.ts'
import { describeFailure, inputOutput, isDirectory, ShellError } from '../errors.ts'
import { RemoteStore } from '../store.ts'
import type { Item } from '../store.ts'
import { Verb } from '../verb.ts'

/** Hadoop's hadoop.shell.delete.limit.num.files: -safely asks beyond this many files. */
const safelyFilesDefault = 100

export class Rm extends Verb {
  #flags: ReadonlySet<string> = new Set()
  #directories = false

  protected options(words: string[]): string[] {
    const { flags, paths } = parseArguments(this.name === 'rmr' ? ['-r', ...words] : words, {
      min: 1,
      flags: ['f', 'r', 'R', 'skipTrash', 'safely'],
    })
    this.#flags = flags
    this.#directories = flags.has('r') || flags.has('R')
    return paths
  }

  protected override async expandArgument(word: string): Promise<Item[]> {
    const items = await this.shell.expand(word)
    if (items.length === 0 && this.#flags.has('f')) return []
    return items.length === 0 ? super.expandArgument(word) : items
  }

  protected override async processMissing(item: Item): Promise<void> {
    if (!this.#flags.has('f')) await super.processMissing(item)
  }

  protected override async processPath(item: Item): Promise<void> {
    if (item.isDirectory && !this.#directories) throw isDirectory(item.text)
    const kept = await this.#moveToTrash(item)
    if (kept !== undefined) {
      await this.print('', { trashed: item.path, at: kept })
      return
    }
    if (!(await this.#mayDelete(item))) return
    if (!(await item.store.delete(item.path, this.#directories))) throw inputOutput(item.text)
    await this.print(`Deleted ${item.text}`, { deleted: item.path })
  }

  async #moveToTrash(item: Item): Promise<string | undefined> {
    const store = item.store
    if (this.#flags.has('skipTrash') || !(store instanceof RemoteStore)) return undefined
    const minutes = this.shell.configuration.number('fs.trash.interval')
    try {
      const kept = await store.fs.moveToTrash(item.path, minutes === undefined ? {} : { intervalMinutes: minutes })
      if (kept !== undefined) this.#tellMoved(store, item, kept)
      return kept
    } catch (error) {
      if (isQuarryError(error, 'NOT_FOUND')) throw error
      const { code, message } = describeFailure(error)
      if (code === 'INVALID_ARGUMENT') {
        throw new ShellError(
          `Cannot move "${item.qualified}" to the trash, as it contains the trash. Consider using -skipTrash option`,
          code,
        )
      }
      const trash = store.qualify(`${store.fs.homeDirectory()}/.Trash/Current${item.path}`)
      throw new ShellError(`Failed to move ${item.qualified} to trash ${trash}: ${message}`, code)
    }
  }

  /** Hadoop tells this in its log, on standard error; nothing goes to standard output. */
  #tellMoved(store: RemoteStore, item: Item, kept: string): void {
    if (this.shell.json) return
    const moved = `Moved: '${item.qualified}' to trash at: ${store.qualify(kept)}`
    const log = `${new Date().toISOString().slice(0, 23).replace('T', ' ').replace('.', ',')} INFO fs.TrashPolicyDefault: ${moved}`
    void this.shell.streams.err.write(`${this.shell.style === 'plain' ? moved : log}\n`)
  }

  async #mayDelete(item: Item): Promise<boolean> {
    const store = item.store
    if (!this.#flags.has('safely') || !(store instanceof RemoteStore)) return true
    const limit = this.shell.configuration.int('hadoop.shell.delete.limit.num.files') ?? safelyFilesDefault
    if (limit <= 0) return true
    const { files } = await store.fs.contentSummary(item.path)
    if (files <= limit) return true
    const answer = (await this.shell.streams.ask(`Proceed deleting ${files} files? (Y or N) `)).trim().toLowerCase()
    if (answer === 'y' || answer === 'yes') return true
    void this.shell.streams.err.write('Delete aborted at user request.\n\n')
    return false
  }

  protected override print(text: string, record?: Readonly<Record<string, unknown>>): Promise<void> | void {
    if (this.shell.json || text !== '') return super.print(text, record)
  }
}
