// Whole datanodes behind their data transfer port, with a namenode that only keeps their sessions.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import zlib from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { chunkChecksums, crc32c as crc32cOf } from '../../../common/checksum.ts'
import { Closer } from '../../../common/closer.ts'
import { defaultSettings } from '../../../common/config.ts'
import { silentLogger } from '../../../common/env.ts'
import type { Settings } from '../../../common/options.ts'
import { systemEnv } from '../../../common/system-env.ts'
import { encodeHadoop } from '../../../proto/hadoop/codec.ts'
import { ReceivedKind, ReplicaState } from '../../../proto/ports.ts'
import { DatanodeClients } from '../../../proto/transport/datanode-client.ts'
import { startDatanode } from '../../main.ts'
import type { RunningDatanode } from '../../main.ts'
import { checksummer } from '../../store/checksum-file.ts'
import { patternBytes, readWhole } from '../../testing/blocks.ts'
import { FakeNamenode } from '../../testing/fake-namenode.ts'
import { crc32c, encodePacket, extended, infoOf, poolId, TransferClient } from '../../testing/transfer-client.ts'
import { encodeOp, opCodes } from './ops.ts'

let closer = new Closer()
let namenode: FakeNamenode
beforeEach(async () => {
  namenode = closer.use(await FakeNamenode.start())
})
afterEach(async () => {
  const closing = closer
  closer = new Closer()
  await closing.close()
})

async function datanode(settings: Partial<Settings> = {}): Promise<RunningDatanode> {
  const dir = mkdtempSync(join(tmpdir(), 'quarry-transfer-'))
  closer.add(() => rmSync(dir, { recursive: true, force: true }))
  return closer.use(
    await startDatanode({
      settings: defaultSettings({ dir, 'reserved': 0, 'namenode': namenode.uri, 'transfer.port': 0, ...settings }),
      env: systemEnv(silentLogger),
    }),
  )
}

const nodes = (count: number) => Promise.all(Array.from({ length: count }, () => datanode()))
const connect = async (node: RunningDatanode) => closer.use(await TransferClient.connect(node.transferPort))
const block = { blockId: 1073741825, genstamp: 1001 }
const later = { ...block, genstamp: 1002 }

async function written(node: RunningDatanode, data: Uint8Array, below: RunningDatanode[] = [], sum = crc32c): Promise<void> {
  const client = await connect(node)
  expect(await client.write(block, { below, sum })).toMatchObject({ status: 0, firstBadLink: '' })
  await client.finishBlock(data, { sum })
  await client.ended()
}

function native(node: RunningDatanode) {
  const clients = closer.use(new DatanodeClients())
  return clients.get({ ip: '127.0.0.1', grpcPort: Number(node.grpc.split(':')[1]) })
}

