// Found by the simulation: replicas that nobody finished, and copies that were told to go, stayed on their datanodes.
import { expect, test } from 'vitest'
import { ReceivedKind, ReplicaState } from '../../../proto/ports.ts'
import { ClusterFixture } from './testing/cluster-fixture.ts'

test('a replica that waits for a recovery, reported before its block was complete, goes when the block is complete', () => {
  const cluster = new ClusterFixture()
  const block = cluster.addBlock(1)
  const [a, b, c, d] = cluster.addNodes(4)
  d!.report([{ block, state: ReplicaState.REPLICA_RWR }])
  expect(d!.invalidated()).toEqual([])
  for (const node of [a, b, c]) node!.received(block)
  expect(d!.invalidated()).toEqual([1])
  d!.received(block, ReceivedKind.DELETED)
  expect(cluster.manager.counts()).toMatchObject({ corruptBlocks: 0, underReplicated: 0, replicas: 3 })
})

test('a replica that its writer left unfinished under the stamp of the block goes when the block is complete', () => {
  const cluster = new ClusterFixture()
  const block = cluster.addBlock(1)
  const [a, b, c, d] = cluster.addNodes(4)
  d!.received({ ...block, length: 60 }, ReceivedKind.RECEIVING)
  for (const node of [a, b, c]) node!.received(block)
  expect(d!.invalidated()).toEqual([1])
})

test('a replica of the pipeline that is about to be reported is left alone', () => {
  const cluster = new ClusterFixture()
  const block = cluster.addBlock(1, { state: 'under-construction', open: true })
  const [a, b, c] = cluster.addNodes(3)
  const targets = [a, b, c].map((node) => cluster.manager.location(node!.uuid, node!.storage())!)
  cluster.manager.committed([{ kind: 'block-allocated', block, replication: 3, targets }])
  for (const node of [a, b, c]) node!.received({ ...block, length: 0 }, ReceivedKind.RECEIVING)
  for (const node of [a, b]) node!.received(block)
  const committed = { ...block, state: 'committed' } as const
  cluster.store.tx.putBlock(committed)
  cluster.manager.committed([{ kind: 'block-committed', block: committed, replication: 3 }])
  cluster.settle()
  expect(c!.invalidated()).toEqual([])
  c!.received(block)
  expect(cluster.manager.counts()).toMatchObject({ corruptBlocks: 0, replicas: 3 })
})

test('a copy that was told to go and is reported while its block is being written goes when the block is committed', () => {
  const cluster = new ClusterFixture()
  const block = cluster.addBlock(1)
  const nodes = cluster.addNodes(4)
  for (const node of nodes) node.received(block)
  const told = nodes.find((node) => node.invalidated().length > 0)!
  expect(told.invalidated()).toEqual([1])
  // The order is lost with the connection; meanwhile the file is opened for append under a new stamp.
  told.disconnect()
  const open = { ...block, genstamp: 2_001, state: 'under-construction' } as const
  cluster.store.tx.putBlock(open)
  const others = nodes.filter((node) => node !== told)
  const targets = others.map((node) => cluster.manager.location(node.uuid, node.storage())!)
  cluster.manager.committed([{ kind: 'pipeline-updated', block: open, replication: 3, targets }])
  told.register().report([{ block }])
  for (const node of others) node.received(open)
  const committed = { ...open, state: 'committed' } as const
  cluster.store.tx.putBlock(committed)
  cluster.manager.committed([{ kind: 'block-committed', block: committed, replication: 3 }])
  cluster.settle()
  expect(told.invalidated()).toEqual([1, 1])
})
