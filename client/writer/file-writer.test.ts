import { expect, test } from 'vitest'
import { packetBytesMax } from '../../common/limits.ts'
import type { Env } from '../../common/env.ts'
import { systemEnv } from '../../common/system-env.ts'
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import { VirtualClock } from '../../common/testing/virtual-clock.ts'
import { FileSystem } from '../filesystem.ts'
import { FakeCluster } from '../testing/fake-cluster.ts'

const blockSize = 4 * packetBytesMax

function setUp(datanodes = 3, env?: Env) {
  const cluster = new FakeCluster(datanodes)
  const fs = new FileSystem({
    uri: 'quarry://x:1',
    user: 'me',
    namenode: cluster.namenode,
    datanodes: cluster,
    options: { blockSize },
    ...(env && { env }),
  })
  return { cluster, fs }
}

const random = (length: number, seed = 1): Buffer => Buffer.from(new SeededRandom(seed).bytes(length))

/** Every replica that the namenode counts has the bytes of the file. */
function expectStored(cluster: FakeCluster, path: string, bytes: Buffer, replicas: number): void {
  const file = cluster.file(path)
  expect(file.open).toBe(false)
  let at = 0
  for (const { block, nodes } of file.blocks) {
    expect(nodes).toHaveLength(replicas)
    for (const uuid of nodes) {
      const replica = cluster.node(uuid).replicas.get(block.blockId)!
      expect([replica.final, replica.genstamp, replica.bytes.equals(bytes.subarray(at, at + block.length))]).toEqual([
        true,
        block.genstamp,
        true,
      ])
    }
    at += block.length
  }
  expect(at).toBe(bytes.length)
}

test('a file of several blocks and a rest is on all replicas, whatever pieces it is written in', async () => {
  const { cluster, fs } = setUp()
  const bytes = random(2 * blockSize + 12_345)
  await using writer = await fs.create('/f')
  for (let at = 0, piece = 1; at < bytes.length; at += piece, piece = (piece * 7) % 3_000_000 || 1)
    await writer.write(bytes.subarray(at, at + piece))
  expect(writer.position).toBe(bytes.length)
  await writer.close()
  expectStored(cluster, '/f', bytes, 3)
  expect(cluster.file('/f').blocks.map((one) => one.block.length)).toEqual([blockSize, blockSize, 12_345])
  expect(cluster.callsOf('complete')).toHaveLength(1)
})

test('writes that are not awaited keep their order, and the buffer may be used again once one resolves', async () => {
  const { cluster, fs } = setUp()
  const writer = await fs.create('/f')
  const buffer = Buffer.alloc(700_000)
  const all: Buffer[] = []
  for (let i = 0; i < 10; i++) {
    buffer.fill(i)
    all.push(Buffer.from(buffer))
    await writer.write(buffer)
  }
  void writer.write('tail ')
  void writer.write('ends')
  await writer.close()
  expectStored(cluster, '/f', Buffer.concat([...all, Buffer.from('tail ends')]), 3)
})

test('an empty file needs no block', async () => {
  const { cluster, fs } = setUp()
  await fs.writeFile('/empty', '')
  expect(cluster.calls.map((call) => call.method)).not.toContain('addBlock')
  expect(cluster.file('/empty').open).toBe(false)
})

test.each([0, 1, 2])('datanode %i dies in the middle: the survivors hold every byte under a new stamp', async (victim) => {
  const { cluster, fs } = setUp()
  const bytes = random(blockSize - 1000)
  cluster.datanodes[victim]!.faults.dieAfterPackets = 2
  await fs.writeFile('/f', bytes)
  expectStored(cluster, '/f', bytes, 2)
  expect(cluster.callsOf('updatePipeline')).toHaveLength(1)
})

test('a datanode that dies with the closing packet costs nothing', async () => {
  const { cluster, fs } = setUp()
  const bytes = random(1000)
  cluster.datanodes[1]!.faults.dieAfterPackets = 1
  await fs.writeFile('/f', bytes)
  expectStored(cluster, '/f', bytes, 2)
})

