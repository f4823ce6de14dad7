import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ReceivedKind, ReplicaState } from '../../../proto/ports.ts'
import { BlockCursor } from './block-cursor.ts'
import { ClusterFixture } from './testing/cluster-fixture.ts'

const { REPLICA_FINALIZED, REPLICA_RBW, REPLICA_RWR, REPLICA_RUR, REPLICA_TEMPORARY } = ReplicaState

/** What became of one reported replica of block 7, whose record is as given. */
function outcome(
  reported: { state: ReplicaState; genstamp?: number; length?: number },
  record: { state?: 'committed' | 'under-construction' | 'under-recovery'; complete?: boolean } | undefined,
) {
  const cluster = new ClusterFixture()
  const [node, other] = cluster.addNodes(2)
  const block = record
    ? cluster.addBlock(7, { state: record.state ?? 'committed', replication: 1 })
    : { blockId: 7, genstamp: 2_000, length: 100 }
  if (record?.complete) other!.report([{ block }])
  node!.report([
    { block: { ...block, genstamp: reported.genstamp ?? block.genstamp, length: reported.length ?? block.length }, state: reported.state },
  ])
  const { manager } = cluster
  return {
    live:
      record && (record.state ?? 'committed') === 'committed'
        ? manager.liveReplicas(cluster.store.tx.block(7)!) - (record.complete ? 1 : 0)
        : 0,
    corrupt: manager.counts().corruptBlocks,
    deleted: node!.invalidated().includes(7),
    known: manager.reportedReplicas(7).some((replica) => replica.datanodeUuid === node!.uuid),
  }
}

describe('a reported replica', () => {
  const nothing = { live: 0, corrupt: 0, deleted: false, known: false }
  const remembered = { ...nothing, known: true }

  test.each([REPLICA_FINALIZED, REPLICA_RBW, REPLICA_RWR, REPLICA_RUR])('of no file, in state %i, is told to go', (state) => {
    expect(outcome({ state }, undefined)).toEqual({ ...nothing, deleted: true })
  })

  test.each([REPLICA_FINALIZED, REPLICA_RBW, REPLICA_RWR])(
    'of a block under construction, in state %i, is remembered and moves nothing',
    (state) => {
      expect(outcome({ state }, { state: 'under-construction' })).toEqual(remembered)
      expect(outcome({ state, genstamp: 1_999, length: 3 }, { state: 'under-construction' })).toEqual(remembered)
      expect(outcome({ state }, { state: 'under-recovery' })).toEqual(remembered)
    },
  )

  test('finalised with stamp and length of a committed block is live', () => {
    expect(outcome({ state: REPLICA_FINALIZED }, {})).toEqual({ ...remembered, live: 1 })
  })

  test.each([{ genstamp: 1_999 }, { genstamp: 2_001 }, { length: 99 }, { length: 101 }])(
    'finalised with %o differs from a committed block: corrupt, kept while it is the only one',
    (difference) => {
      expect(outcome({ state: REPLICA_FINALIZED, ...difference }, {})).toEqual({ ...nothing, corrupt: 1 })
    },
  )

  test.each([{ genstamp: 1_999 }, { length: 99 }])('finalised with %o goes when a good copy is there', (difference) => {
    expect(outcome({ state: REPLICA_FINALIZED, ...difference }, { complete: true })).toMatchObject({ live: 0, deleted: true })
  })

  test('being written with the stamp of a committed block comes late: remembered', () => {
    expect(outcome({ state: REPLICA_RBW, length: 50 }, { complete: true })).toEqual(remembered)
    expect(outcome({ state: REPLICA_RBW, length: 50 }, {})).toEqual(remembered)
  })

  test('being written with another stamp than a complete block is corrupt, before it is complete it is not', () => {
    expect(outcome({ state: REPLICA_RBW, genstamp: 1_999 }, { complete: true })).toMatchObject({ live: 0, deleted: true })
    expect(outcome({ state: REPLICA_RBW, genstamp: 1_999 }, {})).toEqual(remembered)
  })

  test('waiting to be recovered is corrupt once the block is complete', () => {
    expect(outcome({ state: REPLICA_RWR }, { complete: true })).toMatchObject({ live: 0, deleted: true })
    expect(outcome({ state: REPLICA_RWR }, {})).toEqual(remembered)
  })

  test('under recovery is remembered, temporary is ignored', () => {
    expect(outcome({ state: REPLICA_RUR }, { complete: true })).toEqual(remembered)
    expect(outcome({ state: REPLICA_TEMPORARY }, {})).toEqual(nothing)
    expect(outcome({ state: REPLICA_TEMPORARY }, undefined)).toEqual(nothing)
  })

  test('with a generation stamp from the future is never told to go', () => {
    expect(outcome({ state: REPLICA_FINALIZED, genstamp: 9_999 }, undefined)).toEqual(nothing)
  })
})

