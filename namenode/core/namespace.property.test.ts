// Thousands of random operations: the totals that directories carry equal a full walk, no quota is ever passed, and the edits
// replayed into an empty store give the same namespace.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isQuarryError } from '../../common/errors.ts'
import { graveyardInodeId, rootInodeId } from '../../common/limits.ts'
import type { Method, Request } from '../../proto/ports.ts'
import { sha256 } from '../store/digest.ts'
import { SqliteStore } from '../store/sqlite-store.ts'
import type { DirectoryInode, DirectoryTotals, NamespaceStore, NamespaceView } from './model.ts'
import { namespaceChecksum } from './namespace-checksum.ts'
import { replay, walk } from './replay.ts'
import { fileSpace } from './totals.ts'
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

interface QuotaState {
  names: number
  space: number
  usedNames: number
  usedSpace: number
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
  for (const one of steps) {
    await run(quarry, one)
    const after = quotaStates(store.tx)
    checkQuotas(before, after)
    before = after
  }
  checkTotals(store.tx, rootInodeId)
  checkTotals(store.tx, graveyardInodeId)
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