test('two of three die one after the other; all three is a failure that names each', async () => {
  const { cluster, fs } = setUp()
  const bytes = random(blockSize - 5)
  cluster.datanodes[0]!.faults.dieAfterPackets = 1
  cluster.datanodes[2]!.faults.dieAfterPackets = 2
  await fs.writeFile('/f', bytes)
  expectStored(cluster, '/f', bytes, 1)

  const doomed = setUp()
  for (const node of doomed.cluster.datanodes) node.faults.dieAfterPackets = 2
  await expect(doomed.fs.writeFile('/f', bytes)).rejects.toThrow(
    /^Block 1073741825 cannot be written: All datanodes of the pipeline are lost \(dn0: .*dn1: .*dn2: /,
  )
  expect(doomed.cluster.file('/f').open).toBe(true)
})

test('a datanode that refuses a new block is left out of the next placement', async () => {
  const { cluster, fs } = setUp(4)
  cluster.datanodes[1]!.faults.refuseSetup = true
  const bytes = random(2 * blockSize)
  await fs.writeFile('/f', bytes)
  expectStored(cluster, '/f', bytes, 3)
  expect(cluster.callsOf('abandonBlock')).toHaveLength(1)
  expect(cluster.callsOf('addBlock').map((request) => request.excluded)).toEqual([[], ['dn1'], ['dn1']])
})

test('nobody takes the block: an error with a reason for each attempt, and nothing hangs', async () => {
  const { cluster, fs } = setUp(1)
  cluster.datanodes[0]!.faults.refuseSetup = true
  await expect(fs.writeFile('/f', random(10))).rejects.toMatchObject({
    code: 'PIPELINE_FAILED',
    message: expect.stringContaining('dn0: it refused'),
  })
})

test('a block whose datanodes the namenode does not know any more is given back, and another takes its place', async () => {
  const { cluster, fs } = setUp()
  cluster.forgottenTargets = 2
  const bytes = random(5000)
  await fs.writeFile('/f', bytes)
  expect(cluster.forgottenTargets).toBe(0)
  expect((await fs.readFile('/f')).equals(bytes)).toBe(true)
  expect((await fs.stat('/f')).length).toBe(bytes.length)
})

test('hflush makes the bytes visible, partial chunks grow, close asks until the namenode agrees', async () => {
  const { cluster, fs } = setUp()
  cluster.completeRefusals = 3
  const bytes = random(5000)
  const writer = await fs.create('/f')
  for (const to of [10, 700, 701, 1024, 3000]) {
    await writer.write(bytes.subarray(to === 10 ? 0 : { 700: 10, 701: 700, 1024: 701, 3000: 1024 }[to]!, to))
    await writer.hflush()
    await using reader = await fs.open('/f')
    expect(reader.length).toBe(to)
    const got = Buffer.alloc(to)
    expect(await reader.read(got, 0, to, 0)).toBe(to)
    expect(got.equals(bytes.subarray(0, to))).toBe(true)
  }
  await writer.hsync()
  await writer.write(bytes.subarray(3000))
  await writer.close()
  await writer.close()
  expectStored(cluster, '/f', bytes, 3)
  expect(cluster.callsOf('fsync').at(-1)).toMatchObject({ lastBlockLength: 3000 })
  expect(cluster.callsOf('complete')).toHaveLength(4)
})

test('a partial chunk that was flushed survives the loss of a datanode', async () => {
  const { cluster, fs } = setUp()
  const bytes = random(3000)
  const writer = await fs.create('/f')
  await writer.write(bytes.subarray(0, 700))
  await writer.hflush()
  cluster.datanodes[2]!.alive = false
  await writer.write(bytes.subarray(700))
  await writer.close()
  expectStored(cluster, '/f', bytes, 2)
})

test.each([700, 1024, 4096])('append after %i bytes goes on where the file ended', async (length) => {
  const { cluster, fs } = setUp()
  const bytes = random(10_000)
  cluster.addFile('/f', bytes.subarray(0, length))
  await using writer = await fs.append('/f')
  expect(writer.position).toBe(length)
  await writer.write(bytes.subarray(length, length + 50))
  await writer.hflush()
  await writer.write(bytes.subarray(length + 50))
  await writer.close()
  expectStored(cluster, '/f', bytes, 3)
})

test('append goes on without a datanode that is down', async () => {
  const { cluster, fs } = setUp()
  const bytes = random(3000)
  cluster.addFile('/f', bytes.subarray(0, 1000))
  cluster.datanodes[0]!.alive = false
  await using writer = await fs.append('/f')
  await writer.write(bytes.subarray(1000))
  await writer.close()
  expectStored(cluster, '/f', bytes, 2)
})

test('an append waits for the datanodes of the last block when the namenode does not know them yet', async () => {
  const { cluster, fs } = setUp()
  const bytes = random(3000)
  cluster.addFile('/f', bytes.subarray(0, 1000))
  cluster.forgottenPlaces = 2
  await using writer = await fs.append('/f')
  await writer.write(bytes.subarray(1000))
  await writer.close()
  expectStored(cluster, '/f', bytes, 3)
})

test('an append whose last block nobody reports says so and leaves the file to recovery', async () => {
  const clock = new VirtualClock()
  const { cluster, fs } = setUp(3, { ...systemEnv(), clock })
  cluster.addFile('/f', random(1000))
  cluster.forgottenPlaces = Infinity
  const appended = fs.append('/f').catch((error: unknown) => error)
  for (let i = 0; i < 100; i++) {
    await clock.advance(1000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(await appended).toMatchObject({ code: 'BLOCK_MISSING' })
  expect(cluster.callsOf('recoverLease').map(({ path }) => path)).toEqual(['/f'])
})

test('an append that cannot be set up asks for the recovery of the file and does not close it as it was', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/f', random(1000))
  for (const node of cluster.datanodes) node.alive = false
  await expect(fs.append('/f')).rejects.toMatchObject({ code: 'PIPELINE_FAILED' })
  expect(cluster.callsOf('complete')).toEqual([])
  expect(cluster.callsOf('recoverLease').map(({ path }) => path)).toEqual(['/f'])
})

test('an aborted writer says so and leaves the file to recovery', async () => {
  const { cluster, fs } = setUp()
  const stop = new AbortController()
  const writer = await fs.create('/f', { signal: stop.signal })
  await writer.write(random(100))
  await writer.hflush()
  stop.abort()
  await expect(writer.write(random(10))).rejects.toMatchObject({ code: 'CANCELLED' })
  await writer.close()
  expect(cluster.file('/f').open).toBe(true)
})

test('nothing is written after close', async () => {
  const { fs } = setUp()
  const writer = await fs.create('/f')
  await writer.close()
  await expect(writer.write('x')).rejects.toThrow('/f is closed for writing.')
})

test('as a Node stream and as a web stream', async () => {
  const { cluster, fs } = setUp()
  const node = (await fs.create('/node')).toNode()
  node.write('one ')
  await new Promise<void>((resolve, reject) => node.end('two', (error?: Error | null) => (error ? reject(error) : resolve())))
  expectStored(cluster, '/node', Buffer.from('one two'), 3)
  const web = (await fs.create('/web')).toWeb().getWriter()
  await web.write(Buffer.from('three'))
  await web.close()
  expectStored(cluster, '/web', Buffer.from('three'), 3)
})
