// A TCP proxy that stands before a role in tests and behaves like a bad network. Bytes are never changed and never reordered: TCP
// would not let that happen either. What a network can do to a connection it can do here, at any moment and for all connections of
// the proxy at once:
//
//   partition   nothing passes, in one direction or both; what was sent meanwhile arrives when it is healed, as TCP repeats it
//   delay       every piece arrives so many milliseconds later
//   bandwidth   at most so many bytes a second in each direction
//   reset()     every connection is broken with RST
//   halfOpen()  the server's side is gone, and nobody tells the client: it hears nothing any more
//   refuse      new connections are broken at once
import { createConnection, createServer, type Server, type Socket } from 'node:net'

export type Partition = 'none' | 'both' | 'to-server' | 'to-client'

/** What a direction may hold of bytes that wait: like the socket buffers of a kernel. */
const queuedBytesMax = 1024 * 1024
/** Pieces handed on at once under a bandwidth limit: small enough that the rate is even. */
const limitedPieceBytes = 16 * 1024

type Direction = 'to-server' | 'to-client'

export class TcpProxy implements AsyncDisposable {
  partition: Partition = 'none'
  delayMs = 0
  /** 0 = as fast as it goes. */
  bytesPerSecond = 0
  refuse = false
  /** Bytes that passed, both directions. */
  passed = 0
  readonly port: number
  readonly #server: Server
  readonly #links = new Set<Link>()

  private constructor(server: Server, target: () => number) {
    this.#server = server
    const address = server.address()
    this.port = typeof address === 'object' && address !== null ? address.port : 0
    server.on('connection', (client) => this.#join(client, target()))
  }

  /** Listens on a free port of 127.0.0.1; `target` names the port there to connect to, asked for each connection. */
  static async listen(target: () => number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    return new TcpProxy(server, target)
  }

  get connections(): number {
    return this.#links.size
  }

  /** All faults off. Connections that were half open are broken now. */
  heal(): void {
    this.partition = 'none'
    this.delayMs = 0
    this.bytesPerSecond = 0
    this.refuse = false
    for (const link of this.#links) if (link.halfOpen) link.destroy(true)
  }

  reset(): void {
    for (const link of this.#links) link.destroy(true)
  }

  halfOpen(): void {
    for (const link of this.#links) link.loseServer()
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const link of this.#links) link.destroy(false)
    await closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  blocks(direction: Direction): boolean {
    return this.partition === 'both' || this.partition === direction
  }

  #join(client: Socket, target: number): void {
    if (this.refuse || target === 0) {
      client.on('error', () => {})
      client.resetAndDestroy()
      return
    }
    const server = createConnection({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const link = new Link(this, client, server, () => this.#links.delete(link))
    this.#links.add(link)
  }
}

/** One connection: two directions that stop together. */
class Link {
  halfOpen = false
  readonly #client: Socket
  readonly #server: Socket
  readonly #onGone: () => void
  #gone = false
  #ended = 0

  constructor(proxy: TcpProxy, client: Socket, server: Socket, onGone: () => void) {
    this.#client = client
    this.#server = server
    this.#onGone = onGone
    for (const socket of [client, server]) {
      socket.on('error', () => this.#broke())
      socket.on('close', (hadError) => (hadError ? this.#broke() : this.#closed()))
    }
    for (const [from, to, direction] of [
      [client, server, 'to-server'],
      [server, client, 'to-client'],
    ] as const)
      void pump(proxy, from, to, direction, () => this.#gone || this.halfOpen).then(() => {
        if (++this.#ended === 2 && !this.halfOpen) this.destroy(false)
      })
  }

  destroy(reset: boolean): void {
    if (this.#gone) return
    this.#gone = true
    for (const socket of [this.#client, this.#server]) {
      if (reset && !socket.destroyed && !socket.connecting) socket.resetAndDestroy()
      else socket.destroy()
    }
    this.#onGone()
  }

  loseServer(): void {
    // From here on both directions stand still; the client's bytes wait in buffers that nobody empties.
    this.halfOpen = true
    this.#server.destroy()
  }

  /** One side was broken: so is the other, unless that is what is played. */
  #broke(): void {
    if (!this.halfOpen || this.#client.destroyed) this.destroy(true)
  }

  #closed(): void {
    if (this.#client.destroyed && (this.#server.destroyed || this.halfOpen)) this.destroy(false)
  }
}

/** Hands bytes on in order, under the faults that hold when their turn comes; ends when its source ends or the link is gone. */
async function pump(proxy: TcpProxy, from: Socket, to: Socket, direction: Direction, gone: () => boolean): Promise<void> {
  const queue: { readonly piece: Buffer; readonly atMs: number }[] = []
  let queued = 0
  let ended = false
  let wake = () => {}
  from.on('data', (piece: Buffer) => {
    queue.push({ piece, atMs: performance.now() })
    queued += piece.length
    if (queued > queuedBytesMax) from.pause()
    wake()
  })
  for (const event of ['end', 'close'] as const)
    from.once(event, () => {
      ended = true
      wake()
    })
  while (!gone()) {
    const next = queue[0]
    if (next === undefined) {
      if (ended) break
      await new Promise<void>((resolve) => (wake = resolve))
      continue
    }
    const early = next.atMs + proxy.delayMs - performance.now()
    if (early > 0 || proxy.blocks(direction)) {
      await pause(Math.max(1, Math.min(early, 20)))
      continue
    }
    const limit = proxy.bytesPerSecond
    const piece = limit > 0 ? next.piece.subarray(0, limitedPieceBytes) : next.piece
    if (piece.length === next.piece.length) queue.shift()
    else queue[0] = { piece: next.piece.subarray(piece.length), atMs: next.atMs }
    queued -= piece.length
    if (queued <= queuedBytesMax / 2) from.resume()
    if (limit > 0) await pause((piece.length / limit) * 1000)
    proxy.passed += piece.length
    if (!to.destroyed && !to.write(piece)) await drained(to)
  }
  if (!gone() && !to.destroyed) to.end()
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done).off('close', done)
      resolve()
    }
    socket.on('drain', done).on('close', done)
  })
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
