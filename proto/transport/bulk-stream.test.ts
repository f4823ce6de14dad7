// Bulk calls speak gRPC: their framing, and grpc-js on the other side. (datanode-client.test.ts has our client against grpc-js's server.)
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'
import { QuarryError } from '../../common/errors.ts'
import { messageBytesMax } from '../../common/limits.ts'
import { BulkConnection } from './bulk-client.ts'
import type { BulkHandler } from './bulk-server.ts'
import { joined, MessageCutter } from './bulk-stream.ts'
import type { BulkStream } from './bulk-stream.ts'
import { createGrpcServer } from './server.ts'
import { errorOf } from './status.ts'
import { Inbox, Outbox } from './streams.ts'

const path = '/quarry.v1.Test/Bulk'

async function withServer(handler: BulkHandler, run: (address: string, close: () => Promise<void>) => Promise<void>): Promise<void> {
  const server = createGrpcServer()
  server.addBulk(path, handler)
  const port = await server.listen('127.0.0.1', 0)
  try {
    await run(`127.0.0.1:${port}`, () => server.close())
  } finally {
    await server.close()
  }
}

function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

const same = (bytes: Buffer) => bytes

const echo: BulkHandler = async (call) => {
  for await (const message of call) await call.send(message.parts)
}

async function all(call: BulkStream): Promise<string[]> {
  const texts: string[] = []
  for await (const message of call) texts.push(joined(message).toString())
  return texts
}

describe('MessageCutter', () => {
  it('finds the messages again, wherever the stream was cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 })),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        (messages, cuts) => {
          const stream = Buffer.concat(messages.map((message) => framed(Buffer.from(message))))
          const cutter = new MessageCutter()
          const found: number[][] = []
          for (let at = 0, i = 0; at < stream.length; i++) {
            const size = cuts[i % cuts.length]!
            for (const message of cutter.push(stream.subarray(at, at + size))) {
              const bytes = joined(message)
              expect(message.length).toBe(bytes.length)
              found.push([...bytes])
            }
            at += size
          }
          expect(found).toEqual(messages.map((message) => [...message]))
        },
      ),
    )
  })

  it('refuses compressed messages and ones beyond the bound', () => {
    expect(() => new MessageCutter().push(Buffer.from([1, 0, 0, 0, 0]))).toThrow(/Compressed/)
    const huge = Buffer.alloc(5)
    huge.writeUInt32BE(messageBytesMax + 1, 1)
    expect(() => new MessageCutter().push(huge)).toThrow(/larger than/)
  })
})

describe('a bulk method', () => {
  it('is called by grpc-js like any other, and fails with code, message and details', async () => {
    const handler: BulkHandler = async (call) => {
      await call.next()
      await call.send([Buffer.from('one '), Buffer.from('message')])
      throw new QuarryError('DISK_FULL', 'no room: 0 % left, ü', { left: 0 })
    }
    await withServer(handler, async (address) => {
      const client = new Client(address, credentials.createInsecure())
      const call = client.makeBidiStreamRequest(path, same, same, new Metadata())
      const inbox = new Inbox<Buffer>(call)
      await new Outbox<Buffer>(call).send(Buffer.from('request'))
      expect((await inbox.next()).value?.toString()).toBe('one message')
      await expect(inbox.next()).rejects.toMatchObject({ code: 'DISK_FULL', message: 'no room: 0 % left, ü', details: { left: 0 } })
      client.close()
    })
  })

  it('moves large messages both ways with grpc-js', async () => {
    await withServer(echo, async (address) => {
      const client = new Client(address, credentials.createInsecure(), { 'grpc.max_receive_message_length': messageBytesMax })
      const call = client.makeBidiStreamRequest(path, same, same, new Metadata())
      const inbox = new Inbox<Buffer>(call)
      const outbox = new Outbox<Buffer>(call)
      const bytes = Buffer.alloc(3 * 1024 * 1024, 'quarry')
      void outbox.send(bytes).then(() => outbox.end())
      expect((await inbox.next()).value?.equals(bytes)).toBe(true)
      expect((await inbox.next()).done).toBe(true)
      client.close()
    })
  })

  it('leaves other methods of the server to grpc-js', async () => {
    await withServer(echo, async (address) => {
      const client = new Client(address, credentials.createInsecure())
      const failed = await new Promise((resolve) => client.makeUnaryRequest('/quarry.v1.Test/Other', same, same, Buffer.alloc(0), resolve))
      expect(errorOf(failed).code).toBe('UNSUPPORTED')
      client.close()
    })
  })
})

