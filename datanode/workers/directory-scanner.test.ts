// The directory scanner on real files that somebody has changed by hand.
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Closer } from '../../common/closer.ts'
import { ReplicaState, WriteStage } from '../../proto/ports.ts'
import { DatanodeMetrics } from '../service/metrics.ts'
import { verifyReplica } from '../store/verify.ts'
import { patternBytes } from '../testing/blocks.ts'
import { FastClock } from '../testing/fast-clock.ts'
import { finalizedReplica, openReplica, testStore, writeAll } from '../testing/stores.ts'
import type { TestStore } from '../testing/stores.ts'
import { DirectoryScanner } from './directory-scanner.ts'

let closer = new Closer()
afterEach(async () => {
  const closing = closer
  closer = new Closer()
  await closing.close()
})

interface Scanned extends TestStore {
  readonly clock: FastClock
  readonly scanner: DirectoryScanner
  readonly bad: string[]
  well: boolean
}

async function scanned(disks = 1, intervalMs = 0): Promise<Scanned> {
  const clock = new FastClock()
  const test = await testStore(closer, disks, { clock })
  const bad: string[] = []
  const scanner = new DirectoryScanner({
    env: test.env,
    store: test.store,
    metrics: new DatanodeMetrics(),
    intervalMs,
    reportBad: ({ blockId }, _storage, reason) => bad.push(`${blockId}: ${reason}`),
    diskIsWell: async () => all.well,
  })
  closer.use(scanner)
  const all: Scanned = { ...test, clock, scanner, bad, well: true }
  return all
}

const nothing = { lost: 0, bad: 0, adopted: 0, stray: 0, removed: 0 }

function paths({ store }: TestStore, blockId: number): { data: string; checksums: string } {
  const replica = store.get(blockId)!
  return { data: store.dataPath(replica), checksums: store.checksumPath(replica) }
}

/** The files of a finalised replica in another place, as if they had been there before. */
async function foreign(test: Scanned, blockId: number, data: Buffer): Promise<{ data: string; checksums: string }> {
  await finalizedReplica(test.store, blockId, data)
  const files = paths(test, blockId)
  for (const path of [files.data, files.checksums]) renameSync(path, `${path}.kept`)
  await test.store.delete({ blockId, genstamp: 1001 })
  for (const path of [files.data, files.checksums]) renameSync(`${path}.kept`, path)
  test.told.length = 0
  return files
}

