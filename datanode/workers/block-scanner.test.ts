// The block scanner on real files, with a clock on which waiting takes no time.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Closer } from '../../common/closer.ts'
import { WriteStage } from '../../proto/ports.ts'
import type { Block } from '../../proto/ports.ts'
import { DatanodeMetrics } from '../service/metrics.ts'
import { ReplicaReader } from '../store/replica-reader.ts'
import { patternBytes } from '../testing/blocks.ts'
import { FastClock } from '../testing/fast-clock.ts'
import { finalizedReplica, openReplica, testStore } from '../testing/stores.ts'
import type { TestStore } from '../testing/stores.ts'
import { BlockScanner } from './block-scanner.ts'

let closer = new Closer()
afterEach(async () => {
  const closing = closer
  closer = new Closer()
  await closing.close()
})

const hourMs = 3_600_000

interface Scanned extends TestStore {
  readonly clock: FastClock
  readonly metrics: DatanodeMetrics
  readonly scanner: BlockScanner
  readonly bad: { readonly block: Block; readonly reason: string }[]
  readonly missing: number[]
  /** Paths of data files in the order in which they were opened to be read. */
  readonly opened: () => string[]
}

async function scanned(options: { dirs?: readonly string[]; periodMs?: number; bytesPerSecond?: number } = {}): Promise<Scanned> {
  const clock = new FastClock()
  const test = await testStore(closer, 1, { ...(options.dirs && { dirs: options.dirs }), clock })
  const metrics = new DatanodeMetrics()
  const bad: Scanned['bad'] = []
  const missing: number[] = []
  const scanner = new BlockScanner({
    env: test.env,
    store: test.store,
    metrics,
    periodMs: options.periodMs ?? hourMs,
    bytesPerSecond: options.bytesPerSecond ?? 1024 * 1024,
    reportBad: (block, _storage, reason) => bad.push({ block, reason }),
    missing: ({ blockId }) => missing.push(blockId),
  })
  test.store.onSuspect = ({ blockId }) => scanner.suspect(blockId)
  closer.use(scanner)
  return { ...test, clock, metrics, scanner, bad, missing, opened: () => test.faults.opened.filter((path) => /blk_\d+$/.test(path)) }
}

/** Until the scanner rests. */
async function resting({ clock }: Scanned): Promise<void> {
  for (let i = 0; i < 10_000 && clock.rests.length === 0; i++) await new Promise((resolve) => setTimeout(resolve, 1))
  expect(clock.rests).toHaveLength(1)
}

function dataFile({ store }: TestStore, blockId: number): string {
  return store.dataPath(store.get(blockId)!)
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at]! ^= 0x10
  writeFileSync(path, bytes)
}

