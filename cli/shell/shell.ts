// What a verb works with: the streams, the configuration, the cluster (connected when first needed) and the paths the user typed.
import type { FileSystem } from '../../client/index.ts'
import { QuarryError } from '../../common/errors.ts'
import type { Output } from '../output/output.ts'
import type { Configuration } from './configuration.ts'
import { describeFailure, ShellError, UsageError } from './errors.ts'
import { LocalStore } from './local-store.ts'
import { Item, RemoteStore } from './store.ts'
import type { FileDefaults, Stat, Store } from './store.ts'

export interface ShellStreams {
  readonly out: Output
  readonly err: Output
  /** Standard input, opened when first asked for. */
  readonly input: () => AsyncIterable<Uint8Array>
  /** One line of standard input, for a question. */
  readonly ask: (question: string) => Promise<string>
  /** Progress is shown here; undefined when nobody looks at a terminal. */
  readonly progress: Output | undefined
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
}

export interface ShellOptions {
  readonly streams: ShellStreams
  readonly configuration: Configuration
  readonly connect: (uri: string | undefined, configuration: Configuration) => Promise<FileSystem>
  /** `hadoop`: texts as Hadoop's. `plain`: the verbs without ceremony. */
  readonly style?: 'hadoop' | 'plain'
  /** One JSON object a line in place of text. */
  readonly json?: boolean
  /** Where relative local paths begin; default the working directory. */
  readonly cwd?: string
}

const uriPattern = /^([a-zA-Z][a-zA-Z0-9+.-]*):(?:\/\/([^/]*))?(\/.*)?$/s

/** What the user typed, taken apart. */
interface TypedPath {
  readonly scheme: string | undefined
  readonly authority: string
  readonly path: string
}

/** A colon without a slash behind it belongs to a name: `a:b` is a file of the home directory. */
function takeApart(text: string): TypedPath {
  const match = /^[^:/]+:\//.test(text) ? uriPattern.exec(text) : null
  if (!match) return { scheme: undefined, authority: '', path: text }
  return { scheme: match[1], authority: match[2] ?? '', path: match[3] ?? '/' }
}

export class Shell {
  readonly streams: ShellStreams
  readonly configuration: Configuration
  readonly style: 'hadoop' | 'plain'
  readonly json: boolean
  readonly local: LocalStore
  readonly #connect: ShellOptions['connect']
  readonly #stores = new Map<string, Promise<RemoteStore>>()

  constructor(options: ShellOptions) {
    this.streams = options.streams
    this.configuration = options.configuration
    this.style = options.style ?? 'hadoop'
    this.json = options.json ?? false
    this.local = new LocalStore(options.cwd)
    this.#connect = options.connect
  }

  /** The cluster of a URI; without one, the cluster the command is for. */
  remote(uri?: string): Promise<RemoteStore> {
    const key = uri ?? ''
    let store = this.#stores.get(key)
    if (!store) {
      store = this.#open(uri)
      this.#stores.set(key, store)
    }
    return store
  }

  async #open(uri: string | undefined): Promise<RemoteStore> {
    const fileDefaults = this.#fileDefaults()
    return new RemoteStore(await this.#connect(uri ?? this.configuration.get('fs.defaultFS'), this.configuration), fileDefaults)
  }

