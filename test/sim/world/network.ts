// The network between simulated machines, as TCP shows it: connections that carry messages in order and either deliver or break.
//
//   drop        a connection breaks; what was on the way is gone, or arrives before the news does
//   delay, clog what is on the way takes its time; two connections of one pair of machines may overtake each other
//   partition   nothing arrives in one direction or both: held back, and sent again when the link is whole; a connection that was
//               cut off for longer than its keepalive breaks at both ends
//   crash       the peers of a killed process hear at once that its connections are closed; those of a machine without power do
//               not, until their keepalive says so
//
// Messages are bytes, copied when they leave, so that no two machines share an object.
import type { Random } from '../../../common/env.ts'
import type { VirtualClock } from '../../../common/testing/virtual-clock.ts'
import type { Machine } from './machine.ts'
import { between, chance } from './random.ts'
import type { Trace } from './trace.ts'

/** One way from one machine to another. */
export interface Link {
  /** Mean of the time a message takes, and the share of it that varies. */
  delayMs: number
  jitter: number
  blocked: boolean
  /** Chance that a message breaks its connection. */
  breaks: number
}

export interface EndpointListener {
  data(bytes: Buffer): void
  /** The peer says no more; `status` is its last word, if it had one. */
  ended(status: string): void
  /** The connection is gone. */
  broken(reason: string): void
}

type Frame =
  | { readonly kind: 'open'; readonly path: string; readonly bytes?: undefined }
  | { readonly kind: 'data'; readonly bytes: Buffer; readonly sent: () => void }
  | { readonly kind: 'end'; readonly status: string; readonly bytes?: undefined }
  | { readonly kind: 'reset'; readonly reason: string; readonly bytes?: undefined }

/** Takes a connection that was opened to a path; the listener is set before it returns. */
export type Acceptor = (path: string, endpoint: Endpoint) => void

const bytesPerMs = 500_000
/** A connection that could not be opened for this long is given up (bulk-client.ts does the same). */
const connectMs = 5_000
/** After a silence of this long a connection is probed and found dead: grpc's keepalive time and time-out, and http2 pings. */
const keepaliveFromMs = 20_000
const keepaliveToMs = 40_000
/** What was held back by a partition is sent again within this time. */
const resendMs = 400

export class Network {
  readonly clock: VirtualClock
  readonly random: Random
  readonly trace: Trace
  readonly #machines = new Map<string, Machine>()
  readonly #links = new Map<string, Link>()
  readonly #acceptors = new Map<Machine, Acceptor>()
  readonly #connections = new Set<Connection>()
  /** Messages delivered. */
  delivered = 0

  constructor(clock: VirtualClock, random: Random, trace: Trace) {
    this.clock = clock
    this.random = random
    this.trace = trace
  }

  add(machine: Machine): void {
    this.#machines.set(machine.ip, machine)
  }

