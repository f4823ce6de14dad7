// Found by the simulation (slow-sessions, seed 505): an append that failed while its datanodes had moved to a new stamp was closed
// under the old one, which nobody had any more, and the copies were deleted one after the other.
import { expect, test } from 'vitest'
import { ReceivedKind } from '../../../proto/ports.ts'
import { ClusterFixture } from './testing/cluster-fixture.ts'

test('nobody counts on the replicas of a block that was reopened for append until they are reported anew', () => {
  const cluster = new ClusterFixture()
  const block = cluster.addBlock(1)
  const nodes = cluster.addNodes(3)
  for (const node of nodes) node.received(block)
  expect(cluster.manager.liveReplicas(block)).toBe(3)
  const targets = nodes.map((node) => cluster.manager.location(node.uuid, node.storage())!)
  const open = { ...block, state: 'under-construction' } as const
  cluster.store.tx.putBlock(open)
  cluster.manager.committed([{ kind: 'pipeline-updated', block: open, replication: 3, targets, reopened: true }])
  expect(cluster.manager.liveReplicas(block)).toBe(0)
  expect(cluster.manager.reportedReplicas(1).map(({ finalised }) => finalised)).toEqual([false, false, false])

  const longer = { ...block, genstamp: 2_001, length: 150 }
  for (const node of nodes) node.received(longer, ReceivedKind.RECEIVING)
  cluster.store.tx.putBlock({ ...longer, state: 'under-construction' })
  cluster.manager.committed([{ kind: 'pipeline-updated', block: { ...longer, state: 'under-construction' }, replication: 3, targets }])
  for (const node of nodes) node.received(longer)
  cluster.store.tx.putBlock(longer)
  cluster.manager.committed([{ kind: 'block-committed', block: longer, replication: 3 }])
  expect(cluster.manager.liveReplicas(longer)).toBe(3)
  expect(nodes.flatMap((node) => node.invalidated())).toEqual([])
})