describe('a bulk connection', () => {
  it('carries many calls, and is made anew after it broke', async () => {
    let port = 0
    await withServer(echo, async (address, close) => {
      port = Number(address.split(':')[1])
      const connection = new BulkConnection(address, 'the test server')
      const calls = Array.from({ length: 20 }, (_, i) => {
        const call = connection.open(path)
        void call.send([Buffer.from(`call ${i}`)]).then(() => call.end())
        return all(call)
      })
      expect(await Promise.all(calls)).toEqual(Array.from({ length: 20 }, (_, i) => [`call ${i}`]))

      const open = connection.open(path)
      await open.send([Buffer.from('x')])
      await open.next()
      await close()
      await expect(open.next()).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('the test server cannot be reached'),
      })
      await expect(open.send([Buffer.from('y')])).rejects.toBeInstanceOf(QuarryError)
      await expect(connection.open(path).next()).rejects.toMatchObject({ code: 'UNAVAILABLE' })

      const again = createGrpcServer()
      again.addBulk(path, echo)
      await again.listen('127.0.0.1', port)
      const call = connection.open(path)
      await call.send([Buffer.from('back')])
      call.end()
      expect(await all(call)).toEqual(['back'])
      connection.close()
      await again.close()
    })
  })

  it('says what it found when the other end does not speak gRPC', async () => {
    await withServer(echo, async (address) => {
      const connection = new BulkConnection(address, 'the test server')
      await expect(connection.open('/quarry.v1.Test/Missing').next()).rejects.toMatchObject({ code: 'UNSUPPORTED' })
      connection.close()
    })
  })

  it('gives a peer up that is silent while a call is open, and keeps one that only has nothing to say', async () => {
    const waits: BulkHandler = async (call) => {
      await call.next()
      await call.next()
    }
    await withServer(waits, async (address) => {
      // Everything goes through here, until it is cut without a word.
      let cut = false
      const relay = createServer((near) => {
        const far = connect(Number(address.split(':')[1]), '127.0.0.1')
        near.on('data', (bytes) => cut || far.write(bytes))
        far.on('data', (bytes) => cut || near.write(bytes))
        for (const [one, other] of [
          [near, far],
          [far, near],
        ] as const) {
          one.on('error', () => {})
          one.on('close', () => other.destroy())
        }
      })
      await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
      const connection = new BulkConnection(`127.0.0.1:${(relay.address() as AddressInfo).port}`, 'the test server', {
        lookMs: 100,
        silentMs: 1_000,
      })
      const call = connection.open(path)
      await call.send([Buffer.from('x')])
      const next = call.next()
      let failed = false
      next.catch(() => (failed = true))
      await new Promise((resolve) => setTimeout(resolve, 2_500))
      expect(failed).toBe(false)
      cut = true
      await expect(next).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('silent for 1 s') })
      connection.close()
      await new Promise((resolve) => relay.close(resolve))
    })
  })

  it('ends a call on both sides when its signal fires', async () => {
    let ended: (error: unknown) => void
    const seen = new Promise((resolve) => (ended = resolve))
    const handler: BulkHandler = async (call) => {
      try {
        for await (const message of call) expect(message.length).toBeGreaterThan(0)
        ended('ended')
      } catch (error) {
        ended(error)
        throw error
      }
    }
    await withServer(handler, async (address) => {
      const connection = new BulkConnection(address, 'the test server')
      const abort = new AbortController()
      const call = connection.open(path, { signal: abort.signal })
      await call.send([Buffer.from('x')])
      const next = call.next()
      abort.abort()
      await expect(next).rejects.toMatchObject({ code: 'CANCELLED' })
      expect(await seen).toMatchObject({ code: 'CANCELLED' })
      connection.close()
    })
  })
})