  machines(): Machine[] {
    return [...this.#machines.values()]
  }

  link(from: Machine, to: Machine): Link {
    const key = `${from.name}>${to.name}`
    let link = this.#links.get(key)
    if (link === undefined) this.#links.set(key, (link = { delayMs: 0.3, jitter: 0.5, blocked: false, breaks: 0 }))
    return link
  }

  /** The machine takes connections until its process ends. */
  listen(machine: Machine, acceptor: Acceptor): void {
    this.#acceptors.set(machine, acceptor)
  }

  acceptorOf(machine: Machine): Acceptor | undefined {
    return machine.running ? this.#acceptors.get(machine) : undefined
  }

  /** `address` is ip:port; a machine has one port. */
  connect(from: Machine, address: string, path: string): Endpoint {
    const to = this.#machines.get(address.slice(0, address.lastIndexOf(':')))
    if (to === undefined) throw new Error(`no simulated machine has the address ${address}`)
    const connection = new Connection(this, from, to, path)
    this.#connections.add(connection)
    return connection.client
  }

  forget(connection: Connection): void {
    this.#connections.delete(connection)
  }

  block(from: Machine, to: Machine): void {
    this.link(from, to).blocked = true
    for (const connection of this.#connections) if (connection.joins(from, to)) connection.watch()
  }

  unblock(from: Machine, to: Machine): void {
    this.link(from, to).blocked = false
    for (const connection of this.#connections) if (connection.joins(from, to)) connection.resume(from)
  }

  isBlocked(a: Machine, b: Machine): boolean {
    return this.link(a, b).blocked || this.link(b, a).blocked
  }

  /** Breaks one connection of the pair, if there is one. */
  breakOne(a: Machine, b: Machine): void {
    const open = [...this.#connections].filter((one) => one.joins(a, b))
    open[this.random.int(Math.max(1, open.length))]?.drop()
  }

  /** The process of the machine is gone; `silently` when nobody is told. */
  processDied(machine: Machine, silently: boolean): void {
    this.#acceptors.delete(machine)
    for (const connection of [...this.#connections]) connection.died(machine, silently)
  }

  get open(): number {
    return this.#connections.size
  }
}

/** One end of a connection. */
export class Endpoint {
  readonly machine: Machine
  readonly peer: Machine
  readonly #connection: Connection
  listener: EndpointListener | undefined
  /** Nothing can be sent any more: ended, given up, or broken. */
  closed = false
  #paused = false

  constructor(connection: Connection, machine: Machine, peer: Machine) {
    this.#connection = connection
    this.machine = machine
    this.peer = peer
  }

  /** `sent` is called when the peer has taken it in. */
  send(parts: readonly Uint8Array[], sent: () => void = () => {}): void {
    if (this.closed) return
    this.#connection.push(this, { kind: 'data', bytes: Buffer.concat(parts), sent })
  }

  end(status = ''): void {
    if (this.closed) return
    this.closed = true
    this.#connection.push(this, { kind: 'end', status })
  }

  /** Gives the connection up in both directions. */
  abort(reason: string): void {
    this.#connection.abort(this, reason)
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#connection.goOn(this.peer)
  }

  get paused(): boolean {
    return this.#paused
  }
}

/** Frames on their way in one direction. */
interface Way {
  readonly from: Endpoint
  readonly to: Endpoint
  queue: { readonly frame: Frame; atMs: number }[]
  lastMs: number
  pumping: boolean
}

export class Connection {
  readonly client: Endpoint
  readonly server: Endpoint
  readonly #network: Network
  readonly #up: Way
  readonly #down: Way
  #accepted = false
  #over = false
  #watching = false
  /** The end whose machine lost its power. */
  #forgotten: Endpoint | undefined

  constructor(network: Network, from: Machine, to: Machine, path: string) {
    this.#network = network
    this.client = new Endpoint(this, from, to)
    this.server = new Endpoint(this, to, from)
    this.#up = { from: this.client, to: this.server, queue: [], lastMs: 0, pumping: false }
    this.#down = { from: this.server, to: this.client, queue: [], lastMs: 0, pumping: false }
    this.push(this.client, { kind: 'open', path })
    network.clock.after(connectMs, () => {
      if (!this.#accepted && !this.#over) this.#breakEnd(this.client, 'no connection in time')
    })
    if (network.isBlocked(from, to)) this.watch()
  }

  joins(a: Machine, b: Machine): boolean {
    return (this.client.machine === a && this.server.machine === b) || (this.client.machine === b && this.server.machine === a)
  }

  push(from: Endpoint, frame: Frame): void {
    if (this.#over) return
    const way = from === this.client ? this.#up : this.#down
    const { random, clock } = this.#network
    const link = this.#network.link(from.machine, from.peer)
    if (frame.kind === 'data' && link.breaks > 0 && chance(random, link.breaks)) return this.drop()
    const takesMs = link.delayMs * (1 + link.jitter * (2 * random.float() - 1)) + (frame.bytes?.length ?? 0) / bytesPerMs
    way.lastMs = Math.max(way.lastMs, clock.monotonicMs() + takesMs)
    way.queue.push({ frame, atMs: way.lastMs })
    this.#pump(way)
  }

  /** One end gives up: what it sent before may arrive yet, or be overtaken by the news. */
  abort(by: Endpoint, reason: string): void {
    if (this.#over || by.listener === undefined) return
    const way = by === this.client ? this.#up : this.#down
    by.closed = true
    by.listener = undefined
    if (chance(this.#network.random, 0.5)) way.queue = way.queue.filter(({ frame }) => frame.kind === 'open')
    this.push(by, { kind: 'reset', reason })
  }

  /** The network gives the connection up: both ends hear of it, each in its time. */
  drop(): void {
    if (this.#over) return
    for (const way of [this.#up, this.#down]) way.queue = way.queue.slice(0, this.#network.random.int(way.queue.length + 1))
    this.push(this.client, { kind: 'reset', reason: 'connection reset' })
    this.push(this.server, { kind: 'reset', reason: 'connection reset' })
    if (!this.#accepted) this.#breakEnd(this.client, 'connection reset')
  }

  died(machine: Machine, silently: boolean): void {
    const own = this.client.machine === machine ? this.client : this.server.machine === machine ? this.server : undefined
    if (own === undefined || this.#over) return
    const way = own === this.client ? this.#up : this.#down
    own.closed = true
    own.listener = undefined
    way.queue = way.queue.slice(0, this.#network.random.int(way.queue.length + 1))
    if (!silently) return this.push(own, { kind: 'reset', reason: 'connection reset' })
    const peer = own === this.client ? this.server : this.client
    way.queue = []
    this.#forgotten = own
    this.#network.clock.after(between(this.#network.random, keepaliveFromMs, keepaliveToMs), () =>
      this.#breakEnd(peer, 'the connection went silent'),
    )
  }

  /** The link is cut: the keepalive finds out, unless it is whole again before. */
  watch(): void {
    if (this.#watching || this.#over) return
    this.#watching = true
    const waitMs = between(this.#network.random, keepaliveFromMs, keepaliveToMs)
    this.#network.clock.after(waitMs, () => {
      this.#watching = false
      if (this.#over || !this.#network.isBlocked(this.client.machine, this.server.machine)) return
      this.#breakEnd(this.client, 'the connection went silent')
      this.#breakEnd(this.server, 'the connection went silent')
    })
  }

  /** The receiver takes messages again. */
  goOn(from: Machine): void {
    this.#pump(this.client.machine === from ? this.#up : this.#down)
  }

  /** The link is whole again: what was held back on the way from this machine is sent anew. */
  resume(from: Machine): void {
    const way = this.client.machine === from ? this.#up : this.#down
    const nowMs = this.#network.clock.monotonicMs()
    const resendAtMs = nowMs + this.#network.random.float() * resendMs
    for (const item of way.queue) if (item.atMs <= nowMs) item.atMs = resendAtMs
    way.lastMs = Math.max(way.lastMs, resendAtMs)
    this.#pump(way)
  }

  #pump(way: Way): void {
    const first = way.queue[0]
    if (way.pumping || first === undefined || this.#over) return
    way.pumping = true
    const { clock } = this.#network
    clock.after(first.atMs - clock.monotonicMs(), () => {
      way.pumping = false
      this.#arrive(way)
    })
  }

  #arrive(way: Way): void {
    const next = way.queue[0]
    if (next === undefined || this.#over) return
    if (next.atMs > this.#network.clock.monotonicMs()) return this.#pump(way)
    if (this.#network.link(way.from.machine, way.to.machine).blocked) return
    if (next.frame.kind === 'data' && way.to.paused) return
    way.queue.shift()
    this.#deliver(way, next.frame)
    this.#pump(way)
  }

  #deliver(way: Way, frame: Frame): void {
    const { to } = way
    this.#network.delivered++
    const { listener } = to
    switch (frame.kind) {
      case 'open': {
        const acceptor = this.#network.acceptorOf(to.machine)
        this.#accepted = true
        if (acceptor === undefined) return this.#breakEnd(this.client, 'ECONNREFUSED: nobody listens there')
        return acceptor(frame.path, this.server)
      }
      case 'data':
        this.#network.trace.mix(`${this.#network.clock.monotonicMs()} ${way.from.machine.name}>${to.machine.name} ${frame.bytes.length}`)
        frame.sent()
        // The machine runs again and knows nothing of this connection: it says so.
        if (this.#forgotten === to && to.machine.running) return this.#breakEnd(way.from, 'connection reset')
        return listener?.data(frame.bytes)
      case 'end':
        listener?.ended(frame.status)
        if (way === this.#down) this.#finish()
        return
      case 'reset':
        return this.#breakEnd(to, frame.reason)
      default:
        frame satisfies never
    }
  }

  #breakEnd(end: Endpoint, reason: string): void {
    const { listener } = end
    end.closed = true
    end.listener = undefined
    if (this.client.listener === undefined && this.server.listener === undefined) this.#finish()
    if (end.machine.running) listener?.broken(reason)
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#up.queue = []
    this.#down.queue = []
    this.#network.forget(this)
  }
}
