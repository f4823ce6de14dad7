// Calls of operators: who may make them, and what they refuse.
import { describe, expect, test } from 'vitest'
import { ReceivedKind } from '../../proto/ports.ts'
import type { Method } from '../../proto/ports.ts'
import { ClusterFixture } from '../core/cluster/testing/cluster-fixture.ts'
import { clusterCalls } from './cluster-calls.ts'
import type { OperatorFiles } from './operator-files.ts'

const contextOf = (user: string, isSuper: boolean) => ({
  context: { user, realUser: '', groups: [], remoteAddress: '', clientId: '', callId: 0, retryCount: 0, callerContext: '' },
  caller: { user, groups: [], isSuper, address: '' },
})

function setUp() {
  const cluster = new ClusterFixture()
  const saved = new Map<string, string>()
  const outside: OperatorFiles = {
    hostLists: async () => ({ include: [], exclude: ['host1'] }),
    rackOf: async () => undefined,
    save: async (name, text) => (saved.set(name, text), `/log/${name}`),
  }
  const calls = clusterCalls({ cluster: cluster.manager, view: cluster.store.tx, outside })
  const call = async (method: Method, request: object, user = 'root'): Promise<object> =>
    await (calls[method] as (of: object, asked: object) => object)(contextOf(user, user === 'root'), request)
  return { cluster, saved, call }
}

describe('who may', () => {
  test.each([
    ['setNodeState', 'setNodeState', { nodes: ['dn-1'], action: 1, maintenanceUntilMs: 0 }],
    ['refreshNodes', 'refreshNodes', {}],
    ['setBalancerBandwidth', 'setBalancerBandwidth', { bytesPerSecond: 1_000_000 }],
    ['metasave', 'metaSave', { filename: 'x' }],
    ['moveReplicas', 'moveReplicas', { moves: [] }],
    ['replicateBlocks', 'replicateBlocks', { blockIds: [] }],
    ['listCorruptFiles', 'listCorruptFileBlocks', { path: '/', afterBlockId: 0 }],
    ['getReplicas', 'fsck', { blockIds: [] }],
    ['getNodeBlocks', 'getBlocks', { datanode: 'dn-1', bytes: 1, minBlockBytes: 0, afterBlockId: 0 }],
    ['setSafeMode', 'safemode_enter', { action: 1 }],
  ] as const)('%s is for the superuser, and the denial names the operation', async (method, operation, request) => {
    const { call } = setUp()
    await expect(call(method, request, 'bob')).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: `Access denied for user bob. Superuser privilege is required for operation ${operation}`,
    })
  })

  test('anybody may see the datanodes, the figures and whether safe mode is on', async () => {
    const { cluster, call } = setUp()
    cluster.addNodes(2)
    expect(await call('getDatanodeReport', { filter: 0 }, 'bob')).toMatchObject({ datanodes: [{ live: true }, { live: true }] })
    expect(await call('getFsStats', {}, 'bob')).toMatchObject({ safeMode: false })
    expect(await call('setSafeMode', { action: 0 }, 'bob')).toEqual({ on: false, reason: '' })
  })
})

