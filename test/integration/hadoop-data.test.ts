// Blocks of one cluster through both doors: files that a Hadoop client writes and our own reads, and the other way round. The Hadoop
// client is made of the test clients of its two wires.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { must } from '../../common/assert.ts'
import { Closer } from '../../common/closer.ts'
import { patternBytes } from '../../datanode/testing/blocks.ts'
import { TransferClient } from '../../datanode/testing/transfer-client.ts'
import type { DatanodeInfo, ExtendedBlock, HadoopLocatedBlock } from '../../proto/hadoop/codec.ts'
import { RpcTestClient } from '../../proto/hadoop/testing/rpc-client.ts'
import { MiniCluster } from '../support/mini-cluster.ts'

const closer = new Closer()
let cluster: MiniCluster
let rpc: RpcTestClient
const clientName = 'DFSClient_test_1'
const blockSize = 1024 * 1024

beforeAll(async () => {
  cluster = await MiniCluster.start({ settings: { 'hdfs.port': 0, 'transfer.port': 0, 'ipc.port': 0 } })
  closer.add(() => cluster.close())
  rpc = closer.use(await RpcTestClient.connect(Number(must(cluster.namenode.hdfs).split(':').at(-1)), 'root'))
})
afterAll(() => closer.close())

async function create(src: string): Promise<void> {
  await rpc.call('create', ['HdfsCreateRequest', 'OptionalStatus'], {
    src,
    masked: { perm: 0o644 },
    clientName,
    flag: 1,
    createParent: true,
    replication: 3,
    blockSize,
  })
}

async function addBlock(src: string, previous?: ExtendedBlock): Promise<HadoopLocatedBlock> {
  return (await rpc.call('addBlock', ['HdfsAddBlockRequest', 'LocatedBlockResponse'], { src, clientName, previous })).block
}

async function complete(src: string, last: ExtendedBlock): Promise<boolean> {
  return (await rpc.call('complete', ['HdfsCompleteRequest', 'BoolResult'], { src, clientName, last })).result
}

/** The block as it goes to a datanode, and its pipeline. */
async function begin(located: HadoopLocatedBlock): Promise<TransferClient> {
  const [first, ...below] = located.locations.map(nodeOf)
  const client = closer.use(await TransferClient.connect(must(first).transferPort))
  const [storageId, ...targetStorageIds] = located.storageIds
  expect(await client.write(blockOf(located.block), { below, storageId, targetStorageIds })).toMatchObject({ status: 0 })
  return client
}

const blockOf = ({ blockId, generationStamp, poolId }: ExtendedBlock) => ({ blockId, genstamp: generationStamp, pool: poolId })
const nodeOf = ({ id }: DatanodeInfo) => ({ uuid: id.datanodeUuid, transferPort: id.xferPort })

it('a file that a Hadoop client wrote is read by our own, and its blocks lie on every node', async () => {
  const data = patternBytes(2_500_000)
  await create('/hadoop/a')
  let previous: ExtendedBlock | undefined
  for (let at = 0; at < data.length; at += blockSize) {
    const located = await addBlock('/hadoop/a', previous)
    expect(located.locations).toHaveLength(3)
    const part = data.subarray(at, at + blockSize)
    const client = await begin(located)
    await client.finishBlock(part)
    previous = { ...located.block, numBytes: part.length }
  }
  expect(await complete('/hadoop/a', must(previous))).toBe(true)
  const fs = await cluster.connect({ localReads: false })
  expect(Buffer.from(await fs.readFile('/hadoop/a')).equals(data)).toBe(true)
  for (const { hosts } of await fs.blockLocations('/hadoop/a')) expect(hosts).toHaveLength(3)
})

it('a file that our own client wrote is read by a Hadoop client, from each replica', async () => {
  const data = patternBytes(1_400_000)
  const fs = await cluster.connect()
  await fs.writeFile('/own/b', data, { blockSize })
  const { locations } = await rpc.call('getBlockLocations', ['LocationsRequest', 'LocationsResponse'], {
    src: '/own/b',
    offset: 0,
    length: data.length,
  })
  for (const { block, offset, locations: nodes } of must(locations).blocks) {
    for (const node of nodes) {
      const client = closer.use(await TransferClient.connect(node.id.xferPort))
      const { numBytes = 0 } = block
      const read = await client.read(blockOf(block), 0, numBytes)
      expect(read.data.equals(data.subarray(offset, offset + numBytes))).toBe(true)
    }
  }
})

it('a reader learns from a datanode how much of an open block it may see', async () => {
  const data = patternBytes(1000)
  await create('/hadoop/open')
  const located = await addBlock('/hadoop/open')
  const writer = await begin(located)
  await writer.packet({ offset: 0, seqno: 0, data, sync: true })
  await writer.ack()
  for (const { id } of located.locations) {
    const ipc = closer.use(await RpcTestClient.connect(id.ipcPort, 'root'))
    const protocol = 'org.apache.hadoop.hdfs.protocol.ClientDatanodeProtocol'
    const types = ['ReplicaVisibleLengthRequest', 'ReplicaVisibleLengthReply'] as const
    expect(await ipc.call('getReplicaVisibleLength', types, { block: located.block }, { protocol })).toEqual({ length: 1000 })
  }
  await writer.packet({ offset: 1000, seqno: 1, last: true })
  await writer.ack()
  expect(await complete('/hadoop/open', { ...located.block, numBytes: 1000 })).toBe(true)
})
