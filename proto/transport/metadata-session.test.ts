// The session against a small namenode of our own over real sockets: it can refuse, fall silent, break streams and forget.
import http from 'node:http'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { status as Status } from '@grpc/grpc-js'
import type { ServerDuplexStream } from '@grpc/grpc-js'
import { afterEach, expect, test } from 'vitest'
import { Closer } from '../../common/closer.ts'
import { serviceDefinition } from '../codec.ts'
import type { Init } from '../codec.ts'
import type { Call, CallBatch, Hello, Reply, ReplyBatch, Welcome } from '../ports.ts'
import { protocolVersion } from '../version.ts'
import { connectNamenode, parseQuarryUri } from './metadata-session.ts'
import { createGrpcServer } from './server.ts'

let closer = new Closer()
afterEach(async () => {
  await closer.close()
  closer = new Closer()
})

type Connection = ServerDuplexStream<CallBatch, ReplyBatch>
/** What grpc-js takes where it is typed to take whole messages. */
const batch = (message: Init<ReplyBatch>): ReplyBatch => message as ReplyBatch

class SmallNamenode {
  readonly hellos: Hello[] = []
  readonly calls: { id: number; retryCount: number; op: string | undefined }[] = []
  readonly batches: number[] = []
  readonly connections = new Set<Connection>()
  welcome: Init<Welcome> = { protocol: protocolVersion, clusterId: 'C1', poolId: 'BP-1' }
  answer: (call: Call) => Init<Reply> | undefined = (call) => ({ id: call.id, mkdirs: { value: true } })

