// Readers and replicas that are silent, rotten, or being written: on a clock that stands still while nothing waits.
import { buffer as collect } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { silentLogger } from '../../common/env.ts'
import { hostId } from '../../common/host-id.ts'
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import { VirtualClock } from '../../common/testing/virtual-clock.ts'
import { FileSystem } from '../filesystem.ts'
import { drive } from '../testing/drive.ts'
import { FakeCluster } from '../testing/fake-cluster.ts'
import type { ConnectOptions } from '../types.ts'

const bytes = Buffer.from(new SeededRandom(7).bytes(50_000))

function setUp(options: ConnectOptions = {}, datanodes = 3) {
  const cluster = new FakeCluster(datanodes)
  const clock = new VirtualClock()
  const env = { clock, random: new SeededRandom(1), log: silentLogger }
  const fs = new FileSystem({ uri: 'quarry://x:1', user: 'me', namenode: cluster.namenode, datanodes: cluster, env, options })
  return { cluster, clock, fs }
}

test('a replica that dies is replaced at once: the reader does not wait for anything', async () => {
  const { cluster, clock, fs } = setUp()
  cluster.addFile('/f', bytes, { blockSize: 65_536 })
  cluster.datanodes[0]!.faults.dieAfterReadBytes = 5000
  const { value, tookMs } = await drive(clock, fs.readFile('/f'))
  expect(value.equals(bytes)).toBe(true)
  expect(tookMs).toBe(0)
})

test('a replica that brings nothing for read.timeout, ten seconds, is passed over', async () => {
  const { cluster, clock, fs } = setUp()
  cluster.addFile('/f', bytes, { blockSize: 65_536 })
  cluster.datanodes[0]!.faults.stallAfterReadBytes = 5000
  const { value, tookMs } = await drive(clock, fs.readFile('/f'))
  expect(value.equals(bytes)).toBe(true)
  expect(tookMs).toBeGreaterThanOrEqual(10_000)
  expect(tookMs).toBeLessThanOrEqual(10_100)
  expect(fs.hedgedReads).toEqual({ sent: 0, won: 0, cancelled: 0 })
})

test('a silent datanode of the own host is passed over after read.timeout, too, and not asked again by the same reader', async () => {
  const { cluster, clock, fs } = setUp()
  cluster.clock = clock
  const frozen = cluster.datanodes[0]!
  frozen.id.hostId = hostId()
  frozen.faults.silent = true
  // A range worth opening the block file for.
  cluster.addFile('/large', Buffer.concat(Array.from({ length: 12 }, () => bytes)), { blockSize: 300_032 })
  const { value, tookMs } = await drive(clock, fs.readFile('/large'))
  expect(value.length).toBe(600_000)
  expect(tookMs).toBeGreaterThanOrEqual(10_000)
  expect(tookMs).toBeLessThanOrEqual(10_100)
  frozen.faults.silent = false
  expect((await drive(clock, fs.readFile('/large'))).tookMs).toBe(0)
})

test('a hedged read is also sent to another replica, the first to answer wins, the other is cancelled', async () => {
  const { cluster, clock, fs } = setUp({ hedgedReadThresholdMs: 200 })
  cluster.addFile('/f', bytes, { blockSize: 65_536 })
  cluster.datanodes[0]!.faults.stallAfterReadBytes = 5000
  const { value, tookMs } = await drive(clock, fs.readFile('/f'))
  expect(value.equals(bytes)).toBe(true)
  expect(tookMs).toBeLessThanOrEqual(300)
  expect(fs.hedgedReads).toEqual({ sent: 1, won: 1, cancelled: 1 })
})

test('a hedged read whose second replica is silent too goes on with whichever comes; with nobody else it waits for the first', async () => {
  const { cluster, clock, fs } = setUp({ hedgedReadThresholdMs: 200 })
  cluster.addFile('/f', bytes, { blockSize: 65_536 })
  cluster.datanodes[0]!.faults.stallAfterReadBytes = 0
  cluster.datanodes[1]!.faults.stallAfterReadBytes = 0
  const both = await drive(clock, fs.readFile('/f'))
  expect(both.value.equals(bytes)).toBe(true)
  expect(both.tookMs).toBeLessThanOrEqual(10_500)
  const single = setUp({ hedgedReadThresholdMs: 200 })
  single.cluster.addFile('/f', bytes, { blockSize: 65_536, nodes: [0] })
  expect((await drive(single.clock, single.fs.readFile('/f'))).value.equals(bytes)).toBe(true)
  expect(single.fs.hedgedReads.sent).toBe(0)
})

test('a read that nothing delays is not hedged', async () => {
  const { cluster, clock, fs } = setUp({ hedgedReadThresholdMs: 1 })
  cluster.addFile('/f', bytes)
  expect((await drive(clock, fs.readFile('/f'))).value.equals(bytes)).toBe(true)
  expect(fs.hedgedReads).toEqual({ sent: 0, won: 0, cancelled: 0 })
})

