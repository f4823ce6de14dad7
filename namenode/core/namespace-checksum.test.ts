import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { graveyardInodeId, rootInodeId } from '../../common/limits.ts'
import { sha256 } from '../store/digest.ts'
import { SqliteStore } from '../store/sqlite-store.ts'
import type { FileInode, NamespaceStore } from './model.ts'
import { checksumAlgorithm, checksumSteps, namespaceChecksum } from './namespace-checksum.ts'
import { patchDirectory, patchFile } from './records.ts'
import { patchExtras } from './extras.ts'
import { replay } from './replay.ts'
import { Harness } from './testing/harness.ts'
import { MemoryStore } from './testing/memory-store.ts'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

function sqlite(): SqliteStore {
  const directory = mkdtempSync(join(tmpdir(), 'quarry-checksum-'))
  const store = new SqliteStore({ directory, cacheEntries: 4, pageCacheBytes: 1 << 20 })
  cleanups.push(() => {
    store.close()
    rmSync(directory, { recursive: true, force: true })
  })
  return store
}

const hex = (store: NamespaceStore): string => namespaceChecksum(store.tx, sha256()).hex

async function fill(quarry: Harness): Promise<void> {
  await quarry.write('/a/é/😀', [1 << 20, 20])
  await quarry.write('/a/plain', [7])
  await quarry.call('create', { path: '/open', holder: 'someone' })
  await quarry.call('setQuota', { path: '/a', names: 9, space: 1 << 40 })
  await Promise.all(Array.from({ length: 1200 }, (_, n) => quarry.call('mkdirs', { path: `/many/d${n}` })))
}

it('is the same for the same edits in memory, in SQLite, and after a restart with another history of commits', async () => {
  const memory = new MemoryStore()
  await fill(new Harness({ store: memory }))
  const store = sqlite()
  replay(memory, store)
  expect(hex(store)).toBe(hex(memory))
  expect(namespaceChecksum(store.tx, sha256())).toEqual({
    txid: memory.tx.counters().lastTxid,
    algorithm: checksumAlgorithm,
    hex: hex(memory),
    files: 3,
    directories: memory.tx.counters().directories,
    blocks: 3,
  })
  store.trimEdits(1)
  store.setMeta('anything', 'else')
  expect(hex(store)).toBe(hex(memory))
})

it('tells every field of every record, and nothing else', async () => {
  const quarry = new Harness()
  await fill(quarry)
  const { store } = quarry
  const before = hex(store)
  const { tx } = store
  const file = tx.child(tx.child(rootInodeId, 'a')!.id, 'plain') as FileInode
  const [block] = tx.blocks(file.id)
  const root = tx.inode(rootInodeId)!
  const changes: (() => void)[] = [
    () => tx.putInode(patchFile(file, { name: 'plein' })),
    () => tx.putInode(patchFile(file, { permission: 0o600 })),
    () => tx.putInode(patchFile(file, { owner: 'bob' })),
    () => tx.putInode(patchFile(file, { group: 'staff' })),
    () => tx.putInode(patchFile(file, { mtimeMs: file.mtimeMs + 1 })),
    () => tx.putInode(patchFile(file, { atimeMs: file.atimeMs + 1 })),
    () => tx.putInode(patchFile(file, { replication: 2 })),
    () => tx.putInode(patchFile(file, { blockSize: 1 << 21 })),
    () => tx.putInode(patchFile(file, { length: 8 })),
    () => tx.putInode(patchFile(file, { storagePolicy: 7 })),
    () => tx.putInode(patchFile(file, { holder: 'me' })),
    () => patchExtras(tx, file, { acl: [{ scope: 0, type: 0, name: 'bob', permission: 7 }] }),
    () => patchExtras(tx, file, { acl: [{ scope: 1, type: 0, name: 'bob', permission: 7 }] }),
    () => patchExtras(tx, file, { acl: [{ scope: 0, type: 0, name: 'bob', permission: 6 }] }),
    () => patchExtras(tx, file, { xattrs: [{ namespace: 0, name: 'a', value: '01' }] }),
    () => patchExtras(tx, file, { xattrs: [{ namespace: 0, name: 'a', value: '02' }] }),
    () => patchExtras(tx, root, { storagePolicy: 5 }),
    () => patchExtras(tx, root, { typeQuotas: [{ type: 1, quota: 5, consumed: 2 }] }),
    () => patchExtras(tx, root, { typeQuotas: [{ type: 1, quota: 5, consumed: 3 }] }),
    () => tx.putInode(patchFile(file, { parentId: graveyardInodeId })),
    () => root.kind === 'directory' && tx.putInode(patchDirectory(root, { nameQuota: 5 })),
    () => root.kind === 'directory' && tx.putInode(patchDirectory(root, { spaceQuota: 5 })),
    () => root.kind === 'directory' && tx.putInode(patchDirectory(root, { totals: { ...root.totals, bytes: 1 } })),
    () => tx.putBlock({ ...block!, genstamp: 9 }),
    () => tx.putBlock({ ...block!, length: 9 }),
    () => tx.putBlock({ ...block!, state: 'under-recovery' }),
    () => tx.deleteBlock(block!.blockId),
    () => tx.deleteInode(file.id),
    () => tx.setCounters({ nextBlockId: 5 }),
    () => tx.setCounters({ nextGenstamp: 5 }),
    () => tx.setCounters({ nextInodeId: 5 }),
  ]
  const seen = new Set([before])
  for (const change of changes) {
    change()
    seen.add(hex(store))
    store.rollback()
    expect(hex(store)).toBe(before)
  }
  expect(seen.size).toBe(changes.length + 1)
})

it('comes in steps of a page, so that a walk of a large directory holds nobody up', async () => {
  const quarry = new Harness()
  await fill(quarry)
  const steps = checksumSteps(quarry.store.tx, sha256())
  let pauses = 0
  for (let step = steps.next(); step.done !== true; step = steps.next()) pauses++
  expect(pauses).toBeGreaterThan(4)
})
