import { describe, expect, test } from 'vitest'
import { ReceivedKind, ReplicaState, SafeModeAction } from '../../../proto/ports.ts'
import { priorityOf, RedundancyQueues } from './redundancy-queues.ts'
import { ClusterFixture } from './testing/cluster-fixture.ts'

describe('the five queues', () => {
  test.each([
    [{ live: 0, required: 3, outOfService: 0 }, 4],
    [{ live: 0, required: 3, outOfService: 1 }, 0],
    [{ live: 1, required: 3, outOfService: 0 }, 0],
    [{ live: 1, required: 2, outOfService: 1 }, 0],
    [{ live: 2, required: 10, outOfService: 0 }, 1],
    [{ live: 2, required: 3, outOfService: 0 }, 2],
    [{ live: 4, required: 10, outOfService: 0 }, 2],
    [{ live: 3, required: 3, outOfService: 0 }, 3],
  ] as const)('%o has priority %i', (counts, priority) => {
    expect(priorityOf(counts)).toBe(priority)
  })

  test('a block is in one queue; what was taken goes to the end', () => {
    const queues = new RedundancyQueues()
    for (const id of [1, 2, 3]) queues.set(id, 2, 3)
    expect(queues.take(2, 2)).toEqual([1, 2])
    expect(queues.take(2, 2)).toEqual([3, 1])
    queues.set(1, 0, 3)
    expect([queues.size(0), queues.size(2), queues.lowRedundancy]).toEqual([1, 2, 3])
    queues.set(2, 4, 1)
    expect([queues.lowRedundancy, queues.size(4), queues.missingSingle, queues.missing(9)]).toEqual([2, 1, 1, [2]])
    queues.delete(2)
    expect([queues.missingSingle, queues.has(2), queues.has(3)]).toEqual([0, false, true])
  })
})

function written(cluster: ClusterFixture, id: number, on: readonly number[], replication = 3) {
  const block = cluster.addBlock(id, { replication })
  for (const index of on) cluster.nodes[index]!.received(block, ReceivedKind.RECEIVED, false)
  cluster.settle()
  return block
}

const copies = (cluster: ClusterFixture) => cluster.nodes.flatMap((node) => node.copies())

