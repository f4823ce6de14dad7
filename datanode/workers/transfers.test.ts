// Copies out of a real store to targets that acknowledge everything at once, on a clock that the test moves.
import { afterEach, expect, test } from 'vitest'
import { Closer } from '../../common/closer.ts'
import { VirtualClock } from '../../common/testing/virtual-clock.ts'
import { PipelineStatus } from '../../proto/ports.ts'
import type { Block, ReplicaLocation, WriteReply } from '../../proto/ports.ts'
import type { DatanodeClient, WriteStream } from '../../proto/transport/datanode-client.ts'
import { DatanodeMetrics } from '../service/metrics.ts'
import { patternBytes } from '../testing/blocks.ts'
import { finalizedReplica, testStore } from '../testing/stores.ts'
import { Transfers } from './transfers.ts'

const MiB = 1024 * 1024
const closer = new Closer()
afterEach(() => closer.close())

const target = { datanode: { uuid: 'target', ip: '10.0.0.1', grpcPort: 1 }, storageUuid: '', storageType: 0 } as unknown as ReplicaLocation
const blockOf = (blockId: number): Block => ({ blockId, genstamp: 1001, length: 0 })

/** A target: `silent` ones take the set-up and say no more. */
function targetStream(silent: boolean, packet: (bytes: number) => void): WriteStream {
  const replies: WriteReply[] = [
    { body: 'setup', ack: null, setup: { status: PipelineStatus.PIPELINE_SUCCESS, firstBad: '', error: null, storages: [] } },
  ]
  let wake = (): void => {}
  let cancelled = false
  return {
    async send({ seqno = 0, data }) {
      packet(data?.length ?? 0)
      if (silent) return
      replies.push({ body: 'ack', setup: null, ack: { seqno, statuses: [0], message: '', tookMs: [] } })
      wake()
    },
    forward: async () => {},
    end() {},
    cancel() {
      cancelled = true
      wake()
    },
    replies: {
      async *[Symbol.asyncIterator]() {
        for (;;) {
          while (replies.length > 0) yield replies.shift()!
          if (cancelled) throw new Error('cancelled')
          await new Promise<void>((resolve) => (wake = resolve))
        }
      },
    },
  }
}

async function setUp(blocks: number, bandwidth: number, silent = false) {
  const clock = new VirtualClock()
  const { store, env } = await testStore(closer, 1, { clock })
  const data = patternBytes(4 * MiB)
  for (let blockId = 1; blockId <= blocks; blockId++) await finalizedReplica(store, blockId, data)
  const sent: { atMs: number; bytes: number }[] = []
  const clients = {
    get: () =>
      ({ writeBlock: () => targetStream(silent, (bytes) => sent.push({ atMs: clock.monotonicMs(), bytes })) }) as unknown as DatanodeClient,
  }
  const transfers = new Transfers({ env, store, clients, metrics: new DatanodeMetrics(), balancingBandwidth: bandwidth, reportBad() {} })
  return { clock, transfers, sent }
}

/** Moves the clock whenever nothing else goes on, until `work` is done; answers the virtual milliseconds it took. */
async function drive(clock: VirtualClock, work: Promise<unknown>, during?: () => void, tickMs = 50): Promise<number> {
  const startedMs = clock.monotonicMs()
  let over = false
  work.then(
    () => (over = true),
    () => (over = true),
  )
  while (!over) {
    // Files are read by threads: they are given a moment before the clock is moved on.
    for (let i = 0; i < 10 && !over; i++) await new Promise((resolve) => setTimeout(resolve, 1))
    if (over) break
    during?.()
    await clock.advance(tickMs)
  }
  return clock.monotonicMs() - startedMs
}

test('moves of the balancer share the bandwidth and use it, a tenth aside', async () => {
  const { clock, transfers, sent } = await setUp(4, 4 * MiB)
  const all = [1, 2, 3, 4].map((id) => transfers.copy(blockOf(id), [target], 'balancing'))
  await drive(clock, Promise.all(all))
  await Promise.all(all)
  const bytes = sent.reduce((sum, one) => sum + one.bytes, 0)
  expect(bytes).toBe(16 * MiB)
  const seconds = (sent.at(-1)!.atMs - sent[0]!.atMs) / 1000
  expect(bytes / seconds / (4 * MiB)).toBeGreaterThan(0.9)
  // The first tenth of a second's worth goes at once, and so does the packet that goes beyond it.
  expect(bytes / seconds / (4 * MiB)).toBeLessThan(1.1)
})

test('another bandwidth holds for the moves that run', async () => {
  const { clock, transfers, sent } = await setUp(2, 512 * 1024)
  const all = [1, 2].map((id) => transfers.copy(blockOf(id), [target], 'balancing'))
  let changed = false
  const tookMs = await drive(clock, Promise.all(all), () => {
    if (changed || sent.length < 3) return
    changed = true
    transfers.setBalancingBandwidth(1024 * MiB)
  })
  await Promise.all(all)
  expect(changed).toBe(true)
  // 8 MiB at half a MiB a second would take sixteen.
  expect(tookMs).toBeLessThan(12_000)
})

test('copies for safety and for pipelines are not held up by moves that wait for their bandwidth', async () => {
  const { clock, transfers } = await setUp(12, 1024)
  const moves = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((id) => transfers.copy(blockOf(id), [target], 'balancing').catch(() => {}))
  await drive(clock, transfers.copy(blockOf(10), [target]))
  await transfers.copy(blockOf(11), [target], 'safety')
  await transfers.copy(blockOf(12), [target], 'pipeline')
  transfers.setBalancingBandwidth(1024 * MiB)
  await drive(clock, Promise.all(moves))
})

test('a target that takes the bytes and never acknowledges fails the copy after a bound', async () => {
  const { clock, transfers } = await setUp(1, MiB, true)
  const copying = transfers.copy(blockOf(1), [target])
  const tookMs = await drive(clock, copying, undefined, 1_000)
  await expect(copying).rejects.toThrow()
  expect(tookMs).toBeGreaterThanOrEqual(60_000)
  expect(tookMs).toBeLessThanOrEqual(121_000)
})
