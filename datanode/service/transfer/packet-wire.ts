// Packets of Hadoop's data transfer, by hand: they carry the data, and their headers have fields of fixed size for exactly this.
//
//   i32 4 + checksums + data | i16 header length | header | 4 bytes big-endian a chunk | data
//
//   header   09 offsetInBlock f64 | 11 seqno f64 | 18 last | 25 dataLen f32 | [28 sync]      (offsets and numbers little-endian)
import { QuarryError } from '../../../common/errors.ts'
import type { ByteQueue } from '../../../proto/hadoop/byte-queue.ts'

/** A packet as it came; its byte fields are views of what the socket delivered. */
export interface WirePacket {
  /** Of the first data byte in the block. */
  readonly offset: number
  /** -1 = heartbeat. Where a client begins to count is its own affair. */
  readonly seqno: number
  readonly last: boolean
  readonly sync: boolean
  readonly checksums: Buffer
  readonly data: readonly Buffer[]
  /** Bytes of data in all. */
  readonly length: number
}

/** HDFS refuses larger ones, too (dfs.data.transfer.max.packet.size). */
export const packetBytesMax = 16 * 1024 * 1024
/** Lengths before the header. */
const prefixBytes = 6
/** Headers have 25 or 27 bytes; some room for fields of later versions. */
const headerBytesMax = 256
/** Bytes before the checksums of a packet that this side sends. */
export const packetHeadBytes = prefixBytes + 25

const TWO_32 = 2 ** 32

/** Takes the next packet from the queue; a number says how many bytes must wait before there is one. Throws INVALID_ARGUMENT. */
export function takePacket(queue: ByteQueue): WirePacket | number {
  const prefix = queue.peek(prefixBytes)
  if (prefix === undefined) return prefixBytes
  const payload = prefix.readInt32BE(0)
  const headerLength = prefix.readInt16BE(4)
  if (payload < 4 || headerLength < 1 || headerLength > headerBytesMax || payload + headerLength > packetBytesMax) {
    throw malformed(`of ${payload} bytes with a header of ${headerLength}`)
  }
  const whole = prefixBytes + headerLength + payload - 4
  if (queue.length < whole) return whole
  const header = readHeader(queue.take(prefixBytes + headerLength)!.subarray(prefixBytes))
  const checksumLength = payload - 4 - header.length
  if (header.length < 0 || checksumLength < 0) throw malformed(`of ${payload} bytes with ${header.length} bytes of data`)
  const checksums = queue.take(checksumLength)!
  return { ...header, checksums, data: queue.takePieces(header.length) }
}

type Header = Omit<WirePacket, 'checksums' | 'data'>

function readHeader(bytes: Buffer): Header {
  const header = { offset: 0, seqno: 0, last: false, sync: false, length: 0 }
  let seen = 0
  let at = 0
  const skip = (count: number): number => {
    const from = at
    at += count
    if (at > bytes.length) throw malformed('whose header ends inside a field')
    return from
  }
  while (at < bytes.length) {
    const tag = bytes[at++]!
    switch (tag) {
      case 0x09:
        header.offset = readFixed64(bytes, skip(8))
        seen |= 1
        break
      case 0x11:
        header.seqno = readFixed64(bytes, skip(8))
        seen |= 2
        break
      case 0x18:
        header.last = bytes[skip(1)] !== 0
        seen |= 4
        break
      case 0x25:
        header.length = bytes.readInt32LE(skip(4))
        seen |= 8
        break
      case 0x28:
        header.sync = bytes[skip(1)] !== 0
        break
      default:
        throw malformed(`whose header has an unknown field (tag ${tag})`)
    }
  }
  if (seen !== 15) throw malformed('whose header lacks a field')
  if (header.offset < 0) throw malformed(`that begins at byte ${header.offset}`)
  return header
}

function readFixed64(bytes: Buffer, at: number): number {
  const value = bytes.readInt32LE(at + 4) * TWO_32 + bytes.readUInt32LE(at)
  if (!Number.isSafeInteger(value)) throw malformed(`whose header has the number ${value}`)
  return value
}

function malformed(what: string): QuarryError {
  return new QuarryError('INVALID_ARGUMENT', `The data stream has a packet ${what}.`)
}

/** Writes what comes before the checksums of a packet to `out`; packetHeadBytes of it. */
export function writePacketHead(
  out: Buffer,
  packet: Pick<WirePacket, 'offset' | 'seqno' | 'last' | 'length'> & { readonly checksumLength: number },
): void {
  out.writeInt32BE(4 + packet.checksumLength + packet.length, 0)
  out.writeInt16BE(packetHeadBytes - prefixBytes, 4)
  out[6] = 0x09
  writeFixed64(out, 7, packet.offset)
  out[15] = 0x11
  writeFixed64(out, 16, packet.seqno)
  out[24] = 0x18
  out[25] = packet.last ? 1 : 0
  out[26] = 0x25
  out.writeInt32LE(packet.length, 27)
}

function writeFixed64(out: Buffer, at: number, value: number): void {
  out.writeInt32LE(value | 0, at)
  out.writeInt32LE(Math.floor(value / TWO_32), at + 4)
}