describe('the directory scanner', () => {
  it('finds nothing where nothing was touched, whatever state replicas are in', async () => {
    const test = await scanned()
    for (const id of [1, 300, 70_000]) await finalizedReplica(test.store, id, patternBytes(3000))
    await writeAll(await openReplica(test.store, 2), patternBytes(100))
    await writeAll(await openReplica(test.store, 3, { stage: WriteStage.WRITE_TRANSFER_FINALIZED }), patternBytes(100))
    test.told.length = 0
    expect(await test.scanner.scan()).toEqual({ ...nothing, checked: 3 })
    expect(test.told).toEqual([])
    expect(test.scanner.last).toMatchObject({ checked: 3, endedMs: test.clock.nowMs() })
  })

  it('forgets a replica whose block file was deleted by hand, and says so at once', async () => {
    const test = await scanned()
    for (const id of [1, 2]) await finalizedReplica(test.store, id, patternBytes(3000))
    const { data, checksums } = paths(test, 1)
    rmSync(data)
    test.told.length = 0
    expect(await test.scanner.scan()).toEqual({ ...nothing, checked: 2, lost: 1 })
    expect(test.told).toEqual(['deleted 1'])
    expect(test.store.get(1)).toBe(undefined)
    expect(existsSync(checksums)).toBe(false)
    await test.store.delete({ blockId: 2, genstamp: 1001 })
    expect(test.store.storages[0]).toMatchObject({ used: 0, finalized: 0 })
  })

  it('leaves all of it to the volume check when the whole disk is gone', async () => {
    const test = await scanned()
    for (const id of [1, 2]) await finalizedReplica(test.store, id, patternBytes(3000))
    test.well = false
    for (const id of [1, 2]) rmSync(paths(test, id).data)
    test.told.length = 0
    expect(await test.scanner.scan()).toMatchObject({ lost: 0 })
    expect(test.told).toEqual([])
  })

  it.each([
    ['a block file that was cut', ({ data }: { data: string }) => truncateSync(data, 100), 'its file has 100 bytes instead of 3000'],
    ['a block file that grew', ({ data }: { data: string }) => appendFileSync(data, 'x'), 'its file has 3001 bytes instead of 3000'],
    ['a missing checksum file', ({ checksums }: { checksums: string }) => rmSync(checksums), 'its checksum file is missing'],
    [
      'a checksum file that was cut',
      ({ checksums }: { checksums: string }) => truncateSync(checksums, 20),
      'its checksum file has 20 bytes instead of 40',
    ],
    ['a torn checksum header', ({ checksums }: { checksums: string }) => truncateSync(checksums, 5), 'its checksum file is damaged'],
    [
      'a checksum file of another generation',
      ({ checksums }: { checksums: string }) => renameSync(checksums, checksums.replace('1001', '1000')),
      'its checksum file is missing',
    ],
  ])('reports %s as bad and keeps the replica', async (_what, damage, reason) => {
    const test = await scanned()
    await finalizedReplica(test.store, 7, patternBytes(3000))
    damage(paths(test, 7))
    expect(await test.scanner.scan()).toEqual({ ...nothing, checked: 1, bad: 1 })
    expect(test.bad).toEqual([`7: ${reason}`])
    expect(test.store.get(7)?.length).toBe(3000)
  })

  it('takes up an unknown replica that is whole, with its bytes', async () => {
    const test = await scanned()
    const data = patternBytes(5000)
    await foreign(test, 9, data)
    expect(await test.scanner.scan()).toEqual({ ...nothing, checked: 1, adopted: 1 })
    expect(test.told).toEqual(['received 9'])
    expect(test.store.get(9)).toMatchObject({ genstamp: 1001, length: 5000, state: ReplicaState.REPLICA_FINALIZED })
    expect(await verifyReplica(test.store, { blockId: 9, genstamp: 1001 })).toMatchObject({ ok: true })
    expect(test.store.storages[0]!.finalized).toBe(1)
    await test.store.delete({ blockId: 9, genstamp: 1001 })
    expect(test.store.storages[0]).toMatchObject({ used: 0, finalized: 0 })
  })

  it('leaves an unknown replica alone that is damaged or not whole, and removes checksums without data', async () => {
    const test = await scanned()
    const damaged = await foreign(test, 9, patternBytes(5000))
    const bytes = readFileSync(damaged.data)
    bytes[4000]! ^= 1
    writeFileSync(damaged.data, bytes)
    const bare = await foreign(test, 10, patternBytes(5000))
    rmSync(bare.checksums)
    const cut = await foreign(test, 11, patternBytes(5000))
    truncateSync(cut.data, 512)
    const orphan = await foreign(test, 12, patternBytes(5000))
    rmSync(orphan.data)
    expect(await test.scanner.scan()).toEqual({ ...nothing, checked: 4, stray: 3, removed: 1 })
    expect(test.store.size).toBe(0)
    expect([damaged.data, bare.data, cut.data, orphan.checksums].map((path) => existsSync(path))).toEqual([true, true, true, false])
    expect(test.logged.filter(({ event }) => event === 'replica.stray').map(({ fields }) => fields['reason'])).toEqual([
      'it has no checksums',
      'its two files do not belong together',
      expect.stringMatching(/^Checksum CRC32C not matched for file/),
    ])
    expect(test.told).toEqual([])
  })

  it('does not take up a second copy of a block that another disk has', async () => {
    const test = await scanned(2)
    const [one, two] = test.store.storages
    await finalizedReplica(test.store, 9, patternBytes(5000), { storageUuid: one!.uuid })
    const { data, checksums } = paths(test, 9)
    for (const path of [data, checksums]) {
      const copy = join(two!.paths.root, path.slice(one!.paths.root.length))
      mkdirSync(dirname(copy), { recursive: true })
      cpSync(path, copy)
    }
    expect(await test.scanner.scan()).toMatchObject({ adopted: 0, stray: 1 })
    expect(test.store.get(9)?.storage).toBe(one)
  })

  it('says nothing of replicas that are deleted or appended to while it looks', async () => {
    const test = await scanned()
    for (const id of [1, 2]) await finalizedReplica(test.store, id, patternBytes(3000))
    const changes: Promise<unknown>[] = []
    test.faults.onCall = (name, path) => {
      if (name !== 'stat' || changes.length > 1) return
      if (path.endsWith('blk_1')) changes.push(test.store.delete({ blockId: 1, genstamp: 1001 }))
      if (path.endsWith('blk_2'))
        changes.push(openReplica(test.store, 2, { stage: WriteStage.WRITE_SETUP_APPEND, newGenstamp: 1002, minBytes: 3000 }))
    }
    expect(await test.scanner.scan()).toEqual({ ...nothing, checked: 2 })
    await Promise.all(changes)
    expect(test.bad).toEqual([])
  })

  it('does not take up what is just being removed', async () => {
    const test = await scanned()
    await finalizedReplica(test.store, 1, patternBytes(3000))
    let release = () => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    test.faults.hold = (name, path) => (name === 'unlink' && path.endsWith('blk_1') ? held : undefined)
    const deleting = test.store.delete({ blockId: 1, genstamp: 1001 })
    expect(await test.scanner.scan()).toEqual({ ...nothing, checked: 0 })
    release()
    expect(await deleting).toBe(true)
  })

  it('looks at one replica when a reader missed its files', async () => {
    const test = await scanned()
    await finalizedReplica(test.store, 1, patternBytes(3000))
    const replica = test.store.get(1)!
    rmSync(paths(test, 1).data)
    test.told.length = 0
    await test.scanner.check(replica)
    expect(test.told).toEqual(['deleted 1'])
    await test.scanner.check(replica)
    expect(test.told).toEqual(['deleted 1'])
  })

  it('comes round every interval, first at a moment of its own', async () => {
    const test = await scanned(1, 3_600_000)
    await finalizedReplica(test.store, 1, patternBytes(3000))
    test.scanner.start()
    const rest = async () => {
      for (let i = 0; i < 10_000 && test.clock.rests.length === 0; i++) await new Promise((resolve) => setTimeout(resolve, 1))
      return test.clock.rests[0]!
    }
    expect(await rest()).toBeLessThan(3_600_000)
    expect(test.scanner.last).toBe(undefined)
    test.clock.endRests()
    expect(await rest()).toBe(3_600_000)
    expect(test.scanner.last).toMatchObject({ checked: 1 })
  })
})
