import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { QuarryError } from '../../common/errors.ts'
import { rootInodeId } from '../../common/limits.ts'
import { namespaceChecksum } from '../core/namespace-checksum.ts'
import { emptyTotals, makeDirectory } from '../core/records.ts'
import { Harness } from '../core/testing/harness.ts'
import { walk } from '../core/replay.ts'
import { sha256 } from './digest.ts'
import { schemaVersion } from './schema.ts'
import { SqliteStore } from './sqlite-store.ts'

let directory = ''
const open = (pagesMax?: number) =>
  new SqliteStore({ directory, cacheEntries: 1000, pageCacheBytes: 1 << 20, ...(pagesMax === undefined ? {} : { pagesMax }) })
const failure = (attempt: () => unknown): QuarryError => {
  try {
    attempt()
  } catch (error) {
    return error as QuarryError
  }
  throw new Error('did not fail')
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quarry-sqlite-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

describe('SqliteStore', () => {
  it('finds everything again after it was closed', async () => {
    const store = open()
    const quarry = new Harness({ store })
    await quarry.write('/a/é/😀', [10, 20])
    await quarry.call('create', { path: '/open', holder: 'someone' })
    await quarry.call('setQuota', { path: '/a', names: 9, space: 1 << 40 })
    await quarry.call('setOwner', { path: '/a', owner: 'bob', group: 'staff' })
    const before = [...walk(store.tx, rootInodeId)]
    const counters = { ...store.tx.counters() }
    store.close()
    const again = open()
    expect([...walk(again.tx, rootInodeId)]).toEqual(before)
    expect({ ...again.tx.counters() }).toEqual(counters)
    expect(again.openFiles(0, 10).map((file) => file.holder)).toEqual(['someone'])
    again.close()
    again.close()
  })

  it('names the process that has the directory open', () => {
    const store = open()
    const error = failure(open)
    expect(error).toMatchObject({
      code: 'IN_USE',
      message: `${directory} is in use by process ${process.pid}. Stop that namenode first, or choose another directory.`,
    })
    store.close()
    open().close()
  })

  it('refuses what a newer program has written, and what is no database', () => {
    open().close()
    const database = new Database(join(directory, 'namespace.db'))
    database.pragma(`user_version = ${schemaVersion + 1}`)
    database.close()
    expect(failure(open)).toMatchObject({ code: 'VERSION' })
    expect(failure(open).message).toContain(`has schema ${schemaVersion + 1}, this program knows ${schemaVersion} at most`)
    rmSync(directory, { recursive: true })
    open().close()
    rmSync(join(directory, 'namespace.db-wal'), { force: true })
    writeFileSync(join(directory, 'namespace.db'), 'this is not a database, whatever its name says')
    expect(failure(open)).toMatchObject({ code: 'CONFIG' })
  })

  it('says that the disk is full, keeps the last commit and goes on when there is room', async () => {
    const store = open(60)
    const quarry = new Harness({ store })
    let made = 0
    let error: QuarryError | undefined
    while (error === undefined && made < 10_000) {
      const batch = Array.from({ length: 10 }, (_, n) => quarry.call('mkdirs', { path: `/directory-with-a-long-name-${made + n}` }))
      const [first] = await Promise.allSettled(batch)
      if (first?.status === 'rejected') error = first.reason as QuarryError
      else made += 10
    }
    expect(error).toMatchObject({ code: 'DISK_FULL' })
    expect(await quarry.call('getContentSummary', { path: '/' })).toMatchObject({ directories: made + 1 })
    expect(await quarry.stat(`/directory-with-a-long-name-${made}`)).toBeNull()
    expect(await quarry.stat(`/directory-with-a-long-name-${made - 1}`)).not.toBeNull()
    store.trimEdits(1)
    await quarry.call('mkdirs', { path: '/room' })
    store.close()
    const again = open()
    expect(again.child(rootInodeId, 'room')).toBeDefined()
    again.close()
  })

  it('commits no part of a batch in whose middle a write failed, whatever is asked of it until it is rolled back', () => {
    const store = open(60)
    new Harness({ store })
    const before = namespaceChecksum(store, sha256())
    let made = 0
    const add = () => {
      const id = store.counters().nextInodeId
      store.putInode(makeDirectory(id, rootInodeId, `${made++}-${'x'.repeat(200)}`, 0o755, 'o', 'g', 1, 1, emptyTotals, 0, -1, -1))
      store.setCounters({ nextInodeId: id + 1 })
    }
    // A range read writes what is pending: the disk fills in the middle of the batch, and SQLite may roll back by itself.
    const full = failure(() => {
      for (let i = 0; i < 10_000; i++) {
        add()
        if (i % 10 === 0) store.children(rootInodeId, '', 1)
      }
    })
    expect(full).toMatchObject({ code: 'DISK_FULL' })
    add()
    expect(failure(() => store.children(rootInodeId, '', 1))).toBe(full)
    expect(failure(() => store.openFiles(0, 1))).toBe(full)
    expect(failure(() => store.commit([{ txid: 2, atMs: 1, edit: { op: 'reap', records: 0 } }]))).toBe(full)
    store.rollback()
    expect(namespaceChecksum(store, sha256())).toEqual(before)
    store.close()
    const again = open()
    expect(namespaceChecksum(again, sha256())).toEqual(before)
    again.close()
  })

  it('tries a commit to tell whether there is room, and leaves nothing behind', () => {
    const store = open(100)
    const before = namespaceChecksum(store, sha256())
    for (let i = 0; i < 100; i++) store.tryCommit()
    expect(namespaceChecksum(store, sha256())).toEqual(before)
    store.close()
    rmSync(directory, { recursive: true })
    const small = open(30)
    expect(failure(() => small.tryCommit())).toMatchObject({ code: 'DISK_FULL' })
    small.close()
  })

  it('leaves the main file alone while it stands still, and takes in what was committed meanwhile afterwards', async () => {
    const store = open()
    const quarry = new Harness({ store })
    await quarry.call('mkdirs', { path: '/before' })
    const frozen = store.freeze()
    expect(frozen.txid).toBe(2)
    const file = () =>
      createHash('sha256')
        .update(readFileSync(join(directory, 'namespace.db')))
        .digest('hex')
    const still = file()
    for (let i = 0; i < 30; i++)
      await Promise.all(Array.from({ length: 200 }, (_, n) => quarry.call('mkdirs', { path: `/d-${i}-${n}-${'x'.repeat(150)}` })))
    store.checkpoint()
    expect(file()).toBe(still)
    expect(store.walBytes()).toBeGreaterThan(0)
    store.thaw()
    store.checkpoint()
    expect(store.walBytes()).toBe(0)
    expect(file()).not.toBe(still)
    store.close()
    const again = open()
    expect(again.counters().directories).toBe(6002)
    again.close()
  })

  it('refuses a database whose tables are not those of its schema as damaged, with the way out', () => {
    open().close()
    const database = new Database(join(directory, 'namespace.db'))
    database.exec('ALTER TABLE inode RENAME COLUMN children TO chilaren')
    database.close()
    const { code, message } = failure(open)
    expect(code).toBe('CONFIG')
    expect(message).toContain('The database of the namenode is damaged: no such column: children.')
    expect(message).toContain('quarry admin restore BACKUP --into DIR')
  })

  it('keeps a bounded number of records in memory, whatever the namespace holds', async () => {
    const store = new SqliteStore({ directory, cacheEntries: 100, pageCacheBytes: 1 << 20 })
    const quarry = new Harness({ store })
    for (let i = 0; i < 1000; i += 50)
      await Promise.all(Array.from({ length: 50 }, (_, n) => quarry.call('mkdirs', { path: `/d${i + n}` })))
    expect(store.cachedRecords).toBeLessThan(300)
    for (let i = 0; i < 1000; i++) expect(await quarry.stat(`/d${i}`)).not.toBeNull()
    expect(store.cachedRecords).toBeLessThan(300)
    store.close()
  })
})
