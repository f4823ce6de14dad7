// A small client of Hadoop's data transfer for tests: writes and reads blocks as a Hadoop client does, and can also send what none should.
import net from 'node:net'
import { systemClock } from '../../common/system-env.ts'
import { encodeHadoop } from '../../proto/hadoop/codec.ts'
import type { BlockOpResponse, DatanodeInfo, HadoopInit, OpWriteBlock, PipelineAck } from '../../proto/hadoop/codec.ts'
import type { Checksummer } from '../core/packet-receiver.ts'
import { TransferConnection } from '../service/transfer/connection.ts'
import { encodeOp, opCodes } from '../service/transfer/ops.ts'
import { packetHeadBytes, takePacket, writePacketHead } from '../service/transfer/packet-wire.ts'
import type { WirePacket } from '../service/transfer/packet-wire.ts'
import { checksummer } from '../store/checksum-file.ts'

/** Tests wait no longer than this for anything, in ms. */
const patienceMs = 20_000

export interface TransferNode {
  readonly uuid: string
  readonly transferPort: number
}

export interface TestBlock {
  readonly blockId: number
  readonly genstamp: number
  readonly length?: number
  /** Default: that of FakeNamenode. */
  readonly pool?: string
}

export const poolId = 'BP-test-127.0.0.1-1'
export const crc32c = checksummer(2, 512)

/** A datanode as a Hadoop client names it. */
export function infoOf(node: TransferNode): HadoopInit<DatanodeInfo> {
  return {
    id: {
      ipAddr: '127.0.0.1',
      hostName: 'localhost',
      datanodeUuid: node.uuid,
      xferPort: node.transferPort,
      infoPort: 0,
      ipcPort: 0,
    },
    location: '/default-rack',
  }
}

export function extended({ blockId, genstamp, length = 0, pool = poolId }: TestBlock) {
  return { poolId: pool, blockId, generationStamp: genstamp, numBytes: length }
}

/** Checksums of data that begins at `offset`, cut at the chunks of the block. */
export function sumsAt({ crc, bytesPerChunk }: Checksummer, offset: number, data: Uint8Array): Buffer {
  if (crc === undefined) return Buffer.alloc(0)
  const sums: number[] = []
  for (let from = 0; from < data.length;) {
    const to = Math.min(data.length, from + bytesPerChunk - ((offset + from) % bytesPerChunk))
    sums.push(crc(data.subarray(from, to)))
    from = to
  }
  const out = Buffer.alloc(sums.length * 4)
  sums.forEach((sum, index) => out.writeUInt32BE(sum, index * 4))
  return out
}

export interface TestPacket {
  readonly offset: number
  readonly seqno: number
  readonly data?: Uint8Array
  readonly checksums?: Uint8Array
  readonly last?: boolean
  readonly sync?: boolean
}

export function encodePacket(packet: TestPacket, sum: Checksummer = crc32c): Buffer {
  const data = packet.data ?? Buffer.alloc(0)
  const checksums = packet.checksums ?? sumsAt(sum, packet.offset, data)
  const head = Buffer.alloc(packetHeadBytes)
  writePacketHead(head, {
    offset: packet.offset,
    seqno: packet.seqno,
    last: packet.last ?? false,
    length: data.length,
    checksumLength: checksums.length,
  })
  if (packet.sync !== true) return Buffer.concat([head, checksums, data])
  head.writeInt16BE(27, 4)
  return Buffer.concat([head, Buffer.from([0x28, 1]), checksums, data])
}

export interface ReadResult {
  readonly response: BlockOpResponse
  readonly packets: readonly WirePacket[]
  /** From chunkOffset on. */
  readonly data: Buffer
  readonly checksums: Buffer
}

export class TransferClient {
  readonly #socket: net.Socket
  readonly connection: TransferConnection

  private constructor(socket: net.Socket) {
    this.#socket = socket
    this.connection = new TransferConnection(socket, systemClock)
  }

  static async connect(port: number): Promise<TransferClient> {
    const socket = net.connect({ host: '127.0.0.1', port, noDelay: true })
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return new TransferClient(socket)
  }

  close(): void {
    this.#socket.destroy()
  }

  /** Says no more, and goes on listening. */
  endWriting(): void {
    this.#socket.end()
  }

  send(bytes: Uint8Array): Promise<void> {
    return this.connection.send(bytes, patienceMs)
  }

  /** Stops taking what the datanode sends. */
  pause(): void {
    this.#socket.pause()
  }

