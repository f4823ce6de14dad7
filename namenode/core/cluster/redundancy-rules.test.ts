// The redundancy rows of the integrity rules, one test a sentence; redundancy.test.ts has the older half.
import { describe, expect, test } from 'vitest'
import { ReceivedKind, ReplicaState } from '../../../proto/ports.ts'
import type { BlockRecord } from '../model.ts'
import { ClusterFixture } from './testing/cluster-fixture.ts'

function written(cluster: ClusterFixture, id: number, on: readonly number[], replication = 3): BlockRecord {
  const block = cluster.addBlock(id, { replication })
  for (const index of on) cluster.nodes[index]!.received(block, ReceivedKind.RECEIVED, false)
  cluster.settle()
  return block
}

const copies = (cluster: ClusterFixture) => cluster.nodes.flatMap((node) => node.copies())

/** A file's replication as setReplication changes it. */
function want(cluster: ClusterFixture, block: BlockRecord, replication: number): void {
  const file = cluster.store.tx.inode(block.fileId)!
  cluster.store.tx.putInode({ ...file, replication } as typeof file)
  cluster.manager.committed([{ kind: 'replication-changed', blocks: [block], replication }])
  cluster.settle()
}

describe('source choice and throttling', () => {
  test('the most urgent blocks are copied first when streams are scarce', () => {
    const cluster = new ClusterFixture({ streamsMax: 1 })
    // Nobody has room for copies yet.
    cluster.addNodes(2, () => ({ remaining: 10 }))
    for (let id = 1; id <= 6; id++) written(cluster, id, [0, 1], 3)
    for (let id = 50; id <= 53; id++) written(cluster, id, [0], 2)
    expect(copies(cluster)).toEqual([])
    cluster.addNodes(1)
    // Two of the most urgent from their only holder; of the others one, from the holder that has a stream left.
    expect(cluster.nodes[0]!.copies().map((copy) => copy.blockId >= 50)).toEqual([true, true])
    expect(cluster.nodes[1]!.copies().map((copy) => copy.blockId < 50)).toEqual([true])
  })

  test('a source has no more streams than its limit, twice as many for the most urgent', () => {
    const cluster = new ClusterFixture({ streamsMax: 2 })
    cluster.addNodes(2)
    for (let id = 1; id <= 10; id++) written(cluster, id, [0], 2)
    expect(cluster.nodes[0]!.copies()).toHaveLength(4)
    const calm = new ClusterFixture({ streamsMax: 2 })
    calm.addNodes(2)
    for (let id = 1; id <= 10; id++) written(calm, id, [0, 1], 3)
    calm.addNodes(1)
    expect(calm.nodes.slice(0, 2).map((node) => node.copies().length)).toEqual([2, 2])
  })

  test('a source that is being decommissioned is taken before one in service, beyond its soft limit', () => {
    const cluster = new ClusterFixture({ streamsMax: 1 })
    cluster.addNodes(4)
    for (let id = 1; id <= 2; id++) written(cluster, id, [0, 1, 2])
    cluster.manager.admin.setNodeState(['dn-1'], 'decommission', 0)
    cluster.settle()
    cluster.manager.redundancyRound()
    expect(cluster.nodes.map((node) => node.copies().length)).toEqual([2, 0, 0, 0])
  })

  test('sources that are disconnected, dead or corrupt are never asked', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(5)
    const block = written(cluster, 1, [0, 1, 2])
    cluster.nodes[0]!.disconnect()
    cluster.manager.reportBad('dn-2', '', block)
    cluster.settle()
    expect(cluster.nodes.map((node) => node.copies().length)).toEqual([0, 0, 1, 0, 0])
  })

  test('blocks that cannot be helped do not keep one that can waiting', () => {
    const cluster = new ClusterFixture()
    // Blocks on every node that want more copies than there are nodes: nothing can be done for them.
    cluster.addNodes(3)
    for (let id = 1; id <= 700; id++) written(cluster, id, [0, 1, 2], 4)
    cluster.manager.redundancyRound()
    expect(copies(cluster)).toEqual([])
    written(cluster, 900, [0, 1], 3)
    expect(copies(cluster).map((copy) => copy.blockId)).toEqual([900])
  })
})

