// One datanode of a pipeline fails: each place, at each moment of a block's life, in each way. Every cell ends with every byte on
// every datanode that the namenode counts, the right one blamed, within the time that was promised.
import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../common/env.ts'
import { packetBytesMax, pipelinePatienceMs } from '../../common/limits.ts'
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import { VirtualClock } from '../../common/testing/virtual-clock.ts'
import { FileSystem } from '../filesystem.ts'
import { drive } from '../testing/drive.ts'
import { FakeCluster } from '../testing/fake-cluster.ts'
import type { Faults } from '../testing/fake-cluster.ts'
import type { ConnectOptions } from '../types.ts'

const blockSize = 8 * packetBytesMax
const bytes = Buffer.from(new SeededRandom(3).bytes(3 * packetBytesMax + 700))
/** Packets of `bytes` before the closing one. */
const packets = 4

function setUp(options: ConnectOptions = {}, datanodes = 4) {
  const cluster = new FakeCluster(datanodes)
  const clock = new VirtualClock()
  cluster.clock = clock
  const env = { clock, random: new SeededRandom(1), log: silentLogger }
  const parts = { uri: 'quarry://x:1', user: 'me', namenode: cluster.namenode, datanodes: cluster, env }
  return { cluster, clock, fs: new FileSystem({ ...parts, options: { blockSize, replication: 3, ...options } }) }
}

/** The datanodes that the namenode counts; each holds the whole file under the stamp of its only block. */
function holders(cluster: FakeCluster): string[] {
  const file = cluster.file('/f')
  expect(file.open).toBe(false)
  const { block, nodes } = file.blocks[0]!
  expect(block.length).toBe(bytes.length)
  for (const uuid of nodes) {
    const replica = cluster.node(uuid).replicas.get(block.blockId)!
    expect([replica.final, replica.genstamp, replica.bytes.equals(bytes)]).toEqual([true, block.genstamp, true])
  }
  return nodes
}

type Moment = 'connect' | 'data' | 'hflush' | 'close'
type Way = 'kill' | 'stall' | 'corrupt' | 'restart'

function fault(way: Way, moment: Moment): Faults | 'dead' {
  const after = { connect: 0, data: 1, hflush: packets - 1, close: packets }[moment]
  if (moment === 'connect') return way === 'kill' ? 'dead' : { stallSetup: true }
  switch (way) {
    case 'kill':
      return { dieAfterPackets: after }
    case 'stall':
      return { stallAfterPackets: after }
    case 'corrupt':
      return { corruptAfterPackets: after }
    case 'restart':
      return { restartAfterPackets: after, restartProbes: 7 }
  }
}

async function writeAll(fs: FileSystem, moment: Moment): Promise<void> {
  const writer = await fs.create('/f')
  await writer.write(bytes)
  if (moment === 'hflush') await writer.hflush()
  await writer.close()
}

const places = [
  ['first', 0],
  ['middle', 1],
  ['last', 2],
] as const
const cells = (ways: readonly Way[], moments: readonly Moment[]) =>
  places.flatMap(([place, index]) => ways.flatMap((way) => moments.map((moment) => ({ place, index, way, moment }))))

describe('one datanode of three fails', () => {
  test.each([...cells(['kill', 'stall'], ['connect', 'data', 'hflush', 'close']), ...cells(['corrupt'], ['data', 'hflush'])])(
    '$way of the $place datanode at $moment',
    async ({ index, way, moment }) => {
      const { cluster, clock, fs } = setUp()
      const victim = cluster.datanodes[index]!
      const what = fault(way, moment)
      if (what === 'dead') victim.alive = false
      else victim.faults = what
      const { tookMs } = await drive(clock, writeAll(fs, moment))
      const nodes = holders(cluster)
      expect(nodes).not.toContain(victim.id.uuid)
      // A block that was flushed gets another datanode (DEFAULT); a new one is placed anew; the rest go on with two.
      expect(nodes).toHaveLength(moment === 'connect' || moment === 'hflush' ? 3 : 2)
      if (way === 'stall') {
        expect(tookMs).toBeGreaterThanOrEqual(60_000)
        expect(tookMs).toBeLessThanOrEqual(pipelinePatienceMs(60_000, 3) + 1_000)
      } else expect(tookMs).toBe(0)
    },
  )

  test.each(cells(['restart'], ['data', 'hflush', 'close']))(
    'restart of the $place datanode at $moment: it is waited for and stays in the pipeline',
    async ({ index, way, moment }) => {
      const { cluster, clock, fs } = setUp()
      cluster.datanodes[index]!.faults = fault(way, moment) as Faults
      const { tookMs } = await drive(clock, writeAll(fs, moment))
      expect(holders(cluster)).toEqual(['dn0', 'dn1', 'dn2'])
      expect(tookMs).toBeGreaterThanOrEqual(2_000)
      expect(tookMs).toBeLessThanOrEqual(2_200)
      expect(cluster.callsOf('updatePipeline')).toHaveLength(1)
    },
  )

  test.each(places)('with a shorter ack.timeout a stall of the %s datanode is noticed sooner, and still blamed on it', async (_, index) => {
    const { cluster, clock, fs } = setUp({ ackTimeoutMs: 4_000 })
    cluster.datanodes[index]!.faults = { stallAfterPackets: 1 }
    const { tookMs } = await drive(clock, writeAll(fs, 'data'))
    expect(holders(cluster)).not.toContain(`dn${index}`)
    expect(tookMs).toBeLessThanOrEqual(7_100)
  })
})

