// Datanodes that operators take out of service: when they may leave, what becomes of their copies, and what is kept over restarts.
import { describe, expect, test } from 'vitest'
import { DatanodeFilter, ReceivedKind } from '../../../proto/ports.ts'
import type { BlockRecord } from '../model.ts'
import { ClusterFixture } from './testing/cluster-fixture.ts'
import type { FakeNode } from './testing/cluster-fixture.ts'

function written(cluster: ClusterFixture, id: number, on: readonly number[], replication = 3): BlockRecord {
  const block = cluster.addBlock(id, { replication })
  for (const index of on) cluster.nodes[index]!.received(block, ReceivedKind.RECEIVED, false)
  cluster.settle()
  return block
}

const copies = (cluster: ClusterFixture) => cluster.nodes.flatMap((node) => node.copies())

/** What the workers do: a round, then all scans, until nothing changes. */
function work(cluster: ClusterFixture): void {
  for (let round = 0; round < 4; round++) {
    cluster.manager.redundancyRound()
    cluster.settle()
  }
}

function set(cluster: ClusterFixture, node: FakeNode, action: 'decommission' | 'maintenance' | 'in-service', untilMs = 0): void {
  cluster.manager.admin.setNodeState([node.uuid], action, untilMs)
  work(cluster)
}

const report = (cluster: ClusterFixture, node: FakeNode) =>
  cluster.manager.datanodes(DatanodeFilter.DATANODES_ALL).find((one) => one.datanode?.uuid === node.uuid)!

const stateOf = (cluster: ClusterFixture, node: FakeNode): string => report(cluster, node).adminState

/** Carries out every copy that was ordered and not yet made. */
function carryOut(cluster: ClusterFixture, blocks: readonly BlockRecord[]): void {
  const done = new Set<string>()
  for (let round = 0; round < 20; round++) {
    const orders = copies(cluster).flatMap(({ blockId, targets }) => targets.map((target) => ({ blockId, target })))
    const fresh = orders.filter(({ blockId, target }) => !done.has(`${blockId}>${target}`))
    if (fresh.length === 0) return
    for (const { blockId, target } of fresh) {
      done.add(`${blockId}>${target}`)
      cluster.nodes.find((node) => node.uuid === target)!.received(blocks.find((block) => block.blockId === blockId)!)
    }
    work(cluster)
  }
}

