// The receiver against the simplest model there is: a byte array that each packet is copied into.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chunkChecksums, crc32c, joinedChecksum } from '../../common/checksum.ts'
import { PacketReceiver } from './packet-receiver.ts'
import type { Checksummer, PacketData, Placement } from './packet-receiver.ts'

const chunk = 16
const sum: Checksummer = { type: 2, bytesPerChunk: chunk, crc: crc32c, joined: joinedChecksum }

/** A packet of data[from, to), in pieces, with checksums cut at the chunk boundaries of the block. */
function packet(data: Uint8Array, from: number, to: number, pieceBytes = 1000): PacketData {
  const sums: number[] = []
  for (let at = from; at < to;) {
    const end = Math.min(to, at + chunk - (at % chunk))
    sums.push(crc32c(data.subarray(at, end)))
    at = end
  }
  const checksums = Buffer.alloc(sums.length * 4)
  sums.forEach((value, i) => checksums.writeUInt32BE(value, i * 4))
  const pieces: Uint8Array[] = []
  for (let at = from; at < to; at += pieceBytes) pieces.push(data.subarray(at, Math.min(to, at + pieceBytes)))
  return { offset: from, data: pieces, length: to - from, checksums }
}

/** Files as a datanode would have them after writing the placements. */
class Files {
  data = new Uint8Array(0)
  checksums = new Uint8Array(0)

  write({ at, data, length, chunk: first, checksums }: Placement): void {
    const bytes = Buffer.concat(data)
    expect(bytes.length).toBe(length)
    this.data = overlay(this.data, at, bytes)
    this.checksums = overlay(this.checksums, first * 4, checksums)
  }
}

function overlay(old: Uint8Array, at: number, more: Uint8Array): Uint8Array<ArrayBuffer> {
  expect(at).toBeLessThanOrEqual(old.length)
  const out = new Uint8Array(Math.max(old.length, at + more.length))
  out.set(old)
  out.set(more, at)
  return out
}

describe('PacketReceiver', () => {
  it('keeps data and whole-chunk checksums, however packets overlap and wherever they begin', () => {
    const steps = fc.array(
      fc.record({ back: fc.nat(50), length: fc.integer({ min: 0, max: 70 }), piece: fc.integer({ min: 1, max: 80 }) }),
      { maxLength: 25 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2000, maxLength: 2000 }), steps, (block, taken) => {
        const receiver = new PacketReceiver(sum)
        const files = new Files()
        let length = 0
        for (const { back, length: bytes, piece } of taken) {
          const from = Math.max(0, length - back)
          const to = Math.min(block.length, from + bytes)
          const next = packet(block, from, to, piece)
          receiver.check(next)
          expect(receiver.firstBad(next)).toBe(-1)
          files.write(receiver.place(next))
          length = Math.max(length, to)
          expect(receiver.length).toBe(length)
          expect(files.data).toEqual(block.slice(0, length))
          expect(Buffer.from(files.checksums)).toEqual(chunkChecksums(block.subarray(0, length), chunk))
        }
      }),
      { numRuns: 300 },
    )
  })

  it('goes on with a replica that ends inside a chunk', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 200, maxLength: 200 }), fc.nat(100), fc.nat(100), (block, start, more) => {
        const tail = block.slice(start - (start % chunk), start)
        const receiver = new PacketReceiver(sum, start, tail)
        const files = new Files()
        files.write({
          at: 0,
          data: [block.subarray(0, start)],
          length: start,
          chunk: 0,
          checksums: chunkChecksums(block.subarray(0, start), chunk),
        })
        files.write(receiver.place(packet(block, start, start + more, 9)))
        expect(Buffer.from(files.checksums)).toEqual(chunkChecksums(block.subarray(0, start + more), chunk))
      }),
    )
  })

  it('refuses a hole', () => {
    const block = new Uint8Array(100)
    const receiver = new PacketReceiver(sum)
    receiver.place(packet(block, 0, 32))
    expect(() => receiver.check(packet(block, 33, 50))).toThrow('A packet begins at byte 33, but the replica has only 32 bytes.')
    expect(() => receiver.check({ offset: -1, data: [], length: 0, checksums: new Uint8Array(0) })).toThrow(/begins at byte -1/)
  })

  it('refuses checksums that do not fit the data', () => {
    const receiver = new PacketReceiver(sum)
    expect(() => receiver.check({ offset: 0, data: [new Uint8Array(17)], length: 17, checksums: new Uint8Array(4) })).toThrow(
      'A packet of 17 bytes at 0 carries 4 checksum bytes instead of 8.',
    )
  })

  it('finds the chunk that is bad, also in a packet that begins inside a chunk', () => {
    const block = Uint8Array.from({ length: 100 }, (_, i) => i)
    for (const from of [0, 5, 16]) {
      for (const [bad, pieceBytes] of [
        [60, 7],
        [60, 1000],
        [89, 16],
        [33, 40],
      ] as const) {
        const next = packet(block, from, 90, pieceBytes)
        expect(new PacketReceiver(sum).firstBad(next)).toBe(-1)
        const changed = block.slice()
        changed[bad]! ^= 1
        const data = packet(changed, from, 90, pieceBytes).data
        expect(new PacketReceiver(sum).firstBad({ ...next, data })).toBe(Math.floor(bad / chunk) - Math.floor(from / chunk))
      }
    }
  })

  it('takes data without checksums when the writer chose none', () => {
    const receiver = new PacketReceiver({ type: 0, bytesPerChunk: chunk, crc: undefined })
    const next = { offset: 0, data: [new Uint8Array(33)], length: 33, checksums: new Uint8Array(0) }
    receiver.check(next)
    expect(receiver.place(next)).toMatchObject({ at: 0, checksums: new Uint8Array(0) })
    expect(receiver.length).toBe(33)
  })
})

describe('a packet that goes on in a chunk', () => {
  it('is left as it came: the same memory is forwarded down the pipeline, and used again afterwards', () => {
    const whole = Buffer.from(Array.from({ length: 60 }, (_, i) => i))
    const receiver = new PacketReceiver(sum)
    const first = packet(Buffer.from(whole), 0, 20)
    receiver.place(first)
    // The first packet's buffer is reused for something else.
    for (const piece of first.data) piece.fill(0xff)
    const second = packet(whole, 20, 40)
    const before = Buffer.from(second.checksums)
    const placed = receiver.place(second)
    expect(Buffer.from(second.checksums)).toEqual(before)
    expect(Buffer.from(placed.checksums)).toEqual(chunkChecksums(whole.subarray(16, 40), chunk))
  })
})
