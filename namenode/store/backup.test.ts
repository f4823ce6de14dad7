import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '../../common/env.ts'
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import { VirtualClock } from '../../common/testing/virtual-clock.ts'
import { namespaceChecksum } from '../core/namespace-checksum.ts'
import { Harness } from '../core/testing/harness.ts'
import { Backups } from './backup.ts'
import { sha256 } from './digest.ts'
import { inspect } from './inspect.ts'
import type { Inspection } from './inspect.ts'
import { SqliteStore } from './sqlite-store.ts'

let directory = ''
const cleanups: (() => unknown)[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quarry-backup-'))
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }))
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function setUp(given: { reservedBytes?: number; inspect?: (at: string) => Promise<Inspection> } = {}) {
  const store = new SqliteStore({ directory: join(directory, 'namenode'), cacheEntries: 1000, pageCacheBytes: 1 << 20 })
  cleanups.push(() => store.close())
  const quarry = new Harness({ store })
  const clock = new VirtualClock()
  const env = { clock, random: new SeededRandom(1), log: silentLogger }
  const backups = new Backups({
    store,
    env,
    reservedBytes: given.reservedBytes ?? 0,
    inspect: given.inspect ?? (async (at) => inspect(at)),
  })
  cleanups.push(() => backups.close())
  const copies = () => {
    const at = join(directory, 'namenode', 'backup.tmp')
    return existsSync(at) ? readdirSync(at) : []
  }
  return { store, quarry, backups, clock, copies }
}

async function readAll(backups: Backups, id: string, bytes: number, part = 40_000): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for (let at = 0; at < bytes; at += parts.at(-1)!.length) parts.push(await backups.read(id, at, part))
  return Buffer.concat(parts)
}

describe('a backup', () => {
  it('is the namespace of one transaction, whatever is written while it is made and read', async () => {
    const { store, quarry, backups, clock } = setUp()
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 100 }, (_, n) => quarry.call('mkdirs', { path: `/d${i}/${n}` })))
    let writing = true
    let written = 0
    const writer = (async () => {
      while (writing) await quarry.call('mkdirs', { path: `/during-${written++}` })
    })()
    const before = store.counters().lastTxid
    const info = await backups.begin('me')
    const { txid, hex } = info.inspection.checksum
    expect(txid).toBeGreaterThanOrEqual(before)
    const reading = readAll(backups, info.id, info.bytes)
    for (let i = 0; i < 100; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      await clock.advance(100)
    }
    const copy = await reading
    writing = false
    await writer
    expect(store.counters().lastTxid).toBeGreaterThan(txid)
    const at = join(directory, 'copy')
    const opened = new SqliteStore({ directory: at, cacheEntries: 1000, pageCacheBytes: 1 << 20 })
    opened.close()
    await writeFile(join(at, 'namespace.db'), copy)
    const again = new SqliteStore({ directory: at, cacheEntries: 1000, pageCacheBytes: 1 << 20 })
    expect(namespaceChecksum(again, sha256())).toMatchObject({ txid, hex })
    again.close()
    expect(inspect(at).problems).toEqual([])
    // The main file is thawed (C1): what gathered meanwhile is taken in.
    store.checkpoint()
    expect(store.walBytes()).toBe(0)
  })

  it('is one at a time; a repeated call gets the same one, another caller is told what to wait for', async () => {
    const { backups, copies } = setUp()
    const [first, again] = await Promise.all([backups.begin('a'), backups.begin('a')])
    expect(again).toBe(first)
    expect(await backups.begin('a')).toBe(first)
    expect(() => backups.begin('b')).toThrow(
      `Another backup (${first.id}) is being read. Wait for its end; if its reader is gone, it is removed in 60 seconds.`,
    )
    await backups.end(first.id)
    await backups.end(first.id)
    expect(copies()).toEqual([])
    await expect(backups.read(first.id, 0, 10)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const second = await backups.begin('b')
    expect(second.id).not.toBe(first.id)
  })

  it('is removed when nobody has read it for ten minutes, or not at all for one, and not before', async () => {
    const { backups, clock, copies } = setUp()
    const { id } = await backups.begin('a')
    await clock.advance(59_000)
    await backups.read(id, 0, 10)
    await clock.advance(9 * 60_000)
    expect((await backups.read(id, 0, 16)).subarray(0, 6)).toEqual(Buffer.from('SQLite'))
    await clock.advance(10 * 60_000)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(copies()).toEqual([])
    await expect(backups.read(id, 0, 10)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await backups.begin('b')
    expect(copies()).toHaveLength(1)
    await clock.advance(60_000)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(copies()).toEqual([])
  })

  it('is refused when the disk has no room for it beside its reserve, and leaves nothing', async () => {
    const { store, backups, copies } = setUp({ reservedBytes: Number.MAX_SAFE_INTEGER })
    await expect(backups.begin('a')).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect(copies()).toEqual([])
    store.checkpoint()
    expect(store.walBytes()).toBe(0)
  })

  it('is not given out when the copy is damaged, and another can be made', async () => {
    let problems = ['*** in database main *** Page 7 is never used']
    const { backups, copies } = setUp({ inspect: async (at) => ({ ...inspect(at), problems }) })
    await expect(backups.begin('a')).rejects.toMatchObject({ code: 'INTERNAL', message: expect.stringContaining('Page 7 is never used') })
    expect(copies()).toEqual([])
    problems = []
    await backups.begin('a')
  })

  it('has bounds: parts beyond its end are refused, and its reader is slowed to what the namenode can spare', async () => {
    const { quarry, backups, clock } = setUp()
    await Promise.all(Array.from({ length: 1000 }, (_, n) => quarry.call('mkdirs', { path: `/d${n}-${'x'.repeat(200)}` })))
    const { id, bytes } = await backups.begin('a')
    await expect(backups.read(id, bytes + 1, 10)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(backups.read(id, 0, 0)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(bytes).toBeGreaterThan(64 * 1024)
    await backups.read(id, 0, 64 * 1024)
    let done = false
    const next = backups.read(id, 0, 64 * 1024).then(() => (done = true))
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(done).toBe(false)
    await clock.advance(2)
    await next
  })

  it('of a namenode before is removed at the start', async () => {
    const { backups, copies } = setUp()
    await backups.begin('a')
    expect(copies()).toHaveLength(1)
    const other = { directory: join(directory, 'namenode') } as SqliteStore
    new Backups({
      store: other,
      env: { clock: new VirtualClock(), random: new SeededRandom(1), log: silentLogger },
      reservedBytes: 0,
      inspect: async (at) => inspect(at),
    })
    expect(copies()).toEqual([])
  })
})

it('a checksum of the running namespace is that of a walk over it, is shared by callers, and leaves nothing', async () => {
  const { store, quarry, backups, copies } = setUp()
  await quarry.write('/a/b', [5])
  const [one, two] = await Promise.all([backups.checksum(), backups.checksum()])
  expect(one).toEqual(namespaceChecksum(store, sha256()))
  expect(two).toBe(one)
  expect(copies()).toEqual([])
  await quarry.call('mkdirs', { path: '/c' })
  expect((await backups.checksum()).hex).not.toBe(one.hex)
})