  response(): Promise<BlockOpResponse> {
    return this.connection.message('BlockOpResponse', patienceMs)
  }

  /** Begins a block and takes the answer. */
  async write(
    block: TestBlock,
    more: HadoopInit<OpWriteBlock> & { readonly below?: readonly TransferNode[]; readonly sum?: Checksummer } = {},
  ): Promise<BlockOpResponse> {
    const { below = [], sum = crc32c, ...rest } = more
    const op = {
      header: { base: { block: extended(block) }, clientName: 'DFSClient_test' },
      targets: below.map(infoOf),
      stage: 6,
      pipelineSize: below.length + 1,
      checksum: { type: sum.type, bytesPerChecksum: sum.bytesPerChunk },
      latestGenerationStamp: block.genstamp,
      ...rest,
    }
    await this.send(encodeOp(opCodes.write, encodeHadoop('OpWriteBlock', op)))
    return this.response()
  }

  async packet(packet: TestPacket, sum: Checksummer = crc32c): Promise<void> {
    await this.send(encodePacket(packet, sum))
  }

  ack(): Promise<PipelineAck> {
    return this.connection.message('PipelineAck', patienceMs)
  }

  /** All of `data` in packets from `offset` and `seqno` on, then the last, empty one; takes all acks, which must be good. */
  async finishBlock(
    data: Uint8Array,
    {
      offset = 0,
      seqno = 0,
      packetBytes = 126 * 512,
      sum = crc32c,
    }: { offset?: number; seqno?: number; packetBytes?: number; sum?: Checksummer } = {},
  ): Promise<void> {
    const first = seqno
    for (let at = offset; at < data.length;) {
      // A packet that goes on in a chunk carries at most the rest of that chunk.
      const rest = at % sum.bytesPerChunk
      const end = Math.min(data.length, rest === 0 ? at + packetBytes : at + sum.bytesPerChunk - rest)
      await this.packet({ offset: at, seqno: seqno++, data: data.subarray(at, end) }, sum)
      at = end
    }
    await this.packet({ offset: data.length, seqno, last: true }, sum)
    for (let expected = first; expected <= seqno; expected++) {
      const ack = await this.ack()
      if (ack.seqno !== expected || ack.replies.some((reply) => reply !== 0))
        throw new Error(`ack ${JSON.stringify(ack)}, not of ${expected}`)
    }
  }

  /** Reads a range; says that all is well at the end unless the datanode refused. */
  async read(block: TestBlock, offset: number, length: number, sendChecksums = true): Promise<ReadResult> {
    const header = { base: { block: extended(block) }, clientName: 'DFSClient_test' }
    await this.send(encodeOp(opCodes.read, encodeHadoop('OpReadBlock', { header, offset, length, sendChecksums })))
    const response = await this.response()
    const packets: WirePacket[] = []
    if (response.status === 0) {
      do packets.push(await this.nextPacket())
      while (!packets.at(-1)!.last)
      await this.connection.sendMessage('ClientReadStatus', { status: 6 }, patienceMs)
    }
    const data = Buffer.concat(packets.flatMap((packet) => packet.data))
    return { response, packets, data, checksums: Buffer.concat(packets.map((packet) => packet.checksums)) }
  }

  async nextPacket(): Promise<WirePacket> {
    for (;;) {
      const packet = takePacket(this.connection.queue)
      if (typeof packet !== 'number') return packet
      await this.connection.need(packet, patienceMs, 'a packet was expected')
    }
  }

  async checksum(block: TestBlock, type?: number): Promise<BlockOpResponse> {
    const message = { header: { block: extended(block) }, ...(type !== undefined && { options: { type } }) }
    await this.send(encodeOp(opCodes.checksum, encodeHadoop('OpBlockChecksum', message)))
    return this.response()
  }

  async transfer(block: TestBlock, target: TransferNode): Promise<BlockOpResponse> {
    const header = { base: { block: extended(block) }, clientName: 'DFSClient_test' }
    await this.send(encodeOp(opCodes.transfer, encodeHadoop('OpTransferBlock', { header, targets: [infoOf(target)] })))
    return this.response()
  }

  /** Resolves when the datanode has ended the connection. */
  async ended(): Promise<void> {
    await this.connection.need(Infinity, patienceMs, 'the end of the connection was expected').catch((error: unknown) => {
      if ((error as { code?: string }).code !== 'CANCELLED') throw error
    })
  }
}