describe('racks', () => {
  test('when a second rack appears, blocks on one rack are copied there and the crowd loses one', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(3, () => ({ rack: '/a' }))
    const blocks = [1, 2, 3].map((id) => written(cluster, id, [0, 1, 2]))
    expect(copies(cluster)).toEqual([])
    cluster.addNodes(1, () => ({ rack: '/b' }))
    for (let round = 0; round < 3; round++) {
      cluster.manager.redundancyRound()
      cluster.settle()
    }
    expect(copies(cluster).toSorted((a, b) => a.blockId - b.blockId)).toEqual(blocks.map(({ blockId }) => ({ blockId, targets: ['dn-4'] })))
    for (const block of blocks) cluster.nodes[3]!.received(block)
    expect(cluster.nodes[3]!.invalidated()).toEqual([])
    expect(cluster.nodes.flatMap((node) => node.invalidated()).toSorted()).toEqual([1, 2, 3])
    expect(cluster.manager.counts()).toMatchObject({ underReplicated: 0, pendingCopies: 0 })
  })

  test('a misplaced block is not copied within its rack when the other rack has no room', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(4, (i) => ({ rack: i < 3 ? '/a' : '/b', remaining: i === 3 ? 10 : 1024 ** 3 }))
    written(cluster, 1, [0, 1], 2)
    cluster.manager.redundancyRound()
    expect(copies(cluster)).toEqual([])
    expect(cluster.manager.admin.replicas([1])).toMatchObject([{ misplaced: true, racksMissing: 1, queued: true }])
  })

  test('what is too much never leaves a block on fewer racks', () => {
    const cluster = new ClusterFixture()
    // The only node of the second rack has least room: it would lose its copy first.
    cluster.addNodes(4, (i) => ({ rack: i === 3 ? '/b' : '/a', remaining: (10 - i) * 1024 ** 3 }))
    const block = written(cluster, 1, [0, 1, 2, 3], 4)
    want(cluster, block, 2)
    expect(cluster.nodes.map((node) => node.invalidated())).toEqual([[], [1], [1], []])
  })

  test('a rack whose nodes are all out of service is none that copies could be wanted on', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(4, (i) => ({ rack: i === 3 ? '/b' : '/a' }))
    cluster.manager.admin.setNodeState(['dn-4'], 'decommission', 0)
    written(cluster, 1, [0, 1, 2])
    for (let round = 0; round < 3; round++) {
      cluster.manager.redundancyRound()
      cluster.settle()
    }
    expect(cluster.manager.admin.replicas([1])).toMatchObject([{ misplaced: false }])
    expect(cluster.manager.datanodes(0)[3]!.adminState).toBe('Decommissioned')
  })
})

describe('corrupt copies', () => {
  test('all of them corrupt: none is deleted, none copied, the block is listed and still served', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(4)
    const block = written(cluster, 1, [0, 1, 2])
    for (const uuid of ['dn-1', 'dn-2', 'dn-3']) cluster.manager.reportBad(uuid, '', block)
    cluster.settle()
    cluster.manager.redundancyRound()
    const wasCopied = copies(cluster).length
    cluster.manager.redundancyRound()
    expect(copies(cluster)).toHaveLength(wasCopied)
    expect(cluster.nodes.slice(0, 3).flatMap((node) => node.invalidated())).toEqual([])
    expect(cluster.manager.isCorrupt(1)).toBe(true)
    expect(cluster.manager.locations(block, '')).toHaveLength(3)
    expect(cluster.manager.admin.corruptFiles('/', 0).files.map((file) => file.blockId)).toEqual([1])
    expect(cluster.manager.admin.replicas([1])[0]!.replicas.map((replica) => replica.state)).toEqual(['CORRUPT', 'CORRUPT', 'CORRUPT'])
  })

  test('none is deleted while no good one is live, even of more than the file wants, where no good copy is demanded to close a file', () => {
    const cluster = new ClusterFixture({ replicationMin: 0 })
    cluster.addNodes(5)
    const block = written(cluster, 1, [0, 1, 2])
    for (const uuid of ['dn-1', 'dn-2', 'dn-3']) cluster.manager.reportBad(uuid, '', block)
    cluster.settle()
    want(cluster, block, 2)
    cluster.manager.redundancyRound()
    expect(cluster.nodes.flatMap((node) => node.invalidated())).toEqual([])
    expect(cluster.manager.locations(block, '')).toHaveLength(3)
  })

  test('one with an older stamp than the block goes as soon as the minimum of good ones is there', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(3)
    const block = written(cluster, 1, [0, 1], 3)
    cluster.nodes[2]!.received({ ...block, genstamp: block.genstamp - 1 })
    expect(cluster.nodes.map((node) => node.invalidated())).toEqual([[], [], [1]])
  })
})

