import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LostStamps, lostStampsKey } from '../core/cluster/lost-stamps.ts'
import type { EditRecord } from '../core/edits.ts'
import { editOfWire, wireEdit } from '../core/edits.ts'
import { namespaceChecksum } from '../core/namespace-checksum.ts'
import { replay } from '../core/replay.ts'
import { Harness } from '../core/testing/harness.ts'
import { MemoryStore } from '../core/testing/memory-store.ts'
import { sha256, sha256OfFile } from './digest.ts'
import { inspect } from './inspect.ts'
import { formatManifest, manifestOf } from './manifest.ts'
import type { BackupManifest } from './manifest.ts'
import { editsOffline, inspectOffline } from './offline.ts'
import { restore } from './restore.ts'
import { schemaVersion } from './schema.ts'
import { SqliteStore } from './sqlite-store.ts'

let directory = ''
let store: SqliteStore
let quarry: Harness
let backup = ''
let manifest: BackupManifest
const open = (at: string) => new SqliteStore({ directory: at, cacheEntries: 1000, pageCacheBytes: 1 << 20 })
const nowMs = 1_800_000_000_000
const steps: string[] = []
const into = () => join(directory, 'restored')
const run = (options: Partial<Parameters<typeof restore>[0]> = {}) =>
  restore({ backup, into: into(), nowMs, say: (step) => void steps.push(step), ...options })

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'quarry-restore-'))
  steps.length = 0
  store = open(join(directory, 'namenode'))
  store.setMeta('cluster.id', 'CID-1')
  quarry = new Harness({ store })
  await quarry.write('/kept', [5, 6])
  await quarry.call('create', { path: '/open', holder: 'someone' })
  backup = await takeBackup('one')
  await quarry.write('/later', [7])
  await quarry.call('rename', { source: '/kept', target: '/moved' })
  await quarry.call('delete', { path: '/moved' })
})
afterEach(() => {
  store.close()
  rmSync(directory, { recursive: true, force: true })
})

async function takeBackup(name: string): Promise<string> {
  const at = join(directory, name)
  mkdirSync(at)
  store.freeze()
  copyFileSync(join(directory, 'namenode', 'namespace.db'), join(at, 'namespace.db'))
  store.thaw()
  const { checksum, firstKeptTxid } = inspectOffline(at)
  manifest = manifestOf({
    clusterId: 'CID-1',
    poolId: 'BP-1',
    txid: checksum.txid,
    firstKeptTxid,
    schema: schemaVersion,
    checksumAlgorithm: checksum.algorithm,
    namespaceChecksum: checksum.hex,
    files: checksum.files,
    directories: checksum.directories,
    blocks: checksum.blocks,
    bytes: statSync(join(at, 'namespace.db')).size,
    sha256: await sha256OfFile(join(at, 'namespace.db')),
    createdAt: new Date(nowMs).toISOString(),
  })
  writeFileSync(join(at, 'manifest.json'), formatManifest(manifest))
  return at
}

/** The namespace after a transaction, by replaying the running store's log into an empty one. */
function checksumAt(txid: number): string {
  const upTo = { editsAfter: (after: number, limit: number) => store.editsAfter(after, limit).filter((edit) => edit.txid <= txid) }
  const copy = new MemoryStore()
  replay(upTo as unknown as SqliteStore, copy)
  return namespaceChecksum(copy, sha256()).hex
}

function* pages(after: number, size = 2): Generator<EditRecord[]> {
  for (let from = after; ; from += size) {
    const page = store.editsAfter(from, size).map((edit) => editOfWire(wireEdit(edit)))
    if (page.length === 0) return
    yield page
  }
}