describe('too few copies', () => {
  test('a copy is ordered at once from a holder to a node without one, and only once', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(3)
    const block = cluster.addBlock(1, { replication: 3 })
    cluster.nodes[0]!.received(block)
    cluster.nodes[1]!.received(block)
    const ordered = copies(cluster)
    // The first holder was told to make two; the second arrived on its own, and one is still under way.
    expect(ordered).toHaveLength(1)
    expect(ordered[0]!.targets.toSorted()).toEqual(['dn-2', 'dn-3'])
    cluster.settle()
    expect(copies(cluster)).toHaveLength(1)
    cluster.nodes[2]!.received(block)
    expect(cluster.manager.counts()).toMatchObject({ underReplicated: 0, pendingCopies: 0 })
  })

  test('a dead node is replaced: its blocks are copied from the survivors', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(4)
    const blocks = [1, 2, 3].map((id) => written(cluster, id, [0, 1, 2]))
    cluster.silence(61_000, [cluster.nodes[0]!])
    expect(
      copies(cluster)
        .filter((copy) => copy.targets[0] === 'dn-4')
        .map((copy) => copy.blockId)
        .sort(),
    ).toEqual([1, 2, 3])
    for (const block of blocks) {
      expect(cluster.manager.liveReplicas(block)).toBe(2)
      cluster.nodes[3]!.received(block)
      expect(cluster.manager.liveReplicas(block)).toBe(3)
    }
    expect(cluster.manager.counts()).toMatchObject({ underReplicated: 0, replicas: 9 })
    expect(cluster.manager.datanodeStates()).toEqual({ live: 3, stale: 0, dead: 1 })
  })

  test('one node sends no more copies at a time than it has streams, and goes on when they arrive', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(1)
    const blocks = Array.from({ length: 10 }, (_, i) => written(cluster, i + 1, [0], 3))
    cluster.addNodes(2)
    // Two streams, doubled for the most urgent queue.
    cluster.manager.redundancyRound()
    const sent = () => cluster.nodes[0]!.copies()
    const first = sent()
    expect(first.flatMap((copy) => copy.targets).length).toBeLessThanOrEqual(6)
    for (let round = 0; round < 30 && cluster.manager.counts().underReplicated > 0; round++) {
      for (const copy of copies(cluster)) {
        const block = blocks[copy.blockId - 1]!
        for (const target of copy.targets) cluster.nodes.find((node) => node.uuid === target)!.received(block)
      }
    }
    expect(cluster.manager.counts()).toMatchObject({ underReplicated: 0, replicas: 30 })
  })

  test('a copy that does not arrive in time is ordered again', async () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(2)
    written(cluster, 1, [0], 2)
    expect(copies(cluster)).toHaveLength(1)
    await cluster.clock.advance(300_001)
    for (const node of cluster.nodes) cluster.manager.contact(node.node)
    cluster.manager.redundancyRound()
    expect(copies(cluster)).toEqual([
      { blockId: 1, targets: ['dn-2'] },
      { blockId: 1, targets: ['dn-2'] },
    ])
  })

  test('a source that sends nothing long after it was told to has failed: another order goes out', async () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(2)
    written(cluster, 1, [0], 2)
    const beat = (transfers: number) => {
      const [source] = cluster.nodes
      cluster.manager.heartbeat(source!.node, {
        storages: source!.registration().storages,
        xceivers: 0,
        transfers,
        nonDfsUsed: 0,
        slowPeers: [],
      })
      cluster.manager.redundancyRound()
    }
    await cluster.clock.advance(9_000)
    beat(0)
    expect(copies(cluster)).toHaveLength(1)
    await cluster.clock.advance(2_000)
    beat(1)
    expect(copies(cluster)).toHaveLength(1)
    beat(0)
    expect(copies(cluster)).toHaveLength(2)
  })

  test('a copy whose target dies is ordered elsewhere without waiting', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(3)
    written(cluster, 1, [0], 2)
    const [first] = copies(cluster)
    const target = cluster.nodes.find((node) => node.uuid === first!.targets[0])!
    cluster.silence(61_000, [target])
    expect(copies(cluster)).toHaveLength(2)
    expect(copies(cluster)[1]!.targets[0]).not.toBe(target.uuid)
  })

  test('blocks on one rack get a copy on another, and lose one of the crowd', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(3, (i) => ({ rack: i < 2 ? '/a' : '/b' }))
    const block = written(cluster, 1, [0, 1], 2)
    expect(copies(cluster)).toEqual([{ blockId: 1, targets: ['dn-3'] }])
    cluster.nodes[2]!.received(block)
    expect(cluster.nodes[2]!.invalidated()).toEqual([])
    expect(cluster.nodes.flatMap((node) => node.invalidated())).toEqual([1])
    expect(cluster.manager.liveReplicas(block)).toBe(2)
  })

  test('raising the replication orders copies, lowering it deletes', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(3)
    const block = written(cluster, 1, [0], 1)
    expect(copies(cluster)).toEqual([])
    const file = cluster.store.tx.inode(block.fileId)!
    cluster.store.tx.putInode({ ...file, replication: 2 } as typeof file)
    cluster.manager.committed([{ kind: 'replication-changed', blocks: [block], replication: 2 }])
    cluster.settle()
    expect(copies(cluster)).toHaveLength(1)
    cluster.nodes.find((node) => node.uuid === copies(cluster)[0]!.targets[0])!.received(block)
    cluster.store.tx.putInode({ ...file, replication: 1 } as typeof file)
    cluster.manager.committed([{ kind: 'replication-changed', blocks: [block], replication: 1 }])
    cluster.settle()
    expect(cluster.nodes.flatMap((node) => node.invalidated())).toEqual([1])
    expect(cluster.manager.liveReplicas(block)).toBe(1)
  })

  test('a block whose writers have not all reported is not copied behind their backs', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(4)
    const open = cluster.addBlock(1, { state: 'under-construction', length: 0 })
    const targets = cluster.nodes.slice(0, 3).map((node) => cluster.manager.location(node.uuid, node.storage())!)
    cluster.manager.committed([{ kind: 'block-allocated', block: open, replication: 3, targets }])
    expect(cluster.manager.locations(open, '')).toEqual(targets)
    cluster.nodes[0]!.received({ ...open, length: 50 })
    const block = cluster.addBlock(1, { state: 'committed', length: 50 })
    cluster.manager.committed([
      { kind: 'block-committed', block, replication: 3 },
      { kind: 'file-closed', blocks: [block], replication: 3 },
    ])
    cluster.settle()
    expect(copies(cluster)).toEqual([])
    expect(cluster.manager.counts()).toMatchObject({ pendingCopies: 1 })
    cluster.nodes[1]!.received(block)
    cluster.silence(61_000, [cluster.nodes[2]!])
    expect(copies(cluster)).toEqual([{ blockId: 1, targets: ['dn-4'] }])
  })
})

