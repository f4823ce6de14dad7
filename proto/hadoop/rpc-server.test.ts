import { once } from 'node:events'
import net from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { QuarryError } from '../../common/errors.ts'
import { silentLogger } from '../../common/env.ts'
import { VirtualClock } from '../../common/testing/virtual-clock.ts'
import { appendDelimited, decodeHadoop, encodeHadoop } from './codec.ts'
import type { ExtendedBlock } from './codec.ts'
import { openRpcServer } from './rpc-server.ts'
import type { RpcServer } from './rpc-server.ts'
import { later, rpcMethod } from './rpc-service.ts'
import type { RpcCall, RpcCaller, RpcPeer, RpcService } from './rpc-service.ts'
import {
  callFrame,
  clientProtocol,
  contextFrame,
  frame,
  preamble,
  RemoteError,
  requestHeader,
  RpcTestClient,
} from './testing/rpc-client.ts'
import type { CallOptions } from './testing/rpc-client.ts'

interface Session {
  readonly user: string
  readonly peer: RpcPeer
}

/** A service whose calls answer with the block they are given, in several ways. */
class Echo implements RpcService<Session> {
  readonly callers: RpcCaller[] = []
  readonly held: { call: RpcCall<Session>; request: ExtendedBlock }[] = []
  readonly sessions: Session[] = []
  open_ = 0
  mayReadNow = true
  refuses: QuarryError | undefined
  opening: Promise<unknown> | undefined
  seen: RpcCall<Session> | undefined

  readonly protocols = {
    [clientProtocol]: {
      methods: {
        echo: rpcMethod<Session, 'ExtendedBlock', 'ExtendedBlock'>('ExtendedBlock', 'ExtendedBlock', (call, request) => {
          this.seen = call
          return request
        }),
        soon: rpcMethod<Session, 'ExtendedBlock', 'ExtendedBlock'>('ExtendedBlock', 'ExtendedBlock', (_, request) =>
          Promise.resolve(request),
        ),
        hold: rpcMethod<Session, 'ExtendedBlock', 'ExtendedBlock'>('ExtendedBlock', 'ExtendedBlock', (call, request) => {
          this.held.push({ call, request })
          return later
        }),
        refuse: rpcMethod<Session, 'ExtendedBlock', 'ExtendedBlock'>('ExtendedBlock', 'ExtendedBlock', () => {
          throw new QuarryError('NOT_FOUND', 'File does not exist: /a')
        }),
        refuseLater: rpcMethod<Session, 'ExtendedBlock', 'ExtendedBlock'>('ExtendedBlock', 'ExtendedBlock', () =>
          Promise.reject(new Error('a bug')),
        ),
        big: rpcMethod<Session, 'ExtendedBlock', 'ExtendedBlock'>('ExtendedBlock', 'ExtendedBlock', (_, request) => ({
          ...request,
          poolId: 'x'.repeat(request.blockId),
        })),
      },
    },
  }

  open(caller: RpcCaller, peer: RpcPeer): Session | Promise<Session> {
    if (this.refuses) throw this.refuses
    this.callers.push(caller)
    const session = { user: caller.user, peer }
    this.sessions.push(session)
    this.open_++
    return this.opening === undefined ? session : this.opening.then(() => session)
  }

  close(): void {
    this.open_--
  }

  mayRead(): boolean {
    return this.mayReadNow
  }
}

const echo = ['ExtendedBlock', 'ExtendedBlock'] as const
const block = (blockId: number, poolId = 'BP-1') => ({ poolId, blockId, generationStamp: 1001, numBytes: 7 })