describe('writing and reading', () => {
  it('a block written by a Hadoop client lies on every node of the pipeline, and is reported before its last acknowledgement', async () => {
    const all = await nodes(3)
    const data = patternBytes(3_000_001)
    await written(all[0]!, data, all.slice(1))
    for (const node of all) {
      const heard = namenode.heard.some(
        ({ message, from }) =>
          from === node.uuid &&
          message.received?.blocks.some((one) => one.kind === ReceivedKind.RECEIVED && one.block?.length === data.length),
      )
      expect(heard).toBe(true)
      expect((await readWhole(native(node), poolId, block, 0, data.length)).equals(data)).toBe(true)
      const read = await (await connect(node)).read(block, 0, data.length)
      expect(read.data.equals(data)).toBe(true)
      expect(read.checksums.equals(chunkChecksums(data, 512))).toBe(true)
    }
  })

  it('a range comes from the chunk it begins in to the end of the chunk it ends in, one read after another on a connection', async () => {
    const node = await datanode()
    const data = patternBytes(1_300_000)
    await written(node, data)
    const client = await connect(node)
    for (const [offset, length] of [
      [0, 1],
      [1000, 600],
      [511, 2],
      [700_000, 600_000],
      [1_299_999, 1],
      [512, 0],
    ] as const) {
      const { response, packets, data: got, checksums } = await client.read(block, offset, length)
      const start = offset - (offset % 512)
      const end = Math.min(data.length, Math.ceil((offset + length) / 512) * 512)
      expect(response.readChecksum).toMatchObject({ chunkOffset: start, checksum: { type: 2, bytesPerChecksum: 512 } })
      expect(got.equals(data.subarray(start, end))).toBe(true)
      expect(checksums.equals(chunkChecksums(data.subarray(start, end), 512))).toBe(true)
      expect(packets.map(({ seqno }) => seqno)).toEqual(packets.map((_, index) => index))
      expect(packets.map(({ last }) => last)).toEqual(packets.map((_, index) => index === packets.length - 1))
      expect(packets.every((packet) => packet.offset % 512 === 0 || packet.last)).toBe(true)
    }
    const plain = await client.read(block, 1000, 600, false)
    expect(plain.response.readChecksum).toMatchObject({ chunkOffset: 512, checksum: { type: 0, bytesPerChecksum: 512 } })
    expect(plain.checksums).toHaveLength(0)
    expect(plain.data.equals(data.subarray(512, 2048))).toBe(true)
  })

  it.each([
    ['CRC32', 1, 512],
    ['CRC32C of other chunks', 2, 4096],
    ['CRC32 of odd chunks', 1, 100],
    ['no checksums', 0, 512],
  ] as const)('keeps a client’s own checksums: %s', async (_name, type, bytesPerChunk) => {
    const all = await nodes(2)
    const data = patternBytes(200_033)
    const sum = checksummer(type, bytesPerChunk)
    await written(all[0]!, data, [all[1]!], sum)
    for (const node of all) {
      const { response, data: got, checksums } = await (await connect(node)).read(block, 0, data.length)
      expect(response.readChecksum?.checksum).toEqual({ type, bytesPerChecksum: bytesPerChunk })
      expect(got.equals(data)).toBe(true)
      expect(checksums.length).toBe(type === 0 ? 0 : Math.ceil(data.length / bytesPerChunk) * 4)
      if (type === 1) expect(checksums.readUInt32BE(0)).toBe(zlib.crc32(data.subarray(0, bytesPerChunk)))
    }
  })

  it('bytes that were flushed can be read from every node while the block is open, and no others', async () => {
    const all = await nodes(3)
    const data = patternBytes(2000)
    const writer = await connect(all[0]!)
    await writer.write(block, { below: all.slice(1) })
    await writer.packet({ offset: 0, seqno: 0, data: data.subarray(0, 700), sync: true })
    expect(await writer.ack()).toMatchObject({ seqno: 0, replies: [0, 0, 0] })
    for (const node of all) expect((await (await connect(node)).read(block, 0, 700)).data.equals(data.subarray(0, 700))).toBe(true)
    const beyond = await (await connect(all[0]!)).read(block, 0, 2000)
    expect(beyond.response.status).toBe(1)
    expect(beyond.response.message).toContain(`Offset 0 and length 2000 don't match block ${poolId}:blk_1073741825_1001 ( blockLen 700 )`)
    // A flush without data, and the last chunk again with what was added to it.
    await writer.packet({ offset: 700, seqno: 1, sync: true })
    expect(await writer.ack()).toMatchObject({ seqno: 1 })
    await writer.packet({ offset: 512, seqno: 2, data: data.subarray(512) })
    expect(await writer.ack()).toMatchObject({ seqno: 2, replies: [0, 0, 0] })
    expect((await (await connect(all[2]!)).read(block, 0, 2000)).data.equals(data)).toBe(true)
  })

  it('acknowledges each packet of a fast writer once, in its order, wherever the client begins to count', async () => {
    const all = await nodes(2)
    const data = patternBytes(512 * 40)
    const client = await connect(all[0]!)
    await client.write(block, { below: [all[1]!] })
    const packets = Array.from({ length: 40 }, (_, index) =>
      encodePacket({ offset: index * 512, seqno: index + 1, data: data.subarray(index * 512, (index + 1) * 512) }),
    )
    packets.splice(20, 0, encodePacket({ offset: 0, seqno: -1 }))
    packets.push(encodePacket({ offset: data.length, seqno: 41, last: true }))
    await client.send(Buffer.concat(packets))
    const seqnos: number[] = []
    for (let i = 0; i < 42; i++) {
      const ack = await client.ack()
      expect(ack.replies).toEqual([0, 0])
      seqnos.push(ack.seqno)
    }
    expect(seqnos).toEqual([...Array.from({ length: 20 }, (_, i) => i + 1), -1, ...Array.from({ length: 21 }, (_, i) => i + 21)])
    expect((await (await connect(all[1]!)).read(block, 0, data.length)).data.equals(data)).toBe(true)
  })
})