describe('reports', () => {
  test('what a full report does not name is gone', () => {
    const cluster = new ClusterFixture()
    const [node] = cluster.addNodes(1)
    const blocks = [1, 2, 3].map((id) => cluster.addBlock(id, { replication: 1 }))
    node!.report(blocks.map((block) => ({ block })))
    expect(cluster.manager.counts()).toMatchObject({ replicas: 3, missingBlocks: 0 })
    node!.report([{ block: blocks[1]! }])
    expect(blocks.map((block) => cluster.manager.liveReplicas(block))).toEqual([0, 1, 0])
    expect(cluster.manager.counts()).toMatchObject({ replicas: 1, missingBlocks: 2, missingSingle: 2 })
  })

  test('a replica that arrives between two parts of a full report survives it', () => {
    const cluster = new ClusterFixture()
    const [node] = cluster.addNodes(1)
    const [a, b, c] = [1, 2, 3].map((id) => cluster.addBlock(id, { replication: 1 })) as [
      ReturnType<typeof cluster.addBlock>,
      ReturnType<typeof cluster.addBlock>,
      ReturnType<typeof cluster.addBlock>,
    ]
    node!.report([{ block: a }])
    const part = (index: number, blocks: readonly (typeof a)[]) => ({
      storageUuid: node!.storage(),
      reportId: 77,
      part: index,
      parts: 2,
      blockIds: blocks.map((x) => x.blockId),
      genstamps: blocks.map((x) => x.genstamp),
      lengths: blocks.map((x) => x.length),
      states: blocks.map(() => REPLICA_FINALIZED),
    })
    const run = (job: { step(limit: number): boolean }) => {
      while (!job.step(1));
    }
    run(cluster.manager.fullReport(node!.node, part(0, [a])))
    node!.received(c)
    run(cluster.manager.fullReport(node!.node, part(1, [b])))
    expect([a, b, c].map((block) => cluster.manager.liveReplicas(block))).toEqual([1, 1, 1])
  })

  test('a report that breaks off is no reason to forget anything, and a part out of order asks for all again', () => {
    const cluster = new ClusterFixture()
    const [node] = cluster.addNodes(1)
    const block = cluster.addBlock(1, { replication: 1 })
    node!.report([{ block }])
    const part = { storageUuid: node!.storage(), reportId: 500, parts: 3, blockIds: [], genstamps: [], lengths: [], states: [] }
    expect(cluster.manager.fullReport(node!.node, { ...part, part: 0 }).step(10)).toBe(true)
    expect(cluster.manager.fullReport(node!.node, { ...part, part: 2 }).step(10)).toBe(true)
    expect(node!.sent.at(-1)).toEqual({ sendReport: {} })
    expect(cluster.manager.liveReplicas(block)).toBe(1)
    node!.report([])
    expect(cluster.manager.liveReplicas(block)).toBe(0)
  })

  test('received and deleted between reports count at once, and the arrival is told', () => {
    const cluster = new ClusterFixture()
    const [node] = cluster.addNodes(1)
    const block = cluster.addBlock(1, { replication: 1 })
    node!.received(block, ReceivedKind.RECEIVING)
    expect(cluster.manager.liveReplicas(block)).toBe(0)
    expect(cluster.arrived).toEqual([])
    node!.received(block)
    expect(cluster.manager.liveReplicas(block)).toBe(1)
    expect(cluster.arrived).toEqual([1])
    node!.received(block)
    expect(cluster.arrived).toEqual([1])
    node!.received(block, ReceivedKind.DELETED)
    expect(cluster.manager.liveReplicas(block)).toBe(0)
  })

  test('a late word that an older version was deleted does not remove the newer one', () => {
    const cluster = new ClusterFixture()
    const [node] = cluster.addNodes(1)
    const block = cluster.addBlock(1, { replication: 1 })
    node!.received(block)
    node!.received({ ...block, genstamp: block.genstamp - 1 }, ReceivedKind.DELETED)
    expect(cluster.manager.liveReplicas(block)).toBe(1)
  })

  test('a storage that the node has not registered, or columns of different length, are refused', () => {
    const cluster = new ClusterFixture()
    const [node] = cluster.addNodes(1)
    const part = { storageUuid: 'other', reportId: 1, part: 0, parts: 1, blockIds: [], genstamps: [], lengths: [], states: [] }
    expect(() => cluster.manager.fullReport(node!.node, part)).toThrow(
      'Datanode dn-1 reported blocks of storage other, which it has not registered.',
    )
    expect(() => cluster.manager.fullReport(node!.node, { ...part, storageUuid: node!.storage(), blockIds: [1] })).toThrow(
      "A block report's columns differ in length: 1 ids, 0 stamps, 0 lengths, 0 states.",
    )
  })
})

test('the cursor finds what single look-ups find, whatever is asked for', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: 3000 }), { maxLength: 300 }),
      fc.array(fc.integer({ min: 1, max: 3000 }), { maxLength: 300 }),
      fc.boolean(),
      (blocks, asked, sorted) => {
        const cluster = new ClusterFixture()
        for (const id of blocks) cluster.addBlock(id)
        const cursor = new BlockCursor(cluster.store.tx)
        const ids = sorted ? [...asked].sort((a, b) => a - b) : asked
        for (const id of ids) expect(cursor.seek(id)?.blockId).toBe(cluster.store.tx.block(id)?.blockId)
      },
    ),
    { numRuns: 30 },
  )
})
