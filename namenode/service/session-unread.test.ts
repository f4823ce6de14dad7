// A datanode that does not read what it is told, over a stream that the test holds.
import { EventEmitter } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { silentLogger } from '../../common/env.ts'
import type { Logger } from '../../common/env.ts'
import { codec } from '../../proto/codec.ts'
import { ReplicaState } from '../../proto/ports.ts'
import type { Init, NameMessage, NodeMessage } from '../../proto/ports.ts'
import { protocolVersion } from '../../proto/version.ts'
import { ClusterFixture } from '../core/cluster/testing/cluster-fixture.ts'
import { sessionDoor, unreadMax } from './session-door.ts'

const nodeMessage = codec('NodeMessage')

/** As much of a gRPC stream as the door uses. */
class FakeStream extends EventEmitter {
  readonly written: Init<NameMessage>[] = []
  isRead = true
  ended = false
  destroyed = false

  write(message: Init<NameMessage>): boolean {
    this.written.push(message)
    return this.isRead
  }

  end(): void {
    this.ended = true
  }

  destroy(): void {
    this.destroyed = true
  }

  pause(): void {}
  resume(): void {}

  getPeer(): string {
    return '10.0.0.1:40000'
  }
}

const reasons: string[] = []
const log: Logger = { ...silentLogger, warn: (_event, fields) => void reasons.push(String(fields?.['reason'])) }

afterEach(() => void (reasons.length = 0))

async function connect(cluster: ClusterFixture): Promise<FakeStream> {
  const door = sessionDoor({
    cluster: cluster.manager,
    clusterId: 'CID-1',
    poolId: 'BP-1',
    heartbeatIntervalMs: 3_000,
    syncOnClose: true,
    clock: cluster.clock,
    log,
    recovered: () => {},
    recoveryFailed: () => {},
  })
  const stream = new FakeStream()
  const handler = door.handlers['session'] as (stream: FakeStream) => unknown
  handler(stream)
  say(stream, {
    register: {
      protocol: protocolVersion,
      startedMs: 1,
      datanode: { uuid: 'dn-1', ip: '10.0.0.1', hostname: 'host1', grpcPort: 1, rack: '/default-rack' },
      storages: [{ storageUuid: 'dn-1-s0', capacity: 1e12, remaining: 1e12 }],
    },
  })
  await settle()
  expect(stream.written[0]?.registered).toBeDefined()
  return stream
}

function say(stream: FakeStream, message: Init<NodeMessage>): void {
  stream.emit('data', nodeMessage.decode(Buffer.from(nodeMessage.encode(message))))
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

const parts = 5
const perPart = 50_000

/** Has it report replicas that no file has, which it is told to delete: a thousand in a command. */
async function reportStrangers(cluster: ClusterFixture, stream: FakeStream): Promise<void> {
  for (let part = 0; part < parts; part++) {
    const blockIds = Array.from({ length: perPart }, (_, i) => 1 + part * perPart + i)
    const [genstamps, lengths] = [blockIds.map(() => 1_001), blockIds.map(() => 1)]
    const states = blockIds.map(() => ReplicaState.REPLICA_FINALIZED)
    say(stream, { blockReport: { storageUuid: 'dn-1-s0', reportId: 1, part, parts, blockIds, genstamps, lengths, states } })
    for (let i = 0; i < perPart / 500 + 10; i++) await settle()
  }
  for (let i = 0; i < (parts * perPart) / 4_000 + 1; i++) {
    cluster.settle()
    cluster.manager.redundancyRound()
    await settle()
  }
}

const deletions = (stream: FakeStream) => stream.written.reduce((sum, message) => sum + (message.invalidate?.blocks?.length ?? 0), 0)

test('a datanode that does not read its commands loses its session, and what waits for it is let go', async () => {
  const cluster = new ClusterFixture()
  const stream = await connect(cluster)
  stream.isRead = false
  await reportStrangers(cluster, stream)
  expect(reasons).toEqual([`it did not read its commands: more than ${unreadMax} were waiting`])
  expect([stream.ended, stream.destroyed]).toEqual([true, true])
  expect(deletions(stream)).toBeGreaterThan(unreadMax - 1_000)
  expect(deletions(stream)).toBeLessThanOrEqual(unreadMax + 1_000)
  expect(cluster.manager.datanodes(0)[0]).toMatchObject({ stale: true })

  // It comes back with its full reports, and hears everything that is still true.
  const again = await connect(cluster)
  await reportStrangers(cluster, again)
  expect(deletions(again)).toBe(parts * perPart)
  expect(again.destroyed).toBe(false)
})

test('one that catches up now and then keeps its session, however much it is told', async () => {
  const cluster = new ClusterFixture()
  const stream = await connect(cluster)
  stream.isRead = false
  const write = stream.write.bind(stream)
  stream.write = (message) => {
    if (stream.written.length % 100 === 0) queueMicrotask(() => stream.emit('drain'))
    return write(message)
  }
  await reportStrangers(cluster, stream)
  expect(reasons).toEqual([])
  expect(deletions(stream)).toBe(parts * perPart)
})
