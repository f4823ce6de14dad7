// Moves of the balancer: which are ordered, what ends them, and that they never leave a block worse off.
import { describe, expect, test } from 'vitest'
import { ReceivedKind, SafeModeAction } from '../../../proto/ports.ts'
import type { BlockRecord } from '../model.ts'
import { movesPerNodeMax } from './moves.ts'
import { ClusterFixture, MIB } from './testing/cluster-fixture.ts'

function written(cluster: ClusterFixture, id: number, on: readonly number[], replication = on.length, length = 100): BlockRecord {
  const block = cluster.addBlock(id, { replication, length })
  for (const index of on) cluster.nodes[index]!.received(block, ReceivedKind.RECEIVED, false)
  cluster.settle()
  return block
}

const request = ({ blockId, genstamp, length }: BlockRecord, source: number, target: number) => ({
  block: { blockId, genstamp, length },
  source: `dn-${source}`,
  target: `dn-${target}`,
})

const move = (cluster: ClusterFixture, block: BlockRecord, source: number, target: number): string =>
  cluster.manager.admin.moveReplicas([request(block, source, target)]).refused[0]!

const totals = (cluster: ClusterFixture) => {
  const { refused: _, ...rest } = cluster.manager.admin.moveReplicas([])
  return rest
}

describe('a move', () => {
  test('is ordered as balancing; when the copy stands, the source is told to delete its own, not the fullest node', () => {
    const cluster = new ClusterFixture()
    // The third node has the least room: without a hint its copy would go.
    cluster.addNodes(4, (i) => ({ remaining: (i === 2 ? 1 : 50) * 1024 * MIB }))
    const block = written(cluster, 1, [0, 1, 2])
    expect(move(cluster, block, 1, 4)).toBe('')
    expect(cluster.nodes[0]!.sent.at(-1)).toMatchObject({
      replicate: { block: { blockId: 1 }, balancing: true, targets: [{ storageUuid: 'dn-4-s0' }] },
    })
    expect(totals(cluster)).toEqual({ pending: 1, movedBlocks: 0, movedBytes: 0, failed: 0 })
    expect(cluster.nodes.flatMap((node) => node.invalidated())).toEqual([])
    cluster.nodes[3]!.received(block)
    expect(cluster.nodes.map((node) => node.invalidated())).toEqual([[1], [], [], []])
    expect(totals(cluster)).toEqual({ pending: 0, movedBlocks: 1, movedBytes: 100, failed: 0 })
    expect(cluster.manager.liveReplicas(block)).toBe(3)
  })

  test('that does not arrive in time is forgotten, and a copy that comes late is surplus like any other', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(3, (i) => ({ remaining: (50 - i) * 1024 * MIB }))
    const block = written(cluster, 1, [0, 1])
    expect(move(cluster, block, 1, 3)).toBe('')
    cluster.silence(310_000, [])
    cluster.manager.redundancyRound()
    expect(totals(cluster)).toEqual({ pending: 0, movedBlocks: 0, movedBytes: 0, failed: 1 })
    cluster.nodes[2]!.received(block)
    expect(cluster.nodes.map((node) => node.invalidated())).toEqual([[], [], [1]])
  })

  test('does not count as a copy: a holder that dies meanwhile is replaced elsewhere, and the source keeps what is needed', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(4)
    const block = written(cluster, 1, [0, 1])
    expect(move(cluster, block, 1, 3)).toBe('')
    cluster.silence(61_000, [cluster.nodes[1]!])
    expect(cluster.nodes[0]!.copies().at(-1)).toEqual({ blockId: 1, targets: ['dn-4'] })
    cluster.nodes[2]!.received(block)
    expect(cluster.nodes.flatMap((node) => node.invalidated())).toEqual([])
    cluster.nodes[3]!.received(block)
    expect(cluster.nodes.map((node) => node.invalidated())).toEqual([[1], [], [], []])
  })

  test('ends when source or target dies, or the file is deleted', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(4)
    const blocks = [written(cluster, 1, [0]), written(cluster, 2, [1]), written(cluster, 3, [1])]
    expect([move(cluster, blocks[0]!, 1, 3), move(cluster, blocks[1]!, 2, 4), move(cluster, blocks[2]!, 2, 4)]).toEqual(['', '', ''])
    cluster.silence(61_000, [cluster.nodes[2]!])
    expect(totals(cluster)).toMatchObject({ pending: 2, failed: 1 })
    cluster.manager.committed([{ kind: 'blocks-deleted', blocks: [blocks[1]!] }])
    expect(totals(cluster)).toMatchObject({ pending: 1, failed: 2 })
  })

  test('of which a source says nothing long after it was told has failed', async () => {
    const cluster = new ClusterFixture()
    const [source] = cluster.addNodes(2)
    const block = written(cluster, 1, [0])
    expect(move(cluster, block, 1, 2)).toBe('')
    await cluster.clock.advance(11_000)
    const beat = (transfers: number) =>
      cluster.manager.heartbeat(source!.node, {
        storages: source!.registration().storages,
        xceivers: 0,
        transfers,
        nonDfsUsed: 0,
        slowPeers: [],
      })
    beat(1)
    expect(totals(cluster).pending).toBe(1)
    beat(0)
    expect(totals(cluster)).toMatchObject({ pending: 0, failed: 1 })
  })
})

