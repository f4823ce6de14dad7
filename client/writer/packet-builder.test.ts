import fc from 'fast-check'
import { expect, test } from 'vitest'
import { firstBadChunk, crc32c } from '../../common/checksum.ts'
import { ChecksumType } from '../../proto/ports.ts'
import { PacketBuilder } from './packet-builder.ts'

const checksum = { type: ChecksumType.CHECKSUM_CRC32C, bytesPerChunk: 512 }

test('packets of any writes and flushes give the block back, each on a chunk boundary with checksums that match', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3000), fc.boolean()), { maxLength: 20 }), (writes) => {
      const builder = new PacketBuilder({ checksum, packetBytes: 2048 })
      let replica = Buffer.alloc(0)
      let all = Buffer.alloc(0)
      const take = (): void => {
        const packet = builder.take()
        expect(packet.offset % 512).toBe(0)
        expect(packet.offset).toBeLessThanOrEqual(replica.length)
        expect(packet.checksums.length).toBe(Math.ceil(packet.data.length / 512) * 4)
        expect(firstBadChunk(packet.data, packet.checksums, 512)).toBe(-1)
        replica = Buffer.concat([replica.subarray(0, packet.offset), packet.data])
        builder.recycle(packet.data)
      }
      for (const [length, flush] of writes) {
        const data = Buffer.from(Array.from({ length }, (_, i) => (all.length + i) % 251))
        all = Buffer.concat([all, data])
        for (let from = 0; from < length;) {
          from += builder.add(data, from, length - from)
          if (builder.isFull) take()
        }
        if (flush && builder.hasNew) take()
      }
      if (builder.hasNew) take()
      expect(builder.position).toBe(all.length)
      expect(replica.equals(all)).toBe(true)
    }),
  )
})

test('an append inside a chunk sends the rest of that chunk by itself, also in several flushes', () => {
  const builder = new PacketBuilder({ checksum, packetBytes: 2048, offset: 700 })
  builder.add(Buffer.alloc(100, 1), 0, 100)
  const first = builder.take()
  expect([first.offset, first.data.length, first.checksums.length]).toEqual([700, 100, 4])
  expect(Buffer.from(first.checksums).readUInt32BE(0)).toBe(crc32c(first.data))
  expect(builder.add(Buffer.alloc(1000, 2), 0, 1000)).toBe(224)
  expect(builder.isFull).toBe(true)
  expect(builder.take()).toMatchObject({ offset: 800 })
  expect(builder.add(Buffer.alloc(5000, 2), 0, 5000)).toBe(2048)
  expect(builder.take()).toMatchObject({ offset: 1024 })
})