describe('the block scanner', () => {
  it('reads every finalised replica once a period, whatever was appended or added meanwhile', async () => {
    const test = await scanned()
    for (const id of [30, 10, 20]) await finalizedReplica(test.store, id, patternBytes(600_000, id))
    await openReplica(test.store, 40)
    test.scanner.start()
    await resting(test)
    expect(test.opened().map((path) => /\d+$/.exec(path)![0])).toEqual(['10', '20', '30'])
    expect(test.metrics).toMatchObject({ scannedBlocks: 3, scannedBytes: 1_800_000, badReplicas: 0 })
    expect(test.scanner.progress).toMatchObject([{ done: true, total: 3, read: 3, suspects: 0 }])
    await finalizedReplica(test.store, 15, patternBytes(1000))
    test.clock.endRests()
    await resting(test)
    expect(test.metrics.scannedBlocks).toBe(7)
    expect(test.bad).toEqual([])
  })

  it('reports a replica whose bytes do not match their checksums, and one whose files are cut', async () => {
    const test = await scanned()
    for (const id of [1, 2, 3, 4]) await finalizedReplica(test.store, id, patternBytes(600_000, id))
    flip(dataFile(test, 2), 555_000)
    writeFileSync(dataFile(test, 3), readFileSync(dataFile(test, 3)).subarray(0, 1000))
    writeFileSync(test.store.checksumPath(test.store.get(4)!), 'torn')
    test.scanner.start()
    await resting(test)
    expect(test.bad).toEqual([
      {
        block: { blockId: 2, genstamp: 1001, length: 600_000 },
        reason: 'the scanner found bytes 554496 and on not matching their checksum',
      },
      { block: { blockId: 3, genstamp: 1001, length: 600_000 }, reason: 'The files of block 3 are shorter than its 600000 bytes.' },
      { block: { blockId: 4, genstamp: 1001, length: 600_000 }, reason: 'The checksum file of block 4 is damaged.' },
    ])
    expect(test.metrics.badReplicas).toBe(3)
  })

  it('reports a replica that its disk cannot read', async () => {
    const test = await scanned()
    await finalizedReplica(test.store, 1, patternBytes(1000))
    test.faults.faults.push({ below: dataFile(test, 1), code: 'EIO', calls: ['read'] })
    test.scanner.start()
    await resting(test)
    expect(test.bad).toMatchObject([{ reason: expect.stringContaining('cannot be read from its disk: EIO') }])
  })

  it('hands on a replica whose file is missing, and ignores one that is deleted or appended to while it is read', async () => {
    const test = await scanned()
    for (const id of [1, 2, 3, 4]) await finalizedReplica(test.store, id, patternBytes(600_000, id))
    for (const id of [2, 3]) flip(dataFile(test, id), 599_999)
    rmSync(dataFile(test, 4))
    let deleting: Promise<unknown> = Promise.resolve()
    test.faults.onCall = (name, path) => {
      if (name !== 'read' || !path.endsWith('blk_2') || test.store.get(2) === undefined) return
      deleting = test.store.delete({ blockId: 2, genstamp: 1001 })
    }
    test.scanner.start()
    // In the middle of the third an append begins.
    const before = test.faults.onCall
    test.faults.onCall = (name, path) => {
      before(name, path)
      if (name !== 'read' || !path.endsWith('blk_3') || test.store.get(3)?.genstamp !== 1001) return
      deleting = openReplica(test.store, 3, { stage: WriteStage.WRITE_SETUP_APPEND, newGenstamp: 1002, minBytes: 600_000 })
    }
    await resting(test)
    await deleting
    expect(test.bad).toEqual([])
    expect(test.missing).toEqual([4])
    expect(test.logged).toEqual([])
  })

  it('reads suspects first, and at once when it rests', async () => {
    const test = await scanned()
    for (const id of [1, 2, 3]) await finalizedReplica(test.store, id, patternBytes(1000, id))
    test.scanner.suspect(3)
    test.scanner.start()
    await resting(test)
    expect(test.opened().map((path) => /\d+$/.exec(path)![0])).toEqual(['3', '1', '2', '3'])
    flip(dataFile(test, 2), 7)
    test.scanner.suspect(2)
    while (test.bad.length === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    expect(test.bad).toMatchObject([{ block: { blockId: 2 } }])
    expect(test.metrics.scannedSuspects).toBe(2)
  })

  it('suspects a replica of which a reader met too few bytes', async () => {
    const test = await scanned({ periodMs: 0 })
    await finalizedReplica(test.store, 1, patternBytes(2000))
    test.scanner.start()
    await resting(test)
    writeFileSync(dataFile(test, 1), readFileSync(dataFile(test, 1)).subarray(0, 1024))
    const reader = await ReplicaReader.open(test.store, { blockId: 1, genstamp: 0 })
    await expect(reader.read(0, 2000, Buffer.alloc(2000), Buffer.alloc(16))).rejects.toMatchObject({ code: 'CHECKSUM' })
    await reader.close()
    while (test.bad.length === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    expect(test.bad).toHaveLength(1)
    await resting(test)
  })

  it('reads no more than its rate in any second, and only a twentieth of the time while streams are open', async () => {
    const test = await scanned({ bytesPerSecond: 1024 * 1024 })
    await finalizedReplica(test.store, 1, patternBytes(4 * 1024 * 1024))
    const beganMs = test.clock.monotonicMs()
    test.scanner.start()
    await resting(test)
    // A tenth of a second's worth may go at once.
    expect(test.clock.monotonicMs() - beganMs).toBeGreaterThanOrEqual(3900)
    expect(Math.max(...test.clock.slept.filter((ms) => ms < 30_000))).toBeLessThanOrEqual(250)

    const busy = await scanned({ bytesPerSecond: 2 ** 40 })
    await finalizedReplica(busy.store, 1, patternBytes(4 * 1024 * 1024))
    busy.metrics.readers = 2
    busy.faults.onCall = (name, path) => {
      if (name === 'read' && path.endsWith('blk_1')) busy.clock.advance(10)
    }
    busy.clock.slept.length = 0
    busy.scanner.start()
    await resting(busy)
    expect(busy.clock.slept.filter((ms) => ms === 190)).toHaveLength(16)
  })

  it('goes on behind its cursor after a restart', async () => {
    const first = await scanned()
    for (const id of [1, 2, 3]) await finalizedReplica(first.store, id, patternBytes(600_000, id))
    first.faults.onCall = (name, path) => {
      if (name === 'open' && path.endsWith('blk_3')) void first.scanner.close()
    }
    first.scanner.start()
    while (first.faults.opened.every((path) => !path.endsWith('blk_3'))) await new Promise((resolve) => setTimeout(resolve, 1))
    await first.scanner.close()
    await first.store.close()
    expect(JSON.parse(readFileSync(join(first.dirs[0]!, 'scanner.cursor'), 'utf8'))).toMatchObject({ afterBlockId: 2, done: false })

    const second = await scanned({ dirs: first.dirs })
    second.scanner.start()
    await resting(second)
    expect(second.opened().map((path) => /\d+$/.exec(path)![0])).toEqual(['3'])
    await second.scanner.close()
    await second.store.close()

    writeFileSync(join(first.dirs[0]!, 'scanner.cursor'), '{"startedMs":')
    const third = await scanned({ dirs: first.dirs })
    third.scanner.start()
    await resting(third)
    expect(third.metrics.scannedBlocks).toBe(3)
  })

  it('saves its cursor every ten minutes', async () => {
    const test = await scanned()
    await finalizedReplica(test.store, 1, patternBytes(1000))
    test.scanner.start()
    await resting(test)
    expect(() => readFileSync(join(test.dirs[0]!, 'scanner.cursor'))).toThrow('ENOENT')
    test.clock.endRests()
    await resting(test)
    expect(JSON.parse(readFileSync(join(test.dirs[0]!, 'scanner.cursor'), 'utf8'))).toEqual({
      startedMs: 1_700_000_000_000,
      afterBlockId: 1,
      done: true,
    })
  })

  it('does nothing at all with a rate of 0', async () => {
    const test = await scanned({ bytesPerSecond: 0 })
    await finalizedReplica(test.store, 1, patternBytes(1000))
    test.scanner.suspect(1)
    test.scanner.start()
    await test.scanner.close()
    expect(test.opened()).toEqual([])
    expect(test.scanner.progress).toEqual([])
  })
})
