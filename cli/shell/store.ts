// The two sides that a shell verb copies between, seen alike: the cluster and the local file system.
import type { FileSystem } from '../../client/index.ts'
import { isQuarryError } from '../../common/errors.ts'
import { chunkBytes } from '../../common/limits.ts'
import { UsageError } from './errors.ts'

/** What the shell needs to know of a file. */
export interface Stat {
  readonly name: string
  readonly isDirectory: boolean
  readonly length: number
  readonly permission: number
  readonly owner: string
  readonly group: string
  readonly mtimeMs: number
  readonly atimeMs: number
  readonly replication: number
  readonly blockSize: number
  /** See FileInfo; the local file system has no ACLs here. */
  readonly hasAcl?: boolean
}

export interface WriteSource {
  /** Bytes expected, for progress; undefined when nobody knows. */
  readonly length: number | undefined
  readonly bytes: AsyncIterable<Uint8Array>
  /** Idempotent; needed also where `bytes` was never asked for any. */
  close(): Promise<void>
}

export const nothing: WriteSource = { length: 0, bytes: (async function* () {})(), close: async () => {} }

export interface WriteOptions {
  readonly signal?: AbortSignal | undefined
  readonly onBytes?: ((written: number) => void) | undefined
}

export interface Store {
  /** quarry://host:port, or `file:`. */
  readonly uri: string
  /** Of a path, as Hadoop writes it: quarry://host:port/a, file:/a. */
  qualify(path: string): string
  /** Undefined when nothing is there. */
  stat(path: string): Promise<Stat | undefined>
  /** Entries of a directory by name. */
  list(path: string): AsyncIterable<Stat>
  mkdirs(path: string): Promise<void>
  /** False when nothing was there. */
  delete(path: string, recursive: boolean): Promise<boolean>
  /** False for an ordinary refusal. The target must not exist, or is replaced on the local side. */
  rename(source: string, target: string): Promise<boolean>
  read(path: string, signal?: AbortSignal): Promise<WriteSource>
  /** Makes or replaces a file. What fails half-way leaves a partial file for the caller to remove. */
  write(path: string, source: WriteSource, options?: WriteOptions): Promise<void>
  setTimes(path: string, mtimeMs: number, atimeMs: number): Promise<void>
  setOwner(path: string, owner: string, group: string): Promise<void>
  setPermission(path: string, permission: number): Promise<void>
}

/** A file or directory as the user named it. */
export class Item {
  readonly store: Store
  /** As typed, or derived from what was typed. */
  readonly text: string
  /** Absolute, in the store. */
  readonly path: string
  stat: Stat | undefined

  constructor(store: Store, text: string, path: string, stat: Stat | undefined) {
    this.store = store
    this.text = text
    this.path = path
    this.stat = stat
  }

  get isDirectory(): boolean {
    return this.stat?.isDirectory === true
  }

  get qualified(): string {
    return this.store.qualify(this.path)
  }

  get parent(): string {
    const at = this.path.lastIndexOf('/')
    return at <= 0 ? '/' : this.path.slice(0, at)
  }

  /** The name, '' for the root. */
  get name(): string {
    return this.path.slice(this.path.lastIndexOf('/') + 1)
  }

  /** `a/`, `.` and `..` mean a directory whether or not there is one. */
  get looksLikeDirectory(): boolean {
    const name = this.text.slice(this.text.lastIndexOf('/') + 1)
    return name === '' || name === '.' || name === '..'
  }

  /** The entry of that name; its text is this one's, with the name behind it. */
  child(name: string, stat: Stat | undefined): Item {
    return new Item(this.store, childText(this.text, name), this.path === '/' ? `/${name}` : `${this.path}/${name}`, stat)
  }

  async lookUpChild(name: string): Promise<Item> {
    const child = this.child(name, undefined)
    child.stat = await child.store.stat(child.path)
    return child
  }

  withSuffix(suffix: string): Item {
    return new Item(this.store, this.text + suffix, this.path + suffix, undefined)
  }

  async refresh(): Promise<Stat | undefined> {
    this.stat = await this.store.stat(this.path)
    return this.stat
  }
}

function childText(text: string, name: string): string {
  if (text === '.') return name
  return text.endsWith('/') ? text + name : `${text}/${name}`
}

/** What new files get unless the namenode decides. */
export interface FileDefaults {
  readonly replication: number | undefined
  readonly blockSize: number | undefined
}

/** The cluster. */
export class RemoteStore implements Store {
  readonly fs: FileSystem
  readonly uri: string
  readonly #defaults: FileDefaults

  constructor(fs: FileSystem, defaults: FileDefaults) {
    this.fs = fs
    this.uri = fs.uri
    this.#defaults = defaults
  }

  qualify(path: string): string {
    return this.uri + path
  }

  async stat(path: string): Promise<Stat | undefined> {
    try {
      return await this.fs.stat(path)
    } catch (error) {
      if (isQuarryError(error, 'NOT_FOUND')) return undefined
      throw error
    }
  }

  list(path: string): AsyncIterable<Stat> {
    return this.fs.list(path)
  }

  async mkdirs(path: string): Promise<void> {
    await this.fs.mkdir(path, { recursive: true })
  }

  delete(path: string, recursive: boolean): Promise<boolean> {
    return this.fs.delete(path, { recursive })
  }

  rename(source: string, target: string): Promise<boolean> {
    return this.fs.renameInto(source, target)
  }

  async read(path: string, signal?: AbortSignal): Promise<WriteSource> {
    const reader = await this.fs.open(path, signal ? { signal } : {})
    return { length: reader.length, bytes: reader.stream(signal ? { signal } : {}), close: () => reader.close() }
  }

  async write(path: string, source: WriteSource, options: WriteOptions = {}): Promise<void> {
    const { blockSize = 0 } = this.#defaults
    if (blockSize % chunkBytes !== 0)
      throw new UsageError(`Invalid values: dfs.bytes-per-checksum (=${chunkBytes}) must divide block size (=${blockSize}).`)
    const writer = await this.fs.create(path, { ...this.#defaults, overwrite: true, signal: options.signal })
    try {
      for await (const bytes of source.bytes) {
        options.signal?.throwIfAborted()
        await writer.write(bytes)
        options.onBytes?.(writer.position)
      }
      await writer.close()
    } catch (error) {
      await writer.abort(error).catch(() => {}) // the first failure is the one to tell
      throw error
    }
  }

  async setTimes(path: string, mtimeMs: number, atimeMs: number): Promise<void> {
    await this.fs.setTimes(path, { mtimeMs, atimeMs })
  }

  async setOwner(path: string, owner: string, group: string): Promise<void> {
    await this.fs.setOwner(path, { owner, group })
  }

  async setPermission(path: string, permission: number): Promise<void> {
    await this.fs.setPermission(path, permission)
  }
}
