// A disk that fails: how it is found out, what becomes of its replicas, when the node stops.
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Closer } from '../../common/closer.ts'
import type { QuarryError } from '../../common/errors.ts'
import { ReplicaReader } from '../store/replica-reader.ts'
import { patternBytes } from '../testing/blocks.ts'
import type { Fault } from '../testing/faulty-disk.ts'
import { finalizedReplica, openReplica, testStore, writeAll } from '../testing/stores.ts'
import type { TestStore } from '../testing/stores.ts'
import { VolumeChecker } from './volume-checker.ts'

let closer = new Closer()
afterEach(async () => {
  const closing = closer
  closer = new Closer()
  await closing.close()
})

interface Watched extends TestStore {
  readonly checker: VolumeChecker
  /** Directories given up, in order, and why the node was told to stop. */
  readonly failed: string[]
  readonly fatal: QuarryError[]
}

async function watched(count: number, tolerated: number): Promise<Watched> {
  const test = await testStore(closer, count, { failedTolerated: tolerated })
  const failed: string[] = []
  const fatal: QuarryError[] = []
  const checker = new VolumeChecker({
    env: test.env,
    store: test.store,
    tolerated,
    onFailed: (storage) => failed.push(storage.paths.root),
    onTooMany: (error) => fatal.push(error),
  })
  closer.use(checker)
  return { ...test, checker, failed, fatal }
}

/** Two blocks, one on each disk. */
async function oneOnEach(test: TestStore): Promise<void> {
  for (const [index, storage] of test.store.storages.entries())
    await finalizedReplica(test.store, 100 + index, patternBytes(3000), { storageUuid: storage.uuid })
}

describe('a disk that fails', () => {
  it.each([
    [
      'its root is gone',
      (dir: string): Fault | undefined => {
        rmSync(dir, { recursive: true })
        return undefined
      },
    ],
    ['its root does not exist any more for any call', (dir: string): Fault => ({ below: dir, code: 'ENOENT' })],
    [
      'another disk was mounted in its place',
      (dir: string): Fault | undefined => {
        renameSync(dir, `${dir}.away`)
        for (const sub of ['current/finalized', 'current/rbw', 'tmp']) mkdirSync(join(dir, sub), { recursive: true })
        return undefined
      },
    ],
    [
      'it became read-only',
      (dir: string): Fault => ({ below: dir, code: 'EROFS', calls: ['write', 'writePieces', 'unlink', 'rename', 'mkdir'] }),
    ],
    ['its writes fail', (dir: string): Fault => ({ below: dir, code: 'EIO', calls: ['write', 'writePieces'] })],
    ['its syncs fail', (dir: string): Fault => ({ below: dir, code: 'EIO', calls: ['sync', 'syncData'] })],
    ['nothing can be read', (dir: string): Fault => ({ below: dir, code: 'EIO', calls: ['read', 'readFile', 'readdir'] })],
  ])('is given up when %s: its replicas are forgotten, the others stay', async (_what, damage) => {
    const test = await watched(2, 1)
    await oneOnEach(test)
    const fault = damage(test.dirs[0]!)
    if (fault !== undefined) test.faults.faults.push(fault)
    await test.checker.checkAll()
    expect(test.failed).toEqual([test.dirs[0]])
    expect(test.store.failed).toEqual([{ dir: test.dirs[0], reason: expect.stringMatching(/./) }])
    expect(test.store.get(100)).toBe(undefined)
    expect(test.store.get(101)?.length).toBe(3000)
    expect(test.store.storages[0]).toMatchObject({ failed: true, used: 0, finalized: 0 })
    expect(test.store.storages[0]!.space()).toEqual({ capacity: 0, remaining: 0, nonDfsUsed: 0 })
    expect(test.fatal).toEqual([])
    expect(test.logged.filter(({ event }) => event === 'volume.failed')).toHaveLength(1)
  })

  it('fails the writers that are open on it, and takes no new replicas', async () => {
    const test = await watched(2, 1)
    const [bad, good] = test.store.storages
    const writer = await openReplica(test.store, 7, { storageUuid: bad!.uuid })
    const other = await openReplica(test.store, 8, { storageUuid: good!.uuid })
    test.faults.faults.push({ below: test.dirs[0]!, code: 'EIO' })
    await expect(writeAll(writer, patternBytes(100))).rejects.toMatchObject({ code: 'EIO' })
    // The write itself raised the doubt; nobody has to ask.
    await writer.evicted
    expect(test.failed).toEqual([test.dirs[0]])
    expect(test.store.get(7)).toBe(undefined)
    await writeAll(other, patternBytes(100))
    await other.finalize(async () => {})
    const next = await openReplica(test.store, 9, { storageUuid: bad!.uuid })
    expect(next.storageUuid).toBe(good!.uuid)
  })

  it('is found by a read as well', async () => {
    const test = await watched(2, 1)
    await oneOnEach(test)
    const reader = await ReplicaReader.open(test.store, { blockId: 100, genstamp: 0 })
    test.faults.faults.push({ below: test.dirs[0]!, code: 'EIO', calls: ['read', 'readFile'] })
    await expect(reader.readData(0, 10, Buffer.alloc(10))).rejects.toMatchObject({ code: 'CHECKSUM' })
    await test.checker.checkAll()
    expect(test.failed).toEqual([test.dirs[0]])
    await reader.close()
  })

  it('is found without any block traffic, by asking for its space', async () => {
    const test = await watched(2, 1)
    rmSync(test.dirs[1]!, { recursive: true })
    await test.store.storages[1]!.refreshSpace()
    await test.checker.checkAll()
    expect(test.failed).toEqual([test.dirs[1]])
  })
})

