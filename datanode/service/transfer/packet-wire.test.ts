import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteQueue } from '../../../proto/hadoop/byte-queue.ts'
import { encodePacket } from '../../testing/transfer-client.ts'
import { packetBytesMax, takePacket } from './packet-wire.ts'
import type { WirePacket } from './packet-wire.ts'

/** Packets cut out of the bytes as they come in pieces. */
function cut(pieces: readonly Buffer[]): WirePacket[] {
  const queue = new ByteQueue()
  const packets: WirePacket[] = []
  for (const piece of pieces) {
    queue.push(piece)
    for (;;) {
      const packet = takePacket(queue)
      if (typeof packet === 'number') {
        expect(packet).toBeGreaterThan(queue.length)
        break
      }
      packets.push(packet)
    }
  }
  expect(queue.length).toBe(0)
  return packets
}

const flat = (packet: WirePacket) => ({
  ...packet,
  data: Buffer.concat(packet.data).toString('hex'),
  checksums: packet.checksums.toString('hex'),
})

describe('packets of the data transfer', () => {
  it('are the bytes that Hadoop writes', () => {
    // A packet of a Java client: two bytes of data at 512, the third packet, to be synced.
    const bytes = Buffer.from(
      `0000000a001b${'09'}0002000000000000${'11'}0200000000000000${'18'}00${'25'}02000000${'28'}01${'d9a2b1ff'}${'6869'}`,
      'hex',
    )
    const [packet] = cut([bytes])
    expect(packet).toMatchObject({ offset: 512, seqno: 2, last: false, sync: true, length: 2 })
    expect(Buffer.concat(packet!.data).toString()).toBe('hi')
    expect(packet!.checksums.toString('hex')).toBe('d9a2b1ff')
    const heartbeat = encodePacket({ offset: 0, seqno: -1 })
    expect(heartbeat.toString('hex')).toBe(`000000040019${'09'}0000000000000000${'11'}ffffffffffffffff${'18'}00${'25'}00000000`)
    expect(cut([heartbeat])).toMatchObject([{ seqno: -1, length: 0, last: false }])
  })

  it('come whole wherever the stream is cut', () => {
    const stream = Buffer.concat([
      encodePacket({ offset: 0, seqno: 0, data: Buffer.alloc(700, 1) }),
      encodePacket({ offset: 700, seqno: 1, sync: true }),
      encodePacket({ offset: 2 ** 40, seqno: 2 ** 40, data: Buffer.alloc(3, 2) }),
      encodePacket({ offset: 703, seqno: 3, last: true }),
    ])
    const whole = cut([stream]).map(flat)
    expect(whole).toHaveLength(4)
    expect(whole[2]).toMatchObject({ offset: 2 ** 40, seqno: 2 ** 40 })
    for (let at = 1; at < stream.length; at++) expect(cut([stream.subarray(0, at), stream.subarray(at)]).map(flat)).toEqual(whole)
    expect(cut(Array.from(stream, (byte) => Buffer.from([byte]))).map(flat)).toEqual(whole)
  })

  it.each([
    ['longer than any packet', Buffer.from('7fffffff0019', 'hex')],
    ['of a negative length', Buffer.from('ffffffff0019', 'hex')],
    ['without a header', Buffer.from('000000040000', 'hex')],
    ['with a header of kilobytes', Buffer.from('000000047fff', 'hex')],
    ['just too large', Buffer.concat([int32(packetBytesMax), Buffer.from('0019', 'hex')])],
    ['with more data than bytes', encodePacket({ offset: 0, seqno: 0, checksums: Buffer.alloc(0), data: Buffer.alloc(4) }).fill(9, 27, 28)],
    ['at a negative offset', encodePacket({ offset: -5, seqno: 0, last: true })],
  ])('%s are refused', (_name, bytes) => {
    const queue = new ByteQueue()
    queue.push(bytes)
    expect(() => takePacket(queue)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })

  it('of any bytes are a packet, a wish for more, or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(60), (bytes, length) => {
        const queue = new ByteQueue()
        queue.push(Buffer.concat([int32(length), Buffer.from([0, 25]), Buffer.from(bytes)]))
        try {
          const packet = takePacket(queue)
          if (typeof packet !== 'number') expect(packet.length).toBe(Buffer.concat(packet.data).length)
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
        }
      }),
    )
  })
})

function int32(value: number): Buffer {
  const out = Buffer.alloc(4)
  out.writeInt32BE(value)
  return out
}