describe('decommission', () => {
  test('a node leaves only when each of its blocks has enough copies elsewhere, and says how many keep it', () => {
    const cluster = new ClusterFixture()
    const [first] = cluster.addNodes(4)
    const blocks = [written(cluster, 1, [0, 1, 2]), written(cluster, 2, [0, 1, 2]), written(cluster, 3, [0], 1)]
    set(cluster, first!, 'decommission')
    expect(report(cluster, first!)).toMatchObject({ adminState: 'Decommission In Progress', blocksToLeave: 3, live: true })
    expect(
      copies(cluster)
        .map((copy) => copy.blockId)
        .toSorted(),
    ).toEqual([1, 2, 3])
    expect(cluster.manager.datanodes(DatanodeFilter.DATANODES_DECOMMISSIONING).map((one) => one.datanode?.uuid)).toEqual(['dn-1'])
    const order = copies(cluster).find((copy) => copy.blockId === 1)!
    cluster.nodes.find((node) => node.uuid === order.targets[0])!.received(blocks[0]!)
    expect(report(cluster, first!)).toMatchObject({ adminState: 'Decommission In Progress', blocksToLeave: 2 })
    carryOut(cluster, blocks)
    expect(report(cluster, first!)).toMatchObject({ adminState: 'Decommissioned', blocksToLeave: 0 })
  })

  test('its copies still serve reads, last in order, and are the preferred sources', () => {
    const cluster = new ClusterFixture()
    const [first] = cluster.addNodes(4)
    const block = written(cluster, 1, [0, 1, 2])
    set(cluster, first!, 'decommission')
    expect(first!.copies()).toHaveLength(1)
    for (let i = 0; i < 20; i++) {
      const places = cluster.manager.locations(block, '10.0.0.1:1').map((place) => place.datanode!.uuid)
      expect(places).toHaveLength(3)
      expect(places.at(-1)).toBe('dn-1')
    }
    carryOut(cluster, [block])
    expect(stateOf(cluster, first!)).toBe('Decommissioned')
    expect(cluster.manager.locations(block, '').map((place) => place.datanode!.uuid)).toContain('dn-1')
    // Surplus is counted without it, and never taken from it.
    expect(cluster.nodes.flatMap((node) => node.invalidated())).toEqual([])
  })

  test('no new replica is placed there, and the refusal says so', () => {
    const cluster = new ClusterFixture()
    const [first] = cluster.addNodes(2)
    set(cluster, first!, 'decommission')
    const request = { caller: '10.0.0.1', existing: [], excluded: [], favored: [], blockSize: 1024 }
    for (let i = 0; i < 20; i++)
      expect(cluster.manager.chooseTargets({ ...request, wanted: 1 }).targets.map((place) => place.datanode!.uuid)).toEqual(['dn-2'])
    expect(cluster.manager.chooseTargets({ ...request, wanted: 2 }).refused).toEqual([
      { node: '10.0.0.1:9868', reason: 'it is decommissioned' },
    ])
  })

  test('the last block of an open file needs only the minimum of replicas on nodes in service', () => {
    const cluster = new ClusterFixture()
    const [first, second] = cluster.addNodes(4)
    const open = cluster.addBlock(1, { state: 'under-construction', length: 0 })
    const place = (node: FakeNode) => cluster.manager.location(node.uuid, node.storage())!
    cluster.manager.committed([{ kind: 'block-allocated', block: open, replication: 3, targets: [place(first!)] }])
    set(cluster, first!, 'decommission')
    expect(report(cluster, first!)).toMatchObject({ adminState: 'Decommission In Progress', blocksToLeave: 1 })
    expect(cluster.manager.keepsNodeFromLeaving(open)).toBe(true)
    cluster.manager.committed([{ kind: 'pipeline-updated', block: open, replication: 3, targets: [place(first!), place(second!)] }])
    work(cluster)
    expect(stateOf(cluster, first!)).toBe('Decommissioned')
    expect(cluster.manager.keepsNodeFromLeaving(open)).toBe(false)
  })

  test('a closed file that wants more than there are nodes keeps none once it has the default replication elsewhere', () => {
    const cluster = new ClusterFixture({ replicationDefault: 2 })
    const [first] = cluster.addNodes(3)
    written(cluster, 1, [0, 1, 2], 10)
    set(cluster, first!, 'decommission')
    expect(stateOf(cluster, first!)).toBe('Decommissioned')
  })

  test('where fewer copies than the default can be made it waits for another node', () => {
    const cluster = new ClusterFixture()
    const [first] = cluster.addNodes(3)
    const block = written(cluster, 1, [0, 1, 2])
    set(cluster, first!, 'decommission')
    expect(stateOf(cluster, first!)).toBe('Decommission In Progress')
    cluster.addNodes(1)
    work(cluster)
    carryOut(cluster, [block])
    expect(stateOf(cluster, first!)).toBe('Decommissioned')
  })

  test('a node does not leave before it has reported what it holds, nor in safe mode', () => {
    const cluster = new ClusterFixture()
    const block = cluster.addBlock(1, { replication: 1 })
    const [first, second] = cluster.addNodes(2, () => ({}), false)
    second!.report()
    set(cluster, first!, 'decommission')
    expect(stateOf(cluster, first!)).toBe('Decommission In Progress')
    first!.report([{ block }])
    work(cluster)
    expect(report(cluster, first!)).toMatchObject({ adminState: 'Decommission In Progress', blocksToLeave: 1 })
  })

  test('a node does not leave while a disk that failed and works again has not reported what it holds', () => {
    const cluster = new ClusterFixture()
    const [first] = cluster.addNodes(2, () => ({ storages: 2 }))
    const block = cluster.addBlock(1, { replication: 1 })
    const [bad, good] = first!.registration().storages
    const beat = (failed: boolean) =>
      cluster.manager.heartbeat(first!.node, {
        storages: [{ ...bad!, failed }, good!],
        xceivers: 0,
        transfers: 0,
        nonDfsUsed: 0,
        slowPeers: [],
      })
    beat(true)
    cluster.settle()
    cluster.manager.admin.setNodeState([first!.uuid], 'decommission', 0)
    // The drain has looked through all that is known of the node and found nothing; the next round would let it go.
    while (cluster.manager.scanStep());
    expect(stateOf(cluster, first!)).toBe('Decommission In Progress')
    beat(false)
    work(cluster)
    expect(stateOf(cluster, first!)).toBe('Decommission In Progress')
    first!.report([{ block }])
    work(cluster)
    expect(report(cluster, first!)).toMatchObject({ adminState: 'Decommission In Progress', blocksToLeave: 1 })
    carryOut(cluster, [block])
    expect(stateOf(cluster, first!)).toBe('Decommissioned')
  })

  test('one that dies on its way stays so until nothing lacks copies', () => {
    const cluster = new ClusterFixture()
    const [first] = cluster.addNodes(3)
    const block = written(cluster, 1, [0], 1)
    set(cluster, first!, 'decommission')
    cluster.silence(61_000, [first!])
    work(cluster)
    expect(report(cluster, first!)).toMatchObject({ live: false, adminState: 'Decommission In Progress' })
    cluster.nodes[1]!.received(block)
    work(cluster)
    expect(stateOf(cluster, first!)).toBe('Decommissioned')
  })

  test('put back into service its copies count again and what is too much goes', () => {
    const cluster = new ClusterFixture()
    const [first] = cluster.addNodes(4)
    const block = written(cluster, 1, [0, 1, 2])
    set(cluster, first!, 'decommission')
    carryOut(cluster, [block])
    expect(cluster.manager.liveReplicas(block)).toBe(3)
    set(cluster, first!, 'in-service')
    expect(stateOf(cluster, first!)).toBe('In Service')
    expect(cluster.nodes.flatMap((node) => node.invalidated())).toEqual([1])
    expect(cluster.manager.liveReplicas(block)).toBe(3)
  })

  test('a decommissioned copy is the source when there is no other', () => {
    const cluster = new ClusterFixture()
    const [first, second] = cluster.addNodes(3)
    const block = written(cluster, 1, [0], 1)
    set(cluster, first!, 'decommission')
    carryOut(cluster, [block])
    expect(stateOf(cluster, first!)).toBe('Decommissioned')
    const holder = [second!, cluster.nodes[2]!].find((node) => first!.copies()[0]!.targets.includes(node.uuid))!
    cluster.silence(61_000, [holder])
    expect(first!.copies()).toHaveLength(2)
  })
})

