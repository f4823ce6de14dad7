// Both stores keep the same promises.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { firstBlockId, rootInodeId } from '../../common/limits.ts'
import { compareNames } from '../../common/path.ts'
import type { EditRecord } from '../core/edits.ts'
import { HAS_POLICY, noExtras } from '../core/extras.ts'
import type { Extras, Inode, NamespaceStore } from '../core/model.ts'
import { emptyTotals, makeBlock, makeDirectory, makeFile } from '../core/records.ts'
import { MemoryStore } from '../core/testing/memory-store.ts'
import { SqliteStore } from './sqlite-store.ts'

const directories: string[] = []
const stores: NamespaceStore[] = []
const openSqlite = (cacheEntries = 1000): NamespaceStore => {
  const directory = mkdtempSync(join(tmpdir(), 'quarry-store-'))
  directories.push(directory)
  return new SqliteStore({ directory, cacheEntries, pageCacheBytes: 1 << 20 })
}
const kinds: [string, () => NamespaceStore][] = [
  ['memory', () => new MemoryStore()],
  ['SQLite', openSqlite],
  ['SQLite that keeps next to nothing in memory', () => openSqlite(2)],
]

afterEach(() => {
  for (const store of stores.splice(0)) store.close()
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
})

const edit = (txid: number): EditRecord => ({ txid, atMs: 5, edit: { op: 'delete', path: `/${txid}`, id: txid } })
const directory = (id: number, parentId: number, name: string, children = 0): Inode =>
  makeDirectory(id, parentId, name, 0o755, 'own', 'grp', 10, 20, emptyTotals, children, -1, -1)
const file = (id: number, parentId: number, name: string, holder = ''): Inode =>
  makeFile(id, parentId, name, 0o644, 'own', 'grp', 30, 40, 3, 1 << 27, 12, 0, holder)