describe('reports that race with other changes', () => {
  test('a report of a deleted block, sent before the deletion arrived, orders the deletion again', () => {
    const cluster = new ClusterFixture()
    const [node] = cluster.addNodes(1)
    const block = written(cluster, 1, [0], 1)
    cluster.manager.committed([{ kind: 'blocks-deleted', blocks: [block] }])
    cluster.store.tx.deleteBlock(1)
    cluster.settle()
    node!.report([{ block }])
    expect(node!.invalidated()).toEqual([1, 1])
    expect(cluster.manager.counts().replicas).toBe(0)
  })

  test('a report of the version before an append is not taken for the block, and does not destroy the replica that is being written', () => {
    const cluster = new ClusterFixture()
    const [node] = cluster.addNodes(1)
    const old = written(cluster, 1, [0], 1)
    const open = cluster.addBlock(1, { state: 'under-construction', genstamp: old.genstamp + 1, replication: 1 })
    const place = cluster.manager.location('dn-1', 'dn-1-s0')!
    cluster.manager.committed([{ kind: 'pipeline-updated', block: open, replication: 1, targets: [place] }])
    node!.report([{ block: old }])
    expect(node!.invalidated()).toEqual([])
    const block = cluster.addBlock(1, { genstamp: old.genstamp + 1, length: 150, replication: 1 })
    cluster.manager.committed([{ kind: 'block-committed', block, replication: 1 }])
    cluster.nodes[0]!.received(block)
    expect(cluster.manager.liveReplicas(block)).toBe(1)
    expect(node!.invalidated()).toEqual([])
  })

  test('a node that comes back with old data: its stale replica is not counted, not served, and goes', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(3)
    const old = written(cluster, 1, [0, 1], 2)
    cluster.silence(61_000, [cluster.nodes[0]!])
    const block = cluster.addBlock(1, { genstamp: old.genstamp + 5, length: 500, replication: 2 })
    for (const index of [1, 2]) cluster.nodes[index]!.received(block)
    cluster.nodes[0]!.register()
    cluster.nodes[0]!.report([{ block: old }])
    expect(cluster.manager.liveReplicas(block)).toBe(2)
    expect(
      cluster.manager
        .locations(block, '')
        .map((place) => place.datanode!.uuid)
        .toSorted(),
    ).toEqual(['dn-2', 'dn-3'])
    expect(cluster.nodes[0]!.invalidated()).toEqual([1])
  })

  test('a replica that waits to be recovered is corrupt beside a complete block, and only remembered beside one that is not', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(3)
    const whole = written(cluster, 1, [0, 1], 2)
    cluster.nodes[2]!.report([{ block: whole, state: ReplicaState.REPLICA_RWR }])
    expect(cluster.nodes[2]!.invalidated()).toEqual([1])
    const lost = cluster.addBlock(2, { replication: 2 })
    cluster.nodes[2]!.report([{ block: lost, state: ReplicaState.REPLICA_RWR }])
    expect(cluster.nodes[2]!.invalidated()).toEqual([1])
    expect(cluster.manager.liveReplicas(lost)).toBe(0)
  })
})

test('orders leave the moment they are decided, not at the next heartbeat', () => {
  const cluster = new ClusterFixture()
  cluster.addNodes(3)
  const block = cluster.addBlock(1, { replication: 2 })
  cluster.nodes[0]!.received(block)
  // No heartbeat and no round of the worker since: only the callback that was deferred.
  expect(copies(cluster)).toHaveLength(1)
  cluster.manager.committed([{ kind: 'blocks-deleted', blocks: [block] }])
  cluster.settle()
  expect(cluster.nodes[0]!.invalidated()).toEqual([1])
})