describe('maintenance', () => {
  test('needs only the minimum of copies elsewhere, and a node that goes away meanwhile causes no copies', () => {
    const cluster = new ClusterFixture()
    const [first] = cluster.addNodes(4)
    const block = written(cluster, 1, [0, 1, 2])
    set(cluster, first!, 'maintenance')
    expect(stateOf(cluster, first!)).toBe('In Maintenance')
    expect(cluster.manager.datanodes(DatanodeFilter.DATANODES_IN_MAINTENANCE).map((one) => one.datanode?.uuid)).toEqual(['dn-1'])
    expect(
      cluster.manager
        .locations(block, '')
        .map((place) => place.datanode!.uuid)
        .toSorted(),
    ).toEqual(['dn-2', 'dn-3'])
    cluster.silence(61_000, [first!])
    work(cluster)
    expect(report(cluster, first!)).toMatchObject({ live: false, adminState: 'In Maintenance', blocks: 1 })
    expect(copies(cluster)).toEqual([])
    expect(cluster.manager.counts()).toMatchObject({ underReplicated: 0, replicas: 3 })
  })

  test('a block whose only copy is on the node is copied first', () => {
    const cluster = new ClusterFixture()
    const [first] = cluster.addNodes(2)
    const block = written(cluster, 1, [0], 1)
    set(cluster, first!, 'maintenance')
    expect(report(cluster, first!)).toMatchObject({ adminState: 'Entering Maintenance', blocksToLeave: 1 })
    expect(cluster.manager.datanodes(DatanodeFilter.DATANODES_ENTERING_MAINTENANCE)).toHaveLength(1)
    expect(cluster.manager.counts().mostUrgent).toBe(0) // under way already
    carryOut(cluster, [block])
    expect(stateOf(cluster, first!)).toBe('In Maintenance')
  })

  test('ends by itself: a node that is there is in service again, the replicas of one that is not are lost', () => {
    const cluster = new ClusterFixture()
    const [first, second] = cluster.addNodes(5)
    const block = written(cluster, 1, [0, 1, 2])
    const untilMs = cluster.clock.nowMs() + 100_000
    cluster.manager.admin.setNodeState([first!.uuid, second!.uuid], 'maintenance', untilMs)
    work(cluster)
    expect([first!, second!].map((node) => stateOf(cluster, node))).toEqual(['In Maintenance', 'In Maintenance'])
    expect(report(cluster, first!).maintenanceUntilMs).toBe(untilMs)
    cluster.silence(61_000, [first!])
    work(cluster)
    expect(copies(cluster)).toEqual([])
    cluster.silence(40_000, [first!])
    work(cluster)
    expect([first!, second!].map((node) => stateOf(cluster, node))).toEqual(['In Service', 'In Service'])
    expect(copies(cluster)).toHaveLength(1)
    expect(cluster.manager.liveReplicas(block)).toBe(2)
  })

  test('a minimum of 0 lets a node go that has the only copy', () => {
    const cluster = new ClusterFixture({ maintenanceMin: 0 })
    const [first] = cluster.addNodes(2)
    written(cluster, 1, [0], 1)
    set(cluster, first!, 'maintenance')
    expect(stateOf(cluster, first!)).toBe('In Maintenance')
    expect(copies(cluster)).toEqual([])
    expect(cluster.manager.locations(cluster.store.tx.block(1)!, '')).toHaveLength(1)
  })

  test('an end that has passed is refused', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(1)
    expect(() => cluster.manager.admin.setNodeState(['dn-1'], 'maintenance', 1)).toThrow('has passed already')
  })
})

