// Whole datanodes over loopback, with a namenode that only keeps their sessions.
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { chunkChecksums } from '../common/checksum.ts'
import { Closer } from '../common/closer.ts'
import { defaultSettings } from '../common/config.ts'
import { silentLogger } from '../common/env.ts'
import type { Settings } from '../common/options.ts'
import { systemEnv } from '../common/system-env.ts'
import { PipelineStatus, ReceivedKind, ReplicaState, WriteStage } from '../proto/ports.ts'
import type { Init, LocalReplicas, NodeMessage, ReplicaLocation, WriteHeader, WriteReply } from '../proto/ports.ts'
import { DatanodeClients } from '../proto/transport/datanode-client.ts'
import type { DatanodeClient, WriteStream } from '../proto/transport/datanode-client.ts'
import { startDatanode } from './main.ts'
import type { RunningDatanode } from './main.ts'
import { checksum, location, nextReply, patternBytes, readWhole, sendPackets, writeWhole } from './testing/blocks.ts'
import { FakeNamenode } from './testing/fake-namenode.ts'

let closer = new Closer()
afterEach(async () => {
  const closing = closer
  closer = new Closer()
  await closing.close()
})

function temporary(): string {
  const dir = mkdtempSync(join(tmpdir(), 'quarry-datanode-'))
  closer.add(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

async function datanode(namenode: FakeNamenode, settings: Partial<Settings> = {}): Promise<RunningDatanode> {
  return closer.use(
    await startDatanode({
      settings: defaultSettings({ dir: temporary(), reserved: 0, namenode: namenode.uri, ...settings }),
      env: systemEnv(silentLogger),
    }),
  )
}

function client(node: RunningDatanode): DatanodeClient {
  const clients = closer.use(new DatanodeClients())
  return clients.get({ ip: '127.0.0.1', grpcPort: Number(node.grpc.split(':')[1]) })
}

const poolId = 'BP-test-127.0.0.1-1'
const block = { blockId: 1073741825, genstamp: 1001, length: 0 }

/** Starts a write and takes its setup reply. */
async function beginWrite(
  node: RunningDatanode,
  header: Init<WriteHeader>,
): Promise<{ stream: WriteStream; replies: AsyncIterator<WriteReply>; setup: NonNullable<WriteReply['setup']> }> {
  const stream = client(node).writeBlock({ poolId, checksum, ...header })
  const replies = stream.replies[Symbol.asyncIterator]()
  const { setup } = await nextReply(replies)
  return { stream, replies, setup: setup! }
}

/** Files of a block below a datanode's directories, by the end of their names. */
function blockFile(node: RunningDatanode, ending: string): string {
  const found = readdirSync(node.dirs[0]!, { recursive: true, withFileTypes: true }).find(
    (entry) => entry.isFile() && entry.name.endsWith(ending),
  )
  return join(found!.parentPath, found!.name)
}

const receivedAt =
  (node: RunningDatanode, length: number, genstamp = 1001) =>
  (message: NodeMessage, from: string) =>
    from === node.uuid &&
    (message.received?.blocks.some(
      (one) => one.kind === ReceivedKind.RECEIVED && one.block?.length === length && one.block.genstamp === genstamp,
    ) ??
      false)

describe('one datanode', () => {
  it('takes a block, reports it before the last ack, and gives every byte back', async () => {
    const namenode = closer.use(await FakeNamenode.start())
    const node = await datanode(namenode)
    const data = patternBytes(3 * 1024 * 1024 + 777)
    await writeWhole(client(node), { poolId, block }, data)
    await namenode.hear(receivedAt(node, data.length))
    expect((await readWhole(client(node), poolId, block, 0, data.length)).equals(data)).toBe(true)
    expect((await readWhole(client(node), poolId, block, 1000, 2_000_000)).equals(data.subarray(1000, 2_001_000))).toBe(true)
    expect(await client(node).replicaInfo({ poolId, block })).toMatchObject({
      block: { length: data.length },
      state: ReplicaState.REPLICA_FINALIZED,
      dataPath: '',
    })
    const local = await client(node).replicaInfo({ poolId, block, wantLocalPath: true })
    expect(readFileSync(local.dataPath).equals(data)).toBe(true)
    const sums = await client(node).blockChecksum({ poolId, block })
    expect(Buffer.from(sums.md5).equals(createHash('md5').update(chunkChecksums(data, 512)).digest())).toBe(true)
    expect(sums.chunks).toBe(Math.ceil(data.length / 512))
  })

  it('shows the acknowledged bytes of a block that is being written', async () => {
    const namenode = closer.use(await FakeNamenode.start())
    const node = await datanode(namenode)
    const data = patternBytes(1000)
    const { stream, replies } = await beginWrite(node, { block })
    await stream.send({
      seqno: 0,
      offset: 0,
      checksums: chunkChecksums(data.subarray(0, 700), 512),
      data: data.subarray(0, 700),
      sync: true,
    })
    await nextReply(replies)
    expect((await readWhole(client(node), poolId, block, 0, 700)).equals(data.subarray(0, 700))).toBe(true)
    await expect(readWhole(client(node), poolId, block, 0, 701)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    // The last chunk is sent again with what was added to it.
    await stream.send({ seqno: 1, offset: 512, checksums: chunkChecksums(data.subarray(512), 512), data: data.subarray(512) })
    await nextReply(replies)
    expect((await readWhole(client(node), poolId, block, 0, 1000)).equals(data)).toBe(true)
    stream.cancel()
  })

  it('refuses what it cannot do, with the reason', async () => {
    const namenode = closer.use(await FakeNamenode.start())
    const node = await datanode(namenode, { capacity: 2 * 1024 * 1024 })
    await expect(readWhole(client(node), poolId, block, 0, 1)).rejects.toMatchObject({ code: 'REPLICA_NOT_FOUND' })
    await expect(readWhole(client(node), 'BP-other', block, 0, 1)).rejects.toMatchObject({ code: 'WRONG_CLUSTER' })
    const data = patternBytes(512 * 1024)
    await writeWhole(client(node), { poolId, block }, data)
    const again = await beginWrite(node, { block })
    expect(again.setup).toMatchObject({ status: PipelineStatus.PIPELINE_ERROR, firstBad: node.uuid, error: { code: 'ALREADY_EXISTS' } })
    const other = await beginWrite(node, { block: { ...block, blockId: block.blockId + 1 } })
    expect(other.setup.status).toBe(PipelineStatus.PIPELINE_SUCCESS)
    await sendPackets(other.stream, patternBytes(3 * 1024 * 1024), 0, 512 * 1024).catch(() => {})
    const statuses: unknown[] = []
    for (let i = 0; i < 6 && statuses.at(-1) !== PipelineStatus.PIPELINE_ERROR_DISK_FULL; i++)
      statuses.push((await nextReply(other.replies)).ack?.statuses[0])
    expect(statuses.at(-1)).toBe(PipelineStatus.PIPELINE_ERROR_DISK_FULL)
  })

  it('answers at its HTTP door', async () => {
    const namenode = closer.use(await FakeNamenode.start())
    const node = await datanode(namenode)
    await writeWhole(client(node), { poolId, block }, patternBytes(1000))
    const get = (path: string) => fetch(`http://${node.http}${path}`)
    expect(await (await get('/health')).text()).toBe('ok\n')
    expect(await (await get('/status')).json()).toMatchObject({
      uuid: node.uuid,
      poolId,
      session: 'registered',
      blocks: 1,
      storages: [{ blocks: 1, used: 1000 + 16 + 8 }],
    })
    expect(await (await get('/metrics')).text()).toContain('quarry_datanode_bytes_total{direction="write"} 1000\n')
    expect((await get('/nothing')).status).toBe(404)
    await namenode.close()
    for (let i = 0; i < 500 && (await get('/health')).status === 200; i++) await new Promise((resolve) => setTimeout(resolve, 10))
    expect((await get('/health')).status).toBe(503)
  })

  it('lets open streams finish when it drains, and takes no new ones', async () => {
    const namenode = closer.use(await FakeNamenode.start())
    const node = await datanode(namenode)
    const data = patternBytes(1000)
    const { stream, replies } = await beginWrite(node, { block })
    await sendPackets(stream, data, 0)
    await nextReply(replies)
    const drained = node.drain()
    await namenode.hear((message) => message.goodbye !== null && message.goodbye !== undefined)
    await expect(readWhole(client(node), poolId, block, 0, 10)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('stopping'),
    })
    await stream.send({ seqno: 1, offset: data.length, last: true })
    expect((await nextReply(replies)).ack).toMatchObject({ seqno: 1, statuses: [PipelineStatus.PIPELINE_SUCCESS] })
    await drained
  })
})

describe('a pipeline of three', () => {
  async function three(
    settings: Partial<Settings> = {},
  ): Promise<{ namenode: FakeNamenode; nodes: RunningDatanode[]; targets: Init<ReplicaLocation>[] }> {
    const namenode = closer.use(await FakeNamenode.start())
    const nodes = await Promise.all([datanode(namenode, settings), datanode(namenode, settings), datanode(namenode, settings)])
    return { namenode, nodes, targets: nodes.map(location) }
  }

  it('holds the same bytes everywhere when the last packet is acknowledged', async () => {
    const { namenode, nodes, targets } = await three()
    const data = patternBytes(2 * 1024 * 1024 + 5)
    await writeWhole(client(nodes[0]!), { poolId, block, targets: targets.slice(1) }, data)
    for (const node of nodes) {
      expect((await readWhole(client(node), poolId, block, 0, data.length)).equals(data)).toBe(true)
      expect(namenode.heard.some(({ message, from }) => receivedAt(node, data.length)(message, from))).toBe(true)
    }
  })

  it.each([
    [1, [0, 1]],
    [2, [0, 0, 1]],
  ] as const)('says that node %i died in the middle of a block, and goes on without it', async (victim, expected) => {
    const { nodes, targets } = await three()
    const data = patternBytes(1024 * 1024)
    const { stream, replies, setup } = await beginWrite(nodes[0]!, { block, targets: targets.slice(1) })
    expect(setup).toMatchObject({
      status: PipelineStatus.PIPELINE_SUCCESS,
      storages: [expect.any(String), expect.any(String), expect.any(String)],
    })
    await sendPackets(stream, data.subarray(0, 512 * 1024), 0)
    expect((await nextReply(replies)).ack?.statuses).toEqual([0, 0, 0])
    await nodes[victim]!.close()
    // The pipeline may have found out, and ended the stream, before the next packet comes.
    await stream
      .send({
        seqno: 1,
        offset: 512 * 1024,
        checksums: chunkChecksums(data.subarray(512 * 1024), 512),
        data: data.subarray(512 * 1024),
      })
      .catch((error: unknown) => expect(error).toMatchObject({ code: 'CANCELLED' }))
    expect((await nextReply(replies)).ack).toMatchObject({ statuses: expected })
    expect((await replies.next()).done).toBe(true)

    const survivors = [0, 1, 2].filter((index) => index !== victim)
    const recovery = await beginWrite(nodes[0]!, {
      block,
      targets: [targets[survivors[1]!]!],
      stage: WriteStage.WRITE_STREAMING_RECOVERY,
      newGenstamp: 1002,
      minBytes: 512 * 1024,
      maxBytes: data.length,
    })
    expect(recovery.setup.status).toBe(PipelineStatus.PIPELINE_SUCCESS)
    await recovery.stream.send({
      seqno: 1,
      offset: 512 * 1024,
      checksums: chunkChecksums(data.subarray(512 * 1024), 512),
      data: data.subarray(512 * 1024),
    })
    await recovery.stream.send({ seqno: 2, offset: data.length, last: true })
    expect((await nextReply(recovery.replies)).ack?.statuses).toEqual([0, 0])
    expect((await nextReply(recovery.replies)).ack?.statuses).toEqual([0, 0])
    for (const index of survivors)
      expect((await readWhole(client(nodes[index]!), poolId, { ...block, genstamp: 1002 }, 0, data.length)).equals(data)).toBe(true)
  })

  it('names the node that refused or could not be reached when it is set up', async () => {
    const { nodes, targets } = await three()
    await writeWhole(client(nodes[2]!), { poolId, block }, patternBytes(10))
    const refused = await beginWrite(nodes[0]!, { block, targets: targets.slice(1) })
    expect(refused.setup).toMatchObject({
      status: PipelineStatus.PIPELINE_ERROR,
      firstBad: nodes[2]!.uuid,
      error: { code: 'ALREADY_EXISTS' },
    })
    await nodes[1]!.close()
    const gone = await beginWrite(nodes[0]!, { block: { ...block, blockId: 99 }, targets: targets.slice(1) })
    expect(gone.setup).toMatchObject({ status: PipelineStatus.PIPELINE_ERROR, firstBad: nodes[1]!.uuid, error: { code: 'UNAVAILABLE' } })
  })

  it('finds a damaged packet at its tail, and blames the first node whose copy is damaged', async () => {
    const { nodes, targets } = await three()
    const data = patternBytes(2000)
    const { stream, replies } = await beginWrite(nodes[0]!, { block, targets: targets.slice(1) })
    const checksums = chunkChecksums(data, 512)
    data[700]! ^= 1
    await stream.send({ seqno: 0, offset: 0, checksums, data })
    // It was damaged before the first node got it: every node has the bad copy, so the first is the suspect.
    expect((await nextReply(replies)).ack).toMatchObject({ seqno: 0, statuses: [PipelineStatus.PIPELINE_ERROR_CHECKSUM] })
    expect((await replies.next()).done).toBe(true)
    for (const node of nodes)
      await expect(client(node).replicaInfo({ poolId, block })).resolves.toMatchObject({
        state: ReplicaState.REPLICA_RBW,
        block: { length: 0 },
      })
  })

  it('stops on every node when the writer goes away, and keeps what was acknowledged', async () => {
    const { nodes, targets } = await three()
    const data = patternBytes(600)
    const { stream, replies } = await beginWrite(nodes[0]!, { block, targets: targets.slice(1) })
    await sendPackets(stream, data, 0)
    await nextReply(replies)
    stream.cancel()
    for (const node of nodes) {
      let writers = 1
      for (let i = 0; i < 500 && writers > 0; i++) {
        writers = ((await (await fetch(`http://${node.http}/status`)).json()) as { writers: number }).writers
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      expect(writers).toBe(0)
      expect((await readWhole(client(node), poolId, block, 0, 600)).equals(data)).toBe(true)
    }
  })

  it('hands heartbeats through', async () => {
    const { nodes, targets } = await three()
    const { stream, replies } = await beginWrite(nodes[0]!, { block, targets: targets.slice(1) })
    await stream.send({ seqno: -1 })
    expect((await nextReply(replies)).ack).toMatchObject({ seqno: -1, statuses: [0, 0, 0] })
    stream.cancel()
  })

  it('brings back a block whose writer vanished: the primary makes all replicas equal', async () => {
    const { namenode, nodes, targets } = await three()
    const data = patternBytes(3000)
    const { stream, replies } = await beginWrite(nodes[0]!, { block, targets: targets.slice(1) })
    await sendPackets(stream, data, 0, 1024)
    for (let i = 0; i < 3; i++) await nextReply(replies)
    namenode.command(nodes[1]!.uuid, { recover: { block, recoveryId: 1007, locations: targets } })
    const { recoveryResult } = await namenode.hear((message) => message.recoveryResult !== null && message.recoveryResult !== undefined)
    expect(recoveryResult).toMatchObject({
      recoveryId: 1007,
      newLength: 3000,
      error: null,
      locations: nodes.map(({ uuid }) => ({ datanode: { uuid } })),
    })
    for (const node of nodes) {
      await namenode.hear(receivedAt(node, 3000, 1007))
      expect((await readWhole(client(node), poolId, { ...block, genstamp: 1007 }, 0, 3000)).equals(data)).toBe(true)
    }
  })
})

describe('commands of the namenode', () => {
  it('copy a replica to others, which check and report it', async () => {
    const namenode = closer.use(await FakeNamenode.start())
    const nodes = await Promise.all([datanode(namenode), datanode(namenode), datanode(namenode)])
    const data = patternBytes(2 * 1024 * 1024 + 9)
    await writeWhole(client(nodes[0]!), { poolId, block }, data)
    namenode.command(nodes[0]!.uuid, { replicate: { block: { ...block, length: data.length }, targets: nodes.slice(1).map(location) } })
    for (const node of nodes.slice(1)) {
      await namenode.hear(receivedAt(node, data.length))
      expect((await readWhole(client(node), poolId, block, 0, data.length)).equals(data)).toBe(true)
    }
  })

  it('never spread a damaged replica: the target refuses it and the source reports itself', async () => {
    const namenode = closer.use(await FakeNamenode.start())
    const [source, target] = await Promise.all([datanode(namenode), datanode(namenode)])
    const data = patternBytes(1024 * 1024)
    await writeWhole(client(source), { poolId, block }, data)
    const path = blockFile(source, `blk_${block.blockId}`)
    const bytes = readFileSync(path)
    bytes[600_000]! ^= 8
    writeFileSync(path, bytes)
    namenode.command(source.uuid, { replicate: { block: { ...block, length: data.length }, targets: [location(target)] } })
    const { badReplicas } = await namenode.hear((message) => message.badReplicas !== null && message.badReplicas !== undefined)
    expect(badReplicas?.replicas).toMatchObject([
      { block: { blockId: block.blockId }, reason: 'bytes 599552 and on do not match their checksum' },
    ])
    await expect(client(target).replicaInfo({ poolId, block })).rejects.toMatchObject({ code: 'REPLICA_NOT_FOUND' })
  })

  it('copy an open replica for a writer whose pipeline gets a new node', async () => {
    const namenode = closer.use(await FakeNamenode.start())
    const [source, target] = await Promise.all([datanode(namenode), datanode(namenode)])
    const data = patternBytes(1500)
    const { stream, replies } = await beginWrite(source, { block })
    await sendPackets(stream, data, 0)
    await nextReply(replies)
    await client(source).transferBlock({ poolId, block, targets: [location(target)] })
    const recovery = await beginWrite(source, {
      block,
      targets: [location(target)],
      stage: WriteStage.WRITE_STREAMING_RECOVERY,
      newGenstamp: 1002,
      minBytes: 1500,
      maxBytes: 1500,
    })
    expect(recovery.setup).toMatchObject({ status: PipelineStatus.PIPELINE_SUCCESS })
    await recovery.stream.send({ seqno: 1, offset: 1500, last: true })
    expect((await nextReply(recovery.replies)).ack?.statuses).toEqual([0, 0])
    expect((await readWhole(client(target), poolId, { ...block, genstamp: 1002 }, 0, 1500)).equals(data)).toBe(true)
  })

  it('remove replicas', async () => {
    const namenode = closer.use(await FakeNamenode.start())
    const node = await datanode(namenode)
    await writeWhole(client(node), { poolId, block }, patternBytes(10))
    namenode.command(node.uuid, { invalidate: { blocks: [block] } })
    await namenode.hear(
      (message) =>
        message.received?.blocks.some((one) => one.kind === ReceivedKind.DELETED && one.block?.blockId === block.blockId) ?? false,
    )
    await expect(client(node).replicaInfo({ poolId, block })).rejects.toMatchObject({ code: 'REPLICA_NOT_FOUND' })
  })
})

describe('the session with the namenode', () => {
  it('begins again with a full report when the namenode comes back', async () => {
    const first = await FakeNamenode.start()
    const port = Number(first.uri.split(':').at(-1))
    const node = await datanode(first)
    await writeWhole(client(node), { poolId, block }, patternBytes(10))
    await first.close()
    const second = closer.use(await FakeNamenode.start({ port }))
    const { blockReport } = await second.hear((message) => (message.blockReport?.blockIds.length ?? 0) > 0)
    expect(blockReport).toMatchObject({
      part: 0,
      parts: 1,
      blockIds: [block.blockId],
      genstamps: [1001],
      lengths: [10],
      states: [ReplicaState.REPLICA_FINALIZED],
    })
    await second.hear((message) => message.heartbeat !== null && message.heartbeat !== undefined)
  })

  it('stops the start when the namenode refuses, with its reason', async () => {
    const namenode = closer.use(
      await FakeNamenode.start({
        answer: (message) =>
          message.register ? { refused: { error: { code: 'VERSION', message: 'This namenode speaks version 9.' } } } : undefined,
      }),
    )
    await expect(datanode(namenode)).rejects.toMatchObject({ code: 'VERSION', message: 'This namenode speaks version 9.' })
  })

  it('refuses to serve another cluster with its blocks', async () => {
    const dir = temporary()
    const first = closer.use(await FakeNamenode.start())
    await (await datanode(first, { dir })).close()
    const other = closer.use(await FakeNamenode.start({ clusterId: 'CID-other' }))
    await expect(datanode(other, { dir })).rejects.toMatchObject({
      code: 'WRONG_CLUSTER',
      message: expect.stringContaining('belongs to cluster CID-test, but the namenode serves cluster CID-other'),
    })
  })

  it('is not needed to start: the node runs and keeps trying', async () => {
    const first = await FakeNamenode.start()
    const { uri } = first
    await first.close()
    const node = await datanode(first)
    expect((await fetch(`http://${node.http}/health`)).status).toBe(503)
    const late = closer.use(await FakeNamenode.start({ port: Number(uri.split(':').at(-1)) }))
    await late.hear((message) => message.register?.datanode?.uuid === node.uuid)
  })
})

describe('settings', () => {
  it('that would open the door to everyone are refused', async () => {
    await expect(
      startDatanode({
        settings: defaultSettings({ dir: temporary(), namenode: 'quarry://127.0.0.1:1', bind: '0.0.0.0' }),
        env: systemEnv(),
      }),
    ).rejects.toMatchObject({ code: 'CONFIG', message: expect.stringContaining('--insecure') })
  })
})

describe('local replicas', () => {
  it('are linked and read after their checksums were checked, and refused when damaged', async () => {
    const namenode = closer.use(await FakeNamenode.start())
    let local: LocalReplicas | undefined
    const settings = defaultSettings({ dir: temporary(), reserved: 0, namenode: namenode.uri })
    const node = closer.use(await startDatanode({ settings, env: systemEnv(), services: (replicas) => ((local = replicas), []) }))
    const data = patternBytes(1_200_000)
    await writeWhole(client(node), { poolId, block }, data)
    const target = join(local!.scratchDir, 'linked')
    expect(await local!.link(block, target)).toMatchObject({ length: data.length })
    expect(readFileSync(target).equals(data)).toBe(true)
    const parts: Uint8Array[] = []
    for await (const part of local!.read(block, 1000, 1_100_000)) parts.push(part)
    expect(Buffer.concat(parts).equals(data.subarray(1000, 1_101_000))).toBe(true)

    const bad = { ...block, blockId: block.blockId + 1 }
    await writeWhole(client(node), { poolId, block: bad }, data)
    const bytes = readFileSync(blockFile(node, `blk_${bad.blockId}`))
    bytes[5000]! ^= 1
    writeFileSync(blockFile(node, `blk_${bad.blockId}`), bytes)
    await expect(local!.link(bad, `${target}2`)).rejects.toMatchObject({ code: 'CHECKSUM' })
    await expect(
      (async () => {
        for await (const _ of local!.read(bad, 0, 10_000));
      })(),
    ).rejects.toMatchObject({ code: 'CHECKSUM' })
    await namenode.hear((message) => message.badReplicas?.replicas.some((one) => one.block?.blockId === bad.blockId) ?? false)
    expect(local).toMatchObject({ poolId, datanodeUuid: node.uuid })
  })
})

describe('many streams', () => {
  it('of fifty readers and writers stay within their windows', async () => {
    const namenode = closer.use(await FakeNamenode.start())
    const node = await datanode(namenode)
    const big = patternBytes(48 * 1024 * 1024)
    await writeWhole(client(node), { poolId, block }, big)
    const before = process.memoryUsage.rss()
    let peak = 0
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss() - before)), 20)
    const shared = client(node)
    const readers = Array.from({ length: 25 }, async () => {
      let bytes = 0
      for await (const frame of shared.readBlock({ poolId, block, offset: 0, length: big.length })) {
        // Slow at first, so that everything that can pile up does.
        if (bytes === 0) await new Promise((resolve) => setTimeout(resolve, 1000))
        bytes += frame.packet?.data.length ?? 0
      }
      expect(bytes).toBe(big.length)
    })
    const small = big.subarray(0, 4 * 1024 * 1024)
    const writers = Array.from({ length: 25 }, (_, i) =>
      writeWhole(shared, { poolId, block: { ...block, blockId: block.blockId + 1 + i } }, small),
    )
    await Promise.all([...readers, ...writers])
    clearInterval(watch)
    // 25 x 48 MiB were on offer at once. Both ends live in this process: a window of 4 MiB and a few packets for each stream.
    expect(peak).toBeLessThan(25 * 30 * 1024 * 1024)
    for (let i = 0; i < 25; i += 8)
      expect((await readWhole(shared, poolId, { ...block, blockId: block.blockId + 1 + i }, 0, small.length)).equals(small)).toBe(true)
  }, 180_000)
})
