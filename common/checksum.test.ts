// Proves that both CRC32C implementations agree with the published check value and with each other.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chunkChecksums, crc32c, crc32cPortable, firstBadChunk } from './checksum.ts'

const bytes = fc.uint8Array({ maxLength: 3000 })

describe('crc32c', () => {
  it.each([
    ['in use', crc32c],
    ['portable', crc32cPortable],
  ] as const)('%s gives the check value of the standard', (_name, crc) => {
    expect(crc(Buffer.from('123456789'))).toBe(0xe3069283)
    expect(crc(new Uint8Array(0))).toBe(0)
  })

  it('is the same natively and in JavaScript, whole or continued from a seed', () => {
    fc.assert(
      fc.property(bytes, fc.nat(3000), (data, cut) => {
        const at = Math.min(cut, data.length)
        const whole = crc32cPortable(data)
        expect(crc32c(data)).toBe(whole)
        expect(crc32c(data.subarray(at), crc32c(data.subarray(0, at)))).toBe(whole)
        expect(crc32cPortable(data.subarray(at), crc32cPortable(data.subarray(0, at)))).toBe(whole)
      }),
    )
  })
})

describe('chunk checksums', () => {
  it('are four bytes a chunk, the last chunk may be short', () => {
    expect(chunkChecksums(Buffer.alloc(1025), 512)).toHaveLength(12)
    expect(chunkChecksums(Buffer.alloc(0), 512)).toHaveLength(0)
  })

  it('find the chunk that changed, whichever bit it was', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 3000 }), fc.nat(), fc.nat(7), (data, at, bit) => {
        const sums = chunkChecksums(data, 512)
        expect(firstBadChunk(data, sums, 512)).toBe(-1)
        const index = at % data.length
        data[index]! ^= 1 << bit
        expect(firstBadChunk(data, sums, 512)).toBe(Math.floor(index / 512))
      }),
    )
  })

  it('find a checksum that changed, for chunks of any size', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 3000 }),
        fc.constantFrom(1, 7, 64, 512, 4096),
        fc.nat(),
        fc.nat(7),
        (data, chunk, at, bit) => {
          const sums = chunkChecksums(data, chunk)
          expect(firstBadChunk(data, sums, chunk)).toBe(-1)
          const index = at % sums.length
          sums[index]! ^= 1 << bit
          expect(firstBadChunk(data, sums, chunk)).toBe(Math.floor(index / 4))
        },
      ),
    )
  })
})