describe.each(kinds)('%s store', (_, make) => {
  let txid = 0
  const open = (): NamespaceStore => {
    const store = make()
    stores.push(store)
    txid = 1
    store.tx.putInode(directory(rootInodeId, 0, ''))
    store.tx.setCounters({ nextInodeId: rootInodeId + 1 })
    store.commit([edit(1)])
    return store
  }
  const commit = (store: NamespaceStore): void => store.commit([edit(++txid)])
  const add = (store: NamespaceStore, inode: Inode): void => {
    store.tx.putInode(inode)
    store.tx.setCounters({ nextInodeId: Math.max(store.tx.counters().nextInodeId, inode.id + 1) })
  }

  it('reads its own changes before and after the commit', () => {
    const store = open()
    add(store, file(20000, rootInodeId, 'f'))
    expect(store.tx.child(rootInodeId, 'f')).toEqual(file(20000, rootInodeId, 'f'))
    expect(store.tx.inode(20000)).toEqual(file(20000, rootInodeId, 'f'))
    expect(store.tx.children(rootInodeId, '', 10)).toEqual([file(20000, rootInodeId, 'f')])
    commit(store)
    expect(store.tx.child(rootInodeId, 'f')).toEqual(file(20000, rootInodeId, 'f'))
    expect(store.tx.child(rootInodeId, 'g')).toBeUndefined()
  })

  it('takes everything back that was not committed', () => {
    const store = open()
    add(store, file(20000, rootInodeId, 'f'))
    store.tx.putBlock(makeBlock(firstBlockId, 20000, 0, 1001, 5, 'committed'))
    commit(store)
    const counters = store.tx.counters()
    const before = { ...counters }
    add(store, file(20001, rootInodeId, 'g'))
    store.tx.putInode(file(20000, rootInodeId, 'moved'))
    store.tx.children(rootInodeId, '', 10)
    store.tx.deleteBlock(firstBlockId)
    store.tx.putBlock(makeBlock(firstBlockId + 1, 20000, 0, 1002, 5, 'under-construction'))
    store.rollback()
    expect(store.tx.children(rootInodeId, '', 10)).toEqual([file(20000, rootInodeId, 'f')])
    expect(store.tx.child(rootInodeId, 'moved')).toBeUndefined()
    expect(store.tx.inode(20001)).toBeUndefined()
    expect(store.tx.blocks(20000)).toEqual([makeBlock(firstBlockId, 20000, 0, 1001, 5, 'committed')])
    expect({ ...store.tx.counters() }).toEqual(before)
  })

  it('keeps what few inodes have beside them, takes it back, and knows whether directories have policies and type quotas', () => {
    const store = open()
    const extras = (storagePolicy: number): Extras => ({
      ...noExtras,
      acl: [{ scope: 1, type: 0, name: 'bob', permission: 7 }],
      storagePolicy,
    })
    const quota: Extras = { ...noExtras, typeQuotas: [{ type: 1, quota: 5, consumed: 2 }] }
    const seen = () => [store.tx.extras(20000), store.tx.extras(20001), store.tx.hasPolicies(), store.tx.hasTypeQuotas()]
    for (let id = 20000; id < 20010; id++) add(store, directory(id, rootInodeId, `d${id}`))
    expect(seen()).toEqual([undefined, undefined, false, false])
    store.tx.putExtras(20000, extras(2))
    store.tx.putExtras(20001, quota)
    expect(seen()).toEqual([extras(2), quota, true, true])
    commit(store)
    for (let id = 20002; id < 20010; id++) store.tx.putExtras(id, extras(0))
    commit(store)
    expect(seen()).toEqual([extras(2), quota, true, true])
    store.tx.putExtras(20000, extras(0))
    store.tx.putExtras(20001, undefined)
    expect(seen()).toEqual([extras(0), undefined, false, false])
    store.rollback()
    expect(seen()).toEqual([extras(2), quota, true, true])
    store.tx.putExtras(20000, undefined)
    store.tx.putExtras(20001, undefined)
    commit(store)
    expect(seen()).toEqual([undefined, undefined, false, false])
    expect(store.tx.extras(20009)).toEqual(extras(0))
  })

  it('lists a directory under the storage policy that it has now', () => {
    const store = open()
    add(store, { ...directory(20000, rootInodeId, 'd'), flags: HAS_POLICY } as Inode)
    store.tx.putExtras(20000, { ...noExtras, storagePolicy: 2 })
    commit(store)
    expect(store.tx.listing(rootInodeId, '', 10).storagePolicy).toEqual([2])
    store.tx.putExtras(20000, { ...noExtras, storagePolicy: 5 })
    commit(store)
    expect(store.tx.listing(rootInodeId, '', 10).storagePolicy).toEqual([5])
  })

  it('moves entries, also when two exchange their names in one batch', () => {
    const store = open()
    add(store, directory(20000, rootInodeId, 'a'))
    add(store, directory(20001, rootInodeId, 'b'))
    add(store, file(20002, 20000, 'inside'))
    commit(store)
    store.tx.putInode(directory(20000, rootInodeId, 'tmp'))
    store.tx.putInode(directory(20001, rootInodeId, 'a'))
    store.tx.putInode(directory(20000, rootInodeId, 'b'))
    commit(store)
    expect(store.tx.children(rootInodeId, '', 10).map((inode) => [inode.name, inode.id])).toEqual([
      ['a', 20001],
      ['b', 20000],
    ])
    expect(store.tx.child(rootInodeId, 'tmp')).toBeUndefined()
    expect(store.tx.child(20000, 'inside')?.id).toBe(20002)
    store.tx.putInode(file(20002, 20001, 'outside'))
    commit(store)
    expect(store.tx.children(20000, '', 10)).toEqual([])
    expect(store.tx.child(20001, 'outside')).toEqual(file(20002, 20001, 'outside'))
  })

  it('puts a new entry where one was removed in the same batch', () => {
    const store = open()
    add(store, file(20000, rootInodeId, 'f'))
    commit(store)
    store.tx.deleteInode(20000)
    add(store, file(20001, rootInodeId, 'f'))
    expect(store.tx.child(rootInodeId, 'f')?.id).toBe(20001)
    commit(store)
    expect(store.tx.child(rootInodeId, 'f')?.id).toBe(20001)
    expect(store.tx.inode(20000)).toBeUndefined()
    expect(store.tx.children(rootInodeId, '', 10).map((inode) => inode.id)).toEqual([20001])
  })

  it('lists in the order of raw UTF-8 bytes, in pages', () => {
    const store = open()
    const names = [
      'a',
      'B',
      '\u00e9',
      'e\u0301',
      '\u{1F600}',
      '\uFF5E',
      ' ',
      'a b',
      'a\nb',
      '%41',
      '\\',
      '~',
      '中',
      'a\u0000b',
      '𐀀',
      '\uE000',
    ]
    names.forEach((name, i) => add(store, file(20000 + i, rootInodeId, name)))
    commit(store)
    const expected = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(names.toSorted(compareNames)).toEqual(expected)
    expect(store.tx.children(rootInodeId, '', 100).map((inode) => inode.name)).toEqual(expected)
    const paged: string[] = []
    for (let after = ''; ; after = paged.at(-1)!) {
      const page = store.tx.children(rootInodeId, after, 3)
      paged.push(...page.map((inode) => inode.name))
      if (page.length < 3) break
    }
    expect(paged).toEqual(expected)
  })

  it('gives a listing page as columns and keeps it fresh', () => {
    const store = open()
    add(store, directory(20000, rootInodeId, 'd'))
    add(store, file(20001, rootInodeId, 'f', 'holder'))
    commit(store)
    const page = store.tx.listing(rootInodeId, '', 10)
    expect({ ...page, names: new TextDecoder().decode(page.names) }).toEqual({
      exists: true,
      isFile: false,
      more: false,
      entries: 2,
      names: 'df',
      nameLengths: [1, 1],
      kindPermission: [(1 << 16) | 0o755, (2 << 16) | (1 << 15) | 0o644],
      length: [0, 12],
      mtimeMs: [10, 30],
      atimeMs: [20, 40],
      owner: [0, 0],
      group: [1, 1],
      principals: ['own', 'grp'],
      replication: [0, 3],
      blockSize: [0, 1 << 27],
      fileId: [20000, 20001],
      children: [0, 0],
      locations: [],
      storagePolicy: [],
    })
    store.tx.putInode(file(20001, rootInodeId, 'f'))
    commit(store)
    expect(store.tx.listing(rootInodeId, '', 10).kindPermission[1]).toBe((2 << 16) | 0o644)
    expect(store.tx.listing(rootInodeId, '', 1)).toMatchObject({ entries: 1, more: true })
    expect(store.tx.listing(rootInodeId, 'd', 1)).toMatchObject({ entries: 1, more: false })
    add(store, directory(20002, 20000, 'below'))
    store.tx.putInode(directory(20000, rootInodeId, 'd', 1))
    commit(store)
    expect(store.tx.listing(rootInodeId, '', 10).children[0]).toBe(1)
    store.tx.deleteInode(20001)
    commit(store)
    expect(store.tx.listing(rootInodeId, '', 10).entries).toBe(1)
  })

  it('keeps blocks by file in order and by id in order, and moves them between files', () => {
    const store = open()
    add(store, file(20000, rootInodeId, 'f'))
    add(store, file(20001, rootInodeId, 'g'))
    const block = (n: number, fileId: number, index: number) => makeBlock(firstBlockId + n, fileId, index, 1001 + n, 7, 'committed')
    for (const one of [block(0, 20000, 0), block(1, 20000, 1), block(2, 20001, 0)]) store.tx.putBlock(one)
    expect(store.tx.blocks(20000)).toEqual([block(0, 20000, 0), block(1, 20000, 1)])
    expect(store.tx.blocksFrom(firstBlockId + 1, 10)).toEqual([block(1, 20000, 1), block(2, 20001, 0)])
    commit(store)
    store.tx.putBlock(block(2, 20000, 2))
    expect(store.tx.blocks(20000).map((one) => one.blockId - firstBlockId)).toEqual([0, 1, 2])
    expect(store.tx.blocks(20001)).toEqual([])
    store.tx.deleteBlock(firstBlockId + 1)
    commit(store)
    expect(store.tx.blocks(20000)).toEqual([block(0, 20000, 0), block(2, 20000, 2)])
    expect(store.tx.block(firstBlockId + 1)).toBeUndefined()
    expect(store.tx.block(firstBlockId + 2)).toEqual(block(2, 20000, 2))
  })

  it('finds the files that are open', () => {
    const store = open()
    for (let i = 0; i < 5; i++) add(store, file(20000 + i, rootInodeId, `f${i}`, i % 2 === 0 ? 'holder' : ''))
    commit(store)
    expect(store.tx.openFiles(0, 2).map((one) => one.id)).toEqual([20000, 20002])
    expect(store.tx.openFiles(20002, 2).map((one) => one.id)).toEqual([20004])
    store.tx.putInode(file(20004, rootInodeId, 'f4'))
    expect(store.tx.openFiles(20002, 2)).toEqual([])
  })

  it('keeps edits by transaction and forgets the oldest', () => {
    const store = open()
    for (let n = 2; n < 20; n += 3) store.commit([edit(n), edit(n + 1), edit(n + 2)])
    expect(store.tx.counters().lastTxid).toBe(19)
    expect(store.editsAfter(0, 100).map((one) => one.txid)).toEqual(Array.from({ length: 19 }, (_, i) => i + 1))
    expect(store.editsAfter(5, 4).map((one) => one.txid)).toEqual([6, 7, 8, 9])
    expect(store.editsAfter(19, 4)).toEqual([])
    expect(store.editsAfter(6, 1)).toEqual([edit(7)])
    store.trimEdits(6)
    expect(store.firstKeptTxid()).toBe(14)
    expect(store.editsAfter(0, 2).map((one) => one.txid)).toEqual([14, 15])
  })

  it('keeps what it is told about itself', () => {
    const store = open()
    expect(store.meta('cluster.id')).toBeUndefined()
    store.setMeta('cluster.id', 'CID-1')
    store.setMeta('cluster.id', 'CID-2')
    expect(store.meta('cluster.id')).toBe('CID-2')
  })
})
