import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ReplicaState } from '../../../proto/ports.ts'
import { ReplicaMap } from './replica-map.ts'

const finalized = ReplicaState.REPLICA_FINALIZED

interface ModelReplica {
  genstamp: number
  length: number
  state: number
  corrupt: boolean
  excess: boolean
  epoch: number
}

/** What the map holds for a block, by storage. */
function replicasOf(map: ReplicaMap, blockId: number): Map<number, ModelReplica> {
  const out = new Map<number, ModelReplica>()
  for (let slot = map.first(blockId); slot !== -1; slot = map.next(slot)) {
    out.set(map.storage(slot), {
      genstamp: map.genstamp(slot),
      length: map.length(slot),
      state: map.state(slot),
      corrupt: map.isCorrupt(slot),
      excess: map.isExcess(slot),
      epoch: map.epoch(slot),
    })
  }
  return out
}

const blockId = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(2 ** 30 + 1, 2 ** 32 + 7, 2 ** 53 - 1))
const storage = fc.integer({ min: 0, max: 5 })
const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('put' as const),
      blockId,
      storage,
      genstamp: fc.integer({ min: 1001, max: 1004 }),
      length: fc.integer({ min: 0, max: 3 }),
      state: fc.constantFrom(...Object.values(ReplicaState)),
      epoch: fc.integer({ min: 0, max: 7 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('remove' as const), blockId, storage }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('removeBlock' as const), blockId }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('corrupt' as const), blockId, storage }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('excess' as const), blockId, storage }) },
)

describe('ReplicaMap', () => {
  test('does what a Map of Maps does, after any sequence of changes', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 400 }), (operations) => {
        const map = new ReplicaMap()
        const model = new Map<number, Map<number, ModelReplica>>()
        for (const step of operations) {
          const replicas = model.get(step.blockId) ?? new Map<number, ModelReplica>()
          if (step.op === 'put') {
            const old = replicas.get(step.storage)
            const same = old?.genstamp === step.genstamp && old.length === step.length
            map.put(step.blockId, step.storage, step)
            replicas.set(step.storage, {
              genstamp: step.genstamp,
              length: step.length,
              state: step.state,
              epoch: step.epoch,
              corrupt: same && old.corrupt,
              excess: same && old.excess,
            })
            model.set(step.blockId, replicas)
          } else if (step.op === 'remove') {
            expect(map.remove(step.blockId, step.storage)).toBe(replicas.delete(step.storage))
            if (replicas.size === 0) model.delete(step.blockId)
          } else if (step.op === 'removeBlock') {
            map.removeBlock(step.blockId)
            model.delete(step.blockId)
          } else {
            const slot = map.find(step.blockId, step.storage)
            const replica = replicas.get(step.storage)
            expect(slot !== -1).toBe(replica !== undefined)
            if (replica && step.op === 'corrupt') {
              map.setCorrupt(slot)
              replica.corrupt = true
            } else if (replica) {
              map.setExcess(slot)
              replica.excess = true
            }
          }
        }
        const seen = new Set<number>()
        for (let at = 0; at !== -1;) at = map.scan(at, 7, (id) => seen.add(id))
        expect(seen).toEqual(new Set(model.keys()))
        for (const [id, replicas] of model) expect(replicasOf(map, id)).toEqual(replicas)
        expect(map.blocks).toBe(model.size)
        expect(map.replicas).toBe([...model.values()].reduce((sum, replicas) => sum + replicas.size, 0))
      }),
    )
  })

  test('holds 100,000 blocks of three replicas in at most 60 bytes a replica and gives every one back', () => {
    const map = new ReplicaMap()
    const first = 2 ** 30 + 1
    for (let i = 0; i < 100_000; i++) {
      for (let s = 0; s < 3; s++) map.put(first + i, (i + s) % 5, { genstamp: 1001 + i, length: i, state: finalized, epoch: 0 })
    }
    expect(map.blocks).toBe(100_000)
    expect(map.replicas).toBe(300_000)
    expect(map.memoryBytes / map.replicas).toBeLessThan(60)
    for (let i = 0; i < 100_000; i += 997)
      expect([...replicasOf(map, first + i).keys()].sort()).toEqual([i % 5, (i + 1) % 5, (i + 2) % 5].sort())
  })

  test('reuses what was freed, so that create and delete in turn do not grow it', () => {
    const map = new ReplicaMap()
    for (let i = 0; i < 1000; i++) map.put(i + 1, 0, { genstamp: 1001, length: 1, state: finalized, epoch: 0 })
    const before = map.memoryBytes
    for (let i = 1000; i < 50_000; i++) {
      map.removeBlock(i - 999)
      map.put(i + 1, 0, { genstamp: 1001, length: 1, state: finalized, epoch: 0 })
    }
    expect(map.blocks).toBe(1000)
    expect(map.memoryBytes).toBe(before)
  })
})
