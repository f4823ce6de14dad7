// Thousands of random operations: the totals that directories carry equal a full walk, no quota is ever passed, and the edits
// replayed into an empty store give the same namespace.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isQuarryError } from '../../common/errors.ts'
import { graveyardInodeId, rootInodeId } from '../../common/limits.ts'
import { AclEntryType, AclScope, StorageType, XAttrNamespace } from '../../proto/ports.ts'
import type { Method, Request } from '../../proto/ports.ts'
import { sha256 } from '../store/digest.ts'
import { SqliteStore } from '../store/sqlite-store.ts'
import type { DirectoryInode, DirectoryTotals, NamespaceStore, NamespaceView } from './model.ts'
import { namespaceChecksum } from './namespace-checksum.ts'
import { replay, walk } from './replay.ts'
import { flagsOf } from './extras.ts'
import { fileSpace } from './totals.ts'
import { typeSpaceBelow } from './type-quotas.ts'
import { Harness } from './testing/harness.ts'
import { MemoryStore } from './testing/memory-store.ts'

const BLOCK = 1 << 20
const name = fc.constantFrom('a', 'b', 'c', 'é', '😀')
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => `/${names.join('/')}`)
const lengths = fc.array(fc.integer({ min: 1, max: BLOCK }), { maxLength: 3 })
const holder = fc.constantFrom('h1', 'h2')

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      path,
      lengths,
      replication: fc.integer({ min: 1, max: 3 }),
      overwrite: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('mkdirs' as const), path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('open' as const), path, holder, length: fc.integer({ min: 0, max: BLOCK }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('close' as const), path, holder }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('append' as const), path, holder }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('rename' as const), path, to: path }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('rename2' as const), path, to: path, overwrite: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), path }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('setQuota' as const),
      path,
      names: fc.integer({ min: 1, max: 12 }),
      space: fc.integer({ min: 0, max: 12 * BLOCK }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clearQuota' as const), path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('setReplication' as const), path, replication: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('truncate' as const), path, keep: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('concat' as const), path, from: name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('recover' as const), path }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('setAcl' as const), path, names: fc.subarray(['u', 'v', 'w']), isDefault: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('removeAcl' as const), path }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('xattr' as const),
      path,
      name: fc.constantFrom('x', 'y', 'é'),
      value: fc.uint8Array({ maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('removeXAttr' as const), path, name: fc.constantFrom('x', 'y', 'é') }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('policy' as const),
      path,
      policy: fc.constantFrom('', 'HOT', 'COLD', 'WARM', 'ONE_SSD', 'LAZY_PERSIST'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('typeQuota' as const),
      path,
      type: fc.constantFrom(StorageType.STORAGE_DISK, StorageType.STORAGE_ARCHIVE, StorageType.STORAGE_SSD),
      quota: fc.constantFrom(-1, 5 * BLOCK, 40 * BLOCK),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('attributes' as const), path, permission: fc.integer({ min: 0, max: 0o777 }) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Runs one step; refusals are part of the game. */
async function run(quarry: Harness, one: Step): Promise<void> {
  const attempt = async <M extends Method>(method: M, request: Partial<Request<M>>): Promise<unknown> => {
    try {
      return await quarry.call(method, request)
    } catch (error) {
      if (isQuarryError(error) && error.code !== 'INTERNAL') return undefined
      throw error
    }
  }
  switch (one.do) {
    case 'write':
      try {
        await quarry.write(one.path, one.lengths, { replication: one.replication, overwrite: one.overwrite, holder: 'w' })
      } catch (error) {
        if (!isQuarryError(error) || error.code === 'INTERNAL') throw error
      }
      return
    case 'open': {
      await attempt('create', { path: one.path, holder: one.holder })
      const added = (await attempt('addBlock', { path: one.path, holder: one.holder })) as { block: { block: object } } | undefined
      if (added !== undefined) await attempt('fsync', { path: one.path, holder: one.holder, lastBlockLength: one.length })
      return
    }
    case 'close': {
      const file = await quarry.stat(one.path)
      const last = file === null ? undefined : quarry.store.tx.blocks(file.fileId).at(-1)
      await attempt('complete', {
        path: one.path,
        holder: one.holder,
        last: last === undefined ? null : { blockId: last.blockId, genstamp: last.genstamp, length: last.length },
      })
      return
    }
    case 'append':
      return void (await attempt('append', { path: one.path, holder: one.holder }))
    case 'rename':
      return void (await attempt('rename', { source: one.path, target: one.to }))
    case 'rename2':
      return void (await attempt('rename2', { source: one.path, target: one.to, overwrite: one.overwrite }))
    case 'setQuota':
      return void (await attempt('setQuota', { path: one.path, names: one.names, space: one.space }))
    case 'clearQuota':
      return void (await attempt('setQuota', { path: one.path, names: -1, space: -1 }))
    case 'truncate': {
      const file = await quarry.stat(one.path)
      const kept = file === null ? [] : quarry.store.tx.blocks(file.fileId).slice(0, one.keep)
      return void (await attempt('truncate', { path: one.path, newLength: kept.reduce((sum, block) => sum + block.length, 0) }))
    }
    case 'concat':
      return void (await attempt('concat', { target: one.path, sources: [`${one.path.slice(0, one.path.lastIndexOf('/'))}/${one.from}`] }))
    case 'recover':
      return void (await attempt('recoverLease', { path: one.path }))
    case 'attributes':
      return void (await attempt('setPermission', { path: one.path, permission: one.permission }))
    case 'setAcl': {
      const scope = one.isDefault ? AclScope.ACL_DEFAULT : AclScope.ACL_ACCESS
      const entries = one.names.map((user) => ({ scope, type: AclEntryType.ACL_USER, name: user, permission: 5 }))
      return void (await attempt('modifyAclEntries', { path: one.path, entries }))
    }
    case 'removeAcl':
      return void (await attempt('removeAcl', { path: one.path }))
    case 'xattr':
      return void (await attempt('setXAttr', {
        path: one.path,
        xattr: { namespace: XAttrNamespace.XATTR_USER, name: one.name, value: one.value },
      }))
    case 'removeXAttr':
      return void (await attempt('removeXAttr', {
        path: one.path,
        xattr: { namespace: XAttrNamespace.XATTR_USER, name: one.name, value: new Uint8Array(0) },
      }))
    case 'policy':
      if (one.policy === '') return void (await attempt('unsetStoragePolicy', { path: one.path }))
      return void (await attempt('setStoragePolicy', { path: one.path, policy: one.policy }))
    case 'typeQuota':
      return void (await attempt('setQuota', { path: one.path, type: one.type, space: one.quota }))
    case 'mkdirs':
    case 'delete':
    case 'setReplication':
      return void (await attempt(one.do, one))
  }
}

/** The totals by a full walk, compared with those carried at every directory on the way. */
function checkTotals(view: NamespaceView, id: number): DirectoryTotals {
  const inode = view.inode(id)!
  if (inode.kind === 'file') {
    expect(inode.length).toBe(view.blocks(id).reduce((sum, block) => sum + block.length, 0))
    return { files: 1, directories: 0, bytes: inode.length, space: fileSpace(view, inode) }
  }
  const children = view.children(id, '', 1000)
  const sums = { files: 0, directories: 1, bytes: 0, space: 0 }
  for (const child of children) {
    const totals = checkTotals(view, child.id)
    sums.files += totals.files
    sums.directories += totals.directories
    sums.bytes += totals.bytes
    sums.space += totals.space
  }
  expect({ id, children: inode.children, totals: inode.totals }).toEqual({ id, children: children.length, totals: sums })
  return sums
}

/** What directories carry for their quotas by type equals a walk; flags and extras agree; nothing is left of what is gone. */
function checkExtras(view: NamespaceView): void {
  for (const record of walk(view, rootInodeId)) {
    if (!('kind' in record)) continue
    const extras = view.extras(record.id)
    expect(record.flags).toBe(extras === undefined ? 0 : flagsOf(extras))
    if (extras === undefined || extras.typeQuotas.length === 0) continue
    const used = typeSpaceBelow(view, record)
    expect(extras.typeQuotas.map(({ type, consumed }) => [type, consumed])).toEqual(
      extras.typeQuotas.map(({ type }) => [type, used.get(type) ?? 0]),
    )
  }
}

interface QuotaState {
  names: number
  space: number
  usedNames: number
  usedSpace: number
}

/** Bytes used by directory and type, where a quota is set. */
function typeUses(view: NamespaceView): Map<string, { quota: number; consumed: number }> {
  const uses = new Map<string, { quota: number; consumed: number }>()
  for (const record of walk(view, rootInodeId)) {
    if (!('kind' in record)) continue
    for (const { type, quota, consumed } of view.extras(record.id)?.typeQuotas ?? []) uses.set(`${record.id}:${type}`, { quota, consumed })
  }
  return uses
}

function quotaStates(view: NamespaceView): Map<number, QuotaState> {
  const states = new Map<number, QuotaState>()
  for (const record of walk(view, rootInodeId)) {
    if ('kind' in record && record.kind === 'directory' && (record.nameQuota >= 0 || record.spaceQuota >= 0)) {
      states.set(record.id, {
        names: record.nameQuota,
        space: record.spaceQuota,
        usedNames: record.totals.files + record.totals.directories,
        usedSpace: record.totals.space,
      })
    }
  }
  return states
}

/** A quota may be set below what is used already; from then on use may only shrink. */
function checkQuotas(before: Map<number, QuotaState>, after: Map<number, QuotaState>): void {
  for (const [id, now] of after) {
    const was = before.get(id)
    if (was === undefined || was.names !== now.names || was.space !== now.space) continue
    if (now.names >= 0) expect(now.usedNames).toBeLessThanOrEqual(Math.max(now.names, was.usedNames))
    if (now.space >= 0) expect(now.usedSpace).toBeLessThanOrEqual(Math.max(now.space, was.usedSpace))
  }
}

async function play(store: NamespaceStore, steps: readonly Step[]): Promise<void> {
  const quarry = new Harness({ store, settings: { 'min.block.size': 512 }, removeAtOnceMax: 3 })
  let before = quotaStates(store.tx)
  let usesBefore = typeUses(store.tx)
  for (const one of steps) {
    await run(quarry, one)
    const uses = typeUses(store.tx)
    // A policy may be set whatever it does to quotas, as in HDFS; nothing else passes one.
    for (const [key, { quota, consumed }] of one.do === 'policy' ? [] : uses) {
      const was = usesBefore.get(key)
      if (was?.quota === quota) expect(consumed, `${one.do} ${key}`).toBeLessThanOrEqual(Math.max(quota, was.consumed))
    }
    usesBefore = uses
    const after = quotaStates(store.tx)
    checkQuotas(before, after)
    before = after
  }
  checkTotals(store.tx, rootInodeId)
  checkTotals(store.tx, graveyardInodeId)
  checkExtras(store.tx)
  checkReplay(store)
  for (let turns = 0; (store.tx.inode(graveyardInodeId) as DirectoryInode).children > 0; turns++) {
    expect(turns).toBeLessThan(1000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  checkTotals(store.tx, graveyardInodeId)
  const { totals } = store.tx.inode(rootInodeId) as { totals: DirectoryTotals }
  expect(store.tx.counters()).toMatchObject({
    files: totals.files,
    directories: totals.directories,
    blocks: store.tx.blocksFrom(0, 100_000).length,
  })
  checkReplay(store)
}

function checkReplay(store: NamespaceStore): void {
  const copy = new MemoryStore()
  replay(store, copy)
  for (const top of [rootInodeId, graveyardInodeId]) expect([...walk(copy.tx, top)]).toEqual([...walk(store.tx, top)])
  for (let id = 1; id < copy.tx.counters().nextInodeId; id = id === 1 ? rootInodeId : id + 1) {
    expect(copy.tx.extras(id)).toEqual(store.tx.extras(id))
    if (copy.tx.inode(id) === undefined) expect(copy.tx.extras(id)).toBeUndefined()
  }
  expect([copy.tx.hasPolicies(), copy.tx.hasTypeQuotas()]).toEqual([store.tx.hasPolicies(), store.tx.hasTypeQuotas()])
  expect(copy.tx.counters()).toEqual({ ...store.tx.counters() })
  expect(namespaceChecksum(copy.tx, sha256())).toEqual(namespaceChecksum(store.tx, sha256()))
}

describe('the namespace under random operations', () => {
  it('keeps totals, quotas and the edit log true in memory', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 120 }), (steps) => play(new MemoryStore(), steps)),
      { numRuns: 300 },
    )
  })

  it('keeps them true in SQLite with next to no cache', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 100 }), async (steps) => {
        const directory = mkdtempSync(join(tmpdir(), 'quarry-property-'))
        const store = new SqliteStore({ directory, cacheEntries: 4, pageCacheBytes: 1 << 20 })
        try {
          await play(store, steps)
        } finally {
          store.close()
          rmSync(directory, { recursive: true, force: true })
        }
      }),
      { numRuns: 30 },
    )
  })
})
