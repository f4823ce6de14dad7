// The calls of Hadoop's clients to a datanode, over a socket.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Closer } from '../../../common/closer.ts'
import type { HadoopInit, HadoopMessage } from '../../../proto/hadoop/codec.ts'
import type { MessageTypes } from '../../../proto/hadoop/gen/messages.ts'
import { RpcTestClient } from '../../../proto/hadoop/testing/rpc-client.ts'
import { DatanodeClients } from '../../../proto/transport/datanode-client.ts'
import { patternBytes } from '../../testing/blocks.ts'
import { finalizedReplica, openReplica, testStore, writeAll } from '../../testing/stores.ts'
import type { TestStore } from '../../testing/stores.ts'
import { Transfers } from '../../workers/transfers.ts'
import { BlockStreams } from '../block-streams.ts'
import { DatanodeMetrics } from '../metrics.ts'
import { openIpcDoor } from './door.ts'

let closer = new Closer()
let node: TestStore
let reports = 0
let client: RpcTestClient
const protocol = 'org.apache.hadoop.hdfs.protocol.ClientDatanodeProtocol'

beforeEach(async () => {
  node = await testStore(closer)
  const { store, env } = node
  reports = 0
  const clients = closer.use(new DatanodeClients())
  const metrics = new DatanodeMetrics()
  const streams = new BlockStreams({ env, store, clients, metrics, streamsMax: 10 })
  const transfers = new Transfers({ env, store, clients, metrics, balancingBandwidth: 7_000_000, reportBad() {} })
  const { clock, log } = env
  const context = { clock, log, store, streams, transfers, softwareVersion: '1.2.3', reportNow: () => reports++ }
  const door = closer.use(await openIpcDoor(context, { host: '127.0.0.1', port: 0 }))
  client = closer.use(await RpcTestClient.connect(door.port, 'ann'))
})
afterEach(async () => {
  const closing = closer
  closer = new Closer()
  await closing.close()
})

function call<Q extends HadoopMessage, R extends HadoopMessage>(
  method: string,
  types: readonly [Q, R],
  request: HadoopInit<MessageTypes[Q]>,
): Promise<MessageTypes[R]> {
  return client.call(method, types, request, { protocol })
}

const visible = (blockId: number, generationStamp: number) =>
  call('getReplicaVisibleLength', ['ReplicaVisibleLengthRequest', 'ReplicaVisibleLengthReply'], {
    block: { poolId: '', blockId, generationStamp },
  })

it('tells how much of a replica readers may see: what was acknowledged while it is open, all of it later', async () => {
  const writer = await openReplica(node.store, 7)
  await writeAll(writer, patternBytes(1000))
  await writer.write({ data: [patternBytes(24)], length: 24, at: 1000, checksums: Buffer.alloc(4), chunk: 1 })
  expect(await visible(7, 1001)).toEqual({ length: 1000 })
  await writer.finalize(async () => {})
  expect(await visible(7, 1001)).toEqual({ length: 1024 })
  await expect(visible(7, 1002)).rejects.toMatchObject({ className: 'org.apache.hadoop.hdfs.server.datanode.ReplicaNotFoundException' })
  await expect(visible(8, 1001)).rejects.toMatchObject({ className: 'org.apache.hadoop.hdfs.server.datanode.ReplicaNotFoundException' })
})

it('answers what dfsadmin asks of a datanode', async () => {
  await finalizedReplica(node.store, 7, patternBytes(1000))
  expect(await call('getDatanodeInfo', ['DatanodeRequest', 'DatanodeInfoReply'], {})).toMatchObject({ info: { softwareVersion: '1.2.3' } })
  expect(await call('getVolumeReport', ['DatanodeRequest', 'VolumeReportReply'], {})).toMatchObject({
    volumes: [{ path: node.dirs[0], storageType: 1, blocks: 1, usedSpace: 1000 + 16 + 8 }],
  })
  expect(await call('getBalancerBandwidth', ['DatanodeRequest', 'BalancerBandwidthReply'], {})).toEqual({ bandwidth: 7_000_000 })
  await call('triggerBlockReport', ['TriggerBlockReportRequest', 'DatanodeReply'], { incremental: false })
  expect(reports).toBe(1)
  expect(await call('getReconfigurationStatus', ['DatanodeRequest', 'ReconfigurationStatusReply'], {})).toMatchObject({ startTime: 0 })
  const writer = await openReplica(node.store, 8)
  await call('evictWriters', ['DatanodeRequest', 'DatanodeReply'], {})
  await writer.evicted
})

it('refuses what would change, delete or stop the datanode', async () => {
  const refused = { className: 'java.lang.UnsupportedOperationException' }
  const shutdown = call('shutdownDatanode', ['ShutdownDatanodeRequest', 'DatanodeReply'], { forUpgrade: true })
  await expect(shutdown).rejects.toMatchObject(refused)
  const removal = call('deleteBlockPool', ['DeleteBlockPoolRequest', 'DatanodeReply'], { blockPool: 'BP-1', force: true })
  await expect(removal).rejects.toMatchObject(refused)
  await expect(call('startReconfiguration', ['DatanodeRequest', 'DatanodeReply'], {})).rejects.toMatchObject(refused)
})