test('a datanode that does not come back within datanode.restart.timeout is lost', async () => {
  const { cluster, clock, fs } = setUp({ datanodeRestartTimeoutMs: 5_000 })
  cluster.datanodes[1]!.faults = { restartAfterPackets: 1, restartProbes: 1_000 }
  const { tookMs } = await drive(clock, writeAll(fs, 'data'))
  expect(holders(cluster)).toEqual(['dn0', 'dn2'])
  expect(tookMs).toBeGreaterThanOrEqual(5_000)
  expect(tookMs).toBeLessThanOrEqual(6_000)
})

test('the only datanode restarts: the writer waits for it', async () => {
  const { cluster, clock, fs } = setUp({ replication: 1 }, 1)
  cluster.datanodes[0]!.faults = { restartAfterPackets: 1, restartProbes: 20 }
  await drive(clock, writeAll(fs, 'data'))
  expect(holders(cluster)).toEqual(['dn0'])
})

test('two datanodes fail at once: each is found by its id, the last one carries the block', async () => {
  const { cluster, clock, fs } = setUp({ replaceDatanode: 'never' }, 3)
  cluster.datanodes[0]!.faults = { dieAfterPackets: 2 }
  cluster.datanodes[1]!.faults = { dieAfterPackets: 2 }
  await drive(clock, writeAll(fs, 'data'))
  expect(holders(cluster)).toEqual(['dn2'])
})

test('two of three are lost: DEFAULT takes another on, with the bytes so far, and the block ends with what was there before it', async () => {
  const { cluster, clock, fs } = setUp()
  cluster.datanodes[0]!.faults = { dieAfterPackets: 2 }
  cluster.datanodes[1]!.faults = { dieAfterPackets: 2 }
  await drive(clock, writeAll(fs, 'data'))
  expect(holders(cluster)).toEqual(['dn2', 'dn3'])
})

test('ALWAYS replaces the one lost of three; NEVER does not though bytes were flushed', async () => {
  for (const [replaceDatanode, moment, expected] of [
    ['always', 'data', ['dn0', 'dn2', 'dn3']],
    ['never', 'hflush', ['dn0', 'dn2']],
  ] as const) {
    const { cluster, clock, fs } = setUp({ replaceDatanode })
    cluster.datanodes[1]!.faults = { dieAfterPackets: moment === 'data' ? 1 : packets - 1 }
    await drive(clock, writeAll(fs, moment))
    expect(holders(cluster)).toEqual(expected)
  }
})

test('a datanode that takes no copy is excluded and another tried', async () => {
  const { cluster, clock, fs } = setUp({ replaceDatanode: 'always' }, 5)
  cluster.datanodes[1]!.faults = { dieAfterPackets: 1 }
  cluster.datanodes[3]!.faults = { refuseCopies: true }
  await drive(clock, writeAll(fs, 'data'))
  expect(holders(cluster)).toEqual(['dn0', 'dn2', 'dn4'])
  expect(cluster.callsOf('additionalDatanode').map((request) => request.excluded)).toEqual([['dn1'], ['dn1', 'dn3']])
})

test('best effort off and no other datanode: the write fails and says why', async () => {
  const { cluster, clock, fs } = setUp({ replaceDatanode: 'always', replaceDatanodeBestEffort: false }, 3)
  cluster.datanodes[1]!.faults = { dieAfterPackets: 1 }
  await expect(drive(clock, writeAll(fs, 'data'))).rejects.toMatchObject({
    code: 'PIPELINE_FAILED',
    message: expect.stringMatching(/could not be replaced, and replace\.datanode\.best\.effort is false: no datanode is left \(dn1: /),
  })
})

test('a datanode that alone is slow is dropped from the pipeline and left out of the next block', async () => {
  const { cluster, clock, fs } = setUp({ slowDatanodeThresholdMs: 100, blockSize: 16 * packetBytesMax })
  cluster.datanodes[1]!.faults = { tookMs: 400 }
  const long = Buffer.alloc(20 * packetBytesMax, 5)
  await drive(clock, fs.writeFile('/slow', long))
  expect(cluster.file('/slow').blocks.map((one) => one.nodes)).toEqual([
    ['dn0', 'dn2'],
    ['dn0', 'dn2', 'dn3'],
  ])
  const patient = setUp({ blockSize: 16 * packetBytesMax })
  patient.cluster.datanodes[1]!.faults = { tookMs: 400 }
  await drive(patient.clock, patient.fs.writeFile('/slow', long))
  expect(patient.cluster.callsOf('updatePipeline')).toEqual([])
})

test('an append whose datanode is down gets another in its place before it begins', async () => {
  const { cluster, clock, fs } = setUp()
  cluster.addFile('/f', bytes.subarray(0, 1000), { blockSize, nodes: [0, 1, 2] })
  cluster.datanodes[2]!.alive = false
  const append = async (): Promise<void> => {
    await using writer = await fs.append('/f')
    await writer.write(bytes.subarray(1000))
  }
  await drive(clock, append())
  expect(holders(cluster)).toEqual(['dn0', 'dn1', 'dn3'])
})
