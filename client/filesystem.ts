// The SDK's file system: one method a verb, each thin. What a verb needs beyond a call or two lives in its own file.
import { userInfo } from 'node:os'
import { QuarryError } from '../common/errors.ts'
import { must } from '../common/assert.ts'
import { Closer } from '../common/closer.ts'
import type { Env } from '../common/env.ts'
import { systemEnv } from '../common/system-env.ts'
import { DatanodeFilter, SafeModeAction, SnapshotOperation } from '../proto/ports.ts'
import type {
  CallOptions,
  DatanodeReport,
  EditRecord,
  Init,
  Method,
  NamenodePort,
  ReplyOf,
  Request,
  ServerDefaultsReply,
} from '../proto/ports.ts'
import { DatanodeClients } from '../proto/transport/datanode-client.ts'
import type { DatanodeSource } from '../proto/transport/datanode-client.ts'
import { connectNamenode } from '../proto/transport/metadata-session.ts'
import { AdminClient } from './admin.ts'
import { aclOf, policyOf, typeUses, wireAcl, wireStorageType, wireXAttr, xattrName } from './attributes.ts'
import { fileChecksum } from './checksum.ts'
import { copyFromLocal, copyToLocal } from './copy.ts'
import { dataOptions } from './data-options.ts'
import type { DataOptions } from './data-options.ts'
import { fileInfoOf, listingEntries } from './file-info.ts'
import { expandGlob } from './glob.ts'
import { LeaseRenewer } from './lease-renewer.ts'
import { applyMode } from './mode.ts'
import { normalizePath } from './path.ts'
import { plain } from './plain.ts'
import { BlockFileReader } from './reader/file-reader.ts'
import type { HedgeCounters } from './reader/hedge.ts'
import { LocalReplicas } from './reader/local-replicas.ts'
import { LocatedFile } from './reader/located-file.ts'
import { expungeTrash, moveToTrash } from './trash.ts'
import { truncate } from './truncate.ts'
import type {
  AclEntry,
  AclStatus,
  BlockLocation,
  ConnectOptions,
  ContentSummary,
  CopyOptions,
  CreateOptions,
  FileChecksum,
  FileInfo,
  FileReader,
  FileSystemStats,
  FileWriter,
  QuotaUsage,
  StoragePolicy,
  StorageTypeName,
} from './types.ts'
import { BlockFileWriter, openForAppend } from './writer/file-writer.ts'
import type { WriterDeps } from './writer/file-writer.ts'

/** Every verb takes these last: a signal that gives up, and the milliseconds after which the call fails with TIMEOUT. */
export type VerbOptions = CallOptions

export class FileSystem implements AsyncDisposable {
  /** quarry://host:port of the namenode. */
  readonly uri: string
  /** Who calls. */
  readonly user: string
  /** Permission bits taken away from what is created. */
  readonly umask: number
  /** The raw calls of the namenode, for code inside the project. */
  readonly namenode: NamenodePort
  /** What operators ask of the namenode. */
  readonly admin: AdminClient
  /** The raw calls of datanodes, for code inside the project. */
  readonly datanodeClients: DatanodeSource & { close(): Promise<void> }
  /** What became of reads that were sent to a second replica (hedgedReadThresholdMs). */
  readonly hedgedReads: HedgeCounters = { sent: 0, won: 0, cancelled: 0 }
  readonly #options: ConnectOptions
  readonly #data: DataOptions
  readonly #closer = new Closer()
  readonly #env: Env
  readonly #lease: LeaseRenewer
  #defaults: Promise<ServerDefaultsReply> | undefined

