// States of replicas as the namenode hears of them, and what a failed disk call leaves behind.
import { afterEach, describe, expect, it } from 'vitest'
import { Closer } from '../../common/closer.ts'
import { ReplicaState, WriteStage } from '../../proto/ports.ts'
import { patternBytes } from '../testing/blocks.ts'
import { FastClock } from '../testing/fast-clock.ts'
import { finalizedReplica, openReplica, testStore, writeAll } from '../testing/stores.ts'
import type { ReplicaStore } from './replica-store.ts'

let closer = new Closer()
afterEach(async () => {
  const closing = closer
  closer = new Closer()
  await closing.close()
})

function reported(store: ReplicaStore, blockId: number): ReplicaState {
  return store.reportedState(store.get(blockId)!)
}

describe('a replica under recovery', () => {
  it.each([
    ['being written', ReplicaState.REPLICA_RBW],
    ['finalised', ReplicaState.REPLICA_FINALIZED],
  ])('that was %s is reported as RUR until the recovery is finished', async (_what, state) => {
    const { store } = await testStore(closer)
    if (state === ReplicaState.REPLICA_FINALIZED) await finalizedReplica(store, 7, patternBytes(1000))
    else await writeAll(await openReplica(store, 7), patternBytes(1000))
    expect(reported(store, 7)).toBe(state)
    // The primary hears what it was: the agreement on a length depends on it.
    expect(await store.initRecovery({ blockId: 7 }, 1005)).toMatchObject({ found: true, state, replica: { length: 1000 } })
    expect(reported(store, 7)).toBe(ReplicaState.REPLICA_RUR)
    await store.finishRecovery({ blockId: 7 }, 1005, 1000)
    expect(reported(store, 7)).toBe(ReplicaState.REPLICA_FINALIZED)
  })

  it('that waited since a restart is reported as RWR before, as RUR then, and as RWR again when the primary must have given up', async () => {
    const clock = new FastClock()
    const { store, dirs } = await testStore(closer)
    await writeAll(await openReplica(store, 7), patternBytes(1000))
    await store.close()
    const { store: again } = await testStore(closer, 1, { dirs, clock })
    expect(reported(again, 7)).toBe(ReplicaState.REPLICA_RWR)
    await again.initRecovery({ blockId: 7 }, 1005)
    expect(reported(again, 7)).toBe(ReplicaState.REPLICA_RUR)
    clock.advance(299_999)
    expect(reported(again, 7)).toBe(ReplicaState.REPLICA_RUR)
    clock.advance(1)
    expect(reported(again, 7)).toBe(ReplicaState.REPLICA_RWR)
    // The recovery itself is still the one that may finish, and a newer one may take over.
    await again.initRecovery({ blockId: 7 }, 1006)
    expect(reported(again, 7)).toBe(ReplicaState.REPLICA_RUR)
    await expect(again.finishRecovery({ blockId: 7 }, 1005, 1000)).rejects.toMatchObject({ code: 'REPLICA_STATE' })
  })

  it('is not written by anybody, and refuses a recovery with an id that is not higher than its stamp', async () => {
    const { store } = await testStore(closer)
    const writer = await openReplica(store, 7)
    await writeAll(writer, patternBytes(1000))
    await store.initRecovery({ blockId: 7 }, 1005)
    await writer.evicted
    await expect(
      openReplica(store, 7, { stage: WriteStage.WRITE_STREAMING_RECOVERY, newGenstamp: 1004, maxBytes: 5000 }),
    ).rejects.toMatchObject({ code: 'RECOVERY_IN_PROGRESS' })
    await expect(store.initRecovery({ blockId: 7 }, 1001)).rejects.toMatchObject({ code: 'REPLICA_STATE' })
  })
})

describe('a new replica', () => {
  it('of two writers of one block that come at once one is refused', async () => {
    const { store } = await testStore(closer)
    const [one, two] = await Promise.allSettled([openReplica(store, 7), openReplica(store, 7)])
    expect([one.status, two.status].sort()).toEqual(['fulfilled', 'rejected'])
    const refused = [one, two].find((result) => result.status === 'rejected')
    expect(refused).toMatchObject({ reason: { code: 'ALREADY_EXISTS' } })
  })

  it('that cannot be made leaves neither a record nor a file nor an open descriptor', async () => {
    const { store, faults } = await testStore(closer)
    let closed = 0
    faults.onCall = (name) => (closed += name === 'close' ? 1 : 0)
    faults.faults.push({ below: store.storages[0]!.paths.rbw, code: 'ENOSPC', calls: ['write'] })
    await expect(openReplica(store, 7)).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect(closed).toBe(2)
    expect(store.get(7)).toBe(undefined)
    expect(await store.disk.readdir(store.storages[0]!.paths.rbw)).toEqual([])
    expect(store.storages[0]!.used).toBe(0)
    faults.faults.length = 0
    await finalizedReplica(store, 7, patternBytes(10))
  })
})

describe('a sync that failed', () => {
  it('is never followed by one that succeeds: the replica is not acknowledged as durable', async () => {
    const { store, faults, told } = await testStore(closer)
    const writer = await openReplica(store, 7)
    await writeAll(writer, patternBytes(3000))
    faults.faults.push({ below: store.dataPath(store.get(7)!), code: 'EIO', calls: ['sync', 'syncData'] })
    await expect(writer.sync()).rejects.toMatchObject({ code: 'EIO' })
    faults.faults.length = 0
    await expect(writer.finalize(async () => {})).rejects.toMatchObject({ code: 'EIO' })
    expect(told).toEqual(['receiving 7'])
    expect(store.get(7)?.state).toBe(ReplicaState.REPLICA_RBW)
  })

  it('counts too when it was one behind the writer', async () => {
    const { store, faults, told } = await testStore(closer)
    const writer = await openReplica(store, 7)
    await writeAll(writer, patternBytes(3000))
    let failed = () => {}
    const failing = new Promise<void>((resolve) => (failed = resolve))
    faults.faults.push({ below: store.dataPath(store.get(7)!), code: 'EIO', calls: ['syncData'] })
    faults.onCall = (name) => name === 'syncData' && failed()
    writer.startSync()
    await failing
    await expect(writer.finalize(async () => {})).rejects.toMatchObject({ code: 'EIO' })
    expect(told).toEqual(['receiving 7'])
  })

  it('of the names leaves the replica unacknowledged', async () => {
    const { store, faults, told } = await testStore(closer)
    const writer = await openReplica(store, 7)
    await writeAll(writer, patternBytes(3000))
    faults.faults.push({ below: store.storages[0]!.paths.finalized, code: 'EIO', calls: ['syncDirectory'] })
    let acknowledged = false
    await expect(
      writer.finalize(async () => {
        acknowledged = true
      }),
    ).rejects.toMatchObject({ code: 'EIO' })
    expect({ acknowledged, told }).toEqual({ acknowledged: false, told: ['receiving 7'] })
  })
})
