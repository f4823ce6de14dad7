// The SQL of the namespace: rows, prepared statements, and the writing of a record through them.
import type { Database, Statement } from 'better-sqlite3'
import type { BlockRecord, Inode } from '../core/model.ts'

export type Row = [
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
  flags: number,
]
export type BlockRow = [blockId: number, fileId: number, index: number, genstamp: number, length: number, state: number]

const COLUMNS =
  'id, parent_id, name, permission, owner, grp, mtime, atime, replication, block_size, length, storage_policy, holder, children, name_quota, space_quota, t_files, t_directories, t_bytes, t_space, flags'

const BLOCK_COLUMNS = 'block_id, file_id, idx, genstamp, length, state'

/** Block states by their number in the database. */
export const blockStates = ['under-construction', 'committed', 'under-recovery'] as const

export type Statements = ReturnType<typeof prepare>

/** An interface of ours, because the public declarations cannot name a type of the driver's namespace. */
export interface Prepared extends Statement {}

export function prepare(database: Database) {
  const raw = (sql: string): Prepared => database.prepare(sql).raw(true)
  const run = (sql: string): Prepared => database.prepare(sql)
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
      'INSERT INTO inode (id, parent_id, name, permission, owner, grp, mtime, atime, replication, block_size, length, storage_policy, holder, flags) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    addDirectory: run(
      'INSERT INTO inode (id, parent_id, name, permission, owner, grp, mtime, atime, children, name_quota, space_quota, t_files, t_directories, t_bytes, t_space, flags) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    setFile: run(
      'UPDATE inode SET permission = ?, owner = ?, grp = ?, mtime = ?, atime = ?, replication = ?, length = ?, storage_policy = ?, holder = ?, flags = ? WHERE id = ?',
    ),
    setDirectory: run(
      'UPDATE inode SET permission = ?, owner = ?, grp = ?, mtime = ?, atime = ?, children = ?, name_quota = ?, space_quota = ?, t_files = ?, t_directories = ?, t_bytes = ?, t_space = ?, flags = ? WHERE id = ?',
    ),
    deleteInode: run('DELETE FROM inode WHERE id = ?'),
    block: raw(`SELECT ${BLOCK_COLUMNS} FROM block WHERE block_id = ?`),
    fileBlocks: raw(`SELECT ${BLOCK_COLUMNS} FROM block WHERE file_id = ? ORDER BY idx`),
    blocksFrom: raw(`SELECT ${BLOCK_COLUMNS} FROM block WHERE block_id >= ? ORDER BY block_id LIMIT ?`),
    putBlock: run(
      'INSERT INTO block VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (block_id) DO UPDATE SET file_id = excluded.file_id, idx = excluded.idx, genstamp = excluded.genstamp, length = excluded.length, state = excluded.state',
    ),
    deleteBlock: run('DELETE FROM block WHERE block_id = ?'),
    extras: raw('SELECT json FROM extras WHERE inode_id = ?'),
    putExtras: run('INSERT INTO extras VALUES (?, ?, ?) ON CONFLICT (inode_id) DO UPDATE SET kinds = excluded.kinds, json = excluded.json'),
    deleteExtras: run('DELETE FROM extras WHERE inode_id = ?'),
    extrasAbove: raw('SELECT kinds, count(*) FROM extras WHERE kinds >= 4 GROUP BY kinds'),
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

export function insertInode(statements: Statements, inode: Inode, owner: number, group: number): void {
  if (inode.kind === 'file') {
    statements.addFile.run(
      inode.id,
      inode.parentId,
      inode.name,
      inode.permission,
      owner,
      group,
      inode.mtimeMs,
      inode.atimeMs,
      inode.replication,
      inode.blockSize,
      inode.length,
      inode.storagePolicy,
      inode.holder === '' ? null : inode.holder,
      inode.flags,
    )
    return
  }
  const { files, directories, bytes, space } = inode.totals
  statements.addDirectory.run(
    inode.id,
    inode.parentId,
    inode.name,
    inode.permission,
    owner,
    group,
    inode.mtimeMs,
    inode.atimeMs,
    inode.children,
    inode.nameQuota,
    inode.spaceQuota,
    files,
    directories,
    bytes,
    space,
    inode.flags,
  )
}

/** Of an inode that keeps its place. */
export function updateInode(statements: Statements, inode: Inode, owner: number, group: number): void {
  if (inode.kind === 'file') {
    statements.setFile.run(
      inode.permission,
      owner,
      group,
      inode.mtimeMs,
      inode.atimeMs,
      inode.replication,
      inode.length,
      inode.storagePolicy,
      inode.holder === '' ? null : inode.holder,
      inode.flags,
      inode.id,
    )
    return
  }
  const { files, directories, bytes, space } = inode.totals
  statements.setDirectory.run(
    inode.permission,
    owner,
    group,
    inode.mtimeMs,
    inode.atimeMs,
    inode.children,
    inode.nameQuota,
    inode.spaceQuota,
    files,
    directories,
    bytes,
    space,
    inode.flags,
    inode.id,
  )
}

export function writeBlock(statements: Statements, block: BlockRecord): void {
  statements.putBlock.run(block.blockId, block.fileId, block.index, block.genstamp, block.length, blockStates.indexOf(block.state))
}