describe('a writer that ends its side behind the last packet', () => {
  it('still gets every acknowledgement', async () => {
    const all = await nodes(2)
    const data = patternBytes(2_000_000)
    const client = await connect(all[0]!)
    await client.write(block, { below: [all[1]!] })
    const packets: Buffer[] = []
    for (let at = 0; at < data.length; at += 64_512)
      packets.push(encodePacket({ offset: at, seqno: packets.length, data: data.subarray(at, Math.min(data.length, at + 64_512)) }))
    packets.push(encodePacket({ offset: data.length, seqno: packets.length, last: true, sync: true }))
    await client.send(Buffer.concat(packets))
    client.endWriting()
    for (let seqno = 0; seqno < packets.length; seqno++) expect(await client.ack()).toMatchObject({ seqno, replies: [0, 0] })
    await client.ended()
  })
})

describe('append and recovery', () => {
  it('an append goes on in the last chunk under a new stamp, or under the old one', async () => {
    const all = await nodes(2)
    const data = patternBytes(5000)
    await written(all[0]!, data.subarray(0, 1000), [all[1]!])
    const below = [all[1]!]
    const first = await connect(all[0]!)
    const stage = 0
    expect(await first.write(block, { below, stage, minBytes: 1000, maxBytes: 1000, latestGenerationStamp: 1002 })).toMatchObject({
      status: 0,
    })
    await first.finishBlock(data.subarray(0, 3000), { offset: 1000 })
    const second = await connect(all[0]!)
    expect(await second.write(later, { below, stage, minBytes: 3000, maxBytes: 3000, latestGenerationStamp: 1002 })).toMatchObject({
      status: 0,
    })
    await second.finishBlock(data, { offset: 3000 })
    for (const node of all) {
      const read = await (await connect(node)).read(later, 0, 5000)
      expect(read.data.equals(data)).toBe(true)
      expect(read.checksums.equals(chunkChecksums(data, 512))).toBe(true)
    }
    const wrong = await connect(all[0]!)
    expect(await wrong.write(later, { below, stage, minBytes: 4999, latestGenerationStamp: 1003 })).toMatchObject({ status: 1 })
  })

  it('a client that appends with other checksums has its own checked, and the block keeps those it has', async () => {
    const all = await nodes(2)
    const data = patternBytes(9000)
    const stored = checksummer(1, 1000)
    await written(all[0]!, data.subarray(0, 700), [all[1]!], stored)
    const append = { below: [all[1]!], stage: 0, minBytes: 700, maxBytes: 700, latestGenerationStamp: 1002 }
    const client = await connect(all[0]!)
    await client.write(block, append)
    await client.finishBlock(data, { offset: 700 })
    for (const node of all) {
      const { response, data: got, checksums } = await (await connect(node)).read(later, 0, 9000)
      expect(response.readChecksum?.checksum).toEqual({ type: 1, bytesPerChecksum: 1000 })
      expect(got.equals(data)).toBe(true)
      for (let chunk = 0; chunk < 9; chunk++)
        expect(checksums.readUInt32BE(chunk * 4)).toBe(zlib.crc32(data.subarray(chunk * 1000, (chunk + 1) * 1000)))
    }
    const damaged = await connect(all[0]!)
    await damaged.write(later, { ...append, minBytes: 9000, maxBytes: 9000, latestGenerationStamp: 1003 })
    await damaged.packet({ offset: 9000, seqno: 0, data: Buffer.from('x'), checksums: Buffer.alloc(4) })
    expect((await damaged.ack()).replies[0]).not.toBe(0)
    await damaged.ended()
  })

  it('a writer goes on with the survivors, then with a node that took over a copy, and closes by recovery', async () => {
    const all = await nodes(3)
    const data = patternBytes(6000)
    const writer = await connect(all[0]!)
    await writer.write(block, { below: [all[1]!] })
    await writer.packet({ offset: 0, seqno: 0, data: data.subarray(0, 2048) })
    expect(await writer.ack()).toMatchObject({ replies: [0, 0] })
    await all[1]!.close()
    // The pipeline may have found out, and ended the connection, before the next packet comes.
    await writer
      .packet({ offset: 2048, seqno: 1, data: data.subarray(2048, 4096) })
      .catch((error: unknown) => expect(error).toMatchObject({ code: 'CANCELLED' }))
    expect(await writer.ack()).toMatchObject({ replies: [0, 1] })
    await writer.ended()

    // The new node gets what is there, then both go on; what was not acknowledged is sent again.
    const copy = await connect(all[0]!)
    expect(await copy.transfer(block, all[2]!)).toMatchObject({ status: 0 })
    const recovered = await connect(all[0]!)
    const recovery = { below: [all[2]!], stage: 3, minBytes: 2048, maxBytes: 4096, latestGenerationStamp: 1002 }
    expect(await recovered.write(block, recovery)).toMatchObject({ status: 0 })
    await recovered.packet({ offset: 2048, seqno: 1, data: data.subarray(2048, 4096) })
    await recovered.packet({ offset: 4096, seqno: 2, data: data.subarray(4096) })
    await recovered.ack()
    expect(await recovered.ack()).toMatchObject({ seqno: 2, replies: [0, 0] })
    recovered.close()

    // The writer was lost before the last packet: CLOSE_RECOVERY finalises, and its answer is all there is.
    const close = await connect(all[0]!)
    const stage = { ...recovery, stage: 5, minBytes: 6000, maxBytes: 6000, latestGenerationStamp: 1003 }
    expect(await close.write(later, stage)).toMatchObject({ status: 0 })
    await close.ended()
    for (const node of [all[0]!, all[2]!]) {
      const last = { ...block, genstamp: 1003 }
      expect(await native(node).replicaInfo({ poolId, block: last })).toMatchObject({ state: ReplicaState.REPLICA_FINALIZED })
      expect((await (await connect(node)).read(last, 0, 6000)).data.equals(data)).toBe(true)
    }
  })

  it('an append whose set-up failed is set up again', async () => {
    const all = await nodes(2)
    const data = patternBytes(3000)
    await written(all[0]!, data.subarray(0, 1000), [all[1]!])
    const append = { minBytes: 1000, maxBytes: 1000 }
    const first = await connect(all[0]!)
    expect(await first.write(block, { ...append, below: [all[1]!], stage: 0, latestGenerationStamp: 1002 })).toMatchObject({ status: 0 })
    first.close()
    const again = await connect(all[0]!)
    expect(await again.write(block, { ...append, below: [all[1]!], stage: 1, latestGenerationStamp: 1003 })).toMatchObject({ status: 0 })
    await again.finishBlock(data, { offset: 1000 })
    const read = await (await connect(all[1]!)).read({ ...block, genstamp: 1003 }, 0, 3000)
    expect(read.data.equals(data)).toBe(true)
  })
})

