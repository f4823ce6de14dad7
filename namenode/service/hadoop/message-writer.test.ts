import protobuf from 'protobufjs/minimal.js'
import { describe, expect, it } from 'vitest'
import { MessageWriter } from './message-writer.ts'

const NUMBER = 1 << 3
const SIZED = (2 << 3) | 2

describe('MessageWriter', () => {
  it.each([0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 35 + 7, 1_796_094_489_276, 2 ** 53 - 1, -1, -1001])(
    'writes %d as other encoders do',
    (value) => {
      const expected = protobuf.Writer.create().uint32(NUMBER).int64(value).finish()
      expect(new MessageWriter().number(NUMBER, value).taken()).toEqual(Buffer.from(expected))
    },
  )

  it.each(['', 'root', 'a'.repeat(31), 'a'.repeat(32), 'größe', 'ü'.repeat(15), '名'.repeat(40), 'x'.repeat(70_000), 'ab\u{1f600}'])(
    'writes text %#',
    (value) => {
      const expected = protobuf.Writer.create().uint32(SIZED).string(value).finish()
      expect(new MessageWriter().text(SIZED, value).taken()).toEqual(Buffer.from(expected))
    },
  )

  it('writes parts of bytes', () => {
    const bytes = Buffer.from('0123456789')
    const expected = protobuf.Writer.create().uint32(SIZED).bytes(bytes.subarray(3, 7)).finish()
    expect(new MessageWriter().bytes(SIZED, bytes, 3, 7).taken()).toEqual(Buffer.from(expected))
  })

  it.each([0, 1, 126, 127, 128, 16_381, 16_384, 3_000_000])('puts a message of about %d bytes in a message', (size) => {
    const text = 'y'.repeat(size)
    const expected = protobuf.Writer.create().uint32(SIZED).fork().uint32(SIZED).fork()
    expected.uint32(SIZED).string(text).ldelim().uint32(NUMBER).uint32(5).ldelim()
    const writer = new MessageWriter()
    const outer = writer.begin(SIZED)
    const inner = writer.begin(SIZED)
    writer.text(SIZED, text).end(inner)
    writer.number(NUMBER, 5).end(outer)
    expect(writer.written().equals(expected.finish())).toBe(true)
  })

  it('begins anew without remembering', () => {
    const writer = new MessageWriter()
    writer.text(SIZED, 'x'.repeat(2_000_000))
    const kept = writer.reset().number(NUMBER, 7).taken()
    writer.reset().number(NUMBER, 9)
    expect(kept).toEqual(Buffer.from([NUMBER, 7]))
    expect(writer.written()).toEqual(Buffer.from([NUMBER, 9]))
  })
})
