// Databases of older programs: every older version opens, is brought up to date, and does all that a new one does.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { graveyardInodeId, rootInodeId } from '../../common/limits.ts'
import { namespaceChecksum } from '../core/namespace-checksum.ts'
import { replay } from '../core/replay.ts'
import { Harness } from '../core/testing/harness.ts'
import { MemoryStore } from '../core/testing/memory-store.ts'
import { sha256 } from './digest.ts'
import { inspect } from './inspect.ts'
import { migrate, schemaVersion } from './schema.ts'
import { SqliteStore } from './sqlite-store.ts'

let directory = ''
const open = () => new SqliteStore({ directory, cacheEntries: 1000, pageCacheBytes: 1 << 20 })

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quarry-old-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const atMs = 1_700_000_000_000
const edits = [
  { txid: 1, atMs, edit: { op: 'format', owner: 'root', group: 'supergroup', permission: 0o755 } },
  { txid: 2, atMs: atMs + 5, edit: { op: 'mkdirs', path: '/d', parent: 16385, owner: 'ann', permission: 0o755, name: 'd', id: 16386 } },
]

/** What older programs left: a root with a directory, and from schema 2 on the directory for deleted trees. `kept`: its edit log has not been trimmed. */
function firstProgram(version: number, kept: boolean): void {
  mkdirSync(directory, { recursive: true })
  const database = new Database(join(directory, 'namespace.db'))
  migrate(database, 'old', version)
  database.exec(`
    DELETE FROM inode;
    INSERT INTO principal (id, name) VALUES (1, 'root'), (2, 'supergroup'), (3, 'ann');
    INSERT INTO inode (id, parent_id, name, permission, owner, grp, mtime, atime, children, name_quota, space_quota, t_files, t_directories, t_bytes, t_space)
    VALUES (16385, 0, '', 493, 1, 2, ${atMs + 5}, 0, 1, -1, -1, 0, 2, 0, 0), (16386, 16385, 'd', 493, 3, 2, ${atMs + 5}, 0, 0, -1, -1, 0, 1, 0, 0);
    UPDATE counter SET next_inode = 16387, last_txid = 2, directories = 2;
  `)
  if (version >= 2)
    database.exec(`
      INSERT INTO inode (id, parent_id, name, permission, owner, grp, mtime, atime, children, name_quota, space_quota, t_files, t_directories, t_bytes, t_space)
      VALUES (1, 0, 'deleted', 0, 1, 2, ${atMs}, 0, 0, -1, -1, 0, 1, 0, 0);
    `)
  if (kept)
    for (const edit of edits) database.prepare('INSERT INTO edits VALUES (?, ?, ?)').run(edit.txid, edit.txid, JSON.stringify([edit]))
  database.close()
}

describe.each(Array.from({ length: schemaVersion - 1 }, (_, i) => i + 1))('a database of schema %i', (version) => {
  it('opens, and the record it gains is the one that replaying its log gives', () => {
    firstProgram(version, true)
    const store = open()
    const copy = new MemoryStore()
    replay(store, copy)
    expect(store.inode(graveyardInodeId)).toEqual(copy.inode(graveyardInodeId))
    expect(namespaceChecksum(store, sha256())).toEqual(namespaceChecksum(copy, sha256()))
    store.close()
  })

  it('opens also when its log was trimmed, and a large tree can be deleted in it', async () => {
    firstProgram(version, false)
    const store = open()
    const quarry = new Harness({ store, removeAtOnceMax: 3 })
    await Promise.all(Array.from({ length: 20 }, (_, n) => quarry.call('mkdirs', { path: `/d/${n}` })))
    expect(await quarry.call('delete', { path: '/d' })).toEqual({ value: true })
    for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve))
    expect(store.inode(graveyardInodeId)).toMatchObject({ children: 0, totals: { directories: 1 } })
    expect(store.children(rootInodeId, '', 10)).toEqual([])
    store.close()
    const reopened = open()
    expect(reopened.inode(graveyardInodeId)).toMatchObject({ children: 0 })
    reopened.close()
    expect(inspect(directory).problems).toEqual([])
  })
})