test('a storage that fails loses its replicas, not those of its neighbour', () => {
  const cluster = new ClusterFixture()
  const [node] = cluster.addNodes(3, () => ({ storages: 2 }))
  const a = written(cluster, 1, [0, 1], 2)
  const b = cluster.addBlock(2, { replication: 1 })
  node!.received(b, ReceivedKind.RECEIVED, true, 1)
  const [first, second] = node!.registration().storages
  cluster.manager.heartbeat(node!.node, {
    storages: [{ ...first!, failed: true }, second!],
    xceivers: 0,
    transfers: 0,
    nonDfsUsed: 0,
    slowPeers: [],
  })
  expect(cluster.manager.liveReplicas(a)).toBe(1)
  cluster.settle()
  expect(copies(cluster).map((copy) => copy.blockId)).toEqual([1])
  expect([cluster.manager.liveReplicas(a), cluster.manager.liveReplicas(b)]).toEqual([1, 1])
})

test('a replica that a broken pipeline left behind is cleared away when the block is committed', () => {
  const cluster = new ClusterFixture()
  cluster.addNodes(3)
  const open = cluster.addBlock(1, { state: 'under-construction', length: 0, replication: 2 })
  const targets = ['dn-1', 'dn-2'].map((uuid) => cluster.manager.location(uuid, '')!)
  cluster.manager.committed([{ kind: 'block-allocated', block: open, replication: 2, targets }])
  for (const index of [0, 1]) cluster.nodes[index]!.received(open, ReceivedKind.RECEIVING)
  const moved = cluster.addBlock(1, { state: 'under-construction', length: 0, genstamp: 2_001, replication: 2 })
  cluster.manager.committed([
    { kind: 'pipeline-updated', block: moved, replication: 2, targets: [targets[0]!, cluster.manager.location('dn-3', '')!] },
  ])
  const block = cluster.addBlock(1, { length: 60, genstamp: 2_001, replication: 2 })
  cluster.manager.committed([{ kind: 'block-committed', block, replication: 2 }])
  cluster.nodes[0]!.received(block)
  cluster.nodes[2]!.received(block)
  expect(cluster.nodes.map((node) => node.invalidated())).toEqual([[], [1], []])
  expect(cluster.manager.liveReplicas(block)).toBe(2)
  expect(copies(cluster)).toEqual([])
})

describe('too many copies', () => {
  test('the node with least space left loses its copy; a dead node that comes back makes one too many', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(4, (i) => ({ remaining: (10 - i) * 1024 ** 3 }))
    const block = written(cluster, 1, [0, 1, 2])
    cluster.silence(61_000, [cluster.nodes[0]!])
    cluster.nodes[3]!.received(block)
    cluster.nodes[0]!.register()
    cluster.settle()
    expect(cluster.nodes.flatMap((node) => node.invalidated())).toEqual([])
    cluster.nodes[0]!.report([{ block }])
    expect(cluster.nodes.map((node) => node.invalidated().length)).toEqual([0, 0, 0, 1])
    expect(cluster.manager.liveReplicas(block)).toBe(3)
  })

  test('nothing is deleted on account of a storage that has not sent a full report', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(2)
    const block = written(cluster, 1, [0, 1], 2)
    const [late] = cluster.addNodes(1, () => ({}), false)
    late!.received(block)
    expect(cluster.nodes.flatMap((node) => node.invalidated())).toEqual([])
    expect(cluster.manager.counts().postponed).toBe(1)
    late!.report([{ block }])
    expect(cluster.nodes.flatMap((node) => node.invalidated())).toEqual([1])
    expect(cluster.manager.counts().postponed).toBe(0)
  })

  test('a copy told to go does not count again when a late full report still names it, and is told again', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(2, (i) => ({ remaining: (10 - i) * 1024 ** 3 }))
    const block = written(cluster, 1, [0, 1], 1)
    expect(cluster.nodes[1]!.invalidated()).toEqual([1])
    cluster.nodes[1]!.report([{ block }])
    expect(cluster.manager.liveReplicas(block)).toBe(1)
    expect(cluster.nodes.map((node) => node.invalidated())).toEqual([[], [1, 1]])
    cluster.nodes[1]!.received(block, ReceivedKind.DELETED)
    expect(cluster.manager.counts().replicas).toBe(1)
  })
})