  /** What -D says of new files. */
  #fileDefaults(): FileDefaults {
    const { configuration } = this
    try {
      return {
        replication: configuration.int('dfs.replication'),
        blockSize: configuration.bytes('dfs.blocksize') ?? configuration.bytes('dfs.block.size'),
      }
    } catch (error) {
      throw new UsageError(describeFailure(error).message)
    }
  }

  async close(): Promise<void> {
    for (const store of this.#stores.values()) {
      const opened = await store.catch(() => undefined)
      await opened?.fs.close()
    }
  }

  /** What a path on the cluster's side means; file: paths lie on this machine. */
  async locate(text: string): Promise<{ readonly store: Store; readonly path: string }> {
    const typed = takeApart(text)
    const store = await this.#storeOf(typed)
    return { store, path: this.#absolute(store, typed.path) }
  }

  /** As `locate`, with what is there. */
  async item(text: string): Promise<Item> {
    const { store, path } = await this.locate(text)
    return new Item(store, text, path, await store.stat(path))
  }

  /** A path of this machine, unless a scheme says otherwise. */
  async localItem(text: string): Promise<Item> {
    if (takeApart(text).scheme !== undefined) return this.item(text)
    const path = this.local.resolve(text)
    return new Item(this.local, text, path, await this.local.stat(path))
  }

  /**
   * What a glob stands for, in order. A pattern without wildcards is one item, there or not; one with wildcards may be nothing.
   * Texts keep what was typed in front: relative stays relative, a URI stays a URI.
   */
  async expand(pattern: string): Promise<Item[]> {
    const typed = takeApart(pattern)
    const store = await this.#storeOf(typed)
    if (!/[*?[{\\]/.test(typed.path) || !(store instanceof RemoteStore)) {
      const path = this.#absolute(store, typed.path)
      const stat = await store.stat(path)
      return [new Item(store, stat ? this.#textOf(typed, store, path) : pattern, path, stat)]
    }
    const found = await this.#glob(store, typed.path)
    if (found.length > 0) return found.map((info) => new Item(store, this.#textOf(typed, store, info.path), info.path, info))
    if (/[*?[{]/.test(typed.path.replaceAll(/\\./g, ''))) return []
    const literal = pattern.replaceAll(/\\(.)/g, '$1')
    return [new Item(store, literal, this.#absolute(store, takeApart(literal).path), undefined)]
  }

  async #glob(store: RemoteStore, pattern: string): Promise<(Stat & { readonly path: string })[]> {
    try {
      return await store.fs.glob(pattern)
    } catch (error) {
      // A malformed pattern is an error of one argument, not of the whole command line.
      if (error instanceof QuarryError && error.code === 'INVALID_ARGUMENT') throw new ShellError(error.message)
      throw error
    }
  }

  async #storeOf(typed: TypedPath): Promise<Store> {
    const { scheme, authority } = typed
    if (scheme === undefined) return this.remote()
    if (scheme === 'file') return this.local
    if (scheme === 'quarry') return this.remote(authority === '' ? undefined : `quarry://${authority}`)
    if (scheme === 'hdfs' && authority === '') return this.remote()
    if (scheme === 'hdfs')
      throw new ShellError(`This client speaks to quarry:// addresses; hdfs://${authority} is one for Hadoop's clients`, 'UNSUPPORTED')
    throw new ShellError(`No FileSystem for scheme "${scheme}"`, 'UNSUPPORTED')
  }

  #absolute(store: Store, path: string): string {
    if (path === '') throw new UsageError('Can not create a Path from an empty string')
    return store instanceof RemoteStore ? store.fs.resolve(path) : this.local.resolve(path)
  }

  #textOf(typed: TypedPath, store: Store, path: string): string {
    if (typed.scheme === 'file') return `file:${typed.authority === '' ? '//' : ''}${path}`
    if (typed.scheme !== undefined) return `${typed.scheme}://${typed.authority}${path}`
    if (typed.path.startsWith('/')) return path
    return relativeTo((store as RemoteStore).fs.homeDirectory(), path)
  }
}

/** `path` as seen from the directory `from`: `.`, `a/b`, `../x`. */
export function relativeTo(from: string, path: string): string {
  if (path === from) return '.'
  const base = from.split('/').filter((name) => name !== '')
  const names = path.split('/').filter((name) => name !== '')
  let common = 0
  while (common < base.length && common < names.length && base[common] === names[common]) common++
  return [...base.slice(common).map(() => '..'), ...names.slice(common)].join('/')
}