describe('naming and keeping', () => {
  test('a node is named by uuid, host, address, or either with a port; an unknown name changes nothing and names those there are', () => {
    const cluster = new ClusterFixture()
    const nodes = cluster.addNodes(2)
    for (const name of ['dn-1', 'host1', '10.0.0.1', 'host1:9868', '10.0.0.1:9868']) {
      cluster.manager.admin.setNodeState([name], 'decommission', 0)
      expect(stateOf(cluster, nodes[0]!)).toBe('Decommission In Progress')
      cluster.manager.admin.setNodeState([name], 'in-service', 0)
      expect(stateOf(cluster, nodes[0]!)).toBe('In Service')
    }
    expect(() => cluster.manager.admin.setNodeState(['dn-1', 'elsewhere'], 'decommission', 0)).toThrow(
      "There is no datanode 'elsewhere'. There are: 10.0.0.1:9868 (host1, dn-1), 10.0.0.2:9868 (host2, dn-2).",
    )
    expect(nodes.map((node) => stateOf(cluster, node))).toEqual(['In Service', 'In Service'])
  })

  test('a name that several nodes share is refused', () => {
    const cluster = new ClusterFixture()
    cluster.addNodes(2, () => ({ ip: '127.0.0.1' }))
    expect(() => cluster.manager.admin.setNodeState(['127.0.0.1'], 'decommission', 0)).toThrow("'127.0.0.1' names 2 datanodes")
  })

  test('what was set holds after a restart of the namenode, also for nodes that register later', () => {
    const before = new ClusterFixture()
    before.addNodes(3)
    before.manager.admin.setNodeState(['dn-1'], 'decommission', 0)
    before.manager.admin.setNodeState(['host2'], 'maintenance', before.clock.nowMs() + 1_000_000)
    before.manager.admin.setBalancerBandwidth(5_000_000)
    const after = new ClusterFixture()
    after.records = before.records
    const nodes = after.addNodes(3)
    work(after)
    expect(nodes.map((node) => stateOf(after, node))).toEqual(['Decommissioned', 'In Maintenance', 'In Service'])
    expect(nodes.map((node) => node.sent.filter((message) => message.bandwidth))).toEqual(
      nodes.map(() => [{ bandwidth: { balancingBytes: 5_000_000 } }]),
    )
    // Nodes that are away can be named as they were.
    const third = new ClusterFixture()
    third.records = after.records
    third.manager.admin.setNodeState(['10.0.0.1:9868'], 'in-service', 0)
    expect(third.records).not.toContain('dn-1')
  })

  test('what cannot be written down does not happen: a full disk refuses the call, and maintenance does not end before it can', () => {
    const cluster = new ClusterFixture()
    const [first, second] = cluster.addNodes(3)
    set(cluster, first!, 'maintenance', cluster.clock.nowMs() + 10_000)
    cluster.recordsFail = true
    expect(() => cluster.manager.admin.setNodeState(['dn-2'], 'decommission', 0)).toThrow('no space left')
    cluster.silence(20_000, [])
    work(cluster)
    expect([first!, second!].map((node) => stateOf(cluster, node))).toEqual(['In Maintenance', 'In Service'])
    cluster.recordsFail = false
    work(cluster)
    expect([first!, second!].map((node) => stateOf(cluster, node))).toEqual(['In Service', 'In Service'])
  })

  test('a decommissioned node that registers anew is judged anew', () => {
    const cluster = new ClusterFixture()
    const [first] = cluster.addNodes(2)
    set(cluster, first!, 'decommission')
    expect(stateOf(cluster, first!)).toBe('Decommissioned')
    const block = cluster.addBlock(7, { replication: 1 })
    first!.register()
    first!.report([{ block }])
    work(cluster)
    expect(report(cluster, first!)).toMatchObject({ adminState: 'Decommission In Progress', blocksToLeave: 1 })
  })

  test('the file of excluded hosts decommissions, its absence ends that; the file of included hosts lets nobody else join', () => {
    const cluster = new ClusterFixture()
    const [first, second] = cluster.addNodes(2)
    cluster.manager.admin.setHostLists({ include: [], exclude: ['host1:9868'] })
    work(cluster)
    expect(stateOf(cluster, first!)).toBe('Decommissioned')
    expect(() => cluster.manager.admin.setNodeState(['dn-1'], 'in-service', 0)).toThrow('hosts.exclude')
    cluster.manager.admin.setHostLists({ include: ['10.0.0.1'], exclude: [] })
    work(cluster)
    expect(stateOf(cluster, first!)).toBe('In Service')
    expect([first!.closed, second!.closed]).toEqual([undefined, 'The datanode is not in the file hosts.include of the namenode any more.'])
    expect(() => cluster.addNodes(1)).toThrow(
      'Datanode denied communication with namenode because the host is not in the include-list: 10.0.0.3:9868',
    )
  })
})
