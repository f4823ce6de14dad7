// The namespace in SQLite: WAL, synchronous=FULL, one transaction and one fsync for a batch of commands.
//
// Changes of a batch stay in memory (`#dirty…`) and are written once each when it commits. A range read in the middle of a batch
// (children, open files) first writes what is pending into the open transaction and then asks SQLite, so that there is one truth
// and no merging. Point reads are answered from bounded caches, which hold pending changes too: they only age between batches.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Statement } from 'better-sqlite3'
import { assert } from '../../common/assert.ts'
import { QuarryError } from '../../common/errors.ts'
import type { ListingReply } from '../../proto/ports.ts'
import type { EditRecord } from '../core/edits.ts'
import { listingOf } from '../core/listing.ts'
import type { BlockRecord, Counters, FileInode, Inode, NamespaceStore, NamespaceTx } from '../core/model.ts'
import { makeBlock, makeDirectory, makeFile } from '../core/records.ts'
import { Generations } from './generations.ts'
import { lockDirectory } from './lock.ts'
import { ListingCache } from './listing-cache.ts'
import { NameCache } from './names.ts'
import { migrate } from './schema.ts'

export interface SqliteStoreOptions {
  readonly directory: string
  /** Inodes and names kept in memory. */
  readonly cacheEntries: number
  /** Bytes of SQLite's page cache. */
  readonly pageCacheBytes: number
  /** Pages that the database may have: a small disk, for tests. */
  readonly pagesMax?: number
}

const blockStates = ['under-construction', 'committed', 'under-recovery'] as const
const noBlocks: BlockRecord[] = []

type Row = [
  id: number,
  parentId: number,
  name: string,
  permission: number,
  owner: number,
  group: number,
  mtime: number,
  atime: number,
  replication: number | null,
  blockSize: number | null,
  length: number | null,
  storagePolicy: number | null,
  holder: string | null,
  children: number | null,
  nameQuota: number | null,
  spaceQuota: number | null,
  files: number | null,
  directories: number | null,
  bytes: number | null,
  space: number | null,
]
type BlockRow = [blockId: number, fileId: number, index: number, genstamp: number, length: number, state: number]

const COLUMNS =
  'id, parent_id, name, permission, owner, grp, mtime, atime, replication, block_size, length, storage_policy, holder, children, name_quota, space_quota, t_files, t_directories, t_bytes, t_space'

export class SqliteStore implements NamespaceStore, NamespaceTx {
  readonly #database: Database.Database
  readonly #unlock: () => void
  readonly #statements: ReturnType<typeof prepare>
  readonly #inodes: Generations<number, Inode>
  readonly #names: NameCache
  readonly #blocks: Generations<number, BlockRecord>
  readonly #fileBlocks: Generations<number, BlockRecord[]>
  readonly #listings = new ListingCache()
  /** Changed inodes: what SQLite holds of them (undefined = nothing), and what they are now (undefined = deleted). */
  #dirtyInodes = new Map<number, { before: Inode | undefined; now: Inode | undefined }>()
  #dirtyBlocks = new Map<number, { before: boolean; now: BlockRecord | undefined }>()
  #counters: { -readonly [K in keyof Counters]: Counters[K] }
  #committedCounters: Counters
  #inTransaction = false
  #principals = new Map<string, number>()
  #principalNames: string[] = []
  #closed = false

