// The gRPC server of every role: grpc-js with http2 windows that fit bulk data.
//
// grpc-js takes `grpc-node.flow_control_window` on clients only; its servers keep http2's default window of 65,535 bytes, which
// holds a received stream to a few hundred megabytes a second on loopback and to one window a round trip on a real network.
// The server's http2 options are not part of grpc-js's interface, so this file reaches for the two members that make the http2
// server. The test beside it reads the windows back from the other end: an upgrade of grpc-js that moves them fails there.
import type http2 from 'node:http2'
import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from '@grpc/grpc-js'
import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js'
import { assert } from '../../common/assert.ts'
import { QuarryError } from '../../common/errors.ts'
import { messageBytesMax } from '../../common/limits.ts'
import type { serviceDefinition } from '../codec.ts'
import { serveBulk } from './bulk-server.ts'
import type { BulkHandler } from './bulk-server.ts'

/** Window of one stream: what a sender may have under way before the receiver has consumed anything. */
export const streamWindowBytes = 4 * 1024 * 1024
/** Window of a whole connection; Node returns it as data arrives, so slow streams do not hold up fast ones. */
export const sessionWindowBytes = 16 * 1024 * 1024
/** Window of a stream that carries calls rather than blocks: what a client that is not read from can make the server hold. */
export const callWindowBytes = 512 * 1024
/** One DATA frame carries a packet of the data plane; http2's default of 16 KiB would cut it into sixty-four. */
export const frameBytesMax = 1024 * 1024

/** Idle connections are probed this often, so that a peer that vanished without a word is noticed. */
const keepaliveMs = 20_000
const keepaliveTimeoutMs = 20_000

// grpc-js writes to stderr by itself; what matters reaches our callers as errors. GRPC_VERBOSITY brings it back.
if (process.env['GRPC_VERBOSITY'] === undefined) setLogVerbosity(logVerbosity.NONE)

export interface GrpcServer {
  /** Serves a streaming method without grpc-js (bulk-stream.ts); `path` is such as /quarry.v1.Datanode/WriteBlock. */
  addBulk(path: string, handler: BulkHandler): void
  /** Adds a service; `handlers` has one function for each method, in grpc-js's form. */
  add(definition: ReturnType<typeof serviceDefinition>, handlers: Readonly<Record<string, unknown>>): void
  /** Listens and answers the port. Throws IN_USE when the port is taken. */
  listen(host: string, port: number): Promise<number>
  /** Takes no new calls and waits up to `ms` for the open ones; then ends them. */
  drain(ms: number): Promise<void>
  /** Ends every call and connection. Idempotent. */
  close(): Promise<void>
}

/** The members of grpc-js's Server that make its http2 servers. */
interface ServerInside {
  commonServerOptions: http2.ServerOptions
  createHttp2Server(credentials: ServerCredentials): http2.Http2Server
}

/** `windowBytes` is what a stream may send ahead of being read. */
export function createGrpcServer({ windowBytes = streamWindowBytes }: { readonly windowBytes?: number } = {}): GrpcServer {
  const server = new Server({
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': messageBytesMax,
    'grpc.keepalive_time_ms': keepaliveMs,
    'grpc.keepalive_timeout_ms': keepaliveTimeoutMs,
    'grpc.enable_channelz': 0,
  })
  const http2Servers: http2.Http2Server[] = []
  const sessions = new Set<http2.ServerHttp2Session>()
  const bulk = new Map<string, BulkHandler>()
  widenWindows(server as unknown as ServerInside, windowBytes, (made) => {
    http2Servers.push(made)
    takeBulk(made, bulk)
    made.on('session', (session) => {
      sessions.add(session)
      session.once('close', () => sessions.delete(session))
    })
  })
  let closed: Promise<void> | undefined

  async function finish(): Promise<void> {
    const down = http2Servers.map(
      (one) =>
        new Promise<void>((resolve) => {
          if (one.listening) one.once('close', resolve)
          else resolve()
        }),
    )
    server.forceShutdown()
    // Without channelz grpc-js does not know its sessions, and a server closes only when its last connection does.
    for (const session of sessions) session.destroy()
    await Promise.all(down)
  }

  const close = () => (closed ??= finish())
  return {
    add(definition, handlers) {
      server.addService(definition as unknown as ServiceDefinition, handlers as UntypedServiceImplementation)
    },
    addBulk: (path, handler) => void bulk.set(path, handler),
    listen: (host, port) => listen(server, host, port),
    async drain(ms) {
      let timer: NodeJS.Timeout | undefined
      await Promise.race([
        new Promise<void>((resolve) => server.tryShutdown(() => resolve())),
        new Promise<void>((resolve) => (timer = setTimeout(resolve, ms))),
      ])
      clearTimeout(timer)
      await close()
    },
    close,
  }
}

function widenWindows(inside: ServerInside, windowBytes: number, onMade: (made: http2.Http2Server) => void): void {
  assert(
    typeof inside.createHttp2Server === 'function' && typeof inside.commonServerOptions === 'object',
    'grpc-js no longer makes its http2 servers where we widen their windows',
  )
  inside.commonServerOptions.settings = {
    ...inside.commonServerOptions.settings,
    initialWindowSize: windowBytes,
    maxFrameSize: frameBytesMax,
  }
  const create = inside.createHttp2Server.bind(inside)
  inside.createHttp2Server = (credentials) => {
    const made = create(credentials)
    made.on('session', (session) => session.setLocalWindowSize(sessionWindowBytes))
    onMade(made)
    return made
  }
}

/** Puts the bulk methods before grpc-js's own handler of streams. */
function takeBulk(made: http2.Http2Server, bulk: ReadonlyMap<string, BulkHandler>): void {
  const others = made.listeners('stream') as ((...args: unknown[]) => void)[]
  assert(others.length === 1, 'grpc-js handles the streams of its http2 server in one place')
  made.removeAllListeners('stream')
  made.on('stream', (stream, headers, ...rest) => {
    if (!serveBulk(bulk, stream, headers)) for (const other of others) other.call(made, stream, headers, ...rest)
  })
}

function listen(server: Server, host: string, port: number): Promise<number> {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
      if (!error) return resolve(bound)
      if (/EADDRINUSE/.test(error.message))
        return reject(
          new QuarryError('IN_USE', `Port ${port} on ${host} is in use by another program; choose another with -D port=N.`, { host, port }),
        )
      if (/EADDRNOTAVAIL|EACCES/.test(error.message))
        return reject(new QuarryError('CONFIG', `Cannot listen on ${address}: ${error.message}`, { host, port }))
      reject(new QuarryError('INTERNAL', `Cannot listen on ${address}: ${error.message}`, { host, port }, { cause: error }))
    })
  })
}