describe('failures are told', () => {
  it('the node that refused or is gone by its address, the datanode itself without one', async () => {
    const all = await nodes(3)
    await written(all[2]!, patternBytes(10))
    const link = (node: RunningDatanode) => `127.0.0.1:${node.transferPort}`
    const refused = await connect(all[0]!)
    expect(await refused.write(block, { below: all.slice(1) })).toMatchObject({ status: 1, firstBadLink: link(all[2]!) })
    await refused.ended()
    const own = await connect(all[2]!)
    expect(await own.write(block)).toMatchObject({ status: 1, firstBadLink: '', message: expect.stringContaining('already has a replica') })
    await all[1]!.close()
    const gone = await connect(all[0]!)
    expect(await gone.write({ ...block, blockId: 2 ** 30 + 9 }, { below: all.slice(1) })).toMatchObject({
      status: 1,
      firstBadLink: link(all[1]!),
    })
    // Another datanode at the address that the client names is not the one it means.
    const wrong = await connect(all[0]!)
    const stranger = { uuid: all[1]!.uuid, transferPort: all[2]!.transferPort }
    expect(await wrong.write({ ...block, blockId: 2 ** 30 + 10 }, { below: [stranger] })).toMatchObject({
      status: 1,
      firstBadLink: link(all[2]!),
    })
  })

  it('bad checksums, by the node that was sent them', async () => {
    const all = await nodes(2)
    const client = await connect(all[0]!)
    await client.write(block, { below: [all[1]!] })
    await client.packet({ offset: 0, seqno: 7, data: patternBytes(600), checksums: Buffer.alloc(8) })
    expect(await client.ack()).toMatchObject({ seqno: 7, replies: [2] })
    await client.ended()
  })

  it('what cannot be read: no replica, an older one, another pool, more than there is', async () => {
    const node = await datanode()
    await written(node, patternBytes(1000))
    const cases = [
      [{ ...block, blockId: 5 }, 0, 1, 'ReplicaNotFoundException: '],
      [{ ...block, genstamp: 1002 }, 0, 1, 'is older (generation 1001)'],
      [block, 500, 501, " Offset 500 and length 501 don't match block"],
    ] as const
    for (const [asked, offset, length, text] of cases) {
      const client = await connect(node)
      const { response } = await client.read(asked, offset, length)
      expect(response).toMatchObject({ status: 1, message: expect.stringContaining(text) })
      await client.ended()
    }
  })

  it('operations that are not for clients, and stages that are not theirs', async () => {
    const node = await datanode()
    for (const code of [83, 84, 87, 90]) {
      const client = await connect(node)
      await client.send(encodeOp(code, Buffer.alloc(0)))
      expect(await client.response()).toMatchObject({ status: 7 })
      await client.ended()
    }
    for (const stage of [2, 4, 7, 8, 99]) {
      const client = await connect(node)
      expect(await client.write(block, { stage })).toMatchObject({ status: 7 })
      await client.ended()
    }
    const copy = await connect(node)
    const header = { base: { block: extended(block) }, clientName: '' }
    expect(await copy.write(block, { header })).toMatchObject({ status: 7 })
  })

  it('a datanode that stops tells its writers that it restarts, and refuses new ones with its own address', async () => {
    const node = await datanode({ 'drain.timeout': 0 })
    const client = await connect(node)
    await client.write(block)
    await client.packet({ offset: 0, seqno: 0, data: patternBytes(100) })
    await client.ack()
    const draining = node.drain()
    expect(await client.ack()).toMatchObject({ seqno: -2, replies: [8] })
    await client.ended()
    await draining
  })
})