  async listen(port = 0): Promise<number> {
    const server = createGrpcServer()
    server.add(serviceDefinition('Namenode'), { calls: (connection: Connection) => this.#serve(connection) })
    closer.add(() => server.close())
    this.close = () => server.close()
    return server.listen('127.0.0.1', port)
  }

  close: () => Promise<void> = async () => {}

  /** Breaks every stream, as a restart does. */
  breakStreams(): void {
    for (const connection of this.connections) connection.emit('error', { code: Status.UNAVAILABLE, details: 'restarting' })
  }

  #serve(connection: Connection): void {
    this.connections.add(connection)
    connection.on('error', () => {})
    connection.on('close', () => this.connections.delete(connection))
    connection.on('end', () => connection.end())
    connection.on('data', (message: CallBatch) => {
      if (message.hello) {
        this.hellos.push(message.hello)
        connection.write(batch({ welcome: this.welcome }))
        return
      }
      this.batches.push(message.calls.length)
      const replies: Init<Reply>[] = []
      for (const call of message.calls) {
        this.calls.push({ id: call.id, retryCount: call.retryCount, op: call.op })
        const reply = this.answer(call)
        if (reply) replies.push(reply)
      }
      if (replies.length > 0) connection.write(batch({ replies }))
    })
  }
}

async function setUp(options: Partial<Parameters<typeof connectNamenode>[0]> = {}) {
  const server = new SmallNamenode()
  const port = await server.listen()
  const session = await connectNamenode({ uri: `quarry://127.0.0.1:${port}`, user: 'me', ...options })
  closer.use(session)
  return { server, session, port }
}

const mkdirs = (path: string) => ({ path, permission: 0o755, createParent: true })

test('calls of one turn share a message, and each gets its own reply', async () => {
  const { server, session } = await setUp()
  server.answer = (call) => ({ id: call.id, mkdirs: { value: call.mkdirs?.path === '/yes' } })
  const replies = await Promise.all(Array.from({ length: 100 }, (_, i) => session.call('mkdirs', mkdirs(i % 2 ? '/yes' : '/no'))))
  expect(replies.map((reply) => reply.value)).toEqual(Array.from({ length: 100 }, (_, i) => i % 2 === 1))
  expect(server.batches).toEqual([100])
  expect(session.poolId).toBe('BP-1')
  expect(server.hellos[0]).toMatchObject({ protocol: protocolVersion, user: 'me' })
  expect(server.hellos[0]!.clientId).toHaveLength(16)
})

test('a request that no message can hold fails alone', async () => {
  const { session } = await setUp()
  const wrong = { blockIds: [undefined as unknown as number] }
  const calls = [session.call('mkdirs', mkdirs('/a')), session.call('replicateBlocks', wrong), session.call('mkdirs', mkdirs('/b'))]
  const [first, second, third] = await Promise.allSettled(calls)
  expect([first?.status, third?.status]).toEqual(['fulfilled', 'fulfilled'])
  expect(second).toMatchObject({ status: 'rejected', reason: { code: 'INVALID_ARGUMENT' } })
  expect(await session.call('mkdirs', mkdirs('/c'))).toMatchObject({ value: true })
})

test('an error of the namenode arrives with its code and details', async () => {
  const { server, session } = await setUp()
  server.answer = (call) => ({ id: call.id, error: { code: 'NAME_QUOTA', message: 'too many', detailsJson: '{"quota":3}' } })
  await expect(session.call('mkdirs', mkdirs('/a'))).rejects.toMatchObject({
    name: 'QuarryError',
    code: 'NAME_QUOTA',
    message: 'too many',
    details: { quota: 3 },
  })
})

test('calls under way survive a broken stream: sent again with their ids and a retry count, by the same client id', async () => {
  const { server, session } = await setUp()
  let silent = true
  server.answer = (call) => (silent ? undefined : { id: call.id, mkdirs: { value: true } })
  const calls = [session.call('mkdirs', mkdirs('/a')), session.call('mkdirs', mkdirs('/b'))]
  await expect.poll(() => server.calls.length).toBe(2)
  silent = false
  server.breakStreams()
  await Promise.all(calls)
  expect(server.calls.map(({ id, retryCount }) => [id, retryCount])).toEqual([
    [1, 0],
    [2, 0],
    [1, 1],
    [2, 1],
  ])
  expect(Buffer.from(server.hellos[1]!.clientId).equals(Buffer.from(server.hellos[0]!.clientId))).toBe(true)
  await session.call('mkdirs', mkdirs('/c'))
})

test('calls wait for a namenode that restarts on the same port', async () => {
  const { server, session, port } = await setUp()
  await server.close()
  const call = session.call('mkdirs', mkdirs('/a'))
  const again = new SmallNamenode()
  await again.listen(port)
  await expect(call).resolves.toMatchObject({ value: true })
})

test('another cluster on the same port ends the session', async () => {
  const { server, session, port } = await setUp()
  await server.close()
  const call = session.call('mkdirs', mkdirs('/a'))
  const other = new SmallNamenode()
  other.welcome = { ...other.welcome, clusterId: 'C2' }
  await other.listen(port)
  await expect(call).rejects.toMatchObject({ code: 'WRONG_CLUSTER' })
  await expect(session.call('mkdirs', mkdirs('/b'))).rejects.toMatchObject({ code: 'WRONG_CLUSTER' })
})

test('a deadline passes: TIMEOUT; with no namenode there: UNAVAILABLE and what to do', async () => {
  const { server, session } = await setUp()
  server.answer = () => undefined
  await expect(session.call('mkdirs', mkdirs('/a'), { deadlineMs: 100 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  await server.close()
  await expect(session.call('mkdirs', mkdirs('/a'), { deadlineMs: 400 })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringMatching(
      /^Cannot reach the namenode at 127\.0\.0\.1:\d+: nobody listens there\. Is the cluster up\? `quarry up` starts one\.$/,
    ),
  })
})

test('a signal gives a call up, before and after it was sent', async () => {
  const { server, session } = await setUp()
  server.answer = () => undefined
  const stop = new AbortController()
  const call = session.call('mkdirs', mkdirs('/a'), { signal: stop.signal })
  await expect.poll(() => server.calls.length).toBe(1)
  stop.abort()
  await expect(call).rejects.toMatchObject({ code: 'CANCELLED' })
  await expect(session.call('mkdirs', mkdirs('/a'), { signal: stop.signal })).rejects.toMatchObject({ code: 'CANCELLED' })
})

test('a busy namenode is asked again, under a new id', async () => {
  const { server, session } = await setUp()
  let refusals = 2
  server.answer = (call) =>
    refusals-- > 0
      ? { id: call.id, error: { code: 'OVERLOADED', message: 'later', detailsJson: '' } }
      : { id: call.id, mkdirs: { value: true } }
  await expect(session.call('mkdirs', mkdirs('/a'))).resolves.toMatchObject({ value: true })
  expect(server.calls.map(({ id, retryCount }) => [id, retryCount])).toEqual([
    [1, 0],
    [2, 0],
    [3, 0],
  ])
})

const overloaded = (id: number, retryAfterMs: number) => ({
  id,
  error: { code: 'OVERLOADED', message: 'later', detailsJson: JSON.stringify({ retryAfterMs }) },
})

test('an overloaded namenode is asked again no sooner than it says', async () => {
  const { server, session } = await setUp()
  const atMs: number[] = []
  server.answer = (call) => (atMs.push(performance.now()) === 1 ? overloaded(call.id, 300) : { id: call.id, mkdirs: { value: true } })
  await session.call('mkdirs', mkdirs('/a'))
  expect(atMs[1]! - atMs[0]!).toBeGreaterThanOrEqual(299)
})

test('a call whose deadline comes before the namenode may be asked again fails with what it said', async () => {
  const { server, session } = await setUp()
  server.answer = (call) => overloaded(call.id, 4_000)
  await expect(session.call('mkdirs', mkdirs('/a'), { deadlineMs: 3_000 })).rejects.toMatchObject({ code: 'OVERLOADED' })
  expect(server.calls).toHaveLength(1)
})

test('many calls that are refused once are each asked twice, not more: no storm', async () => {
  const { server, session } = await setUp()
  const seen = new Set<string>()
  server.answer = (call) => {
    const path = call.mkdirs!.path
    if (seen.has(path)) return { id: call.id, mkdirs: { value: true } }
    seen.add(path)
    return overloaded(call.id, 20)
  }
  await Promise.all(Array.from({ length: 2000 }, (_, i) => session.call('mkdirs', mkdirs(`/${i}`))))
  expect(server.calls).toHaveLength(4000)
  expect(new Set(server.calls.map(({ id }) => id)).size).toBe(4000)
})

test('closing settles every call', async () => {
  const { server, session } = await setUp()
  server.answer = () => undefined
  const call = session.call('mkdirs', mkdirs('/a'))
  call.catch(() => {})
  await session.close()
  await expect(call).rejects.toMatchObject({ code: 'CLOSED' })
  await expect(session.call('mkdirs', mkdirs('/a'))).rejects.toMatchObject({ code: 'CLOSED' })
  await session.close()
})

// --- who may be met instead of a namenode --------------------------------------------------------------------------------

test('nobody listens: fails at once', async () => {
  const port = await freePort()
  await expect(connectNamenode({ uri: `quarry://127.0.0.1:${port}`, user: 'me' })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: `Cannot reach the namenode at 127.0.0.1:${port}: nobody listens there. Is the cluster up? \`quarry up\` starts one.`,
  })
})

test('nobody listens yet, and the caller has patience: connects when somebody does', async () => {
  const port = await freePort()
  const connecting = connectNamenode({ uri: `quarry://127.0.0.1:${port}`, user: 'me', connectTimeoutMs: 20_000 })
  const server = new SmallNamenode()
  await server.listen(port)
  closer.use(await connecting)
})

test('another version of the protocol is refused by either side', async () => {
  const server = new SmallNamenode()
  const uri = `quarry://127.0.0.1:${await server.listen()}`
  server.welcome = { ...server.welcome, protocol: 99 }
  await expect(connectNamenode({ uri, user: 'me' })).rejects.toMatchObject({
    code: 'VERSION',
    message: expect.stringContaining('speaks version 99 of the protocol'),
  })
  server.welcome = { refused: { code: 'VERSION', message: 'Upgrade the client.', detailsJson: '' } }
  await expect(connectNamenode({ uri, user: 'me' })).rejects.toMatchObject({ code: 'VERSION', message: 'Upgrade the client.' })
})

test('a gRPC server without our service is not a namenode', async () => {
  const server = createGrpcServer()
  closer.add(() => server.close())
  const port = await server.listen('127.0.0.1', 0)
  await expect(connectNamenode({ uri: `quarry://127.0.0.1:${port}`, user: 'me' })).rejects.toMatchObject({
    code: 'VERSION',
    message: `What answers at 127.0.0.1:${port} is not a Quarry namenode.`,
  })
})

test('an HTTP server is not a namenode', async () => {
  const server = http.createServer((_, response) => response.end('hello'))
  const port = await listen(server)
  await expect(connectNamenode({ uri: `quarry://127.0.0.1:${port}`, user: 'me', connectTimeoutMs: 3_000 })).rejects.toMatchObject({
    name: 'QuarryError',
    message: expect.stringContaining(`at 127.0.0.1:${port}`),
  })
})

test('a server that says nothing is given up after connectTimeoutMs', async () => {
  const sockets: net.Socket[] = []
  const server = net.createServer((socket) => void sockets.push(socket.on('error', () => {})))
  const port = await listen(server)
  closer.add(() => sockets.forEach((socket) => socket.destroy()))
  await expect(connectNamenode({ uri: `quarry://127.0.0.1:${port}`, user: 'me', connectTimeoutMs: 500 })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: `Cannot reach the namenode at 127.0.0.1:${port}: it did not answer. Is the cluster up? \`quarry up\` starts one.`,
  })
})

test('connecting can be given up', async () => {
  const port = await freePort()
  const stop = new AbortController()
  const connecting = connectNamenode({ uri: `quarry://127.0.0.1:${port}`, user: 'me', connectTimeoutMs: 20_000, signal: stop.signal })
  stop.abort()
  await expect(connecting).rejects.toMatchObject({ code: 'CANCELLED' })
})

test.each(['http://127.0.0.1:1', 'quarry://127.0.0.1', 'quarry://127.0.0.1:0', 'quarry://:1', 'quarry://h:70000', '127.0.0.1:1', ''])(
  '%j is not an address',
  (uri) => {
    expect(() => parseQuarryUri(uri)).toThrow(`'${uri}' is not the address of a cluster. It looks like quarry://127.0.0.1:8021.`)
  },
)

test('hosts by name, by IPv4 and by IPv6', () => {
  expect(['quarry://nn.example:8021', 'quarry://10.0.0.1:1/', 'quarry://[::1]:8021'].map((uri) => parseQuarryUri(uri).address)).toEqual([
    'nn.example:8021',
    '10.0.0.1:1',
    '[::1]:8021',
  ])
})

async function listen(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closer.add(() => new Promise((resolve) => server.close(resolve)))
  return (server.address() as AddressInfo).port
}

async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