describe('what they do', () => {
  test('bandwidth goes to every datanode at once and is kept; too little is refused', async () => {
    const { cluster, call } = setUp()
    cluster.addNodes(2)
    await call('setBalancerBandwidth', { bytesPerSecond: 1_000_000 })
    expect(cluster.nodes.map((node) => node.sent.at(-1))).toEqual(cluster.nodes.map(() => ({ bandwidth: { balancingBytes: 1_000_000 } })))
    expect(cluster.records).toContain('"balancerBandwidth":1000000')
    await expect(call('setBalancerBandwidth', { bytesPerSecond: 5 })).rejects.toThrow("The balancer's bandwidth must be at least 1024")
  })

  test('refreshNodes reads the lists again', async () => {
    const { cluster, call } = setUp()
    cluster.addNodes(2)
    await call('refreshNodes', {})
    expect(cluster.manager.datanodes(3).map((node) => node.datanode?.uuid)).toEqual(['dn-1'])
  })

  test('one call names a thousand blocks at most', async () => {
    const { call } = setUp()
    const blockIds = Array.from({ length: 1_001 }, (_, i) => i)
    await expect(call('getReplicas', { blockIds })).rejects.toThrow('One call may name at most 1000 blocks, not 1001.')
  })

  test('the blocks of a node come in parts from a random place on, all of them in one pass, though some go meanwhile', async () => {
    const { cluster, call } = setUp()
    const [node] = cluster.addNodes(2)
    const blocks = Array.from({ length: 3_000 }, (_, i) => cluster.addBlock(i + 1, { replication: 1 }))
    node!.report(blocks.map((block) => ({ block })))
    const begins = new Set<number>()
    for (let pass = 0; pass < 20; pass++) {
      const gone = blocks[pass]!
      const seen: number[] = []
      for (let after = 0, more = true; more;) {
        const page = (await call('getNodeBlocks', { datanode: 'dn-1', bytes: 10_000, minBlockBytes: 0, afterBlockId: after })) as {
          blocks: { block: { blockId: number } }[]
          lastBlockId: number
          more: boolean
        }
        if (after === 0) begins.add(page.blocks[0]!.block.blockId)
        for (const { block } of page.blocks) seen.push(block.blockId)
        after = page.lastBlockId
        more = page.more
        // What the last answer ended with may be deleted before the next call.
        if (pass > 0 && after !== 0) node!.received(gone, ReceivedKind.DELETED)
      }
      expect(new Set(seen).size).toBe(seen.length)
      const stay = blocks.slice(pass + 1).map((block) => block.blockId)
      expect(stay.filter((blockId) => !seen.includes(blockId))).toEqual([])
    }
    expect(begins.size).toBeGreaterThan(3)
    await expect(call('getNodeBlocks', { datanode: 'dn-9', bytes: 1, minBlockBytes: 0, afterBlockId: 0 })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
    await expect(call('getNodeBlocks', { datanode: 'dn-1', bytes: 1, minBlockBytes: 0, afterBlockId: -1 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    expect(await call('getNodeBlocks', { datanode: 'dn-1', bytes: 1e9, minBlockBytes: 101, afterBlockId: 0 })).toMatchObject({
      blocks: [],
      more: false,
    })
  })

  test('a place of a namenode that has restarted since goes on in what there is, and ends', async () => {
    const { cluster, call } = setUp()
    const [node] = cluster.addNodes(1)
    node!.report(Array.from({ length: 600 }, (_, i) => ({ block: cluster.addBlock(i + 1, { replication: 1 }) })))
    let after = 1 + 50 * 2 ** 26 + 70
    for (let calls = 0; after !== 0; calls++) {
      expect(calls).toBeLessThan(10)
      after = (
        (await call('getNodeBlocks', { datanode: 'dn-1', bytes: 1, minBlockBytes: 0, afterBlockId: after })) as { lastBlockId: number }
      ).lastBlockId
    }
  })

  test('files without a good copy are listed below a path, in pages', async () => {
    const { cluster, call } = setUp()
    cluster.addNodes(1)
    for (let id = 1; id <= 3; id++) {
      const block = cluster.addBlock(id, { replication: 1 })
      cluster.nodes[0]!.received(block)
      cluster.manager.reportBad('dn-1', '', block)
    }
    cluster.settle()
    expect(await call('listCorruptFiles', { path: '/', afterBlockId: 1 })).toMatchObject({
      files: [{ blockId: 2 }, { blockId: 3 }],
      lastBlockId: 3,
      more: false,
    })
    expect(await call('listCorruptFiles', { path: '/elsewhere', afterBlockId: 0 })).toMatchObject({ files: [], lastBlockId: 3 })
  })

  test('metasave has the shape of HDFS', async () => {
    const { cluster, saved, call } = setUp()
    cluster.addNodes(3, (i) => (i === 2 ? { rack: '/r2' } : {}))
    const block = cluster.addBlock(1, { replication: 5 })
    for (const node of cluster.nodes) node.received(block, ReceivedKind.RECEIVED)
    cluster.manager.admin.setNodeState(['dn-1'], 'decommission', 0)
    cluster.settle()
    expect(await call('metasave', { filename: 'm.txt' })).toEqual({ path: '/log/m.txt' })
    const text = saved.get('m.txt')!
    expect(text).toContain('Live Datanodes: 3\nDead Datanodes: 0\nMetasave: Blocks waiting for reconstruction: 1\n')
    expect(text).toContain(
      'blk_1_2000 (replicas: live: 2 decommissioning and decommissioned: 1 corrupt: 0 in excess: 0 maintenance mode: 0)  ',
    )
    expect(text).toContain(' 10.0.0.1:9868(decommissioned) :')
    expect(text).toContain(
      'Metasave: Blocks currently missing: 0\nMis-replicated blocks that have been postponed:\nMetasave: Blocks being reconstructed: 0\n' +
        'Metasave: Blocks 0 waiting deletion from 0 datanodes.\nCorrupt Blocks:\nMetasave: Number of datanodes: 3\n',
    )
    expect(text).toMatch(
      /10\.0\.0\.1:9868 DP 107374182400\(100\.00 GB\) 0\(0 B\) 0\.00% 53687091200\(50\.00 GB\) 0\(0 B\) 0\(0 B\) 100\.00% 0\(0 B\) \w{3} \w{3} \d\d /,
    )
    expect(text).toContain('\n10.0.0.3:9868 /r2 IN ')
  })
})
