// The frames of the data plane (WriteFrame and ReadFrame) by hand: their packets carry megabytes, and a general codec would
// copy them more often than needed.
//
// Both frames are `oneof { header = 1; packet = 2 }`, so one pair of functions serves them. The bytes are exactly those of the
// .proto; the test beside this file compares with protobufjs in both directions. A decoded packet's byte fields are views of
// the message, and `raw` is the whole message, so that a datanode can hand it on to the next one without encoding it again.
//
//   frame   12 LEN packet                       | 0a LEN header
//   packet  [08 seqno] [10 offset] [1a LEN checksums] [20 01 last] [28 01 sync] [32 LEN data]     defaults are left out
import { QuarryError } from '../../common/errors.ts'
import { codec } from '../codec.ts'
import type { Init } from '../codec.ts'
import { joined } from './bulk-stream.ts'
import type { Message } from './bulk-stream.ts'
import type { Packet, ReadFrame, ReadHeader, WriteFrame, WriteHeader } from '../gen/messages.ts'

/** A frame in, with the message it came in. */
export type Received<F> = F & { readonly raw: Buffer }

const noBytes = new Uint8Array(0)
const TWO_32 = 2 ** 32

/** Bytes of a varint; negative numbers take ten. */
function varintSize(value: number): number {
  if (value < 0) return 10
  let size = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++
  return size
}

function writeVarint(out: Buffer, at: number, value: number): number {
  let low: number
  let high: number
  if (value < 0) {
    // Two's complement of 64 bits; only -1 (a heartbeat's seqno) occurs in practice.
    low = -value >>> 0
    high = Math.floor(-value / TWO_32) >>> 0
    low = (~low + 1) >>> 0
    high = (~high + (low === 0 ? 1 : 0)) >>> 0
  } else {
    low = value >>> 0
    high = Math.floor(value / TWO_32) >>> 0
  }
  while (high > 0 || low > 127) {
    out[at++] = (low & 127) | 128
    low = ((low >>> 7) | (high << 25)) >>> 0
    high >>>= 7
  }
  out[at++] = low
  return at
}

interface Cursor {
  at: number
}

function readVarint(bytes: Uint8Array, cursor: Cursor): number {
  let low = 0
  let high = 0
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = bytes[cursor.at++]
    if (byte === undefined) throw malformed('ends inside a number')
    const bits = byte & 127
    if (shift < 28) low |= bits << shift
    else if (shift === 28) {
      low |= bits << 28
      high |= bits >>> 4
    } else if (shift < 63) high |= bits << (shift - 32)
    else high |= bits << 31
    if (byte < 128) {
      low >>>= 0
      high >>>= 0
      return high >= 0x8000_0000 ? -((~high >>> 0) * TWO_32 + (~low >>> 0) + 1) : high * TWO_32 + low
    }
  }
  throw malformed('has a number of more than ten bytes')
}

function malformed(what: string): QuarryError {
  return new QuarryError('INVALID_ARGUMENT', `A data frame ${what}.`)
}

/** Everything before the data of a packet frame. */
function packetHead(packet: Init<Omit<Packet, 'data'>>, dataLength: number): Buffer {
  const seqno = packet.seqno ?? 0
  const offset = packet.offset ?? 0
  const checksums = packet.checksums ?? noBytes
  let size = dataLength
  if (seqno !== 0) size += 1 + varintSize(seqno)
  if (offset !== 0) size += 1 + varintSize(offset)
  if (checksums.length > 0) size += 1 + varintSize(checksums.length) + checksums.length
  if (packet.last) size += 2
  if (packet.sync) size += 2
  if (dataLength > 0) size += 1 + varintSize(dataLength)
  const head = Buffer.allocUnsafe(1 + varintSize(size) + size - dataLength)
  head[0] = 0x12
  let at = writeVarint(head, 1, size)
  if (seqno !== 0) {
    head[at] = 0x08
    at = writeVarint(head, at + 1, seqno)
  }
  if (offset !== 0) {
    head[at] = 0x10
    at = writeVarint(head, at + 1, offset)
  }
  if (checksums.length > 0) {
    head[at] = 0x1a
    at = writeVarint(head, at + 1, checksums.length)
    head.set(checksums, at)
    at += checksums.length
  }
  if (packet.last) {
    head[at] = 0x20
    head[at + 1] = 1
    at += 2
  }
  if (packet.sync) {
    head[at] = 0x28
    head[at + 1] = 1
    at += 2
  }
  if (dataLength > 0) {
    head[at] = 0x32
    writeVarint(head, at + 1, dataLength)
  }
  return head
}

/** A packet frame as pieces to send; the data is not copied. */
export function packetFrame(packet: Init<Packet>): readonly Uint8Array[] {
  const data = packet.data ?? noBytes
  const head = packetHead(packet, data.length)
  return data.length === 0 ? [head] : [head, data]
}

/** A packet frame whose data, `length` bytes, is the pieces it came in. */
export function packetFrameOf(packet: Omit<PacketParts, 'data'>, data: readonly Uint8Array[]): readonly Uint8Array[] {
  return [packetHead(packet, packet.length), ...data]
}

/** A packet frame as one buffer. */
export function encodePacketFrame(packet: Init<Packet>): Buffer {
  return Buffer.concat(packetFrame(packet))
}

