import { describe, expect, test } from 'vitest'
import { livenessOf } from './liveness.ts'
import { ClusterFixture } from './testing/cluster-fixture.ts'

const limits = { staleAfterMs: 30_000, deadAfterMs: 60_000, goneAfterMs: 3_000 }

describe('when a datanode counts as gone', () => {
  test.each([
    ['a silent node on an open stream is live', { state: 'live', lastContactMs: 0, brokenMs: undefined }, 29_999, 'live'],
    ['then stale', { state: 'live', lastContactMs: 0, brokenMs: undefined }, 30_000, 'stale'],
    ['then dead', { state: 'stale', lastContactMs: 0, brokenMs: undefined }, 60_000, 'dead'],
    ['a broken stream waits a moment', { state: 'stale', lastContactMs: 0, brokenMs: 1_000 }, 3_999, 'stale'],
    ['and is dead soon', { state: 'stale', lastContactMs: 0, brokenMs: 1_000 }, 4_000, 'dead'],
    ['dead stays dead until it registers', { state: 'dead', lastContactMs: 70_000, brokenMs: undefined }, 70_000, 'dead'],
  ] as const)('%s', (_, node, nowMs, state) => {
    expect(livenessOf(node, nowMs, limits)).toBe(state)
  })

  test('a datanode whose stream broke is dead after gone.after and its blocks are copied; one that said goodbye is waited for', () => {
    const cluster = new ClusterFixture({ goneAfterMs: 3_000 })
    const [killed, stopped] = cluster.addNodes(4)
    const [a, b] = [cluster.addBlock(1, { replication: 2 }), cluster.addBlock(2, { replication: 2 })]
    for (const node of [killed!, cluster.nodes[2]!]) node.received(a)
    for (const node of [stopped!, cluster.nodes[2]!]) node.received(b)
    cluster.settle()
    const before = cluster.nodes.flatMap((node) => node.copies()).length
    killed!.disconnect()
    stopped!.disconnect(true)
    cluster.silence(2_900, [])
    expect(cluster.manager.datanodeStates()).toEqual({ live: 2, stale: 2, dead: 0 })
    cluster.silence(200, [])
    expect(cluster.manager.datanodeStates()).toEqual({ live: 2, stale: 1, dead: 1 })
    expect(
      cluster.nodes
        .flatMap((node) => node.copies())
        .slice(before)
        .map((copy) => copy.blockId),
    ).toEqual([1])
    cluster.silence(57_000, [stopped!, killed!])
    expect(cluster.manager.datanodeStates()).toEqual({ live: 2, stale: 0, dead: 2 })
  })

  test('one that is back in time keeps its blocks and nothing is copied', () => {
    const cluster = new ClusterFixture({ goneAfterMs: 3_000 })
    const [first] = cluster.addNodes(3)
    const block = cluster.addBlock(1, { replication: 2 })
    for (const node of cluster.nodes.slice(0, 2)) node.received(block)
    const before = cluster.nodes.flatMap((node) => node.copies()).length
    first!.disconnect()
    cluster.silence(2_000, [])
    first!.register()
    first!.report([{ block }])
    cluster.silence(2_000, [])
    expect(cluster.manager.datanodeStates()).toEqual({ live: 3, stale: 0, dead: 0 })
    expect(cluster.nodes.flatMap((node) => node.copies())).toHaveLength(before)
  })
})