describe('a restore', () => {
  it('gives the namespace of the backup, of the same cluster, ready to go on', async () => {
    const report = await run()
    expect(report).toMatchObject({ clusterId: 'CID-1', backupTxid: manifest.txid, txid: manifest.txid, replayedEdits: 0 })
    expect(report.checksum.hex).toBe(checksumAt(manifest.txid))
    expect(readdirSync(into()).toSorted()).toEqual(['in_use.lock', 'namespace.db'])
    expect(inspect(into()).problems).toEqual([])
    const restored = open(into())
    const after = new Harness({ store: restored })
    expect(await after.stat('/kept')).toMatchObject({ length: 11 })
    expect(await after.stat('/later')).toBeNull()
    expect(await after.stat('/open')).toMatchObject({ underConstruction: true })
    await after.write('/new', [9])
    const copy = new MemoryStore()
    replay(restored, copy)
    expect(namespaceChecksum(copy, sha256())).toEqual(namespaceChecksum(restored, sha256()))
    restored.close()
  })

  it('never gives out an id or a stamp that the history after the backup has given out, and remembers its stamps', async () => {
    const lostIds = store.counters()
    await run()
    const restored = open(into())
    const { nextInodeId, nextBlockId, nextGenstamp } = restored.counters()
    expect(nextInodeId).toBeGreaterThan(lostIds.nextInodeId)
    expect(nextBlockId).toBeGreaterThan(lostIds.nextBlockId)
    expect(nextGenstamp).toBeGreaterThan(lostIds.nextGenstamp)
    const lost = new LostStamps({ load: () => restored.meta(lostStampsKey), save: (text) => restored.setMeta(lostStampsKey, text) })
    const lastKept = restored.block(restored.blocksFrom(0, 100).at(-1)!.blockId)!.genstamp
    expect([lastKept, lostIds.nextGenstamp - 1, nextGenstamp - 1, nextGenstamp].map((stamp) => lost.has(stamp))).toEqual([
      false,
      true,
      true,
      false,
    ])
    restored.close()
  })

  it('goes forward to any transaction by later edits, record for record', async () => {
    const { lastTxid } = store.counters()
    for (let txid = manifest.txid; txid <= lastTxid; txid++) {
      rmSync(into(), { recursive: true, force: true })
      const report = await run({ toTxid: txid, edits: pages })
      expect(report).toMatchObject({ txid, replayedEdits: txid - manifest.txid })
      expect(report.checksum.hex).toBe(checksumAt(txid))
    }
    rmSync(into(), { recursive: true, force: true })
    expect((await run({ edits: pages })).txid).toBe(lastTxid)
  })

  it('takes edits from the directory of a stopped namenode and from another backup', async () => {
    const { lastTxid } = store.counters()
    const later = await takeBackup('two')
    backup = join(directory, 'one')
    expect((await run({ edits: (after) => editsOffline(later, after) })).txid).toBe(lastTxid)
    rmSync(into(), { recursive: true })
    await expect(run({ edits: (after) => editsOffline(join(directory, 'namenode'), after) })).rejects.toMatchObject({ code: 'IN_USE' })
    store.close()
    expect((await run({ edits: (after) => editsOffline(join(directory, 'namenode'), after) })).txid).toBe(lastTxid)
    expect(readdirSync(later).toSorted()).toEqual(['manifest.json', 'namespace.db'])
  })

  it('says which edits are missing, foreign or not enough, and leaves no database behind', async () => {
    const refuses = async (options: Partial<Parameters<typeof restore>[0]>, expected: object) => {
      await expect(run(options)).rejects.toMatchObject(expected)
      expect(existsSync(join(into(), 'namespace.db'))).toBe(false)
      expect(existsSync(join(into(), 'restore.tmp'))).toBe(false)
    }
    await refuses({ toTxid: 2 }, { code: 'INVALID_ARGUMENT', message: expect.stringContaining('use an older backup') })
    await refuses({ toTxid: manifest.txid + 1 }, { code: 'INVALID_ARGUMENT', message: expect.stringContaining('takes --edits FROM') })
    await refuses({ toTxid: 1000, edits: pages }, { code: 'NOT_FOUND', message: expect.stringContaining('1000 cannot be reached') })
    await refuses({ edits: (after) => pages(after + 1) }, { code: 'NOT_FOUND', message: expect.stringContaining('are missing') })
    const foreign: EditRecord = { txid: manifest.txid + 1, atMs: 1, edit: { op: 'close', path: '/x', id: 99_999 } }
    await refuses({ edits: () => [[foreign]] }, { code: 'CHECKSUM', message: expect.stringContaining('of the same cluster') })
  })

  it('refuses a directory in use, one that is not empty, and changes nothing there', async () => {
    await expect(run({ into: join(directory, 'namenode') })).rejects.toMatchObject({
      code: 'IN_USE',
      message: expect.stringContaining('is in use by process'),
    })
    mkdirSync(into())
    writeFileSync(join(into(), 'notes'), 'mine')
    await expect(run()).rejects.toMatchObject({ code: 'IN_USE', message: expect.stringContaining('is not empty (notes)') })
    expect(readFileSync(join(into(), 'notes'), 'utf8')).toBe('mine')
  })

  it('refuses a backup that is not what its manifest says: bytes, namespace, transaction, newer schema, no manifest', async () => {
    const refuses = async (change: Partial<BackupManifest> | (() => void), expected: object) => {
      if (typeof change === 'function') change()
      else writeFileSync(join(backup, 'manifest.json'), formatManifest({ ...manifest, ...change }))
      await expect(run()).rejects.toMatchObject(expected)
      expect(existsSync(join(into(), 'namespace.db'))).toBe(false)
    }
    await refuses({ sha256: 'ab' }, { code: 'CHECKSUM' })
    await refuses({ namespaceChecksum: 'ab' }, { code: 'CHECKSUM' })
    await refuses({ txid: 3 }, { code: 'CHECKSUM' })
    await refuses({ schema: schemaVersion + 1 }, { code: 'VERSION' })
    await refuses({ bytes: -1 }, { code: 'CONFIG', message: expect.stringContaining('bytes missing or wrong') })
    await refuses({ format: 2 as 1 }, { code: 'VERSION' })
    await refuses(() => writeFileSync(join(backup, 'manifest.json'), '{'), { code: 'CONFIG' })
    await refuses(() => rmSync(join(backup, 'manifest.json')), { code: 'NOT_FOUND' })
  })
})