describe('a disk that is well', () => {
  it('is not given up for one bad block', async () => {
    const test = await watched(1, 0)
    await finalizedReplica(test.store, 100, patternBytes(3000))
    const reader = await ReplicaReader.open(test.store, { blockId: 100, genstamp: 0 })
    test.faults.faults.push({ below: test.store.dataPath(test.store.get(100)!), code: 'EIO', calls: ['read'] })
    await expect(reader.readData(0, 10, Buffer.alloc(10))).rejects.toMatchObject({ code: 'CHECKSUM' })
    await test.checker.checkAll()
    await reader.close()
    expect({ failed: test.failed, fatal: test.fatal }).toEqual({ failed: [], fatal: [] })
  })

  it('is not given up for being full', async () => {
    const test = await watched(1, 0)
    await finalizedReplica(test.store, 100, patternBytes(3000))
    test.faults.faults.push({ below: test.dirs[0]!, code: 'ENOSPC', calls: ['write', 'writePieces'] })
    await expect(openReplica(test.store, 101)).rejects.toMatchObject({ code: 'DISK_FULL' })
    await test.checker.checkAll()
    expect({ failed: test.failed, fatal: test.fatal, there: test.store.get(100)?.length }).toEqual({ failed: [], fatal: [], there: 3000 })
  })

  it('leaves nothing behind of being looked at', async () => {
    const test = await watched(1, 0)
    await test.checker.checkAll()
    expect(await test.store.disk.readdir(test.store.storages[0]!.paths.tmp)).toEqual([])
  })
})

describe('a full disk', () => {
  it('passes a new replica on to the next disk', async () => {
    const test = await watched(2, 1)
    const [full, other] = test.store.storages
    test.faults.faults.push({ below: test.dirs[0]!, code: 'ENOSPC', calls: ['write', 'open'] })
    const writer = await openReplica(test.store, 7, { storageUuid: full!.uuid })
    expect(writer.storageUuid).toBe(other!.uuid)
    await writeAll(writer, patternBytes(100))
    await writer.finalize(async () => {})
    expect(test.store.get(7)?.storage).toBe(other)
    expect(test.failed).toEqual([])
  })
})

describe('failed.volumes.tolerated', () => {
  it('0: the node stops once a disk fails, and says which and why', async () => {
    const test = await watched(2, 0)
    test.faults.faults.push({ below: test.dirs[0]!, code: 'EIO' })
    await test.checker.checkAll()
    expect(test.fatal.map(({ code, message }) => ({ code, message }))).toEqual([
      {
        code: 'CONFIG',
        message: `1 of 2 storage directories has failed, and failed.volumes.tolerated allows 0. ${test.dirs[0]}: EIO: readFile '${test.dirs[0]}/identity.json'. Replace the disks, or take the directories out of data.dirs; their blocks are copied from other datanodes.`,
      },
    ])
  })

  it('1: the node goes on after the first failure and stops after the second, once', async () => {
    const test = await watched(3, 1)
    test.faults.faults.push({ below: test.dirs[0]!, code: 'EIO' })
    await test.checker.checkAll()
    expect(test.fatal).toEqual([])
    for (const dir of test.dirs.slice(1)) test.faults.faults.push({ below: dir, code: 'EIO' })
    await test.checker.checkAll()
    expect(test.failed).toEqual(test.dirs)
    expect(test.fatal).toHaveLength(1)
    expect(test.fatal[0]!.message).toContain('2 of 3 storage directories have failed, and failed.volumes.tolerated allows 1.')
  })

  it('whatever it is, a node without any disk stops', async () => {
    const test = await watched(1, 5)
    test.faults.faults.push({ below: test.dirs[0]!, code: 'EIO' })
    await test.checker.checkAll()
    expect(test.fatal[0]!.message).toContain('1 of 1 storage directories has failed, and none is left.')
  })

  it('holds at the start as well: an unusable directory counts', async () => {
    const { dirs, store } = await testStore(closer, 2)
    await finalizedReplica(store, 7, patternBytes(100), { storageUuid: store.storages[1]!.uuid })
    await store.close()
    rmSync(dirs[0]!, { recursive: true })
    writeFileSync(dirs[0]!, 'no directory')
    await expect(testStore(closer, 2, { dirs })).rejects.toMatchObject({
      code: 'CONFIG',
      message: expect.stringContaining('1 of 2 storage directories has failed, and failed.volumes.tolerated allows 0.'),
    })
    const { store: again } = await testStore(closer, 2, { dirs, failedTolerated: 1 })
    expect(again.failed).toEqual([{ dir: dirs[0], reason: expect.stringContaining('cannot be used') }])
    expect(again.storages.map((storage) => storage.paths.root)).toEqual([dirs[1]])
    expect(again.get(7)?.length).toBe(100)
    expect(again.datanodeUuid).toBe(store.datanodeUuid)
  })

  it('lets an empty disk take the place of a failed one, the first of the list too', async () => {
    const { dirs, store } = await testStore(closer, 2)
    await store.bind('CID-1', 'BP-1')
    await store.close()
    rmSync(dirs[0]!, { recursive: true })
    const { store: again } = await testStore(closer, 2, { dirs })
    expect(again).toMatchObject({ datanodeUuid: store.datanodeUuid, clusterId: 'CID-1', poolId: 'BP-1' })
    expect(again.storages[0]!.uuid).not.toBe(store.storages[0]!.uuid)
  })
})
