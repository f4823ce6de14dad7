// The hand-written frame codec speaks the bytes of the .proto: checked against protobufjs in both directions.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codec } from '../codec.ts'
import {
  decodePacketParts,
  decodeReadFrame,
  decodeWriteFrame,
  encodePacketFrame,
  encodeReadHeader,
  encodeWriteHeader,
  packetFrame,
} from './packet-codec.ts'

const reference = codec('WriteFrame')

const packets = fc.record({
  seqno: fc.oneof(fc.constant(-1), fc.maxSafeNat()),
  offset: fc.oneof(fc.nat(300), fc.maxSafeNat()),
  checksums: fc.uint8Array({ maxLength: 300 }),
  last: fc.boolean(),
  sync: fc.boolean(),
  data: fc.uint8Array({ maxLength: 700 }),
})

const plain = (packet: { seqno: number; offset: number; checksums: Uint8Array; last: boolean; sync: boolean; data: Uint8Array } | null) =>
  packet && {
    seqno: packet.seqno,
    offset: packet.offset,
    checksums: [...packet.checksums],
    last: packet.last,
    sync: packet.sync,
    data: [...packet.data],
  }

describe('packet frames', () => {
  it('are read by protobufjs as they were written', () => {
    fc.assert(
      fc.property(packets, (packet) => {
        const frame = reference.decode(encodePacketFrame(packet))
        expect(frame.body).toBe('packet')
        expect(plain(frame.packet)).toEqual(plain(packet))
      }),
      { numRuns: 300 },
    )
  })

  it('are read as protobufjs wrote them', () => {
    fc.assert(
      fc.property(packets, (packet) => {
        const bytes = reference.encode({ packet })
        const frame = decodeWriteFrame(bytes)
        expect(frame.body).toBe('packet')
        expect(plain(frame.packet)).toEqual(plain(packet))
        expect(frame.raw).toBe(bytes)
      }),
      { numRuns: 300 },
    )
  })

  it('are the very bytes of protobufjs when no field has its default', () => {
    const packet = { seqno: 7, offset: 2 ** 40 + 3, checksums: Buffer.from('abcd'), last: true, sync: true, data: Buffer.from('x') }
    expect(encodePacketFrame(packet)).toEqual(reference.encode({ packet }))
    expect(encodePacketFrame({ ...packet, seqno: -1 })).toEqual(reference.encode({ packet: { ...packet, seqno: -1 } }))
  })

  it('are sent as pieces that leave the data where it is', () => {
    const data = Buffer.from('abc')
    const pieces = packetFrame({ seqno: 1, data })
    expect(pieces[1]).toBe(data)
    expect(Buffer.concat(pieces)).toEqual(encodePacketFrame({ seqno: 1, data }))
  })

  it('are taken from a message in pieces, wherever it was cut', () => {
    fc.assert(
      fc.property(packets, fc.integer({ min: 1, max: 900 }), fc.boolean(), (packet, first, foreign) => {
        const bytes = foreign ? reference.encode({ packet }) : encodePacketFrame(packet)
        const parts: Buffer[] = []
        for (let at = 0, size = first; at < bytes.length; at += size, size = 100)
          parts.push(bytes.subarray(at, Math.min(bytes.length, at + size)))
        const decoded = decodePacketParts({ parts, length: bytes.length })!
        expect(decoded.length).toBe(packet.data.length)
        expect(plain({ ...decoded, data: Buffer.concat(decoded.data) })).toEqual(plain(packet))
      }),
      { numRuns: 500 },
    )
    const header = encodeWriteHeader({ poolId: 'P' })
    expect(decodePacketParts({ parts: [header], length: header.length })).toBeUndefined()
  })

  it('leave the data of a message in pieces where it is', () => {
    const bytes = encodePacketFrame({ seqno: 3, offset: 1024, checksums: Buffer.alloc(64), data: Buffer.alloc(8192, 7) })
    const parts = [bytes.subarray(0, 200), bytes.subarray(200, 5000), bytes.subarray(5000)]
    const { data, checksums } = decodePacketParts({ parts, length: bytes.length })!
    expect(data).toHaveLength(3)
    for (const view of [...data, checksums]) expect(view.buffer).toBe(bytes.buffer)
  })

  it('hand out views, not copies', () => {
    const bytes = encodePacketFrame({ seqno: 1, offset: 512, checksums: Buffer.alloc(4), data: Buffer.alloc(512, 1) })
    const { packet } = decodeReadFrame(bytes)
    expect(packet?.data.buffer).toBe(bytes.buffer)
  })

  it('are refused with INVALID_ARGUMENT when cut or garbled', () => {
    fc.assert(
      fc.property(packets, fc.nat(), fc.nat(255), (packet, where, value) => {
        const bytes = Buffer.from(encodePacketFrame(packet))
        bytes[where % bytes.length] = value
        for (const wrong of [bytes, bytes.subarray(0, where % bytes.length)]) {
          try {
            decodeWriteFrame(wrong)
          } catch (error) {
            expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  it('skip fields of later versions', () => {
    const inner = Buffer.concat([Buffer.from([0x08, 5]), Buffer.from([0x7a, 2, 9, 9]), Buffer.from([0x78, 3])])
    const frame = decodeWriteFrame(Buffer.concat([Buffer.from([0x12, inner.length]), inner, Buffer.from([0x7a, 1, 0])]))
    expect(frame.packet?.seqno).toBe(5)
  })
})

describe('header frames', () => {
  it('go through', () => {
    const write = decodeWriteFrame(
      encodeWriteHeader({ poolId: 'P', block: { blockId: 5, genstamp: 1001, length: 0 }, stage: 2, client: 'c' }),
    )
    expect(write.body).toBe('header')
    expect(write.header).toMatchObject({ poolId: 'P', stage: 2, client: 'c', block: { blockId: 5, genstamp: 1001 } })
    const read = decodeReadFrame(encodeReadHeader({ chunkOffset: 512, visibleLength: 99, checksum: { type: 2, bytesPerChunk: 512 } }))
    expect(read.header).toMatchObject({ chunkOffset: 512, visibleLength: 99, checksum: { type: 2, bytesPerChunk: 512 } })
  })
})