describe('a move is refused', () => {
  test('when nodes or block do not allow it, with the reason', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(4, (i) => ({ remaining: i === 3 ? 10 : 1024 * MIB }))
    const block = written(cluster, 1, [0, 1])
    expect(move(cluster, block, 9, 3)).toBe('the source dn-9 is not known')
    expect(move(cluster, block, 1, 9)).toBe('the target dn-9 is not known')
    expect(move(cluster, block, 1, 1)).toBe('source and target are the same datanode')
    expect(move(cluster, block, 1, 2)).toBe('the target has a replica already')
    expect(move(cluster, block, 3, 4)).toBe('datanode 10.0.0.4:9868 has not enough space')
    cluster.nodes[3]!.disconnect()
    expect(move(cluster, block, 1, 4)).toBe('datanode 10.0.0.4:9868 is stale')
    expect(move(cluster, { ...block, genstamp: 1 }, 1, 3)).toBe('the block has changed')
    expect(move(cluster, { ...block, blockId: 77 }, 1, 3)).toBe('the block does not exist')
    expect(move(cluster, cluster.addBlock(5, { state: 'under-construction' }), 1, 3)).toBe('the block is being written')
    cluster.manager.reportBad('dn-1', '', block)
    expect(move(cluster, block, 1, 3)).toMatch(/no good replica|copies of the block are under way/)
    cluster.manager.admin.setNodeState(['dn-3'], 'decommission', 0)
    expect(move(cluster, block, 2, 3)).toBe('datanode 10.0.0.3:9868 takes no replicas: it is being decommissioned')
    cluster.manager.setSafeMode(SafeModeAction.SAFE_MODE_ENTER)
    expect(move(cluster, block, 2, 3)).toBe('the namenode is in safe mode')
  })

  test('when the block lacks copies, or would be on fewer racks', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(4, (i) => ({ rack: i < 3 ? '/a' : '/b' }))
    const spread = written(cluster, 1, [0, 3])
    expect(move(cluster, spread, 4, 2)).toBe('the block would be on fewer racks')
    expect(move(cluster, spread, 1, 2)).toBe('')
    const poor = cluster.addBlock(2, { replication: 5 })
    for (const node of cluster.nodes) node.received(poor, ReceivedKind.RECEIVED, false)
    cluster.settle()
    cluster.addNodes(1, () => ({ rack: '/b', remaining: 10 }))
    expect(move(cluster, poor, 1, 5)).toBe('datanode 10.0.0.5:9868 has not enough space')
  })

  test('beyond the moves that one node may have under way', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(2)
    const blocks = Array.from({ length: movesPerNodeMax + 1 }, (_, i) => written(cluster, i + 1, [0]))
    const { refused, pending } = cluster.manager.admin.moveReplicas(blocks.map((block) => request(block, 1, 2)))
    expect(pending).toBe(movesPerNodeMax)
    expect(refused.filter((reason) => reason !== '')).toEqual([`datanode 10.0.0.1:9868 has ${movesPerNodeMax} moves under way`])
    cluster.nodes[1]!.received(blocks[0]!)
    expect(move(cluster, blocks[movesPerNodeMax]!, 1, 2)).toBe('')
  })
})
