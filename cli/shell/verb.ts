// The frame of a verb: options, expansion of arguments, recursion, and errors that end one path but not the command. Verbs override
// the steps they do differently; the order of the steps is what makes messages and exit codes come out as Hadoop's.
import { describeFailure, notFound, wholeFailure } from './errors.ts'
import { verbs } from './registry.ts'
import type { Shell } from './shell.ts'
import type { Item } from './store.ts'

/** Entries of a directory that are handled together where a verb streams a listing. */
const streamGroup = 100

export const exitOk = 0
export const exitFailure = 1
export const exitInterrupted = 130

export abstract class Verb {
  protected readonly shell: Shell
  protected readonly name: string
  protected exitCode = exitOk
  protected recursive = false
  /** Directories between the argument and what is handled. */
  protected depth = 0
  #errors = 0

  constructor(shell: Shell, name: string) {
    this.shell = shell
    this.name = name
  }

  /** Runs with the words behind the verb. UsageErrors pass through. */
  async run(words: readonly string[]): Promise<number> {
    try {
      const replacement = verbs[this.name]?.replacement
      if (replacement !== undefined) this.warn(`DEPRECATED: Please use '${replacement}' instead.`)
      const paths = await this.options([...words])
      await this.processArguments(await this.expandArguments(paths))
    } catch (error) {
      if (this.shell.streams.signal.aborted) {
        this.warn('Interrupted')
        return exitInterrupted
      }
      if (error instanceof Error && error.name === 'UsageError') throw error
      this.fail(error)
    }
    return this.#errors === 0 ? this.exitCode : exitFailure
  }

  /** Reads the flags; the answer is the paths. */
  protected abstract options(words: string[]): string[] | Promise<string[]>

  protected async expandArguments(words: readonly string[]): Promise<Item[]> {
    const items: Item[] = []
    for (const word of words) {
      await this.surviving(async () => {
        items.push(...(await this.expandArgument(word)))
      })
    }
    return items
  }

  protected async expandArgument(word: string): Promise<Item[]> {
    const items = await this.shell.expand(word)
    if (items.length === 0) throw notFound(word)
    return items
  }

  protected async processArguments(items: readonly Item[]): Promise<void> {
    for (const item of items) await this.surviving(() => this.processArgument(item))
  }

  protected processArgument(item: Item): Promise<void> {
    return item.stat ? this.processPathArgument(item) : this.processMissing(item)
  }

  protected async processPathArgument(item: Item): Promise<void> {
    this.depth = 0
    await this.processPaths(undefined, [item])
  }

  protected async processMissing(item: Item): Promise<void> {
    throw notFound(item.text)
  }

  protected async processPaths(_parent: Item | undefined, items: readonly Item[]): Promise<void> {
    for (const item of items) {
      await this.surviving(async () => {
        await this.processPath(item)
        if (this.recursive && item.isDirectory) await this.recurse(item)
        await this.processed(item)
      })
    }
  }

  protected async processPath(_item: Item): Promise<void> {}

  /** After a path and all below it. */
  protected async processed(_item: Item): Promise<void> {}

  /** Whether a directory's entries are handled all at once, rather than in groups as they arrive. */
  protected get sorted(): boolean {
    return true
  }

  protected async recurse(directory: Item): Promise<void> {
    this.depth++
    try {
      let group: Item[] = []
      for await (const stat of directory.store.list(directory.path)) {
        this.shell.streams.signal.throwIfAborted()
        group.push(directory.child(stat.name, stat))
        if (!this.sorted && group.length === streamGroup) {
          await this.processPaths(directory, group)
          group = []
        }
      }
      if (group.length > 0 || this.sorted) await this.processPaths(directory, group)
    } finally {
      this.depth--
    }
  }

  // --- output -------------------------------------------------------------------------------------------------------------

  /** A line of text, or the record where the user asked for JSON. */
  protected print(text: string, record?: Readonly<Record<string, unknown>>): Promise<void> | void {
    if (!this.shell.json) return this.shell.streams.out.write(`${text}\n`)
    if (record) return this.shell.streams.out.write(`${JSON.stringify(record)}\n`)
  }

  /** The bytes of a file on standard output, as `change` leaves them. */
  protected async show(
    item: Item,
    change: (bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array> = (bytes) => bytes,
  ): Promise<void> {
    const source = await item.store.read(item.path, this.shell.streams.signal)
    try {
      for await (const part of change(source.bytes)) await this.shell.streams.out.write(part)
    } finally {
      await source.close()
    }
  }

  protected warn(message: string): void {
    const before = this.shell.style === 'plain' ? `quarry ${this.name}` : this.name
    void this.shell.streams.err.write(`${before}: ${message}\n`)
  }

  /** Tells a failure and goes on. */
  protected fail(error: unknown): void {
    const { code, message } = this.shell.style === 'plain' ? wholeFailure(error) : describeFailure(error)
    this.#errors++
    if (this.shell.json) void this.shell.streams.err.write(`${JSON.stringify({ error: { verb: this.name, code, message } })}\n`)
    else this.warn(message)
  }

  /** Does one path's work; its failure is told, and the command goes on. */
  protected async surviving(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (this.shell.streams.signal.aborted) throw error
      if (error instanceof Error && error.name === 'UsageError') throw error
      this.fail(error)
    }
  }
}
