import { createConnection, createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { TcpProxy } from './tcp-proxy.ts'
import { waitFor } from './wait-for.ts'

/** A server that sends back what it gets, and the sockets it has. */
let accepted: Socket[]
let proxy: TcpProxy
const servers = createServer({ allowHalfOpen: false }, (socket) => {
  accepted.push(socket)
  socket.on('error', () => {})
  socket.pipe(socket)
})

beforeEach(async () => {
  accepted = []
  if (!servers.listening) await new Promise<void>((resolve) => servers.listen(0, '127.0.0.1', resolve))
  const { port } = servers.address() as { port: number }
  proxy = await TcpProxy.listen(() => port)
})
afterEach(async () => {
  await proxy.close()
  for (const socket of accepted) socket.destroy()
  servers.unref()
})

class Client {
  readonly socket: Socket
  received = Buffer.alloc(0)
  ended: string | undefined

  constructor() {
    this.socket = createConnection({ port: proxy.port, host: '127.0.0.1' })
    this.socket.on('data', (piece: Buffer) => (this.received = Buffer.concat([this.received, piece])))
    this.socket.on('error', (error: NodeJS.ErrnoException) => (this.ended = error.code))
    this.socket.on('close', () => (this.ended ??= 'closed'))
  }

  async hears(text: string): Promise<void> {
    await waitFor(() => (this.received.toString() === text ? undefined : `heard ${this.received.length} bytes`), 'the answer')
  }
}

const moment = () => new Promise((resolve) => setTimeout(resolve, 60))

it('hands every byte on, in order, and ends when either side ends', async () => {
  const client = new Client()
  const bytes = Buffer.alloc(3_000_000, 'abcdefghijk')
  client.socket.write(bytes)
  await waitFor(() => (client.received.length === bytes.length ? undefined : `${client.received.length}`), 'all bytes')
  expect(client.received.equals(bytes)).toBe(true)
  client.socket.end()
  await waitFor(() => (client.ended === 'closed' && proxy.connections === 0 ? undefined : String(client.ended)), 'the end')
})

it('a partition holds bytes back, in one direction or both, and lets them through when it is healed', async () => {
  const client = new Client()
  client.socket.write('1')
  await client.hears('1')
  for (const [partition, reachesServer] of [
    ['both', false],
    ['to-server', false],
    ['to-client', true],
  ] as const) {
    const before = client.received.toString()
    let seen = ''
    accepted[0]!.once('data', (piece: Buffer) => (seen = piece.toString()))
    proxy.partition = partition
    client.socket.write('2')
    await moment()
    expect(client.received.toString()).toBe(before)
    expect(seen).toBe(reachesServer ? '2' : '')
    proxy.heal()
    await client.hears(`${before}2`)
  }
})

it('reset breaks connections, refuse breaks new ones, and others work afterwards', async () => {
  const client = new Client()
  client.socket.write('x')
  await client.hears('x')
  proxy.reset()
  await waitFor(() => (client.ended === undefined ? 'open' : undefined), 'the first to be broken')
  expect(client.ended).toBe('ECONNRESET')
  proxy.refuse = true
  const second = new Client()
  await waitFor(() => (second.ended === undefined ? 'open' : undefined), 'the second to be broken')
  proxy.heal()
  const third = new Client()
  third.socket.write('y')
  await third.hears('y')
})

it('a half-open connection hears nothing, and is broken when the network is healed', async () => {
  const client = new Client()
  client.socket.write('x')
  await client.hears('x')
  proxy.halfOpen()
  client.socket.write('lost')
  await moment()
  expect([client.ended, client.received.toString()]).toEqual([undefined, 'x'])
  expect(accepted[0]!.destroyed).toBe(true)
  proxy.heal()
  await waitFor(() => (client.ended === undefined ? 'open' : undefined), 'the connection to be broken')
})

it('a bandwidth limit and a delay hold bytes back for as long as they must take', async () => {
  const client = new Client()
  proxy.bytesPerSecond = 1_000_000
  const startedMs = performance.now()
  client.socket.write(Buffer.alloc(100_000))
  await waitFor(() => (client.received.length === 100_000 ? undefined : `${client.received.length}`), 'all bytes')
  expect(performance.now() - startedMs).toBeGreaterThan(95)
  proxy.heal()
  proxy.delayMs = 100
  const delayedMs = performance.now()
  client.socket.write('x')
  await waitFor(() => (client.received.length === 100_001 ? undefined : 'not yet'), 'the byte')
  expect(performance.now() - delayedMs).toBeGreaterThan(195)
})