describe('corrupt copies', () => {
  const bad = (cluster: ClusterFixture, index: number, block: { blockId: number; genstamp: number; length: number }) => {
    cluster.manager.reportBad(cluster.nodes[index]!.uuid, '', block)
    cluster.settle()
  }

  test('is copied from a good one first and deleted after', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(4)
    const block = written(cluster, 1, [0, 1, 2])
    bad(cluster, 0, block)
    expect(cluster.manager.counts()).toMatchObject({ corruptBlocks: 1, underReplicated: 1 })
    expect(cluster.nodes[0]!.invalidated()).toEqual([])
    expect(copies(cluster)).toEqual([{ blockId: 1, targets: ['dn-4'] }])
    cluster.nodes[3]!.received(block)
    expect(cluster.nodes[0]!.invalidated()).toEqual([1])
    cluster.nodes[0]!.received(block, ReceivedKind.DELETED)
    expect(cluster.manager.counts()).toMatchObject({ corruptBlocks: 0, underReplicated: 0, replicas: 3 })
  })

  test('gives way when it occupies the only node that could take a new copy', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(3)
    const block = written(cluster, 1, [0, 1, 2])
    bad(cluster, 0, block)
    expect(cluster.nodes[0]!.invalidated()).toEqual([1])
    cluster.nodes[0]!.received(block, ReceivedKind.DELETED)
    expect(copies(cluster)).toEqual([{ blockId: 1, targets: ['dn-1'] }])
  })

  test('the only copy is kept, still served, and listed as missing', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(2)
    const block = written(cluster, 1, [0], 1)
    bad(cluster, 0, block)
    expect(cluster.nodes[0]!.invalidated()).toEqual([])
    expect(cluster.manager.isCorrupt(1)).toBe(true)
    expect(cluster.manager.locations(block, '').map((place) => place.datanode!.uuid)).toEqual(['dn-1'])
    expect(cluster.manager.counts()).toMatchObject({ missingBlocks: 1, corruptBlocks: 1 })
    cluster.nodes[0]!.report([{ block }])
    expect(cluster.manager.isCorrupt(1)).toBe(true)
  })

  test('is not served while a good one is there, and a report about another version is ignored', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(3)
    const block = written(cluster, 1, [0, 1, 2])
    bad(cluster, 1, { ...block, genstamp: block.genstamp - 1 })
    expect(cluster.manager.locations(block, '')).toHaveLength(3)
    bad(cluster, 1, block)
    expect(
      cluster.manager
        .locations(block, '')
        .map((place) => place.datanode!.uuid)
        .sort(),
    ).toEqual(['dn-1', 'dn-3'])
    expect(cluster.manager.isCorrupt(1)).toBe(false)
  })

  test('a bad source does not keep its block waiting for a copy that will not come', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(3)
    const block = written(cluster, 1, [0, 1], 2)
    cluster.silence(61_000, [cluster.nodes[1]!])
    expect(copies(cluster)).toEqual([{ blockId: 1, targets: ['dn-3'] }])
    cluster.manager.badReplicas(cluster.nodes[0]!.node, [{ storageUuid: cluster.nodes[0]!.storage(), block, reason: 'checksum' }])
    cluster.settle()
    expect(cluster.manager.counts()).toMatchObject({ pendingCopies: 0, missingBlocks: 1 })
  })
})

describe('deleted files', () => {
  test('every holder and every writer is told at once, in the stamp it holds', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(3)
    const block = written(cluster, 1, [0, 1], 2)
    const open = cluster.addBlock(2, { state: 'under-construction' })
    const targets = [cluster.manager.location('dn-3', '')!]
    cluster.manager.committed([{ kind: 'block-allocated', block: open, replication: 1, targets }])
    cluster.manager.committed([{ kind: 'blocks-deleted', blocks: [block, open] }])
    cluster.settle()
    expect(cluster.nodes.map((node) => node.invalidated())).toEqual([[1], [1], [2]])
    expect(cluster.manager.counts()).toMatchObject({ replicas: 0, pendingDeletion: 0 })
  })

  test('a great delete goes in bounded commands', () => {
    const cluster = new ClusterFixture()
    const [node] = cluster.addNodes(1)
    const blocks = Array.from({ length: 6_500 }, (_, i) => cluster.addBlock(i + 1, { replication: 1 }))
    node!.report(blocks.map((block) => ({ block })))
    cluster.manager.committed([{ kind: 'blocks-deleted', blocks }])
    cluster.settle()
    expect(cluster.manager.counts().pendingDeletion).toBe(2_500)
    expect(Math.max(...node!.sent.map((message) => message.invalidate?.blocks?.length ?? 0))).toBe(1_000)
    cluster.manager.redundancyRound()
    expect(cluster.manager.counts().pendingDeletion).toBe(0)
    expect(node!.invalidated()).toHaveLength(6_500)
  })
})