function change(file: string, sql: string): void {
  const database = new Database(file)
  database.exec(sql)
  database.close()
}

describe('a check', () => {
  it('finds records that do not fit together, which the structure does not show', () => {
    store.close()
    const at = join(directory, 'namenode')
    expect(inspectOffline(at).problems).toEqual([])
    const breaks: [string, RegExp][] = [
      ["UPDATE inode SET parent_id = 77 WHERE name = 'later'", /lies in inode 77, which is no directory/],
      ["UPDATE inode SET length = 9 WHERE name = 'later'", /has 9 bytes and its blocks 7/],
      ["DELETE FROM inode WHERE name = 'later'", /block \d+ belongs to inode \d+, which is no file/],
      ['UPDATE counter SET blocks = 17', /blocks and the counter says 17/],
      ['UPDATE counter SET next_block = 1', /is not below the next ones/],
      ['UPDATE inode SET owner = 99 WHERE id = 16385', /owner or group of inode 16385 is not known/],
      ['DELETE FROM edits WHERE first_txid = 4', /the edit log lacks what lies between 3 and 5/],
      ['UPDATE counter SET last_txid = 500', /the last transaction is 500/],
      ['DELETE FROM inode WHERE id = 16385', /there is no root directory/],
    ]
    for (const [sql, expected] of breaks) {
      const broken = join(directory, 'broken')
      rmSync(broken, { recursive: true, force: true })
      mkdirSync(broken)
      copyFileSync(join(at, 'namespace.db'), join(broken, 'namespace.db'))
      change(join(broken, 'namespace.db'), sql)
      expect(inspectOffline(broken).problems.join('\n')).toMatch(expected)
    }
  })

  it('takes in what lies in the WAL of a namenode that was killed, and changes nothing', () => {
    const killed = join(directory, 'killed')
    mkdirSync(killed)
    for (const name of ['namespace.db', 'namespace.db-wal']) copyFileSync(join(directory, 'namenode', name), join(killed, name))
    const before = readdirSync(killed).map((name) => [name, statSync(join(killed, name)).size])
    expect(inspectOffline(killed).checksum).toEqual(namespaceChecksum(store, sha256()))
    expect(readdirSync(killed).map((name) => [name, statSync(join(killed, name)).size])).toEqual(before)
  })

  it('says so where there is no store', () => {
    expect(() => inspectOffline(directory)).toThrow('it is neither the directory of a namenode nor a backup')
  })
})
