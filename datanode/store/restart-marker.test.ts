import { readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { Closer } from '../../common/closer.ts'
import { chunkChecksums } from '../../common/checksum.ts'
import { VirtualClock } from '../../common/testing/virtual-clock.ts'
import { ReplicaState, WriteStage } from '../../proto/ports.ts'
import { patternBytes } from '../testing/blocks.ts'
import { openReplica, testStore } from '../testing/stores.ts'
import { RealDisk } from './real-disk.ts'
import { markOpenReplicas } from './restart-marker.ts'

const closer = new Closer()
afterEach(() => closer.close())

const blockId = 1073741825
const data = patternBytes(5000)

/** A store that stopped in order while a replica had 5,000 bytes, 4,096 of them acknowledged. */
async function stopped(): Promise<{ dir: string; rbw: string; clock: VirtualClock }> {
  const clock = new VirtualClock()
  const { store, dirs } = await testStore(closer, 1, { clock })
  const writer = await openReplica(store, blockId)
  await writer.write({ data: [data], length: data.length, at: 0, checksums: chunkChecksums(data, 512), chunk: 0 })
  writer.acknowledge(4096)
  await markOpenReplicas(store, new RealDisk(), clock)
  await store.close()
  return { dir: dirs[0]!, rbw: join(dirs[0]!, 'current/rbw'), clock }
}

async function stateAfter(dir: string, clock: VirtualClock): Promise<{ state: ReplicaState; visible: number; length: number }> {
  const { store } = await testStore(closer, 1, { dirs: [dir], clock })
  const { state, visible, length } = store.get(blockId)!
  await store.close()
  return { state, visible, length }
}

test('a replica that was open when the datanode stopped in order stays RBW, visible up to what was acknowledged, and is gone on with', async () => {
  const { dir, clock } = await stopped()
  await clock.advance(20_000)
  const { store } = await testStore(closer, 1, { dirs: [dir], clock })
  expect(store.get(blockId)).toMatchObject({ state: ReplicaState.REPLICA_RBW, visible: 4096, length: 5000 })
  const writer = await openReplica(store, blockId, {
    stage: WriteStage.WRITE_STREAMING_RECOVERY,
    newGenstamp: 1002,
    minBytes: 4096,
    maxBytes: 5000,
  })
  expect([writer.startLength, writer.genstamp]).toEqual([4096, 1002])
})

test('a marker holds once: after another stop without one the replica waits to be recovered', async () => {
  const { dir, rbw, clock } = await stopped()
  expect((await stateAfter(dir, clock)).state).toBe(ReplicaState.REPLICA_RBW)
  expect(readdirSync(rbw).filter((name) => name.includes('restart'))).toEqual([])
  expect((await stateAfter(dir, clock)).state).toBe(ReplicaState.REPLICA_RWR)
})

test('a replica whose datanode was away too long, or whose clock was set back far, waits to be recovered', async () => {
  for (const ms of [50_001, -3_600_000]) {
    const { dir, clock } = await stopped()
    clock.jump(ms)
    expect(await stateAfter(dir, clock)).toEqual({ state: ReplicaState.REPLICA_RWR, visible: 5000, length: 5000 })
  }
})

test('a replica that lost acknowledged bytes, or a marker that is damaged or of another stamp, is not trusted', async () => {
  const torn = await stopped()
  truncateSync(join(torn.rbw, `blk_${blockId}`), 3000)
  expect((await stateAfter(torn.dir, torn.clock)).state).toBe(ReplicaState.REPLICA_RWR)
  const marker = `blk_${blockId}.restart`
  const untilMs = torn.clock.nowMs() + 1000
  for (const text of [
    '',
    '{',
    'null',
    '7',
    '{"genstamp":1001}',
    JSON.stringify({ genstamp: 1000, visible: 0, untilMs }),
    'x'.repeat(5000),
  ]) {
    const { dir, rbw, clock } = await stopped()
    writeFileSync(join(rbw, marker), text)
    expect((await stateAfter(dir, clock)).state).toBe(ReplicaState.REPLICA_RWR)
  }
})

test('finished replicas are not marked', async () => {
  const clock = new VirtualClock()
  const { store, dirs } = await testStore(closer, 1, { clock })
  const writer = await openReplica(store, blockId)
  await writer.finalize(async () => {})
  await markOpenReplicas(store, new RealDisk(), clock)
  expect(readdirSync(join(dirs[0]!, 'current/rbw'))).toEqual([])
})