describe('safe mode', () => {
  test('manual: nothing is copied or deleted until it is left', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(3)
    cluster.manager.setSafeMode(SafeModeAction.SAFE_MODE_ENTER)
    written(cluster, 1, [0], 2)
    written(cluster, 2, [0, 1], 1)
    cluster.nodes[2]!.report([{ block: { blockId: 3, genstamp: 2_000, length: 1 } }])
    cluster.manager.redundancyRound()
    expect(cluster.nodes.flatMap((node) => node.sent)).toEqual([])
    expect(cluster.manager.setSafeMode(SafeModeAction.SAFE_MODE_LEAVE)).toEqual({ on: false, reason: '' })
    cluster.settle()
    expect(copies(cluster)).toHaveLength(1)
    expect(cluster.nodes.flatMap((node) => node.invalidated())).toEqual([2])
    // The replica of no file was held back; its node is asked again, and then told.
    expect(cluster.nodes[2]!.sent).toContainEqual({ sendReport: {} })
    cluster.nodes[2]!.report([{ block: { blockId: 3, genstamp: 2_000, length: 1 } }])
    expect(cluster.nodes[2]!.invalidated()).toEqual([3])
  })

  test('after a start: ends when enough blocks are reported, then looks at every block', () => {
    const cluster = new ClusterFixture()
    const blocks = Array.from({ length: 2_000 }, (_, i) => cluster.addBlock(i + 1, { replication: 2 }))
    // A block of a file that was open does not hold it.
    cluster.addBlock(5_000, { open: true })
    const [first, second] = cluster.addNodes(2, () => ({}), false)
    expect(cluster.manager.safeMode()).toEqual({
      on: true,
      reason:
        'The reported blocks 0 needs additional 1998 blocks to reach the threshold 0.9990 of total blocks 2000. ' +
        'The number of live datanodes 2 has reached the minimum number 0. Safe mode will be turned off automatically once the thresholds have been reached.',
    })
    first!.report(blocks.slice(0, 1_500).map((block) => ({ block })))
    expect(cluster.manager.safeMode().on).toBe(true)
    second!.report(blocks.slice(1_000).map((block) => ({ block })))
    expect(cluster.manager.safeMode()).toEqual({ on: false, reason: '' })
    cluster.settle()
    // Blocks 1 to 1000 and 1501 to 2000 have one copy each.
    expect(cluster.manager.counts().underReplicated).toBe(1_500)
  })

  test('after a start: datanodes have dead.after to come back before anything is copied', () => {
    const cluster = new ClusterFixture()
    const block = cluster.addBlock(1, { replication: 2 })
    const [first, second] = cluster.addNodes(3, () => ({}), false)
    first!.report([{ block }])
    expect(cluster.manager.safeMode().on).toBe(false)
    cluster.silence(59_000, [])
    cluster.manager.redundancyRound()
    expect(copies(cluster)).toEqual([])
    cluster.silence(2_000, [])
    cluster.manager.redundancyRound()
    // The two others have not said what they hold.
    expect(copies(cluster)).toEqual([])
    second!.report([])
    expect(copies(cluster)).toEqual([{ blockId: 1, targets: ['dn-2'] }])
  })

  test('a node that dies while starting takes its blocks out of the count', () => {
    const cluster = new ClusterFixture()
    const blocks = [1, 2].map((id) => cluster.addBlock(id, { replication: 1 }))
    cluster.addBlock(3, { replication: 1 })
    const [node] = cluster.addNodes(1, () => ({}), false)
    cluster.manager.setSafeMode(SafeModeAction.SAFE_MODE_GET)
    node!.report([{ block: blocks[0]! }])
    expect(cluster.manager.safeMode().reason).toContain('The reported blocks 1 needs additional 1 blocks')
    cluster.silence(61_000, [node!])
    expect(cluster.manager.safeMode().reason).toContain('The reported blocks 0 needs additional 2 blocks')
  })

  test('the extension and the minimum of datanodes hold it', async () => {
    const cluster = new ClusterFixture({ safeMode: { threshold: 0.999, datanodesMin: 2, extensionMs: 30_000 } })
    const block = cluster.addBlock(1)
    const [first] = cluster.addNodes(1, () => ({}), false)
    first!.report([{ block }])
    expect(cluster.manager.safeMode().reason).toContain('needs an additional 1 live datanodes to reach the minimum number 2.')
    cluster.addNodes(1)
    expect(cluster.manager.safeMode().reason).toContain('In safe mode extension. Safe mode will be turned off automatically in 30 seconds.')
    cluster.silence(30_000, [])
    expect(cluster.manager.safeMode().on).toBe(false)
  })

  test('replicas from the future hold it until forced', () => {
    const cluster = new ClusterFixture()
    cluster.addBlock(1)
    cluster.addBlock(2)
    const [node] = cluster.addNodes(1, () => ({}), false)
    node!.report([{ block: { blockId: 1, genstamp: 2_000, length: 100 } }, { block: { blockId: 99, genstamp: 9_000, length: 1 } }])
    expect(cluster.manager.safeMode().reason).toContain(
      'Name node detected blocks with generation stamps in future. This means that Name node metadata is inconsistent. ' +
        'This can happen if Name node metadata files have been manually replaced. Exiting safe mode will cause loss of 1 byte(s).',
    )
    // Reported again it is still one replica.
    node!.report([{ block: { blockId: 1, genstamp: 2_000, length: 100 } }, { block: { blockId: 99, genstamp: 9_000, length: 1 } }])
    expect(cluster.manager.safeMode().reason).toContain('loss of 1 byte(s)')
    expect(cluster.manager.setSafeMode(SafeModeAction.SAFE_MODE_LEAVE).on).toBe(true)
    expect(cluster.manager.setSafeMode(SafeModeAction.SAFE_MODE_FORCE_EXIT).on).toBe(false)
  })
})