describe('whole-block checksums', () => {
  it('are the MD5 of the chunk checksums, or one CRC of the bytes', async () => {
    const node = await datanode()
    const data = patternBytes(1_000_001)
    await written(node, data)
    const client = await connect(node)
    const md5 = await client.checksum(block)
    expect(md5).toMatchObject({ status: 0, checksum: { bytesPerCrc: 512, crcPerBlock: Math.ceil(data.length / 512), crcType: 2 } })
    expect(Buffer.from(md5.checksum!.blockChecksum)).toEqual(createHash('md5').update(chunkChecksums(data, 512)).digest())
    const crc = await client.checksum(block, 2)
    expect(Buffer.from(crc.checksum!.blockChecksum).readUInt32BE()).toBe(crc32cOf(data))
    const some = await client.checksum({ ...block, length: 700 }, 2)
    expect(Buffer.from(some.checksum!.blockChecksum).readUInt32BE()).toBe(crc32cOf(data.subarray(0, 700)))
    const gone = await client.checksum({ ...block, blockId: 3 })
    expect(gone.status).toBe(1)
  })
})

describe('bounds', () => {
  it('a reader that takes nothing does not make the datanode hold the block', async () => {
    const node = await datanode()
    const data = patternBytes(32 * 1024 * 1024)
    await written(node, data)
    const slow = await connect(node)
    slow.pause()
    const header = { base: { block: extended(block) }, clientName: 'slow' }
    await slow.send(encodeOp(opCodes.read, encodeHadoop('OpReadBlock', { header, offset: 0, length: data.length })))
    const status = async () => (await (await fetch(`http://${node.http}/status`)).json()) as { bytesRead: number; readers: number }
    let before = -1
    for (let now = 0; now !== before || now === 0;) {
      before = now
      await new Promise((resolve) => setTimeout(resolve, 100))
      now = (await status()).bytesRead
    }
    // What is on its way: the buffers of the stream and of the sockets.
    expect(before).toBeLessThan(20 * 1024 * 1024)
    expect((await status()).readers).toBe(1)
    slow.close()
    for (let i = 0; i < 500 && (await status()).readers > 0; i++) await new Promise((resolve) => setTimeout(resolve, 10))
    expect((await status()).readers).toBe(0)
  })

  it('more streams than datanode.streams.max are refused', async () => {
    const node = await datanode({ 'datanode.streams.max': 1 })
    const client = await connect(node)
    await client.write(block)
    const other = await connect(node)
    expect(await other.write({ ...block, blockId: 9 })).toMatchObject({
      status: 1,
      message: expect.stringContaining('datanode.streams.max'),
    })
  })

  it('bytes that are no operation end the connection they came on, and no other', async () => {
    const node = await datanode()
    await written(node, patternBytes(100))
    const good = await connect(node)
    const bad = [
      Buffer.from('deadbeef00', 'hex'),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.from([0, 28, 80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
      Buffer.from([0, 28, 81, 0xff, 0xff, 0xff, 0x7f]),
      Buffer.from([0, 28, 81, 3, 1, 2, 3]),
    ]
    for (const bytes of bad) {
      const client = await connect(node)
      await client.send(bytes)
      await client.ended()
    }
    const writer = await connect(node)
    await writer.write({ ...block, blockId: 11 })
    await writer.send(Buffer.from('7fffffff0019', 'hex'))
    await writer.ended()
    expect((await good.read(block, 0, 100)).data).toHaveLength(100)
  })

  it('registers with a numeric address and real ports, whatever name others are told', async () => {
    const node = await datanode({ 'advertise': 'localhost', 'ipc.port': 0 })
    const { register } = await namenode.hear((message) => message.register?.datanode?.uuid === node.uuid)
    const { transferPort, ipcPort } = node
    expect(register?.datanode).toMatchObject({ ip: '127.0.0.1', hostname: 'localhost', transferPort, ipcPort })
    expect(Math.min(transferPort, ipcPort)).toBeGreaterThan(0)
    await expect(datanode({ advertise: '::1' })).rejects.toMatchObject({ code: 'CONFIG' })
  })

  it('names itself to other datanodes only by what they need', async () => {
    const node = await datanode()
    const client = await connect(node)
    await client.send(encodeOp(opCodes.custom, encodeHadoop('OpCustom', { id: 'quarry.native-address' })))
    const { nativeAddress } = await client.response()
    expect(nativeAddress).toEqual({ datanodeUuid: node.uuid, ipAddr: '127.0.0.1', grpcPort: Number(node.grpc.split(':')[1]) })
    expect(infoOf(node).id?.datanodeUuid).toBe(node.uuid)
    await client.send(encodeOp(opCodes.custom, encodeHadoop('OpCustom', { id: 'another' })))
    expect(await client.response()).toMatchObject({ status: 7 })
  })
})