  constructor(options: SqliteStoreOptions) {
    mkdirSync(options.directory, { recursive: true })
    this.#unlock = lockDirectory(options.directory)
    try {
      this.#database = open(join(options.directory, 'namespace.db'), options.pageCacheBytes, options.pagesMax)
    } catch (error) {
      this.#unlock()
      throw error
    }
    this.#statements = prepare(this.#database)
    this.#inodes = new Generations(options.cacheEntries)
    this.#names = new NameCache(options.cacheEntries)
    this.#blocks = new Generations(options.cacheEntries)
    this.#fileBlocks = new Generations(options.cacheEntries)
    this.#counters = this.#readCounters()
    this.#committedCounters = { ...this.#counters }
    this.#loadPrincipals()
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
    const page = listingOf(found, more)
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

  setCounters(counters: Partial<Counters>): void {
    Object.assign(this.#counters, counters)
  }

  // --- transactions ---------------------------------------------------------------------------------------------------------

  commit(edits: readonly EditRecord[]): void {
    const last = edits.at(-1)
    if (last !== undefined) this.#counters.lastTxid = last.txid
    try {
      this.#flush()
      this.#begin()
      if (last !== undefined) this.#statements.addEdits.run(edits[0]!.txid, last.txid, JSON.stringify(edits))
      const c = this.#counters
      this.#statements.setCounters.run(c.nextInodeId, c.nextBlockId, c.nextGenstamp, c.lastTxid, c.files, c.directories, c.blocks)
      this.#statements.commit.run()
    } catch (error) {
      throw explain(error)
    }
    this.#inTransaction = false
    this.#committedCounters = { ...this.#counters }
    this.#age()
  }

  /** Forgets what was not used for long, unless something is pending: that must stay where reads find it. */
  #age(): void {
    if (this.#inTransaction || this.#dirtyInodes.size > 0 || this.#dirtyBlocks.size > 0) return
    this.#inodes.age()
    this.#names.age()
    this.#blocks.age()
    this.#fileBlocks.age()
  }

  rollback(): void {
    if (this.#database.inTransaction) this.#statements.rollback.run()
    this.#inTransaction = false
    this.#dirtyInodes.clear()
    this.#dirtyBlocks.clear()
    this.#inodes.clear()
    this.#names.clear()
    this.#blocks.clear()
    this.#fileBlocks.clear()
    this.#listings.clear()
    this.#counters = this.#readCounters()
    this.#committedCounters = { ...this.#counters }
    this.#loadPrincipals()
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
    this.#begin()
    const statements = this.#statements
    // First everything that leaves a place, then everything that takes one: names may have been exchanged.
    for (const [id, { before, now }] of this.#dirtyInodes) {
      if (before !== undefined && (now === undefined || moved(before, now))) statements.deleteInode.run(id)
    }
    for (const { before, now } of this.#dirtyInodes.values()) {
      if (now === undefined) continue
      const owner = this.#principal(now.owner)
      const group = this.#principal(now.group)
      if (before === undefined || moved(before, now)) {
        if (now.kind === 'file') {
          statements.addFile.run(
            now.id,
            now.parentId,
            now.name,
            now.permission,
            owner,
            group,
            now.mtimeMs,
            now.atimeMs,
            now.replication,
            now.blockSize,
            now.length,
            now.storagePolicy,
            now.holder === '' ? null : now.holder,
          )
        } else {
          const { files, directories, bytes, space } = now.totals
          statements.addDirectory.run(
            now.id,
            now.parentId,
            now.name,
            now.permission,
            owner,
            group,
            now.mtimeMs,
            now.atimeMs,
            now.children,
            now.nameQuota,
            now.spaceQuota,
            files,
            directories,
            bytes,
            space,
          )
        }
      } else if (now.kind === 'file') {
        statements.setFile.run(
          now.permission,
          owner,
          group,
          now.mtimeMs,
          now.atimeMs,
          now.replication,
          now.length,
          now.storagePolicy,
          now.holder === '' ? null : now.holder,
          now.id,
        )
      } else {
        const { files, directories, bytes, space } = now.totals
        statements.setDirectory.run(
          now.permission,
          owner,
          group,
          now.mtimeMs,
          now.atimeMs,
          now.children,
          now.nameQuota,
          now.spaceQuota,
          files,
          directories,
          bytes,
          space,
          now.id,
        )
      }
    }
    this.#dirtyInodes.clear()
  }

  #flushBlocks(): void {
    if (this.#dirtyBlocks.size === 0) return
    this.#begin()
    for (const [blockId, { before, now }] of this.#dirtyBlocks) {
      if (now !== undefined)
        this.#statements.putBlock.run(blockId, now.fileId, now.index, now.genstamp, now.length, blockStates.indexOf(now.state))
      else if (before) this.#statements.deleteBlock.run(blockId)
    }
    this.#dirtyBlocks.clear()
  }

  // --- edits and meta -------------------------------------------------------------------------------------------------------

  editsAfter(txid: number, limit: number): EditRecord[] {
    const records: EditRecord[] = []
    let after = txid
    while (records.length < limit) {
      const rows = this.#statements.editsFrom.all(after + 1, 64) as [string][]
      const from = after
      for (const [json] of rows) {
        for (const record of JSON.parse(json) as EditRecord[]) {
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
    try {
      this.#statements.trimEdits.run(this.#committedCounters.lastTxid - keep + 1)
    } catch (error) {
      throw explain(error)
    }
  }

  meta(key: string): string | undefined {
    return (this.#statements.meta.get(key) as [string] | undefined)?.[0]
  }

  setMeta(key: string, value: string): void {
    assert(!this.#inTransaction, 'meta is not part of a batch')
    try {
      this.#statements.setMeta.run(key, value)
    } catch (error) {
      throw explain(error)
    }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#database.inTransaction) this.#statements.rollback.run()
    this.#database.close()
    this.#unlock()
  }

  // --- rows -----------------------------------------------------------------------------------------------------------------

  #toInode(row: Row): Inode {
    const owner = this.#principalNames[row[4]]!
    const group = this.#principalNames[row[5]]!
    if (row[13] === null) {
      return makeFile(row[0], row[1], row[2], row[3], owner, group, row[6], row[7], row[8]!, row[9]!, row[10]!, row[11]!, row[12] ?? '')
    }
    const totals = { files: row[16]!, directories: row[17]!, bytes: row[18]!, space: row[19]! }
    return makeDirectory(row[0], row[1], row[2], row[3], owner, group, row[6], row[7], totals, row[13], row[14]!, row[15]!)
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

const toBlock = (row: BlockRow): BlockRecord => makeBlock(row[0], row[1], row[2], row[3], row[4], blockStates[row[5]]!)

function open(path: string, pageCacheBytes: number, pagesMax: number | undefined): Database.Database {
  const database = new Database(path)
  try {
    // The lock of the directory keeps other processes out; without sharing, SQLite keeps the WAL's index in this process's memory.
    database.pragma('locking_mode = EXCLUSIVE')
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = FULL')
    database.pragma(`cache_size = ${-Math.max(1024, Math.floor(pageCacheBytes / 1024))}`)
    database.pragma('wal_autocheckpoint = 4000')
    database.pragma('temp_store = MEMORY')
    if (pagesMax !== undefined) database.pragma(`max_page_count = ${pagesMax}`)
    migrate(database, path)
    return database
  } catch (error) {
    database.close()
    throw explain(error)
  }
}

/** What SQLite throws, as an error that says what to do. */
function explain(error: unknown): unknown {
  if (error instanceof QuarryError || !(error instanceof Error) || !('code' in error)) return error
  const code = String(error.code)
  if (code === 'SQLITE_FULL' || /ENOSPC|no space/i.test(error.message)) {
    return new QuarryError(
      'DISK_FULL',
      'The disk of the namenode is full: nothing was changed. Make room in its directory.',
      {},
      { cause: error },
    )
  }
  if (code.startsWith('SQLITE_IOERR')) {
    // After a failed fsync nobody knows what is on the disk: the engine must stop, and a restart finds out.
    return new QuarryError(
      'INTERNAL',
      `the disk of the namenode fails (${code}). Check its health, then start the namenode again.`,
      {},
      { cause: error },
    )
  }
  if (code.startsWith('SQLITE_BUSY'))
    return new QuarryError('IN_USE', 'The database of the namenode is in use by another process.', {}, { cause: error })
  if (code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_CANTOPEN')) {
    return new QuarryError(
      'CONFIG',
      `The database of the namenode cannot be written: ${error.message}. Check the rights of its directory.`,
      {},
      { cause: error },
    )
  }
  if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')) {
    return new QuarryError(
      'CONFIG',
      `The database of the namenode is damaged: ${error.message}. Restore its directory from a backup.`,
      {},
      { cause: error },
    )
  }
  return error
}

function prepare(database: Database.Database) {
  const raw = (sql: string): Statement => database.prepare(sql).raw(true)
  const run = (sql: string): Statement => database.prepare(sql)
  return {
    begin: run('BEGIN IMMEDIATE'),
    commit: run('COMMIT'),
    rollback: run('ROLLBACK'),
    inode: raw(`SELECT ${COLUMNS} FROM inode WHERE id = ?`),
    child: raw(`SELECT ${COLUMNS} FROM inode WHERE parent_id = ? AND name = ?`),
    firstChildren: raw(`SELECT ${COLUMNS} FROM inode WHERE parent_id = ? ORDER BY name LIMIT ?`),
    children: raw(`SELECT ${COLUMNS} FROM inode WHERE parent_id = ? AND name > ? ORDER BY name LIMIT ?`),
    openFiles: raw(`SELECT ${COLUMNS} FROM inode WHERE holder IS NOT NULL AND id > ? ORDER BY id LIMIT ?`),
    addFile: run(
      'INSERT INTO inode (id, parent_id, name, permission, owner, grp, mtime, atime, replication, block_size, length, storage_policy, holder) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    addDirectory: run(
      'INSERT INTO inode (id, parent_id, name, permission, owner, grp, mtime, atime, children, name_quota, space_quota, t_files, t_directories, t_bytes, t_space) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    setFile: run(
      'UPDATE inode SET permission = ?, owner = ?, grp = ?, mtime = ?, atime = ?, replication = ?, length = ?, storage_policy = ?, holder = ? WHERE id = ?',
    ),
    setDirectory: run(
      'UPDATE inode SET permission = ?, owner = ?, grp = ?, mtime = ?, atime = ?, children = ?, name_quota = ?, space_quota = ?, t_files = ?, t_directories = ?, t_bytes = ?, t_space = ? WHERE id = ?',
    ),
    deleteInode: run('DELETE FROM inode WHERE id = ?'),
    block: raw('SELECT block_id, file_id, idx, genstamp, length, state FROM block WHERE block_id = ?'),
    fileBlocks: raw('SELECT block_id, file_id, idx, genstamp, length, state FROM block WHERE file_id = ? ORDER BY idx'),
    blocksFrom: raw('SELECT block_id, file_id, idx, genstamp, length, state FROM block WHERE block_id >= ? ORDER BY block_id LIMIT ?'),
    putBlock: run(
      'INSERT INTO block VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (block_id) DO UPDATE SET file_id = excluded.file_id, idx = excluded.idx, genstamp = excluded.genstamp, length = excluded.length, state = excluded.state',
    ),
    deleteBlock: run('DELETE FROM block WHERE block_id = ?'),
    counters: raw('SELECT next_inode, next_block, next_genstamp, last_txid, files, directories, blocks FROM counter'),
    setCounters: run(
      'UPDATE counter SET next_inode = ?, next_block = ?, next_genstamp = ?, last_txid = ?, files = ?, directories = ?, blocks = ?',
    ),
    addEdits: run('INSERT INTO edits VALUES (?, ?, ?)'),
    // The batch that holds a transaction is the last one that begins at or before it.
    editsFrom: raw(
      'SELECT json FROM edits WHERE first_txid >= (SELECT coalesce(max(first_txid), 0) FROM edits WHERE first_txid <= ?) ORDER BY first_txid LIMIT ?',
    ),
    firstTxid: raw('SELECT min(first_txid) FROM edits'),
    // Whole batches before the one that holds the first transaction to keep.
    trimEdits: run('DELETE FROM edits WHERE first_txid < (SELECT max(first_txid) FROM edits WHERE first_txid <= ?)'),
    principals: raw('SELECT id, name FROM principal'),
    addPrincipal: run('INSERT INTO principal (name) VALUES (?)'),
    meta: raw('SELECT value FROM meta WHERE key = ?'),
    setMeta: run('INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value'),
  }
}
