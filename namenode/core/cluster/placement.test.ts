import { describe, expect, test } from 'vitest'
import { ClusterFixture, MIB } from './testing/cluster-fixture.ts'
import { hostOf } from './placement.ts'

const request = { caller: '10.9.9.9', wanted: 3, existing: [], excluded: [], favored: [], blockSize: 128 * MIB }
const uuids = (placement: { targets: readonly { datanode: { uuid: string } | null }[] }) =>
  placement.targets.map((target) => target.datanode!.uuid)

describe('placement', () => {
  test('takes as many different nodes as wanted, or as there are', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(4)
    expect(new Set(uuids(cluster.manager.chooseTargets(request))).size).toBe(3)
    expect(uuids(cluster.manager.chooseTargets({ ...request, wanted: 9 })).sort()).toEqual(['dn-1', 'dn-2', 'dn-3', 'dn-4'])
  })

  test("puts the first replica on the writer's own host", () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(5)
    for (let i = 0; i < 20; i++) expect(uuids(cluster.manager.chooseTargets({ ...request, caller: '10.0.0.4:51234' }))[0]).toBe('dn-4')
  })

  test('spreads over two racks as HDFS does: second elsewhere, third beside the second', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(6, (i) => ({ rack: i < 3 ? '/a' : '/b' }))
    for (let i = 0; i < 20; i++) {
      const racks = cluster.manager.chooseTargets({ ...request, caller: '10.0.0.1' }).targets.map((target) => target.datanode!.rack)
      expect(racks).toEqual(['/a', '/b', '/b'])
    }
  })

  test('gives racks up rather than replicas', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(3, (i) => ({ rack: i < 2 ? '/a' : '/b' }))
    expect(uuids(cluster.manager.chooseTargets(request)).sort()).toEqual(['dn-1', 'dn-2', 'dn-3'])
  })

  test('prefers the less loaded of two', () => {
    const cluster = new ClusterFixture()
    const [busy] = cluster.addNodes(2)
    cluster.manager.heartbeat(busy!.node, {
      storages: busy!.registration().storages,
      xceivers: 100,
      transfers: 0,
      nonDfsUsed: 0,
      slowPeers: [],
    })
    let onBusy = 0
    for (let i = 0; i < 200; i++) if (uuids(cluster.manager.chooseTargets({ ...request, wanted: 1 }))[0] === 'dn-1') onBusy++
    // Only when both draws hit the busy one.
    expect(onBusy).toBeLessThan(100)
  })

  test('a node with more than twice the average of streams gets nothing while others can take it, and the local one neither', () => {
    const cluster = new ClusterFixture()
    const [busy] = cluster.addNodes(4)
    const beat = (node: (typeof cluster.nodes)[number], xceivers: number) =>
      cluster.manager.heartbeat(node.node, { storages: node.registration().storages, xceivers, transfers: 0, nonDfsUsed: 0, slowPeers: [] })
    for (const node of cluster.nodes) beat(node, node === busy ? 40 : 5)
    for (let i = 0; i < 50; i++)
      expect(uuids(cluster.manager.chooseTargets({ ...request, caller: '10.0.0.1:5', wanted: 3 }))).not.toContain('dn-1')
    expect(uuids(cluster.manager.chooseTargets({ ...request, wanted: 4 }))).toHaveLength(4)
    // Where little happens nobody is busy.
    for (const node of cluster.nodes) beat(node, node === busy ? 3 : 0)
    expect(uuids(cluster.manager.chooseTargets({ ...request, caller: '10.0.0.1:5', wanted: 1 }))).toEqual(['dn-1'])
  })

  test('favoured nodes come first when they can take it', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(5)
    expect(uuids(cluster.manager.chooseTargets({ ...request, wanted: 2, favored: ['dn-5', 'unknown', 'dn-2'] }))).toEqual(['dn-5', 'dn-2'])
  })

  test('keeps what exists out of the choice and says of every other node why it cannot', () => {
    const cluster = new ClusterFixture()
    const nodes = cluster.addNodes(5, (i) => ({ remaining: i === 2 ? 5 * MIB : 1024 * MIB }))
    nodes[3]!.disconnect()
    cluster.silence(61_000, [nodes[4]!])
    const placement = cluster.manager.chooseTargets({ ...request, existing: ['dn-1'], excluded: ['dn-2'] })
    expect(placement).toEqual({
      running: 3,
      targets: [],
      refused: [
        { node: '10.0.0.2:9868', reason: 'excluded by the client' },
        { node: '10.0.0.3:9868', reason: 'not enough space: 5242880 bytes remain, a block needs 134217728' },
        { node: '10.0.0.4:9868', reason: 'dead: no heartbeat' },
        { node: '10.0.0.5:9868', reason: 'dead: no heartbeat' },
      ],
    })
  })

  test('counts the space of blocks being written as taken, until they arrive or are abandoned', () => {
    const cluster = new ClusterFixture()
    const [node] = cluster.addNodes(1, () => ({ remaining: 300 * MIB }))
    const targets = cluster.manager.chooseTargets({ ...request, wanted: 1 }).targets
    const blocks = [1, 2].map((id) => cluster.addBlock(id, { state: 'under-construction', length: 0 }))
    for (const block of blocks) cluster.manager.committed([{ kind: 'block-allocated', block, replication: 1, targets }])
    expect(cluster.manager.chooseTargets({ ...request, wanted: 1 }).refused).toEqual([
      {
        node: '10.0.0.1:9868',
        reason:
          'not enough space: 314572800 bytes remain, of which 268435456 are promised to 2 blocks being written; a block needs 134217728',
      },
    ])
    node!.received({ ...blocks[0]!, length: 10 })
    cluster.manager.committed([{ kind: 'blocks-deleted', blocks: [blocks[1]!] }])
    expect(cluster.manager.chooseTargets({ ...request, wanted: 1 }).targets).toHaveLength(1)
  })

  test('uses stale nodes only when nothing else is there', () => {
    const cluster = new ClusterFixture()
    const nodes = cluster.addNodes(3)
    cluster.silence(31_000, [nodes[0]!])
    expect(uuids(cluster.manager.chooseTargets({ ...request, wanted: 2 })).sort()).toEqual(['dn-2', 'dn-3'])
    cluster.silence(31_000, [])
    cluster.silence(31_000, nodes)
    expect(uuids(cluster.manager.chooseTargets({ ...request, wanted: 2 }))).toHaveLength(2)
  })

  test.each([
    ['127.0.0.1:4711', '127.0.0.1'],
    ['127.0.0.1', '127.0.0.1'],
    ['[::ffff:10.0.0.1]:80', '10.0.0.1'],
    ['[::1]:80', '127.0.0.1'],
    ['ipv4:10.0.0.1:80', '10.0.0.1'],
    ['host.example:80', 'host.example'],
  ])('the host of %s is %s', (address, host) => {
    expect(hostOf(address)).toBe(host)
  })
})
