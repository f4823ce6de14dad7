// Packets of a Hadoop writer for the pipeline engine.
//
// Hadoop's packets are small (64 KiB), and each costs the engine, the disk and every node below the same as one of ours of 1 MiB. So
// those that have come and follow on each other become one packet, whose acknowledgement is that of each of them. Nothing waits for
// more to come: a slow writer's packets go on one by one.
//
// A replica keeps the checksums it was begun with. A writer that appends with others (CRC32C to a file that a Go program wrote with
// CRC32) has its own checked here, and those of the replica made anew.
import { QuarryError } from '../../../common/errors.ts'
import { packetFrameOf } from '../../../proto/transport/packet-codec.ts'
import { PacketReceiver } from '../../core/packet-receiver.ts'
import type { Checksummer } from '../../core/packet-receiver.ts'
import type { IncomingPacket } from '../../core/pipeline-ports.ts'
import type { TransferConnection } from './connection.ts'
import { takePacket } from './packet-wire.ts'
import type { WirePacket } from './packet-wire.ts'

/** Data of a packet made of several. */
const joinedBytesMax = 1024 * 1024

export interface PacketSourceOptions {
  /** What the writer says its checksums are. */
  readonly sum: Checksummer
  /** A writer that sends nothing for this long, not even a heartbeat, is gone. */
  readonly silentMs: number
  /** Bytes of data that came. */
  count(bytes: number): void
}

export class PacketSource implements AsyncIterator<IncomingPacket> {
  readonly #connection: TransferConnection
  readonly #options: PacketSourceOptions
  /** Taken from the connection, and not part of the packet before it. */
  #ahead: WirePacket | undefined
  /** Numbers of the writer's packets that each packet handed out stands for, oldest first. */
  readonly #groups: number[][] = []
  #stored: Checksummer | undefined
  #largest = 0

  constructor(connection: TransferConnection, options: PacketSourceOptions) {
    this.#connection = connection
    this.#options = options
  }

  /** Bytes of data of the largest packet so far. */
  get largest(): number {
    return this.#largest
  }

  /** The replica was opened: these are its checksums. */
  storesAs(sum: Checksummer): void {
    if (sum.type !== this.#options.sum.type || sum.bytesPerChunk !== this.#options.sum.bytesPerChunk) this.#stored = sum
  }

  /** The writer's packets that the oldest unacknowledged packet stands for. */
  acknowledged(): readonly number[] {
    return this.#groups.shift() ?? []
  }

  /** The first packet of the writer that is not acknowledged; -1 when all are. */
  get oldest(): number {
    return this.#groups[0]?.[0] ?? -1
  }

  async next(): Promise<IteratorResult<IncomingPacket>> {
    const first = this.#ahead ?? (await this.#first())
    this.#ahead = undefined
    const packets = [first]
    let { length } = first
    if (isPlain(first)) {
      for (let last = first; ; last = packets.at(-1)!) {
        const next = takePacket(this.#connection.queue)
        if (typeof next === 'number') break
        if (!this.#follows(last, next, length)) {
          this.#ahead = next
          break
        }
        packets.push(next)
        length += next.length
      }
    }
    this.#groups.push(packets.map(({ seqno }) => seqno))
    this.#options.count(length)
    this.#largest = Math.max(this.#largest, length)
    return { done: false, value: this.#incoming(packets, length) }
  }

  async #first(): Promise<WirePacket> {
    for (;;) {
      const packet = takePacket(this.#connection.queue)
      if (typeof packet !== 'number') return packet
      await this.#connection.need(packet, this.#options.silentMs, 'the writer was silent')
    }
  }

  /** Whether the packet can be one with those before it: the checksums of both then stand for whole chunks. */
  #follows(last: WirePacket, next: WirePacket, length: number): boolean {
    const end = last.offset + last.length
    return isPlain(next) && next.offset === end && end % this.#options.sum.bytesPerChunk === 0 && length + next.length <= joinedBytesMax
  }

  #incoming(packets: readonly WirePacket[], length: number): IncomingPacket {
    const [first] = packets as [WirePacket]
    const { seqno } = packets.at(-1)!
    const data = packets.length === 1 ? first.data : packets.flatMap((packet) => packet.data)
    const checksums = packets.length === 1 ? first.checksums : Buffer.concat(packets.map((packet) => packet.checksums))
    let packet = { seqno, offset: first.offset, checksums, last: first.last, sync: first.sync, data, length }
    if (this.#stored !== undefined && length > 0) packet = { ...packet, checksums: this.#translated(packet, this.#stored) }
    return { packet, raw: { parts: packetFrameOf(packet, data) } }
  }

  #translated(packet: { offset: number; checksums: Buffer; data: readonly Buffer[]; length: number }, stored: Checksummer): Buffer {
    const { sum } = this.#options
    const flat = packet.data.length === 1 ? packet.data[0]! : Buffer.concat(packet.data)
    const { offset, length, checksums } = packet
    if (
      checksums.length !== chunksOf(sum, offset, length) * 4 ||
      new PacketReceiver(sum).firstBad({ offset, length, checksums, data: [flat] }) >= 0
    )
      throw new QuarryError('CHECKSUM', `Packet of ${length} bytes at ${offset} does not match its checksums.`)
    const { crc, bytesPerChunk } = stored
    const out = Buffer.allocUnsafe(chunksOf(stored, offset, length) * 4)
    for (let from = 0, at = 0; crc !== undefined && from < length; at += 4) {
      const to = Math.min(length, from + bytesPerChunk - ((offset + from) % bytesPerChunk))
      out.writeUInt32BE(crc(flat.subarray(from, to)), at)
      from = to
    }
    return out
  }
}

function chunksOf({ crc, bytesPerChunk }: Checksummer, offset: number, length: number): number {
  return crc === undefined ? 0 : Math.ceil((offset + length) / bytesPerChunk) - Math.floor(offset / bytesPerChunk)
}

/** Data and nothing else. */
function isPlain({ seqno, last, sync, length }: WirePacket): boolean {
  return seqno >= 0 && !last && !sync && length > 0
}