test('a hedged read whose first replica turns out corrupt reports it, since the other was good', async () => {
  const { cluster, clock, fs } = setUp({ hedgedReadThresholdMs: 200 })
  cluster.addFile('/f', bytes, { blockSize: 65_536 })
  const { block } = cluster.file('/f').blocks[0]!
  cluster.datanodes[0]!.replicas.get(block.blockId)!.bytes[20_000]! ^= 1
  expect((await drive(clock, fs.readFile('/f'))).value.equals(bytes)).toBe(true)
  expect(cluster.callsOf('reportBadBlocks')).toEqual([{ blocks: [{ block, datanodeUuid: 'dn0', storageUuid: 's-dn0' }] }])
})

test('of corrupt replicas only those are reported where another was good, also when the reader stops early', async () => {
  const { cluster, clock, fs } = setUp()
  cluster.addFile('/f', bytes, { blockSize: 65_536 })
  const { block } = cluster.file('/f').blocks[0]!
  cluster.datanodes[0]!.replicas.get(block.blockId)!.bytes[10_000]! ^= 1
  for (const node of [1, 2]) cluster.datanodes[node]!.replicas.get(block.blockId)!.bytes[40_000]! ^= 1
  await expect(drive(clock, fs.readFile('/f'))).rejects.toMatchObject({ code: 'CHECKSUM' })
  expect(cluster.callsOf('reportBadBlocks').map((request) => request.blocks.map((one) => one.datanodeUuid))).toEqual([['dn0']])

  const early = setUp()
  early.cluster.addFile('/f', bytes, { blockSize: 65_536 })
  const second = early.cluster.file('/f').blocks[0]!.block
  early.cluster.datanodes[0]!.replicas.get(second.blockId)!.bytes[10_000]! ^= 1
  await using reader = await early.fs.open('/f')
  let got = 0
  for await (const part of reader.stream()) if ((got += part.length) > 20_000) break
  expect(early.cluster.callsOf('reportBadBlocks')).toHaveLength(1)
})

test('a file opens while an append sets its pipeline up and no datanode knows the replica for a moment', async () => {
  const { cluster, clock, fs } = setUp()
  cluster.addFile('/f', bytes.subarray(0, 3000))
  await fs.append('/f')
  const { block } = cluster.file('/f').blocks[0]!
  const kept = cluster.datanodes.map((node) => node.replicas.get(block.blockId)!)
  for (const node of cluster.datanodes) node.replicas.delete(block.blockId)
  clock.after(1500, () => cluster.datanodes.forEach((node, i) => node.replicas.set(block.blockId, kept[i]!)))
  const { value, tookMs } = await drive(clock, fs.readFile('/f'))
  expect(value.equals(bytes.subarray(0, 3000))).toBe(true)
  expect(tookMs).toBeGreaterThanOrEqual(1500)
})

test('a file being written opens with the length of a live replica when the first datanode is down, and of a silent one after a moment', async () => {
  const { cluster, clock, fs } = setUp()
  const writer = await fs.create('/f')
  await writer.write(bytes.subarray(0, 3000))
  await writer.hflush()
  cluster.datanodes[0]!.alive = false
  expect((await drive(clock, fs.readFile('/f'))).value.equals(bytes.subarray(0, 3000))).toBe(true)
  cluster.datanodes[0]!.alive = true
  cluster.datanodes[0]!.faults.silent = true
  const { value, tookMs } = await drive(
    clock,
    fs.readFile('/f').then((read) => read.length),
  )
  expect(value).toBe(3000)
  expect(tookMs).toBeLessThan(12_000)
})

test('no datanode of a block being written can be asked: BLOCK_MISSING after a bounded time', async () => {
  const { cluster, clock, fs } = setUp()
  const writer = await fs.create('/f')
  await writer.write(bytes.subarray(0, 3000))
  await writer.hflush()
  for (const node of cluster.datanodes) node.alive = false
  await expect(drive(clock, fs.open('/f'), 60_000)).rejects.toMatchObject({ code: 'BLOCK_MISSING' })
})

test('the last block of an open file is found again after more than one refresh, and after more blocks follow it', async () => {
  const { cluster, clock, fs } = setUp({ blockSize: 4096 })
  const writer = await fs.create('/f')
  await writer.write(bytes.subarray(0, 3000))
  await writer.hflush()
  await using reader = await fs.open('/f')
  await writer.write(bytes.subarray(3000, 10_000))
  await writer.close()
  // Every replica is silent for two rounds.
  const { block } = cluster.file('/f').blocks[0]!
  const kept = cluster.datanodes.map((node) => node.replicas.get(block.blockId)!)
  for (const node of cluster.datanodes) node.replicas.delete(block.blockId)
  clock.after(700, () => cluster.datanodes.forEach((node, i) => node.replicas.set(block.blockId, kept[i]!)))
  const { value } = await drive(clock, collect(reader.stream()))
  expect(value.equals(bytes.subarray(0, 3000))).toBe(true)
})
