import { describe, expect, test } from 'vitest'
import { slowNodes } from './slow-peers.ts'
import { ClusterFixture } from './testing/cluster-fixture.ts'
import type { FakeNode } from './testing/cluster-fixture.ts'

const says = (...peers: [string, number][]) => peers.map(([uuid, latencyMs]) => ({ uuid, latencyMs }))

describe('which nodes are slow', () => {
  test('two neighbours must say so, and the worst that they say counts', () => {
    expect(slowNodes(new Map([['a', says(['x', 300])]]), 6)).toEqual(new Map())
    expect(slowNodes(new Map([['a', says(['x', 300])], ['b', says(['x', 500])]]), 6)).toEqual(new Map([['x', 500]])) // prettier-ignore
  })

  test('in a cluster of three one neighbour is enough: there may be no second', () => {
    expect(slowNodes(new Map([['a', says(['x', 300])]]), 3)).toEqual(new Map([['x', 300]]))
  })

  test('a neighbour that complains of most others is not believed: it may be slow itself', () => {
    const complainer = says(['v', 1], ['w', 2], ['x', 3], ['y', 4])
    expect(slowNodes(new Map([['a', complainer], ['b', says(['x', 9])]]), 6)).toEqual(new Map()) // prettier-ignore
  })

  test('at most a third of the cluster is slow, the worst first', () => {
    const both = says(['v', 10], ['w', 30], ['x', 20])
    expect(slowNodes(new Map([['a', both], ['b', both]]), 8)).toEqual(new Map([['w', 30], ['x', 20]])) // prettier-ignore
  })
})

describe('a slow node', () => {
  const beat = (cluster: ClusterFixture, node: FakeNode, slowPeers: { uuid: string; latencyMs: number }[]) =>
    cluster.manager.heartbeat(node.node, { storages: node.registration().storages, xceivers: 0, transfers: 0, nonDfsUsed: 0, slowPeers })
  const request = { caller: '', existing: [], excluded: [], favored: [], blockSize: 1024 }
  const targets = (cluster: ClusterFixture, wanted: number) =>
    cluster.manager.chooseTargets({ ...request, wanted }).targets.map((place) => place.datanode!.uuid)

  test('is shown in reports, gets no replicas while others can take them, and is forgotten when nobody complains any more', () => {
    const cluster = new ClusterFixture()
    const [first, second] = cluster.addNodes(4)
    for (const node of [first!, second!]) beat(cluster, node, says(['dn-3', 900]))
    expect(cluster.manager.datanodes(0).map((node) => [node.slow, node.slowLatencyMs])).toEqual([
      [false, 0],
      [false, 0],
      [true, 900],
      [false, 0],
    ])
    for (let i = 0; i < 30; i++) expect(targets(cluster, 3)).not.toContain('dn-3')
    expect(targets(cluster, 4)).toHaveLength(4)
    beat(cluster, first!, [])
    expect(cluster.manager.datanodes(0).some((node) => node.slow)).toBe(false)
  })

  test('is used like any other where the option is off', () => {
    const cluster = new ClusterFixture({ avoidSlow: false })
    const [first, second] = cluster.addNodes(4)
    for (const node of [first!, second!]) beat(cluster, node, says(['dn-3', 900]))
    const seen = new Set(Array.from({ length: 50 }, () => targets(cluster, 1)[0]))
    expect(seen).toContain('dn-3')
  })

  test('complaints grow old', () => {
    const cluster = new ClusterFixture()
    const [first, second] = cluster.addNodes(4)
    for (const node of [first!, second!]) beat(cluster, node, says(['dn-3', 900]))
    cluster.silence(301_000, [])
    for (const node of cluster.nodes) node.register()
    cluster.manager.redundancyRound()
    expect(cluster.manager.datanodes(0).some((node) => node.slow)).toBe(false)
  })
})
