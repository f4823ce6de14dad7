import zlib from 'node:zlib'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { crc32c } from './checksum.ts'
import { CrcComposer } from './crc-composer.ts'

const kinds = { crc32: (data: Uint8Array) => zlib.crc32(data), crc32c: (data: Uint8Array) => crc32c(data) } as const

it.each(['crc32', 'crc32c'] as const)('the %s of bytes is composed of those of their pieces, whatever the size of pieces', (kind) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 4000 }), fc.integer({ min: 1, max: 4000 }), fc.nat(100), (data, piece, some) => {
      const crcs = Buffer.alloc(Math.ceil(data.length / piece) * 4)
      for (let i = 0; i * piece < data.length; i++) crcs.writeUInt32BE(kinds[kind](data.subarray(i * piece, (i + 1) * piece)), i * 4)
      const composer = new CrcComposer(kind)
      // In two goes, of which the last has the short piece.
      const first = Math.min(some * 4, crcs.length - 4)
      if (first > 0) composer.add(crcs.subarray(0, first), piece, piece)
      composer.add(crcs.subarray(first), piece, data.length % piece || piece)
      expect(composer.value).toBe(kinds[kind](data))
    }),
  )
  expect(new CrcComposer(kind).value).toBe(0)
})
