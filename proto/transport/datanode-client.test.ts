// The data plane's client and the stream adapters, against a small server of the same service over loopback.
import { describe, expect, it } from 'vitest'
import { QuarryError } from '../../common/errors.ts'
import { codec, serviceDefinition } from '../codec.ts'
import type { WriteReply } from '../gen/messages.ts'
import { DatanodeClients } from './datanode-client.ts'
import { decodeWriteFrame, encodePacketFrame, encodeReadHeader } from './packet-codec.ts'
import { createGrpcServer } from './server.ts'
import { statusOf } from './status.ts'
import { Inbox, Outbox } from './streams.ts'

type Call = import('@grpc/grpc-js').ServerDuplexStream<ReturnType<typeof decodeWriteFrame>, WriteReply> & { request: { length: number } }

async function withServer(
  handlers: Record<string, unknown>,
  run: (client: ReturnType<DatanodeClients['get']>) => Promise<void>,
): Promise<void> {
  const server = createGrpcServer()
  const definition = serviceDefinition('Datanode')
  const raw = (bytes: Buffer) => bytes
  definition['writeBlock'] = { ...definition['writeBlock']!, requestDeserialize: decodeWriteFrame }
  definition['readBlock'] = { ...definition['readBlock']!, responseSerialize: raw as never }
  const missing = (_: unknown, reply: (error: unknown) => void) => reply(statusOf(new QuarryError('UNSUPPORTED', 'not here')))
  server.add(definition, {
    writeBlock: missing,
    readBlock: missing,
    replicaInfo: missing,
    blockChecksum: missing,
    transferBlock: missing,
    ...handlers,
  })
  const port = await server.listen('127.0.0.1', 0)
  const clients = new DatanodeClients()
  try {
    await run(clients.get({ ip: '127.0.0.1', grpcPort: port }))
  } finally {
    await clients.close()
    await server.close()
  }
}

describe('writeBlock', () => {
  it('carries header and packets up and replies down, in order', async () => {
    const seen: string[] = []
    const writeBlock = async (call: Call) => {
      const replies = new Outbox<WriteReply>(call)
      for await (const frame of new Inbox<ReturnType<typeof decodeWriteFrame>>(call)) {
        if (frame.header) {
          seen.push(`header ${frame.header.poolId}`)
          await replies.send({ setup: { status: 0 } } as unknown as WriteReply)
        } else {
          seen.push(`packet ${frame.packet!.seqno} of ${frame.packet!.data.length}`)
          await replies.send({ ack: { seqno: frame.packet!.seqno, statuses: [0] } } as unknown as WriteReply)
        }
      }
      replies.end()
    }
    await withServer({ writeBlock }, async (client) => {
      const stream = client.writeBlock({ poolId: 'BP-1' })
      const data = Buffer.alloc(1024 * 1024, 7)
      for (let seqno = 0; seqno < 3; seqno++) await stream.send({ seqno, offset: seqno * data.length, data })
      await stream.forward({ parts: [encodePacketFrame({ seqno: 3, last: true })] })
      stream.end()
      const replies: WriteReply[] = []
      for await (const reply of stream.replies) replies.push(reply)
      expect(seen).toEqual(['header BP-1', 'packet 0 of 1048576', 'packet 1 of 1048576', 'packet 2 of 1048576', 'packet 3 of 0'])
      expect(replies.map((reply) => reply.body)).toEqual(['setup', 'ack', 'ack', 'ack', 'ack'])
      expect(replies.at(-1)?.ack?.seqno).toBe(3)
    })
  })

  it('delivers the replies that came before a failure, then the failure with its code', async () => {
    const writeBlock = (call: Call) => {
      call.write({ ack: { seqno: 5 } } as unknown as WriteReply, () =>
        call.emit('error', statusOf(new QuarryError('DISK_FULL', 'no room', { left: 3 }))),
      )
    }
    await withServer({ writeBlock }, async (client) => {
      const stream = client.writeBlock({})
      const replies = stream.replies[Symbol.asyncIterator]()
      // Both have arrived before the first is asked for.
      await new Promise((resolve) => setTimeout(resolve, 100))
      expect((await replies.next()).value).toMatchObject({ ack: { seqno: 5 } })
      await expect(replies.next()).rejects.toMatchObject({ code: 'DISK_FULL', message: 'no room', details: { left: 3 } })
      await expect(stream.send({ seqno: 1 })).rejects.toBeInstanceOf(QuarryError)
    })
  })

  it('ends with CANCELLED when the signal fires', async () => {
    const writeBlock = () => {}
    await withServer({ writeBlock }, async (client) => {
      const abort = new AbortController()
      const stream = client.writeBlock({}, { signal: abort.signal })
      const next = stream.replies[Symbol.asyncIterator]().next()
      abort.abort()
      await expect(next).rejects.toMatchObject({ code: 'CANCELLED' })
    })
  })
})

describe('readBlock', () => {
  it('holds the sender back while nobody asks for more', async () => {
    let sent = 0
    const frame = encodePacketFrame({ data: Buffer.alloc(1024 * 1024) })
    const readBlock = async (call: Call) => {
      const outbox = new Outbox<Buffer>(call)
      await outbox.send(encodeReadHeader({ visibleLength: 64 }))
      for (; sent < 64; sent++) await outbox.send(frame)
      outbox.end()
    }
    await withServer({ readBlock }, async (client) => {
      let received = 0
      for await (const message of client.readBlock({})) {
        if (received === 0) {
          await new Promise((resolve) => setTimeout(resolve, 300))
          // The window (4 MiB), what is decoded ahead, and what waits in the sender's buffers.
          expect(sent).toBeLessThan(24)
          expect(message.header?.visibleLength).toBe(64)
        }
        received++
      }
      expect(received).toBe(65)
    })
  })

  it('is cancelled when the iteration ends early', async () => {
    let cancelled: () => void
    const done = new Promise<void>((resolve) => (cancelled = resolve))
    const frame = encodePacketFrame({ data: Buffer.alloc(1024) })
    const readBlock = (call: Call) => {
      call.on('cancelled', () => cancelled())
      call.write(frame as unknown as WriteReply)
    }
    await withServer({ readBlock }, async (client) => {
      for await (const message of client.readBlock({})) {
        expect(message.packet?.data.length).toBe(1024)
        break
      }
      await done
    })
  })
})

describe('unary calls', () => {
  it('answer, fail with the code of the server, and say when nobody listens', async () => {
    const replicaInfo = (_: unknown, reply: (error: unknown, value?: object) => void) =>
      reply(null, codec('ReplicaInfoReply').decode(codec('ReplicaInfoReply').encode({ state: 1, dataPath: '/x' })))
    let gone: ReturnType<DatanodeClients['get']>
    await withServer({ replicaInfo }, async (client) => {
      gone = client
      expect(await client.replicaInfo({})).toMatchObject({ state: 1, dataPath: '/x' })
      await expect(client.blockChecksum({})).rejects.toMatchObject({ code: 'UNSUPPORTED', message: 'not here' })
    })
    await expect(gone!.replicaInfo({})).rejects.toBeDefined()
    const clients = new DatanodeClients()
    await expect(clients.get({ ip: '127.0.0.1', grpcPort: 1 }).replicaInfo({})).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await clients.close()
  })
})
