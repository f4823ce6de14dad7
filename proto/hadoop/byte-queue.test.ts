import { describe, expect, it } from 'vitest'
import { ByteQueue } from './byte-queue.ts'

const bytes = (...values: number[]): Buffer => Buffer.from(values)

describe('ByteQueue', () => {
  it('gives what was pushed in order, whatever the chunks', () => {
    const all = Buffer.from(Array.from({ length: 200 }, (_, i) => i))
    for (const chunk of [1, 2, 3, 7, 64, 200]) {
      for (const piece of [1, 4, 5, 13, 200]) {
        const queue = new ByteQueue()
        for (let at = 0; at < all.length; at += chunk) queue.push(all.subarray(at, at + chunk))
        const out: Buffer[] = []
        while (queue.length > 0) out.push(queue.take(Math.min(piece, queue.length))!)
        expect(Buffer.concat(out)).toEqual(all)
      }
    }
  })

  it('gives views of the chunks that bytes came in, and looks ahead, whatever the chunks', () => {
    const all = Buffer.from(Array.from({ length: 200 }, (_, i) => i))
    for (const chunk of [1, 3, 64, 200]) {
      for (const piece of [1, 5, 70, 200]) {
        const queue = new ByteQueue()
        for (let at = 0; at < all.length; at += chunk) queue.push(all.subarray(at, at + chunk))
        expect(queue.peek(201)).toBeUndefined()
        const out: Buffer[] = []
        while (queue.length > 0) {
          const count = Math.min(piece, queue.length)
          const ahead = queue.peek(Math.min(2, count))
          const pieces = queue.takePieces(count)
          expect(Buffer.concat(pieces).subarray(0, 2)).toEqual(ahead)
          out.push(...pieces)
        }
        expect(Buffer.concat(out)).toEqual(all)
      }
    }
    const queue = new ByteQueue()
    const [first, second] = [Buffer.alloc(20_000, 1), Buffer.alloc(20_000, 2)]
    queue.push(first)
    queue.push(second)
    queue.take(100)
    const pieces = queue.takePieces(25_000)
    expect(pieces.map(({ buffer }) => buffer)).toEqual([first.buffer, second.buffer])
    expect(queue.length).toBe(14_900)
  })

  it('takes nothing when there is not enough', () => {
    const queue = new ByteQueue()
    queue.push(bytes(1, 2))
    expect(queue.take(3)).toBeUndefined()
    queue.push(bytes(3))
    expect(queue.take(3)).toEqual(bytes(1, 2, 3))
    expect(queue.length).toBe(0)
    expect(queue.peekByte()).toBe(-1)
  })

  it('looks at four bytes over the ends of chunks without taking them', () => {
    const queue = new ByteQueue()
    for (const byte of [9, 0xff, 0xff, 0xff, 0xfe, 7]) queue.push(bytes(byte))
    expect(queue.take(1)).toEqual(bytes(9))
    expect(queue.peekInt32()).toBe(-2)
    expect(queue.peekByte()).toBe(0xff)
    expect(queue.take(5)).toEqual(bytes(0xff, 0xff, 0xff, 0xfe, 7))
  })

  it('hands out views of a chunk that has all of a piece', () => {
    const queue = new ByteQueue()
    const chunk = Buffer.alloc(64)
    queue.push(chunk)
    expect(queue.take(16)!.buffer).toBe(chunk.buffer)
  })

  it('keeps single bytes in few pieces', () => {
    const queue = new ByteQueue()
    const all = Buffer.from(Array.from({ length: 50_000 }, (_, i) => i & 0xff))
    for (let at = 0; at < all.length; at++) queue.push(all.subarray(at, at + 1))
    expect(queue.chunks).toBeLessThan(25)
    expect(queue.take(all.length)).toEqual(all)
  })

  it('forgets what waits', () => {
    const queue = new ByteQueue()
    queue.push(bytes(1, 2, 3))
    queue.take(1)
    queue.clear()
    queue.push(bytes(8))
    expect(queue.take(1)).toEqual(bytes(8))
  })
})