  /** Use `FileSystem.connect`; the constructor is for tests that bring their own transport. */
  constructor(parts: {
    uri: string
    user: string
    namenode: NamenodePort
    datanodes: DatanodeSource & { close(): Promise<void> }
    options?: ConnectOptions
    env?: Env
  }) {
    this.uri = parts.uri
    this.user = parts.user
    this.namenode = parts.namenode
    this.admin = new AdminClient(parts.namenode)
    this.datanodeClients = parts.datanodes
    this.#options = parts.options ?? {}
    this.#data = dataOptions(parts.options)
    this.umask = this.#options.umask ?? 0o022
    this.#env = parts.env ?? systemEnv()
    this.#lease = new LeaseRenewer({
      holder: `quarry_${this.user}_${Buffer.from(this.#env.random.bytes(8)).toString('hex')}`,
      namenode: this.namenode,
      env: this.#env,
      softLeaseMs: async () => (await this.serverDefaults()).softLeaseMs,
    })
    this.#closer.use(this.namenode)
    this.#closer.use(this.datanodeClients)
    this.#closer.use(this.#lease)
  }

  /**
   * Connects to the namenode of `uri` (quarry://host:port). Fails with UNAVAILABLE when nobody answers within connectTimeoutMs,
   * with VERSION when the server speaks another version, with INVALID_ARGUMENT when the URI cannot be used.
   */
  static async connect(uri: string, options: ConnectOptions = {}): Promise<FileSystem> {
    const user = options.user ?? defaultUser()
    const env = systemEnv()
    const namenode = await connectNamenode({
      uri,
      user,
      realUser: options.realUser,
      env,
      connectTimeoutMs: options.connectTimeoutMs,
      callTimeoutMs: options.callTimeoutMs,
      signal: options.signal,
    })
    return new FileSystem({ uri: uri.replace(/\/+$/, ''), user, namenode, datanodes: new DatanodeClients(), options, env })
  }

  /** /user/NAME, where relative paths begin. */
  homeDirectory(): string {
    return `/user/${this.user}`
  }

  /** The absolute path of what a user typed: relative to the home directory, `//`, `.` and `..` resolved, the scheme and authority of a URI dropped. Throws INVALID_ARGUMENT for a URI of another cluster. */
  resolve(path: string): string {
    return normalizePath(path, this.homeDirectory(), this.uri)
  }

  // --- looking ------------------------------------------------------------------------------------------------------------

  /** Throws NOT_FOUND. */
  async stat(path: string, options?: VerbOptions): Promise<FileInfo> {
    const absolute = this.resolve(path)
    const { file } = await this.#call('getFileInfo', { path: absolute }, options)
    if (file === null) throw notFound(absolute)
    return fileInfoOf(absolute, file)
  }

  async exists(path: string, options?: VerbOptions): Promise<boolean> {
    const { file } = await this.#call('getFileInfo', { path: this.resolve(path) }, options)
    return file !== null
  }

  /** Entries of a directory in raw UTF-8 byte order, a page at a time; of a file, the file itself. Throws NOT_FOUND. */
  async *list(path: string, options?: VerbOptions): AsyncGenerator<FileInfo, void, undefined> {
    for await (const page of this.#pages(path, options)) yield* page
  }

  /** All that `list` gives, at once. */
  async readdir(path: string, options?: VerbOptions): Promise<FileInfo[]> {
    const all: FileInfo[][] = []
    for await (const page of this.#pages(path, options)) all.push(page)
    return all.length === 1 ? all[0]! : all.flat()
  }

  /** Everything below `path`, depth first, each directory before its content; of a file, the file itself. */
  async *walk(path: string, options?: VerbOptions): AsyncGenerator<FileInfo, void, undefined> {
    const open = [this.list(path, options)]
    for (let listing = open.at(-1); listing; listing = open.at(-1)) {
      const { done, value: entry } = await listing.next()
      if (done) {
        open.pop()
        continue
      }
      yield entry
      if (entry.isDirectory) open.push(this.list(entry.path, options))
    }
  }

  /**
   * What matches a Hadoop glob (`*`, `?`, `[a-c]`, `[^a]`, `{a,b}`, backslash escapes; each component by itself), sorted. A pattern
   * without special characters matches the path of that name. Nothing found: an empty array.
   */
  glob(pattern: string, options?: VerbOptions): Promise<FileInfo[]> {
    return expandGlob(this, pattern, options)
  }

  async contentSummary(path: string, options?: VerbOptions): Promise<ContentSummary> {
    const summary = await this.#call('getContentSummary', { path: this.resolve(path) }, options)
    const { length, files, directories, spaceConsumed, quota, spaceQuota } = summary
    return { length, files, directories, spaceConsumed, quota, spaceQuota, types: typeUses(summary.types) }
  }

  async quotaUsage(path: string, options?: VerbOptions): Promise<QuotaUsage> {
    const usage = await this.#call('getQuotaUsage', { path: this.resolve(path) }, options)
    return { ...plain<Omit<QuotaUsage, 'types'>>(usage), types: typeUses(usage.types) }
  }

  async aclStatus(path: string, options?: VerbOptions): Promise<AclStatus> {
    const { owner, group, permission, entries } = await this.#call('getAclStatus', { path: this.resolve(path) }, options)
    return { owner, group, permission, entries: aclOf(entries) }
  }

  /** Extended attributes by name (`user.author`), with their values; all that the caller may see when none is named. */
  async xattrs(path: string, names: readonly string[] = [], options?: VerbOptions): Promise<Map<string, Uint8Array>> {
    const request = { path: this.resolve(path), xattrs: names.map((name) => wireXAttr(name)) }
    const { xattrs } = await this.#call('getXAttrs', request, options)
    return new Map(xattrs.map((one) => [xattrName(one), one.value]))
  }

  /** Their names only. */
  async listXAttrs(path: string, options?: VerbOptions): Promise<string[]> {
    return (await this.#call('listXAttrs', { path: this.resolve(path) }, options)).xattrs.map(xattrName)
  }

  /** The policy in force: the path's own, that of a directory above, or the default. */
  async storagePolicy(path: string, options?: VerbOptions): Promise<StoragePolicy> {
    return policyOf(must((await this.#call('getStoragePolicy', { path: this.resolve(path) }, options)).policy))
  }

  async storagePolicies(options?: VerbOptions): Promise<StoragePolicy[]> {
    return (await this.#call('getStoragePolicies', {}, options)).policies.map(policyOf)
  }

  /** Where the bytes of a file lie; of `offset` … `offset + length` only, when given. */
  async blockLocations(path: string, range: { offset?: number; length?: number } = {}, options?: VerbOptions): Promise<BlockLocation[]> {
    const offset = range.offset ?? 0
    const { blocks } = await this.#call(
      'getBlockLocations',
      { path: this.resolve(path), offset, length: range.length ?? Number.MAX_SAFE_INTEGER - offset },
      options,
    )
    return (blocks?.blocks ?? []).map((located) => ({
      blockId: located.block?.blockId ?? 0,
      genstamp: located.block?.genstamp ?? 0,
      offset: located.offset,
      length: located.block?.length ?? 0,
      corrupt: located.corrupt,
      hosts: located.locations.map((location) => ({
        uuid: location.datanode?.uuid ?? '',
        address: `${location.datanode?.ip ?? ''}:${location.datanode?.grpcPort ?? 0}`,
        hostname: location.datanode?.hostname ?? '',
        rack: location.datanode?.rack ?? '',
        storageUuid: location.storageUuid,
      })),
    }))
  }

  /** Throws PERMISSION_DENIED unless the caller may do all of `mode` (letters of `rwx`, or their bits) with the path. */
  async checkAccess(path: string, mode: string | number, options?: VerbOptions): Promise<void> {
    const bits = typeof mode === 'number' ? mode : [...mode].reduce((sum, letter) => sum | ({ r: 4, w: 2, x: 1 }[letter] ?? 0), 0)
    await this.#call('checkAccess', { path: this.resolve(path), mode: bits }, options)
  }

  // --- changing -----------------------------------------------------------------------------------------------------------

  /**
   * Makes a directory; one that exists already is fine. Without `recursive` a missing parent is NOT_FOUND.
   * `permission` (0o777) is before the umask.
   */
  async mkdir(path: string, options: { recursive?: boolean; permission?: number } & VerbOptions = {}): Promise<void> {
    const unmasked = options.permission ?? 0o777
    const permission = unmasked & ~this.umask
    const createParent = options.recursive ?? false
    await this.#call('mkdirs', { path: this.resolve(path), permission, createParent, hasUnmasked: true, unmasked }, options)
  }

  /** Strict: the target must not exist, or with `overwrite` may be a file or an empty directory of the same kind. Atomic. */
  async rename(source: string, target: string, options: { overwrite?: boolean } & VerbOptions = {}): Promise<void> {
    await this.#call(
      'rename2',
      { source: this.resolve(source), target: this.resolve(target), overwrite: options.overwrite ?? false },
      options,
    )
  }

  /** As `hdfs dfs -mv`: into the target when that is a directory; ordinary failures are `false`. */
  async renameInto(source: string, target: string, options?: VerbOptions): Promise<boolean> {
    return (await this.#call('rename', { source: this.resolve(source), target: this.resolve(target) }, options)).value
  }

  /** Really deletes. `false`: there was nothing. A directory that is not empty needs `recursive`. */
  async delete(path: string, options: { recursive?: boolean } & VerbOptions = {}): Promise<boolean> {
    return (await this.#call('delete', { path: this.resolve(path), recursive: options.recursive ?? false }, options)).value
  }

  /**
   * Moves to the user's trash and answers where it is now. Undefined: nothing was done, because the trash is off or the path
   * lies in it already; `delete` is what is left. `intervalMinutes` counts only where the server's trash.interval is 0.
   */
  moveToTrash(path: string, options: { intervalMinutes?: number } & VerbOptions = {}): Promise<string | undefined> {
    return moveToTrash(this, path, this.#env.clock, options)
  }

  /** Seals the user's current trash into a dated folder and deletes the folders older than the interval, or all when `immediate`. */
  expungeTrash(options: { immediate?: boolean; intervalMinutes?: number } & VerbOptions = {}): Promise<void> {
    return expungeTrash(this, this.#env.clock, options)
  }

  /** `false` for a directory. Copies are made or removed in the background. */
  async setReplication(path: string, replication: number, options?: VerbOptions): Promise<boolean> {
    return (await this.#call('setReplication', { path: this.resolve(path), replication }, options)).value
  }

  /** Bits, octal text, or symbolic clauses such as `u+rwx,g-w` (read, then changed). */
  async setPermission(path: string, mode: number | string, options?: VerbOptions): Promise<void> {
    const absolute = this.resolve(path)
    let permission = typeof mode === 'number' ? mode : 0
    if (typeof mode === 'string') {
      const info = await this.stat(absolute, options)
      permission = applyMode(mode, info.permission, info.isDirectory)
    }
    await this.#call('setPermission', { path: absolute, permission }, options)
  }

  /** What is left out stays as it is. */
  async setOwner(path: string, to: { owner?: string; group?: string }, options?: VerbOptions): Promise<void> {
    await this.#call('setOwner', { path: this.resolve(path), owner: to.owner ?? '', group: to.group ?? '' }, options)
  }

  /** Milliseconds since the epoch; what is left out stays as it is. */
  async setTimes(path: string, to: { mtimeMs?: number; atimeMs?: number }, options?: VerbOptions): Promise<void> {
    await this.#call('setTimes', { path: this.resolve(path), mtimeMs: to.mtimeMs ?? -1, atimeMs: to.atimeMs ?? -1 }, options)
  }

  /**
   * Names (files and directories) and bytes with all replicas that a directory may hold; -1 removes, what is left out stays. With a
   * type, `space` is the quota of that type of storage.
   */
  async setQuota(path: string, quota: { names?: number; space?: number; type?: StorageTypeName }, options?: VerbOptions): Promise<void> {
    const { names = -2, space = -2, type } = quota
    await this.#call('setQuota', { path: this.resolve(path), names, space, ...(type && { type: wireStorageType(type) }) }, options)
  }

  /** Replaces the ACL of each scope that the entries name; a scope needs entries for owner, group and other. */
  async setAcl(path: string, entries: string | readonly AclEntry[], options?: VerbOptions): Promise<void> {
    await this.#call('setAcl', { path: this.resolve(path), entries: wireAcl(entries, true) }, options)
  }

  /** Adds entries, in place of those of the same scope, type and name. */
  async modifyAcl(path: string, entries: string | readonly AclEntry[], options?: VerbOptions): Promise<void> {
    await this.#call('modifyAclEntries', { path: this.resolve(path), entries: wireAcl(entries, true) }, options)
  }

  /** Takes entries away, by scope, type and name. */
  async removeAclEntries(path: string, entries: string | readonly AclEntry[], options?: VerbOptions): Promise<void> {
    await this.#call('removeAclEntries', { path: this.resolve(path), entries: wireAcl(entries, false) }, options)
  }

  async removeDefaultAcl(path: string, options?: VerbOptions): Promise<void> {
    await this.#call('removeDefaultAcl', { path: this.resolve(path) }, options)
  }

  /** Leaves the permission, with the group's own bits in place of the mask. */
  async removeAcl(path: string, options?: VerbOptions): Promise<void> {
    await this.#call('removeAcl', { path: this.resolve(path) }, options)
  }

  /** `name` begins with its namespace: `user.author`. Creates or replaces, or only one of both when asked to. */
  async setXAttr(
    path: string,
    name: string,
    value: Uint8Array,
    options: { only?: 'create' | 'replace' } & VerbOptions = {},
  ): Promise<void> {
    const flag = options.only === 'create' ? 1 : options.only === 'replace' ? 2 : 3
    await this.#call('setXAttr', { path: this.resolve(path), xattr: wireXAttr(name, value), flag }, options)
  }

  async removeXAttr(path: string, name: string, options?: VerbOptions): Promise<void> {
    await this.#call('removeXAttr', { path: this.resolve(path), xattr: wireXAttr(name) }, options)
  }

  /** By name, such as COLD; undefined leaves the path to the policy of the directories above. */
  async setStoragePolicy(path: string, policy: string | undefined, options?: VerbOptions): Promise<void> {
    if (policy === undefined) await this.#call('unsetStoragePolicy', { path: this.resolve(path) }, options)
    else await this.#call('setStoragePolicy', { path: this.resolve(path), policy }, options)
  }

  /** There are no snapshots: asks the namenode, which refuses as HDFS does for a directory that is not snapshottable. */
  async snapshot(
    operation: 'create' | 'delete' | 'rename',
    path: string,
    names: { name?: string; newName?: string } = {},
    options?: VerbOptions,
  ): Promise<void> {
    const { name = '', newName = '' } = names
    const operations = {
      create: SnapshotOperation.SNAPSHOT_CREATE,
      delete: SnapshotOperation.SNAPSHOT_DELETE,
      rename: SnapshotOperation.SNAPSHOT_RENAME,
    }
    await this.#call('snapshot', { operation: operations[operation], path: this.resolve(path), name, other: newName }, options)
  }

  /** Cuts a file to `newLength` bytes. `true`: done; `false`: the last block is still being cut, the file opens again when that is over. */
  truncate(path: string, newLength: number, options?: VerbOptions): Promise<boolean> {
    return truncate(this, path, newLength, this.#lease.holder, this.#env.random, options)
  }

  /** Appends the blocks of the sources to the target and removes the sources; no byte moves. */
  async concat(target: string, sources: readonly string[], options?: VerbOptions): Promise<void> {
    await this.#call('concat', { target: this.resolve(target), sources: sources.map((source) => this.resolve(source)) }, options)
  }

  /** Closes a file whose writer is gone. `true`: it is closed now; `false`: ask again. */
  async recoverLease(path: string, options?: VerbOptions): Promise<boolean> {
    return (await this.#call('recoverLease', { path: this.resolve(path), holder: this.#lease.holder }, options)).value
  }

  // --- bytes --------------------------------------------------------------------------------------------------------------

  /** Makes a file and opens it for writing. */
  async create(path: string, options: CreateOptions = {}): Promise<FileWriter> {
    const absolute = this.resolve(path)
    const asked = options.permission ?? 0o666
    const { file } = await this.#call(
      'create',
      {
        path: absolute,
        permission: asked & ~this.umask,
        hasUnmasked: true,
        unmasked: options.unmasked ?? asked,
        storagePolicy: options.storagePolicy ?? '',
        holder: this.#lease.holder,
        overwrite: options.overwrite ?? true,
        createParent: options.createParent ?? true,
        replication: options.replication ?? this.#options.replication ?? 0,
        blockSize: options.blockSize ?? this.#options.blockSize ?? 0,
      },
      options,
    )
    return new BlockFileWriter(this.#writerDeps(), { path: absolute, file: must(file), signal: options.signal })
  }

  /** Opens a file for writing at its end: fills its last block first. */
  append(path: string, options: { signal?: AbortSignal } = {}): Promise<FileWriter> {
    return openForAppend(this.#writerDeps(), this.resolve(path), options.signal)
  }

  /** Opens a file for reading. Throws NOT_FOUND. */
  async open(path: string, options: { signal?: AbortSignal } = {}): Promise<FileReader> {
    const file = await LocatedFile.open(this.#readDeps(), this.resolve(path), options.signal)
    const local = this.#options.localReads === false ? undefined : new LocalReplicas(this.datanodeClients, this.#env.clock)
    return new BlockFileReader(
      { ...this.#readDeps(), local, client: this.#lease.holder, options: this.#data, hedges: this.hedgedReads },
      file,
    )
  }

  /** The whole file; text when an encoding is given. */
  readFile(path: string, options?: { encoding?: undefined; signal?: AbortSignal }): Promise<Buffer>
  readFile(path: string, options: { encoding: BufferEncoding; signal?: AbortSignal }): Promise<string>
  async readFile(path: string, options: { encoding?: BufferEncoding | undefined; signal?: AbortSignal } = {}): Promise<Buffer | string> {
    await using reader = await this.open(path, options)
    const bytes = Buffer.allocUnsafe(reader.length)
    let at = 0
    for await (const part of reader.stream({ end: reader.length, ...(options.signal && { signal: options.signal }) })) {
      bytes.set(part, at)
      at += part.length
    }
    return options.encoding === undefined ? bytes.subarray(0, at) : bytes.toString(options.encoding, 0, at)
  }

  /** Makes or replaces a file with these bytes. */
  async writeFile(
    path: string,
    data: Uint8Array | string | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    options: CreateOptions = {},
  ): Promise<void> {
    const writer = await this.create(path, options)
    try {
      if (typeof data === 'string' || data instanceof Uint8Array) await writer.write(data)
      else for await (const part of data) await writer.write(part)
    } catch (error) {
      await writer.abort(error)
      throw error
    }
    await writer.close()
  }

  /** HDFS's MD5-of-MD5-of-CRC of a file. */
  async checksum(path: string, options?: VerbOptions): Promise<FileChecksum> {
    const file = await LocatedFile.open(this.#readDeps(), this.resolve(path), options?.signal)
    return fileChecksum(this.datanodeClients, file, options?.signal)
  }

  /**
   * Copies a local file, or with `recursive` a directory, to `target`: the path it will have. An existing file is an error unless
   * `overwrite`; directories are merged.
   */
  copyFromLocal(local: string, target: string, options: CopyOptions = {}): Promise<void> {
    return copyFromLocal(this, local, target, options)
  }

  /** Copies a file, or with `recursive` a directory, to the local path `local`; otherwise as copyFromLocal. */
  copyToLocal(source: string, local: string, options: CopyOptions = {}): Promise<void> {
    return copyToLocal(this, source, local, options)
  }

  // --- the cluster --------------------------------------------------------------------------------------------------------

  async stats(options?: VerbOptions): Promise<FileSystemStats> {
    return plain<FileSystemStats>(await this.#call('getFsStats', {}, options))
  }

  /** Asked once for each FileSystem. */
  async serverDefaults(options?: VerbOptions): Promise<ServerDefaultsReply> {
    this.#defaults ??= this.#call('getServerDefaults', {}, options).then(plain)
    try {
      return await this.#defaults
    } catch (error) {
      this.#defaults = undefined
      throw error
    }
  }

  async datanodes(
    filter: 'all' | 'live' | 'dead' | 'decommissioning' | 'entering-maintenance' | 'in-maintenance' = 'all',
    options?: VerbOptions,
  ): Promise<DatanodeReport[]> {
    const filters = {
      'all': DatanodeFilter.DATANODES_ALL,
      'live': DatanodeFilter.DATANODES_LIVE,
      'dead': DatanodeFilter.DATANODES_DEAD,
      'decommissioning': DatanodeFilter.DATANODES_DECOMMISSIONING,
      'entering-maintenance': DatanodeFilter.DATANODES_ENTERING_MAINTENANCE,
      'in-maintenance': DatanodeFilter.DATANODES_IN_MAINTENANCE,
    } as const
    return plain((await this.#call('getDatanodeReport', { filter: filters[filter] }, options)).datanodes)
  }

  async safeMode(
    action: 'get' | 'enter' | 'leave' | 'force-exit' = 'get',
    options?: VerbOptions,
  ): Promise<{ on: boolean; reason: string }> {
    const actions = {
      'get': SafeModeAction.SAFE_MODE_GET,
      'enter': SafeModeAction.SAFE_MODE_ENTER,
      'leave': SafeModeAction.SAFE_MODE_LEAVE,
      'force-exit': SafeModeAction.SAFE_MODE_FORCE_EXIT,
    } as const
    const { on, reason } = await this.#call('setSafeMode', { action: actions[action] }, options)
    return { on, reason }
  }

  /** The edit log after a transaction id, in order, up to what there is now. */
  async *edits(afterTxid = 0, options?: VerbOptions): AsyncGenerator<EditRecord, void, undefined> {
    for (let after = afterTxid; ;) {
      const page = await this.#call('getEdits', { afterTxid: after, limit: editsPage }, options)
      yield* plain(page.edits)
      const last = page.edits.at(-1)
      if (last === undefined || last.txid >= page.lastTxid) return
      after = last.txid
    }
  }

  /** Closes what is open and the connections. Idempotent. */
  close(): Promise<void> {
    return this.#closer.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #call<M extends Method>(method: M, request: Init<Request<M>>, options?: VerbOptions): Promise<ReplyOf<M>> {
    return this.namenode.call(method, request, options)
  }

  #readDeps(): { namenode: NamenodePort; datanodes: DatanodeSource; env: Env } {
    return { namenode: this.namenode, datanodes: this.datanodeClients, env: this.#env }
  }

  #writerDeps(): WriterDeps {
    return { namenode: this.namenode, datanodes: this.datanodeClients, env: this.#env, lease: this.#lease, options: this.#data }
  }

  async *#pages(path: string, options?: VerbOptions): AsyncGenerator<FileInfo[], void, undefined> {
    const absolute = this.resolve(path)
    for (let startAfter = ''; ;) {
      const page = await this.#call('getListing', { path: absolute, startAfter }, options)
      if (!page.exists) throw notFound(absolute)
      const entries = listingEntries(absolute, page)
      yield entries
      if (!page.more || entries.length === 0) return
      startAfter = entries.at(-1)!.name
    }
  }
}

/** Edits asked for at once: about 300 bytes each. */
const editsPage = 1000

function notFound(path: string): QuarryError {
  return new QuarryError('NOT_FOUND', `File does not exist: ${path}`, { path })
}

function defaultUser(): string {
  const named = process.env['HADOOP_USER_NAME']
  if (named) return named
  try {
    return userInfo().username
  } catch {
    // A container may run under a uid that has no name.
    return `uid-${process.getuid?.() ?? 0}`
  }
}