/** The packet inside bytes[from, to); its byte fields are views. */
function decodePacket(bytes: Buffer, from: number, to: number): Packet {
  const packet: Packet = { seqno: 0, offset: 0, checksums: noBytes, last: false, sync: false, data: noBytes }
  const cursor = { at: from }
  while (cursor.at < to) {
    const tag = readVarint(bytes, cursor)
    switch (tag) {
      case 0x08:
        packet.seqno = readVarint(bytes, cursor)
        break
      case 0x10:
        packet.offset = readVarint(bytes, cursor)
        break
      case 0x1a:
        packet.checksums = readBytes(bytes, cursor, to)
        break
      case 0x20:
        packet.last = readVarint(bytes, cursor) !== 0
        break
      case 0x28:
        packet.sync = readVarint(bytes, cursor) !== 0
        break
      case 0x32:
        packet.data = readBytes(bytes, cursor, to)
        break
      default:
        skip(bytes, cursor, tag, to)
    }
  }
  if (cursor.at !== to) throw malformed('is longer than it says')
  return packet
}

function readBytes(bytes: Buffer, cursor: Cursor, to: number): Buffer {
  const length = readVarint(bytes, cursor)
  const from = cursor.at
  cursor.at += length
  if (length < 0 || cursor.at > to) throw malformed('ends inside a field')
  return bytes.subarray(from, cursor.at)
}

/** Steps over a field of a later version. */
function skip(bytes: Buffer, cursor: Cursor, tag: number, to: number): void {
  switch (tag & 7) {
    case 0:
      readVarint(bytes, cursor)
      return
    case 1:
      cursor.at += 8
      return
    case 2:
      readBytes(bytes, cursor, to)
      return
    case 5:
      cursor.at += 4
      return
    default:
      throw malformed(`has a field of unknown kind ${tag & 7}`)
  }
}

interface FrameShape<H> {
  readonly body?: 'header' | 'packet'
  readonly header: H | null
  readonly packet: Packet | null
}

function decodeFrame<H>(bytes: Buffer, header: { decode(bytes: Uint8Array): H }): Received<FrameShape<H>> {
  const cursor = { at: 0 }
  let frame: Received<FrameShape<H>> = { header: null, packet: null, raw: bytes }
  while (cursor.at < bytes.length) {
    const tag = readVarint(bytes, cursor)
    if (tag !== 0x12 && tag !== 0x0a) {
      skip(bytes, cursor, tag, bytes.length)
      continue
    }
    const length = readVarint(bytes, cursor)
    const from = cursor.at
    cursor.at += length
    if (length < 0 || cursor.at > bytes.length) throw malformed('ends inside a field')
    frame =
      tag === 0x12
        ? { body: 'packet', header: null, packet: decodePacket(bytes, from, cursor.at), raw: bytes }
        : { body: 'header', header: header.decode(bytes.subarray(from, cursor.at)), packet: null, raw: bytes }
  }
  if (cursor.at !== bytes.length) throw malformed('ends inside a field')
  return frame
}

const writeFrame = codec('WriteFrame')
const readFrame = codec('ReadFrame')
const writeHeader = codec('WriteHeader')
const readHeader = codec('ReadHeader')

export function encodeWriteHeader(header: Init<WriteHeader>): Buffer {
  return writeFrame.encode({ header })
}

export function encodeReadHeader(header: Init<ReadHeader>): Buffer {
  return readFrame.encode({ header })
}

/** A packet whose data is the pieces it came in. */
export interface PacketParts {
  readonly seqno: number
  readonly offset: number
  readonly checksums: Uint8Array
  readonly last: boolean
  readonly sync: boolean
  readonly data: readonly Uint8Array[]
  /** Bytes of data in all. */
  readonly length: number
}

/**
 * The packet of a message that came in pieces, its data left where it is; undefined when the message is a header frame.
 *
 * Our own encoder puts the data last and everything before it fits the first piece, or nearly: only that much is put together.
 * A packet of another shape is put together whole.
 */
export function decodePacketParts(message: Message): PacketParts | undefined {
  const [first] = message.parts
  const head = first !== undefined && message.parts.length > 1 ? dataField(first, message.length) : undefined
  if (head === undefined) {
    const { packet } = decodeWriteFrame(joined(message))
    return packet === null ? undefined : { ...packet, data: packet.data.length === 0 ? [] : [packet.data], length: packet.data.length }
  }
  const packet = decodePacket(first!, head.packetAt, head.dataTagAt)
  const length = message.length - head.dataAt
  return {
    ...packet,
    data: head.dataAt < first!.length ? [first!.subarray(head.dataAt), ...message.parts.slice(1)] : message.parts.slice(1),
    length,
  }
}

/** Where the last field, the data, begins, if it is all that the pieces after this one hold. */
function dataField(first: Buffer, messageLength: number): { packetAt: number; dataTagAt: number; dataAt: number } | undefined {
  const cursor = { at: 1 }
  if (first.length < 16 || first[0] !== 0x12 || readVarint(first, cursor) + cursor.at !== messageLength) return undefined
  const packetAt = cursor.at
  // A field may end beyond this piece: everything is looked at before it is taken.
  while (cursor.at + 11 <= first.length) {
    const dataTagAt = cursor.at
    const tag = readVarint(first, cursor)
    if (tag === 0x32)
      return readVarint(first, cursor) + cursor.at === messageLength ? { packetAt, dataTagAt, dataAt: cursor.at } : undefined
    if (tag === 0x1a) {
      const length = readVarint(first, cursor)
      cursor.at += length
    } else if (tag === 0x08 || tag === 0x10 || tag === 0x20 || tag === 0x28) readVarint(first, cursor)
    else return undefined
  }
  return undefined
}

export function decodeWriteFrame(bytes: Buffer): Received<WriteFrame> {
  return decodeFrame<WriteHeader>(bytes, writeHeader)
}

export function decodeReadFrame(bytes: Buffer): Received<ReadFrame> {
  return decodeFrame<ReadHeader>(bytes, readHeader)
}