describe('a server of Hadoop RPC', () => {
  let server: RpcServer | undefined
  let clock = new VirtualClock()
  const clients: RpcTestClient[] = []

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close()
    await server?.close()
    server = undefined
  })

  async function serve(service: Echo = new Echo(), connectionsMax = 100): Promise<Echo> {
    clock = new VirtualClock()
    server = await openRpcServer(
      { service, log: silentLogger, clock, connectionsMax, setting: 'hdfs.port' },
      { host: '127.0.0.1', port: 0 },
    )
    return service
  }
  async function client(user = 'anna', realUser?: string): Promise<RpcTestClient> {
    const made = await RpcTestClient.connect(server!.port, user, realUser)
    clients.push(made)
    return made
  }
  async function bare(): Promise<RpcTestClient> {
    const made = await RpcTestClient.open(server!.port)
    clients.push(made)
    return made
  }
  const failed = (promise: Promise<unknown>): Promise<RemoteError> =>
    promise.then(
      () => expect.fail('the call should fail'),
      (error: unknown) => {
        expect(error).toBeInstanceOf(RemoteError)
        return error as RemoteError
      },
    )

  describe('calls', () => {
    it('answers with the message, the id of the call and of the client, and nothing behind', async () => {
      await serve()
      const one = await client()
      expect(await one.call('echo', echo, block(5))).toEqual(block(5))
      const { header, rest } = one.replies[0]!
      expect(header).toMatchObject({ callId: 0, status: 0, serverIpcVersion: 9, retryCount: 0 })
      expect(Buffer.from(header.clientId!)).toEqual(one.clientId)
      expect(rest).toBe(0)
    })

    it('answers calls that come in one piece with preamble and context, and byte by byte', async () => {
      await serve()
      const all = Buffer.concat([
        preamble(),
        contextFrame('anna'),
        callFrame(3, 'echo', 'ExtendedBlock', block(1)),
        callFrame(4, 'soon', 'ExtendedBlock', block(2)),
      ])
      for (let split = 0; split <= all.length; split++) {
        const one = await bare()
        const answers = Promise.all([one.reply(3), one.reply(4)])
        one.socket.write(all.subarray(0, split))
        await new Promise((resolve) => setImmediate(resolve))
        one.socket.write(all.subarray(split))
        const blocks = (await answers).map(({ message }) => decodeHadoop('ExtendedBlock', message!).blockId)
        expect(blocks).toEqual([1, 2])
        one.close()
      }
      const slow = await bare()
      const answers = Promise.all([slow.reply(3), slow.reply(4)])
      for (const byte of all) {
        slow.socket.write(Buffer.of(byte))
        await new Promise((resolve) => setImmediate(resolve))
      }
      await answers
    })

    it('tells the service who calls, and each call its ids', async () => {
      const service = await serve()
      const one = await client('anna', 'proxy')
      await one.call('echo', echo, block(5), {
        header: requestHeader(300_000, { retryCount: 2, callerContext: { context: 'job 7' }, clientId: Buffer.from('0123456789abcdef') }),
      })
      expect(service.callers).toEqual([{ user: 'anna', realUser: 'proxy', remoteAddress: '127.0.0.1' }])
      expect(service.seen).toMatchObject({ callId: 300_000, retryCount: 2, callerContext: 'job 7', method: 'echo' })
      expect(service.seen!.clientId).toBe(Buffer.from('0123456789abcdef').toString('hex'))
      expect(one.replies[0]!.header).toMatchObject({ callId: 300_000, retryCount: 2 })
    })

    it('answers in the order in which answers come, not in that of the calls', async () => {
      const service = await serve()
      const one = await client()
      const first = one.call('hold', echo, block(1))
      const second = one.call('hold', echo, block(2))
      await one.call('echo', echo, block(3))
      service.held[1]!.call.reply(service.held[1]!.request)
      expect((await second).blockId).toBe(2)
      service.held[0]!.call.replyEncoded(encodeHadoop('ExtendedBlock', block(9)))
      expect((await first).blockId).toBe(9)
      service.held[0]!.call.reply(block(1))
      await one.call('echo', echo, block(4))
      expect(one.replies.map(({ header }) => header.callId)).toEqual([2, 1, 0, 3])
    })

    it('answers with the Java class of an error, with nothing after the header, and goes on', async () => {
      await serve()
      const one = await client()
      const error = await failed(one.call('refuse', echo, block(1)))
      expect(error.className).toBe('java.io.FileNotFoundException')
      expect(error.message).toBe('File does not exist: /a')
      expect(error.header).toMatchObject({ status: 1, errorDetail: 1 })
      expect(one.replies[0]!.rest).toBe(0)
      const bug = await failed(one.call('refuseLater', echo, block(1)))
      expect(bug.className).toBe('java.io.IOException')
      expect(await one.call('echo', echo, block(2))).toEqual(block(2))
    })

    it('refuses unknown methods and protocols by name and keeps the connection', async () => {
      await serve()
      const one = await client()
      const method = await failed(one.call('toString', echo, block(1)))
      expect(method.className).toBe('org.apache.hadoop.ipc.RpcNoSuchMethodException')
      expect(method.message).toBe(`Unknown method toString called on ${clientProtocol} protocol.`)
      expect(method.header).toMatchObject({ status: 1, errorDetail: 2 })
      const protocol = await failed(one.call('echo', echo, block(1), { protocol: 'a.b.C' }))
      expect(protocol.className).toBe('org.apache.hadoop.ipc.RpcNoSuchProtocolException')
      expect(protocol.header).toMatchObject({ status: 1, errorDetail: 3 })
      expect(await one.call('echo', echo, block(2))).toEqual(block(2))
    })

    it('fails a call whose message cannot be read and keeps the connection', async () => {
      await serve()
      const one = await client()
      const options: CallOptions = {}
      const error = await failed(one.call('echo', ['Checksum', 'ExtendedBlock'], { type: 1, bytesPerChecksum: 2 }, options))
      expect(error.className).toBe('org.apache.hadoop.ipc.RpcServerException')
      expect(error.header.status).toBe(1)
      expect(await one.call('echo', echo, block(2))).toEqual(block(2))
    })
  })

  describe('beginnings', () => {
    it('tells clients of another version which one it speaks', async () => {
      await serve()
      const newer = await bare()
      const answer = newer.reply(-1)
      newer.send(preamble(10))
      expect((await answer).header).toMatchObject({
        status: 2,
        errorDetail: 14,
        exceptionClass: 'org.apache.hadoop.ipc.RPC$VersionMismatch',
        errorMessage: 'Server IPC version 9 cannot communicate with client version 10',
      })
      await newer.ended()
      const older = net.connect(server!.port, '127.0.0.1')
      older.write(preamble(4))
      const [bytes] = (await once(older, 'data')) as [Buffer]
      expect(bytes.readInt32BE(0)).toBe(-1)
      expect(bytes.toString('latin1')).toContain('Server IPC version 9 cannot communicate with client version 4')
      older.destroy()
    })

    it('answers HTTP with a plain text', async () => {
      await serve()
      const browser = net.connect(server!.port, '127.0.0.1')
      browser.end('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      const chunks: Buffer[] = []
      for await (const chunk of browser) chunks.push(chunk as Buffer)
      expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 404 Not Found\r\n[^]*Hadoop IPC port/)
    })

    it('tells a client that wants SASL that nothing needs to be negotiated', async () => {
      await serve()
      const one = await bare()
      const answer = one.reply(-33)
      one.send(
        preamble(9, 0xdf),
        frame((writer) => {
          appendDelimited(writer, 'RpcRequestHeader', requestHeader(-33, { retryCount: -1 }))
          appendDelimited(writer, 'RpcSasl', { version: 0, state: 1 })
        }),
      )
      const { header, message } = await answer
      expect(header).toMatchObject({ callId: -33, status: 0 })
      expect(decodeHadoop('RpcSasl', message!).state).toBe(0)
      one.send(contextFrame('anna'))
      expect(await one.call('echo', echo, block(2))).toEqual(block(2))
    })

    it('ignores pings', async () => {
      await serve()
      const one = await client()
      one.send(frame((writer) => appendDelimited(writer, 'RpcRequestHeader', requestHeader(-4, { retryCount: -1 }))))
      await one.call('echo', echo, block(2))
      expect(one.replies).toHaveLength(1)
    })

    it('holds calls until the service knows the caller', async () => {
      const service = new Echo()
      let known = (): void => {}
      service.opening = new Promise<void>((resolve) => (known = resolve))
      await serve(service)
      const one = await client()
      const answer = one.call('echo', echo, block(1))
      await expect.poll(() => service.callers.length).toBe(1)
      expect(one.replies).toEqual([])
      known()
      expect(await answer).toEqual(block(1))
    })

    it('closes the session of a client that went away while it was looked up', async () => {
      const service = new Echo()
      let known = (): void => {}
      service.opening = new Promise<void>((resolve) => (known = resolve))
      await serve(service)
      const one = await client()
      await expect.poll(() => service.callers.length).toBe(1)
      one.close()
      known()
      await expect.poll(() => server!.connections).toBe(0)
      expect(service.open_).toBe(0)
    })

    it.each([
      [
        'a proxy that may not act',
        new QuarryError('NOT_AUTHORIZED', 'User: p is not allowed to impersonate anna'),
        'org.apache.hadoop.security.authorize.AuthorizationException',
        15,
      ],
      ['too many clients', new QuarryError('OVERLOADED', 'Too many.'), 'org.apache.hadoop.ipc.RetriableException', 10],
    ])('refuses %s and ends the connection', async (_, refusal, className, detail) => {
      const service = new Echo()
      service.refuses = refusal
      await serve(service)
      const one = await bare()
      const answer = one.reply(-3)
      one.send(preamble(), contextFrame('anna', 'p'))
      expect((await answer).header).toMatchObject({
        status: 2,
        exceptionClass: className,
        errorMessage: refusal.message,
        errorDetail: detail,
      })
      await one.ended()
      expect(service.open_).toBe(0)
    })
  })

  describe('damage', () => {
    const huge = Buffer.alloc(4)
    huge.writeInt32BE(0x7fffffff)
    const negative = Buffer.alloc(4)
    negative.writeInt32BE(-5)
    const call = callFrame(1, 'echo', 'ExtendedBlock', block(1))
    it.each([
      ['a frame that is too long', [preamble(), contextFrame('a'), huge], 12],
      ['a negative length', [preamble(), contextFrame('a'), negative], 12],
      ['an empty frame', [preamble(), contextFrame('a'), Buffer.alloc(4)], 12],
      ['a header that is none', [preamble(), contextFrame('a'), frame((w) => w.bytes(Buffer.from('no header')))], 12],
      ['a call before the context', [preamble(), call], 12],
      ['a second context', [preamble(), contextFrame('a'), contextFrame('b')], 12],
      ['a context without a user', [preamble(), contextFrame(undefined)], 15],
      ['a user name without end', [preamble(), contextFrame('a'.repeat(5000))], 15],
      ['an unknown kind of authentication', [preamble(9, 7)], 12],
      ['an unknown call out of band', [preamble(), frame((w) => appendDelimited(w, 'RpcRequestHeader', requestHeader(-9)))], 12],
      [
        'a call that is no protobuf call',
        [preamble(), contextFrame('a'), callFrame(1, 'echo', 'ExtendedBlock', block(1), { header: requestHeader(1, { rpcKind: 1 }) })],
        12,
      ],
      [
        'another operation',
        [preamble(), contextFrame('a'), callFrame(1, 'echo', 'ExtendedBlock', block(1), { header: requestHeader(1, { rpcOp: 2 }) })],
        12,
      ],
    ])('answers %s with FATAL and ends the connection, others go on', async (_, parts, detail) => {
      const service = await serve()
      const other = await client()
      const one = await bare()
      one.send(...parts)
      await one.ended()
      expect(one.replies.at(-1)!.header).toMatchObject({ status: 2, errorDetail: detail })
      expect(one.replies.at(-1)!.rest).toBe(0)
      expect(await other.call('echo', echo, block(2))).toEqual(block(2))
      await expect.poll(() => service.open_).toBe(1)
    })

    it('ends connections that begin with anything else', async () => {
      await serve()
      for (const bytes of ['X', 'hr\0\0\0\0\0', 'POST / HTTP/1.1\r\n', '\x16\x03\x01\x02']) {
        const one = await bare()
        one.send(Buffer.from(bytes, 'latin1'))
        await one.ended()
        expect(one.replies).toEqual([])
      }
      await expect.poll(() => server!.connections).toBe(0)
    })

    it('survives a frame cut at any byte, and any byte of it wrong', async () => {
      await serve()
      const good = await client()
      const whole = callFrame(7, 'echo', 'ExtendedBlock', block(1))
      for (let at = 0; at < whole.length; at++) {
        const cut = await client()
        cut.send(whole.subarray(0, at))
        cut.socket.end()
        const wrong = await client()
        const bytes = Buffer.from(whole)
        bytes[at] = bytes[at]! ^ 0xff
        wrong.send(bytes)
        wrong.socket.end()
        await Promise.all([cut.ended(), wrong.ended()])
      }
      expect(await good.call('echo', echo, block(2))).toEqual(block(2))
      await expect.poll(() => server!.connections).toBe(1)
    })
  })

  describe('bounds', () => {
    it('reads no more while too many calls of a connection are unanswered', async () => {
      const service = await serve()
      const one = await client()
      const calls = Array.from({ length: 1500 }, (_, i) => one.call('hold', echo, block(i)))
      await expect.poll(() => service.held.length).toBe(1024)
      const other = await client()
      await other.call('echo', echo, block(1))
      expect(service.held.length).toBe(1024)
      for (let i = 0; i < 1500; i++) {
        await expect.poll(() => service.held.length).toBeGreaterThan(i)
        service.held[i]!.call.reply(service.held[i]!.request)
      }
      expect((await Promise.all(calls)).map(({ blockId }) => blockId)).toEqual(Array.from({ length: 1500 }, (_, i) => i))
    })

    it('answers no more while a client does not take its replies', async () => {
      const service = await serve()
      const lazy = await client()
      lazy.socket.pause()
      const size = 1 << 20
      const frames = Array.from({ length: 200 }, (_, i) => callFrame(i, 'big', 'ExtendedBlock', block(size)))
      const before = process.memoryUsage().external
      lazy.send(...frames)
      const other = await client()
      for (let i = 0; i < 50; i++) await other.call('echo', echo, block(1))
      expect(process.memoryUsage().external - before).toBeLessThan(60 * size)
      const last = lazy.reply(199)
      lazy.socket.resume()
      expect((await last).message!.length).toBeGreaterThan(size)
      expect(lazy.replies).toHaveLength(200)
      expect(service.open_).toBe(2)
    })

    it('reads nothing while the service does not want to, and goes on when told to look', async () => {
      const service = await serve()
      const one = await client()
      await one.call('echo', echo, block(1))
      service.mayReadNow = false
      one.call('hold', echo, block(2)).catch(() => {})
      const other = await RpcTestClient.open(server!.port)
      clients.push(other)
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(service.held).toHaveLength(0)
      service.mayReadNow = true
      service.sessions[0]!.peer.look()
      await expect.poll(() => service.held.length).toBe(1)
    })

    it('drops answers to clients that are gone', async () => {
      const service = await serve()
      const one = await client()
      one.call('hold', echo, block(1)).catch(() => {})
      await expect.poll(() => service.held.length).toBe(1)
      one.close()
      await expect.poll(() => service.open_).toBe(0)
      service.held[0]!.call.reply(block(1))
      service.held[0]!.call.fail(new Error('late'))
      const other = await client()
      expect(await other.call('echo', echo, block(2))).toEqual(block(2))
    })

    it('takes no more connections than it may', async () => {
      await serve(new Echo(), 2)
      const [one, two] = [await client(), await client()]
      await Promise.all([one, two].map((each) => each.call('echo', echo, block(1))))
      const third = await RpcTestClient.open(server!.port)
      await third.ended()
      one.close()
      await expect.poll(() => server!.connections).toBe(1)
      expect(await (await client()).call('echo', echo, block(1))).toEqual(block(1))
    })

    it('closes connections that do not say who they are, or stop within a frame; not those that wait for a call', async () => {
      const service = await serve()
      const silent = await bare()
      const torn = await client()
      torn.send(callFrame(1, 'echo', 'ExtendedBlock', block(1)).subarray(0, 9))
      const waiting = await client()
      waiting.call('hold', echo, block(1)).catch(() => {})
      const idle = await client()
      await idle.call('echo', echo, block(1))
      await expect.poll(() => service.open_).toBe(3)
      await clock.advance(60_000)
      await Promise.all([silent.ended(), torn.ended()])
      expect(await idle.call('echo', echo, block(1))).toEqual(block(1))
      service.held[0]!.call.reply(block(2))
      await expect.poll(() => waiting.replies.length).toBe(1)
    })

    it('ends its connections when it is closed', async () => {
      const service = await serve()
      const one = await client()
      await one.call('echo', echo, block(1))
      await server!.close()
      await one.ended()
      expect(service.open_).toBe(0)
    })

    it('says that its port is taken', async () => {
      await serve()
      const options = { service: new Echo(), log: silentLogger, clock, connectionsMax: 1, setting: 'hdfs.port' }
      await expect(openRpcServer(options, { host: '127.0.0.1', port: server!.port })).rejects.toMatchObject({ code: 'IN_USE' })
    })
  })
})
