// The namespace in SQLite: WAL, synchronous=FULL, one transaction and one fsync for a batch of commands.
//
// Changes of a batch stay in memory (`#dirty…`) and are written once each when it commits. A range read in the middle of a batch
// (children, open files) first writes what is pending into the open transaction and then asks SQLite, so that there is one truth
// and no merging. Point reads are answered from bounded caches, which hold pending changes too: they only age between batches.
//
// Invariants
//   T1  after a write that failed, nothing but rollback() works until it was called: no part of a batch is ever committed alone
//   T2  after a failure that was not for lack of room, nothing is written any more (engine E3)
//   T3  files of the directory that SQLite has locked are never closed while it is open: the operating system would drop its locks
import { closeSync, fstatSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type Database from 'better-sqlite3'
import { assert } from '../../common/assert.ts'
import { isQuarryError } from '../../common/errors.ts'
import type { ListingReply } from '../../proto/ports.ts'
import type { EditRecord } from '../core/edits.ts'
import { listingOf } from '../core/listing.ts'
import { flagsOf, HAS_POLICY, HAS_TYPE_QUOTAS } from '../core/extras.ts'
import type { BlockRecord, Counters, Extras, FileInode, Inode, NamespaceStore, NamespaceTx } from '../core/model.ts'
import { makeBlock, makeDirectory, makeFile } from '../core/records.ts'
import { checkpointPages, openDatabase } from './database.ts'
import { parseEdits } from './edit-rows.ts'
import { parseExtras } from './extras-rows.ts'
import { Generations } from './generations.ts'
import { lockDirectory } from './lock.ts'
import { ListingCache } from './listing-cache.ts'
import { NameCache } from './names.ts'
import { freeBytes, refusesMore, sizeOf } from './room.ts'
import { explain, explainOpening } from './sqlite-errors.ts'
import { blockStates, insertInode, prepare, updateInode, writeBlock } from './statements.ts'
import type { BlockRow, Row, Statements } from './statements.ts'

export interface SqliteStoreOptions {
  readonly directory: string
  /** Inodes and names kept in memory. */
  readonly cacheEntries: number
  /** Bytes of SQLite's page cache. */
  readonly pageCacheBytes: number
  /** Pages that the database may have: a small disk, for tests. */
  readonly pagesMax?: number
  /** Reads and checks every page before anything else. */
  readonly quickCheck?: boolean
}

/** The main file while it stands still; see SqliteStore.freeze. */
export interface Frozen {
  /** Open for reading; never closed by the reader (T3). */
  readonly fd: number
  readonly bytes: number
  readonly txid: number
}

const noBlocks: BlockRecord[] = []
/** What a commit is tried with when the disk was full: more than an ordinary one writes. */
const trialText = 'x'.repeat(256 * 1024)

export class SqliteStore implements NamespaceStore, NamespaceTx {
  readonly #database: Database.Database
  readonly #directory: string
  readonly #unlock: () => void
  readonly #statements: Statements
  readonly #inodes: Generations<number, Inode>
  readonly #names: NameCache
  readonly #blocks: Generations<number, BlockRecord>
  readonly #fileBlocks: Generations<number, BlockRecord[]>
  readonly #extras: Generations<number, Extras>
  readonly #listings = new ListingCache()
  /** Changed inodes: what SQLite holds of them (undefined = nothing), and what they are now (undefined = deleted). */
  #dirtyInodes = new Map<number, { before: Inode | undefined; now: Inode | undefined }>()
  #dirtyBlocks = new Map<number, { before: boolean; now: BlockRecord | undefined }>()
  #dirtyExtras = new Map<number, { before: boolean; now: Extras | undefined }>()
  /** Directories with a policy, and with quotas by type. */
  #policies = 0
  #typeQuotas = 0
  #counters: { -readonly [K in keyof Counters]: Counters[K] }
  #committedCounters: Counters
  #inTransaction = false
  #principals = new Map<string, number>()
  #principalNames: string[] = []
  /** T1: why the batch under way cannot be committed. */
  #spoilt: unknown
  /** T2: why nothing is written any more. */
  #broken: unknown
  #mainFile: number | undefined
  #frozen = false
  #closed = false

  constructor(options: SqliteStoreOptions) {
    mkdirSync(options.directory, { recursive: true })
    this.#directory = options.directory
    this.#inodes = new Generations(options.cacheEntries)
    this.#names = new NameCache(options.cacheEntries)
    this.#blocks = new Generations(options.cacheEntries)
    this.#fileBlocks = new Generations(options.cacheEntries)
    this.#extras = new Generations(options.cacheEntries)
    this.#unlock = lockDirectory(options.directory)
    let database: Database.Database | undefined
    try {
      database = openDatabase(this.#path, options)
      this.#database = database
      this.#statements = prepare(database)
      this.#counters = this.#readCounters()
      this.#committedCounters = { ...this.#counters }
      this.#loadPrincipals()
      this.#countExtras()
    } catch (error) {
      database?.close()
      this.#unlock()
      throw explainOpening(error)
    }
  }

  get #path(): string {
    return join(this.#directory, 'namespace.db')
  }

  get tx(): NamespaceTx {
    return this
  }

  /** Inodes in memory at the moment. */
  get cachedRecords(): number {
    return this.#inodes.size
  }

  // --- reads ----------------------------------------------------------------------------------------------------------------

  inode(id: number): Inode | undefined {
    const cached = this.#inodes.get(id)
    if (cached !== undefined) return cached
    const dirty = this.#dirtyInodes.get(id)
    if (dirty !== undefined) return dirty.now
    if (id >= this.#committedCounters.nextInodeId) return undefined
    this.#age()
    const row = this.#statements.inode.get(id) as Row | undefined
    if (row === undefined) return undefined
    const inode = this.#toInode(row)
    this.#inodes.set(id, inode)
    return inode
  }

  child(parentId: number, name: string): Inode | undefined {
    const cached = this.#names.get(parentId, name)
    if (cached !== undefined) return cached ?? undefined
    if (parentId >= this.#committedCounters.nextInodeId) return undefined
    this.#age()
    const row = this.#statements.child.get(parentId, name) as Row | undefined
    // A pending change of the entry would be in the name cache; one of its inode only in the inode cache.
    let inode = row === undefined ? undefined : (this.#inodes.get(row[0]) ?? this.#toInode(row))
    if (inode !== undefined && this.#dirtyInodes.has(inode.id)) inode = this.#dirtyInodes.get(inode.id)!.now
    if (inode !== undefined && (inode.parentId !== parentId || inode.name !== name)) inode = undefined
    this.#names.set(parentId, name, inode ?? null)
    if (inode !== undefined) this.#inodes.set(inode.id, inode)
    return inode
  }

  children(parentId: number, after: string, limit: number): Inode[] {
    this.#flush()
    const rows = (
      after === '' ? this.#statements.firstChildren.all(parentId, limit) : this.#statements.children.all(parentId, after, limit)
    ) as Row[]
    return rows.map((row) => this.#inodes.get(row[0]) ?? this.#toInode(row))
  }

  listing(parentId: number, after: string, limit: number): Readonly<ListingReply> {
    const cached = this.#listings.get(parentId, after, limit)
    if (cached !== undefined) return cached
    const found = this.children(parentId, after, limit + 1)
    const more = found.length > limit
    if (more) found.pop()
    const page = listingOf(this, found, more)
    if (!this.#inTransaction) this.#listings.set(parentId, after, limit, page)
    return page
  }

  blocks(fileId: number): BlockRecord[] {
    const cached = this.#fileBlocks.get(fileId)
    if (cached !== undefined) return cached
    if (fileId >= this.#committedCounters.nextInodeId) return noBlocks
    this.#age()
    this.#flushBlocks()
    const blocks = (this.#statements.fileBlocks.all(fileId) as BlockRow[]).map(toBlock)
    this.#fileBlocks.set(fileId, blocks)
    return blocks
  }

  block(blockId: number): BlockRecord | undefined {
    const cached = this.#blocks.get(blockId)
    if (cached !== undefined) return cached
    const dirty = this.#dirtyBlocks.get(blockId)
    if (dirty !== undefined) return dirty.now
    this.#age()
    const row = this.#statements.block.get(blockId) as BlockRow | undefined
    if (row === undefined) return undefined
    const block = toBlock(row)
    this.#blocks.set(blockId, block)
    return block
  }

  blocksFrom(fromId: number, limit: number): BlockRecord[] {
    this.#flushBlocks()
    return (this.#statements.blocksFrom.all(fromId, limit) as BlockRow[]).map(toBlock)
  }

  openFiles(afterId: number, limit: number): FileInode[] {
    this.#flush()
    return (this.#statements.openFiles.all(afterId, limit) as Row[]).map((row) => this.#toInode(row) as FileInode)
  }

  extras(id: number): Extras | undefined {
    const cached = this.#extras.get(id)
    if (cached !== undefined) return cached
    const dirty = this.#dirtyExtras.get(id)
    if (dirty !== undefined) return dirty.now
    this.#age()
    const row = this.#statements.extras.get(id) as [string] | undefined
    if (row === undefined) return undefined
    const extras = parseExtras(row[0], id)
    this.#extras.set(id, extras)
    return extras
  }

  hasPolicies(): boolean {
    return this.#policies > 0
  }

  hasTypeQuotas(): boolean {
    return this.#typeQuotas > 0
  }

  counters(): Counters {
    return this.#counters
  }

  // --- changes --------------------------------------------------------------------------------------------------------------

  putInode(inode: Inode): void {
    const before = this.inode(inode.id)
    const dirty = this.#dirtyInodes.get(inode.id)
    if (dirty === undefined) this.#dirtyInodes.set(inode.id, { before, now: inode })
    else dirty.now = inode
    if (before === undefined) {
      if (inode.kind === 'file') this.#fileBlocks.set(inode.id, noBlocks)
    } else if (before.parentId !== inode.parentId || before.name !== inode.name) {
      if (this.#names.get(before.parentId, before.name)?.id === inode.id) this.#names.set(before.parentId, before.name, null)
    }
    this.#names.set(inode.parentId, inode.name, inode)
    this.#inodes.set(inode.id, inode)
    this.#listings.changed(before, inode)
  }

  deleteInode(id: number): void {
    const before = this.inode(id)
    assert(before !== undefined, () => `deletes inode ${id}, which does not exist`)
    const dirty = this.#dirtyInodes.get(id)
    if (dirty === undefined) this.#dirtyInodes.set(id, { before, now: undefined })
    else dirty.now = undefined
    this.#names.set(before.parentId, before.name, null)
    this.#inodes.delete(id)
    this.#fileBlocks.delete(id)
    this.#listings.changed(before, undefined)
  }

  putBlock(block: BlockRecord): void {
    const before = this.block(block.blockId)
    const dirty = this.#dirtyBlocks.get(block.blockId)
    if (dirty === undefined) this.#dirtyBlocks.set(block.blockId, { before: before !== undefined, now: block })
    else dirty.now = block
    if (before !== undefined && before.fileId !== block.fileId) this.#dropFromFile(before)
    const siblings = this.blocks(block.fileId).filter((other) => other.blockId !== block.blockId)
    siblings.push(block)
    if (siblings.length > 1 && siblings.at(-2)!.index > block.index) siblings.sort((a, b) => a.index - b.index)
    this.#fileBlocks.set(block.fileId, siblings)
    this.#blocks.set(block.blockId, block)
  }

  deleteBlock(blockId: number): void {
    const before = this.block(blockId)
    assert(before !== undefined, () => `deletes block ${blockId}, which does not exist`)
    const dirty = this.#dirtyBlocks.get(blockId)
    if (dirty === undefined) this.#dirtyBlocks.set(blockId, { before: true, now: undefined })
    else dirty.now = undefined
    this.#dropFromFile(before)
    this.#blocks.delete(blockId)
  }

  #dropFromFile(block: BlockRecord): void {
    const siblings = this.#fileBlocks.get(block.fileId)
    if (siblings !== undefined)
      this.#fileBlocks.set(
        block.fileId,
        siblings.filter((other) => other.blockId !== block.blockId),
      )
  }

  putExtras(id: number, extras: Extras | undefined): void {
    const before = this.extras(id)
    const dirty = this.#dirtyExtras.get(id)
    if (dirty === undefined) this.#dirtyExtras.set(id, { before: before !== undefined, now: extras })
    else dirty.now = extras
    if (extras === undefined) this.#extras.delete(id)
    else this.#extras.set(id, extras)
    this.#policies += Number(has(extras, HAS_POLICY)) - Number(has(before, HAS_POLICY))
    this.#typeQuotas += Number(has(extras, HAS_TYPE_QUOTAS)) - Number(has(before, HAS_TYPE_QUOTAS))
    // Policies of directories are part of a page, and neither the inode nor its flags need change with them.
    if (extras?.storagePolicy !== before?.storagePolicy) {
      const inode = this.inode(id)
      if (inode !== undefined) this.#listings.drop(inode.parentId)
    }
  }

  setCounters(counters: Partial<Counters>): void {
    Object.assign(this.#counters, counters)
  }

  // --- transactions ---------------------------------------------------------------------------------------------------------

  commit(edits: readonly EditRecord[]): void {
    this.#requireSound()
    const last = edits.at(-1)
    if (last !== undefined) this.#counters.lastTxid = last.txid
    try {
      this.#flush()
      this.#flushExtras()
      this.#begin()
      if (last !== undefined) this.#statements.addEdits.run(edits[0]!.txid, last.txid, JSON.stringify(edits))
      const c = this.#counters
      this.#statements.setCounters.run(c.nextInodeId, c.nextBlockId, c.nextGenstamp, c.lastTxid, c.files, c.directories, c.blocks)
      this.#statements.commit.run()
    } catch (error) {
      throw this.#spoil(error)
    }
    this.#inTransaction = false
    this.#committedCounters = { ...this.#counters }
    this.#age()
  }

  /** Forgets what was not used for long, unless something is pending: that must stay where reads find it. */
  #age(): void {
    if (this.#inTransaction || this.#dirtyInodes.size > 0 || this.#dirtyBlocks.size > 0 || this.#dirtyExtras.size > 0) return
    this.#inodes.age()
    this.#names.age()
    this.#blocks.age()
    this.#fileBlocks.age()
    this.#extras.age()
  }

  rollback(): void {
    if (this.#database.inTransaction) this.#statements.rollback.run()
    this.#inTransaction = false
    this.#spoilt = undefined
    this.#dirtyInodes.clear()
    this.#dirtyBlocks.clear()
    this.#dirtyExtras.clear()
    this.#inodes.clear()
    this.#names.clear()
    this.#blocks.clear()
    this.#fileBlocks.clear()
    this.#extras.clear()
    this.#listings.clear()
    this.#counters = this.#readCounters()
    this.#committedCounters = { ...this.#counters }
    this.#loadPrincipals()
    this.#countExtras()
  }

  #begin(): void {
    if (this.#inTransaction) return
    this.#statements.begin.run()
    this.#inTransaction = true
  }

  /** Writes what is pending into the open transaction. */
  #flush(): void {
    this.#flushBlocks()
    if (this.#dirtyInodes.size === 0) return
    this.#requireSound()
    try {
      this.#begin()
      this.#writeInodes()
    } catch (error) {
      throw this.#spoil(error)
    }
  }

  #writeInodes(): void {
    const statements = this.#statements
    // First everything that leaves a place, then everything that takes one: names may have been exchanged.
    for (const [id, { before, now }] of this.#dirtyInodes) {
      if (before !== undefined && (now === undefined || moved(before, now))) statements.deleteInode.run(id)
    }
    for (const { before, now } of this.#dirtyInodes.values()) {
      if (now === undefined) continue
      const owner = this.#principal(now.owner)
      const group = this.#principal(now.group)
      if (before === undefined || moved(before, now)) insertInode(statements, now, owner, group)
      else updateInode(statements, now, owner, group)
    }
    this.#dirtyInodes.clear()
  }

  #flushBlocks(): void {
    if (this.#dirtyBlocks.size === 0) return
    this.#requireSound()
    try {
      this.#begin()
      for (const [blockId, { before, now }] of this.#dirtyBlocks) {
        if (now !== undefined) writeBlock(this.#statements, now)
        else if (before) this.#statements.deleteBlock.run(blockId)
      }
    } catch (error) {
      throw this.#spoil(error)
    }
    this.#dirtyBlocks.clear()
  }

  #flushExtras(): void {
    if (this.#dirtyExtras.size === 0) return
    this.#begin()
    for (const [id, { before, now }] of this.#dirtyExtras) {
      if (now !== undefined) this.#statements.putExtras.run(id, flagsOf(now), JSON.stringify(now))
      else if (before) this.#statements.deleteExtras.run(id)
    }
    this.#dirtyExtras.clear()
  }

  /** T1, T2. */
  #requireSound(): void {
    if (this.#broken !== undefined) throw this.#broken
    if (this.#spoilt !== undefined) throw this.#spoilt
  }

  /** A write of the batch failed. SQLite may have rolled back by itself: a further write would then be committed alone. */
  #spoil(error: unknown): unknown {
    this.#spoilt ??= this.#failed(error)
    return this.#spoilt
  }

  #failed(error: unknown): unknown {
    const explained = explain(error, () => refusesMore(this.#directory, Math.max(sizeOf(this.#path), this.walBytes())))
    if (explained !== error && isQuarryError(explained, 'INTERNAL')) this.#broken = explained
    return explained
  }

  // --- edits and meta -------------------------------------------------------------------------------------------------------

  editsAfter(txid: number, limit: number): EditRecord[] {
    const records: EditRecord[] = []
    let after = txid
    while (records.length < limit) {
      const rows = this.#statements.editsFrom.all(after + 1, 64) as [string][]
      const from = after
      for (const [json] of rows) {
        for (const record of parseEdits(json)) {
          if (record.txid <= after || records.length >= limit) continue
          records.push(record)
          after = record.txid
        }
      }
      if (after === from) break
    }
    return records
  }

  firstKeptTxid(): number {
    const first = this.#statements.firstTxid.get() as [number | null]
    return first[0] ?? this.#committedCounters.lastTxid + 1
  }

  trimEdits(keep: number): void {
    if (keep === 0) return
    this.#writeAlone(() => this.#statements.trimEdits.run(this.#committedCounters.lastTxid - keep + 1))
  }

  meta(key: string): string | undefined {
    return (this.#statements.meta.get(key) as [string] | undefined)?.[0]
  }

  setMeta(key: string, value: string): void {
    this.#writeAlone(() => this.#statements.setMeta.run(key, value))
  }

  #writeAlone(write: () => unknown): void {
    assert(!this.#inTransaction, 'it would become part of the batch under way')
    this.#requireSound()
    try {
      write()
    } catch (error) {
      throw this.#failed(error)
    }
  }

  // --- the disk -------------------------------------------------------------------------------------------------------------

  /** Where the database lies. */
  get directory(): string {
    return this.#directory
  }

  freeBytes(): number {
    return freeBytes(this.#directory)
  }

  /** Bytes of the write-ahead log's file, which is used again from its start after each checkpoint. */
  walBytes(): number {
    return sizeOf(`${this.#path}-wal`)
  }

  /** Tries whether a commit finds room. Throws what a commit would: DISK_FULL, or INTERNAL when the disk fails. */
  tryCommit(): void {
    this.setMeta('room.trial', trialText)
    this.setMeta('room.trial', '')
  }

  /** Copies the WAL into the main file and empties it; not while the main file stands still. */
  checkpoint(): void {
    if (this.#frozen) return
    this.#writeAlone(() => {
      const [outcome] = this.#database.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[]
      assert(outcome?.busy === 0, 'nobody else has the database open')
    })
  }

  /**
   * From now on, until thaw(), the main file stands still: it holds every commit so far, and what is committed meanwhile stays in
   * the WAL. So a reader of the file reads one state, without a lock and at its own pace.
   */
  freeze(): Frozen {
    assert(!this.#frozen, 'the main file stands still already')
    this.checkpoint()
    this.#database.pragma('wal_autocheckpoint = 0')
    this.#frozen = true
    this.#mainFile ??= openSync(this.#path, 'r')
    return { fd: this.#mainFile, bytes: fstatSync(this.#mainFile).size, txid: this.#committedCounters.lastTxid }
  }

  /** Idempotent. The next commit checkpoints what has gathered. */
  thaw(): void {
    if (!this.#frozen) return
    this.#frozen = false
    if (!this.#closed) this.#database.pragma(`wal_autocheckpoint = ${checkpointPages}`)
  }

  explain(error: unknown): unknown {
    return explain(error)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#database.inTransaction) this.#statements.rollback.run()
    this.#database.close()
    if (this.#mainFile !== undefined) closeSync(this.#mainFile)
    this.#unlock()
  }

  // --- rows -----------------------------------------------------------------------------------------------------------------

  #toInode(row: Row): Inode {
    const owner = this.#principalNames[row[4]]!
    const group = this.#principalNames[row[5]]!
    if (row[13] === null) {
      return makeFile(
        row[0],
        row[1],
        row[2],
        row[3],
        owner,
        group,
        row[6],
        row[7],
        row[8]!,
        row[9]!,
        row[10]!,
        row[11]!,
        row[12] ?? '',
        row[20],
      )
    }
    const totals = { files: row[16]!, directories: row[17]!, bytes: row[18]!, space: row[19]! }
    return makeDirectory(row[0], row[1], row[2], row[3], owner, group, row[6], row[7], totals, row[13], row[14]!, row[15]!, row[20])
  }

  #principal(name: string): number {
    const known = this.#principals.get(name)
    if (known !== undefined) return known
    const id = Number(this.#statements.addPrincipal.run(name).lastInsertRowid)
    this.#principals.set(name, id)
    this.#principalNames[id] = name
    return id
  }

  #loadPrincipals(): void {
    this.#principals.clear()
    this.#principalNames = []
    for (const [id, name] of this.#statements.principals.all() as [number, string][]) {
      this.#principals.set(name, id)
      this.#principalNames[id] = name
    }
  }

  #countExtras(): void {
    this.#policies = 0
    this.#typeQuotas = 0
    for (const [kinds, directories] of this.#statements.extrasAbove.all() as [number, number][]) {
      if ((kinds & HAS_POLICY) !== 0) this.#policies += directories
      if ((kinds & HAS_TYPE_QUOTAS) !== 0) this.#typeQuotas += directories
    }
  }

  #readCounters(): Counters {
    const [nextInodeId, nextBlockId, nextGenstamp, lastTxid, files, directories, blocks] = this.#statements.counters.get() as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    return { nextInodeId, nextBlockId, nextGenstamp, lastTxid, files, directories, blocks }
  }
}

const moved = (before: Inode, now: Inode): boolean => before.parentId !== now.parentId || before.name !== now.name

const has = (extras: Extras | undefined, flag: number): boolean => extras !== undefined && (flagsOf(extras) & flag) !== 0

const toBlock = (row: BlockRow): BlockRecord => makeBlock(row[0], row[1], row[2], row[3], row[4], blockStates[row[5]]!)
