import { buffer as collect } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import type { Clock } from '../../common/env.ts'
import { systemClock, systemEnv } from '../../common/system-env.ts'
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import { FileSystem } from '../filesystem.ts'
import { FakeCluster } from '../testing/fake-cluster.ts'

/** Sleeping takes no time. */
const hasty: Clock = { ...systemClock, sleep: async () => {} }

function setUp(datanodes = 3) {
  const cluster = new FakeCluster(datanodes)
  const fs = new FileSystem({
    uri: 'quarry://x:1',
    user: 'me',
    namenode: cluster.namenode,
    datanodes: cluster,
    env: { ...systemEnv(), clock: hasty },
  })
  return { cluster, fs }
}

const bytes = Buffer.from(new SeededRandom(7).bytes(50_000))

test('any range, over block and chunk boundaries, by read and by stream', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/f', bytes)
  await using reader = await fs.open('/f')
  expect(reader.length).toBe(50_000)
  for (const [start, end] of [
    [0, 50_000],
    [1, 2],
    [511, 513],
    [4095, 4097],
    [4096, 8192],
    [49_999, 50_000],
    [10_000, 30_001],
    [5, 5],
  ] as const) {
    const got = Buffer.alloc(end - start)
    expect(await reader.read(got, 0, end - start, start)).toBe(end - start)
    expect(got.equals(bytes.subarray(start, end))).toBe(true)
    expect((await collect(reader.stream({ start, end }))).equals(bytes.subarray(start, end))).toBe(true)
  }
  expect(await reader.read(Buffer.alloc(10), 0, 10, 50_000)).toBe(0)
  expect(await reader.read(Buffer.alloc(10), 2, 8, 49_998)).toBe(2)
})

test('a datanode dies in the middle of a block: another goes on at the very byte', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/f', bytes, { blockSize: 32_768 })
  cluster.datanodes[0]!.faults.dieAfterReadBytes = 5000
  cluster.datanodes[1]!.faults.dieAfterReadBytes = 3000
  expect((await fs.readFile('/f')).equals(bytes)).toBe(true)
})

test('a corrupt replica is passed over and reported, because another copy was good', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/f', bytes, { blockSize: 32_768 })
  const { block } = cluster.file('/f').blocks[0]!
  cluster.datanodes[0]!.replicas.get(block.blockId)!.bytes[20_000]! ^= 1
  expect((await fs.readFile('/f')).equals(bytes)).toBe(true)
  expect(cluster.callsOf('reportBadBlocks')).toEqual([{ blocks: [{ block, datanodeUuid: 'dn0', storageUuid: 's-dn0' }] }])
})

test('every replica corrupt: CHECKSUM, and no report, for nobody knows which is the best', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/f', bytes, { blockSize: 65_536 })
  const { block } = cluster.file('/f').blocks[0]!
  for (const node of cluster.datanodes) node.replicas.get(block.blockId)!.bytes[40_000]! ^= 1
  await expect(fs.readFile('/f')).rejects.toMatchObject({ code: 'CHECKSUM', message: expect.stringContaining('is corrupt at byte 39936') })
  expect(cluster.callsOf('reportBadBlocks')).toEqual([])
})

test('the only replica corrupt: CHECKSUM, and reported', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/f', bytes, { blockSize: 65_536, nodes: [1] })
  cluster.datanodes[1]!.replicas.get(cluster.file('/f').blocks[0]!.block.blockId)!.bytes[0]! ^= 1
  await expect(fs.readFile('/f')).rejects.toMatchObject({ code: 'CHECKSUM' })
  expect(cluster.callsOf('reportBadBlocks')).toHaveLength(1)
})

test('locations are asked for again when no replica answers', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/f', bytes, { blockSize: 65_536, nodes: [0] })
  await using reader = await fs.open('/f')
  // The block moves while the reader holds the old location.
  const entry = cluster.file('/f').blocks[0]!
  cluster.datanodes[2]!.replicas.set(entry.block.blockId, cluster.datanodes[0]!.replicas.get(entry.block.blockId)!)
  cluster.datanodes[0]!.replicas.clear()
  entry.nodes = ['dn2']
  expect((await collect(reader.stream())).equals(bytes)).toBe(true)
})

test('no replica anywhere: BLOCK_MISSING after bounded patience', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/f', bytes)
  for (const node of cluster.datanodes) node.alive = false
  await expect(fs.readFile('/f')).rejects.toMatchObject({
    code: 'BLOCK_MISSING',
    message: expect.stringContaining('of /f cannot be read: '),
  })
})

test('locations of a long file come a page at a time', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/f', Buffer.alloc(512 * 100, 3), { blockSize: 512 })
  await using reader = await fs.open('/f')
  expect(await reader.read(Buffer.alloc(100), 0, 100, 51_000)).toBe(100)
  expect((await collect(reader.stream())).length).toBe(51_200)
})

test('a reader that stops early, or is given up, ends', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/f', bytes)
  await using reader = await fs.open('/f')
  for await (const part of reader.stream()) {
    expect(part.length).toBeGreaterThan(0)
    break
  }
  const stop = new AbortController()
  const reading = collect(reader.stream({ signal: stop.signal }))
  stop.abort()
  await expect(reading).rejects.toMatchObject({ code: 'CANCELLED' })
  await reader.close()
  await expect(collect(reader.stream())).rejects.toThrow('/f is closed for reading.')
})

test('as a Node stream and as a web stream', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/f', bytes)
  await using reader = await fs.open('/f')
  expect((await collect(reader.toNode({ start: 100 }))).equals(bytes.subarray(100))).toBe(true)
  expect((await collect(reader.toWeb({ end: 9000 }) as AsyncIterable<Uint8Array>)).equals(bytes.subarray(0, 9000))).toBe(true)
})

test('a missing file and a file that is text', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/t', Buffer.from('grüße'))
  expect(await fs.readFile('/t', { encoding: 'utf8' })).toBe('grüße')
  await expect(fs.open('/missing')).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('the checksum of a file is the same over any replica, and skips a datanode that is down', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/bar', Buffer.from('bar\n'))
  cluster.datanodes[0]!.alive = false
  expect((await fs.checksum('/bar')).hex).toBe('00000200000000000000000027c076e4987344253650d3335a5d08ce')
})