describe('recovery of a block whose writer is gone', () => {
  test('the pipeline counts as holding bytes, and a connected member becomes the primary', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(2)
    const block = cluster.addBlock(1, { state: 'under-construction', length: 0 })
    const targets = cluster.nodes.map((node) => cluster.manager.location(node.uuid, '')!)
    cluster.manager.committed([{ kind: 'block-allocated', block, replication: 2, targets }])
    cluster.nodes[0]!.received({ ...block, length: 0 }, ReceivedKind.RECEIVING)
    const replicas = cluster.manager.reportedReplicas(1)
    expect(replicas).toEqual([
      { datanodeUuid: 'dn-1', storageUuid: 'dn-1-s0', finalised: false, genstamp: 2_000, length: 1 },
      { datanodeUuid: 'dn-2', storageUuid: 'dn-2-s0', finalised: false, genstamp: 2_000, length: 1 },
    ])
    cluster.nodes[0]!.disconnect()
    cluster.manager.committed([{ kind: 'recover-block', block, genstamp: 3_000, length: 1, replicas }])
    expect(cluster.nodes[1]!.sent.at(-1)).toEqual({
      recover: { block: { blockId: 1, genstamp: 2_000, length: 0 }, recoveryId: 3_000, locations: targets },
    })
  })

  test('a replica reopened for append is not taken for a finished one', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(1)
    const old = written(cluster, 1, [0], 1)
    const reopened = cluster.addBlock(1, { state: 'under-construction', genstamp: old.genstamp + 1, replication: 1 })
    cluster.manager.committed([
      { kind: 'pipeline-updated', block: reopened, replication: 1, targets: [cluster.manager.location('dn-1', 'dn-1-s0')!] },
    ])
    expect(cluster.manager.reportedReplicas(1).map((replica) => replica.finalised)).toEqual([false])
    const block = cluster.addBlock(1, { genstamp: old.genstamp + 1, length: 150, replication: 1 })
    cluster.manager.committed([{ kind: 'block-committed', block, replication: 1 }])
    expect(cluster.manager.counts().corruptBlocks).toBe(0)
    cluster.nodes[0]!.received(block)
    expect(cluster.manager.liveReplicas(block)).toBe(1)
  })
})

test('states of replicas are those of the wire', () => {
  expect(Object.values(ReplicaState).every((state) => state < 8)).toBe(true)
})
