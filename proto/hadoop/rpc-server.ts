// A port that speaks Hadoop's RPC: takes connections, bounds them, and closes those that do not get on.
import net from 'node:net'
import { QuarryError } from '../../common/errors.ts'
import type { Clock, Logger } from '../../common/env.ts'
import { RpcConnection } from './rpc-connection.ts'
import type { RpcHost } from './rpc-connection.ts'
import { MethodTable } from './rpc-service.ts'
import type { RpcService } from './rpc-service.ts'

/** How often connections are looked at, in ms. */
const sweepMs = 10_000
/** Looks after which one that does not get on is closed: half a minute. */
const patienceLooks = 3
/** Looks after which an idle one is closed when there are many (HDFS: twice 10 s, beyond 4,000 connections). */
const idleLooks = 2
const manyConnections = 4000
/** Idle ones of an ordinary day are let be: clients that call rarely do not expect to find theirs gone. */
const patientIdleLooks = 360

export interface RpcServerOptions<S> {
  readonly service: RpcService<S>
  readonly log: Logger
  readonly clock: Clock
  /** Connections at a time; more are dropped as they come. */
  readonly connectionsMax: number
  /** Name of the setting of the port, for messages. */
  readonly setting: string
}

export interface RpcServer {
  readonly port: number
  /** Open connections. */
  readonly connections: number
  /** Takes no more connections and ends those there are. Idempotent. */
  close(): Promise<void>
}

export async function openRpcServer<S>(
  options: RpcServerOptions<S>,
  at: { readonly host: string; readonly port: number },
): Promise<RpcServer> {
  const { service, log, clock } = options
  const connections = new Set<RpcConnection<S>>()
  const dirty: RpcConnection<S>[] = []
  const flushAll = (): void => {
    // Flushing may answer more: the list grows while it is walked.
    for (let i = 0; i < dirty.length; i++) dirty[i]!.flush()
    dirty.length = 0
  }
  const host: RpcHost<S> = {
    service,
    table: new MethodTable(service.protocols),
    log,
    held: 0,
    flushSoon(connection) {
      if (dirty.push(connection) === 1) queueMicrotask(flushAll)
    },
    closed: (connection) => void connections.delete(connection),
  }
  // Ends are ours to answer: the last replies go out first.
  const server = net.createServer({ allowHalfOpen: true, keepAlive: true, noDelay: true }, (socket) => {
    connections.add(new RpcConnection(socket, host))
  })
  server.maxConnections = options.connectionsMax
  let stopped = false
  let stopSweeps = (): void => {}
  const sweep = (): void => {
    const idle = connections.size > manyConnections ? idleLooks : patientIdleLooks
    for (const connection of connections) if (connection.isStuck(patienceLooks, idle)) connection.destroy()
    if (!stopped) stopSweeps = clock.after(sweepMs, sweep)
  }
  stopSweeps = clock.after(sweepMs, sweep)
  try {
    await listen(server, at, options.setting)
  } catch (error) {
    stopSweeps()
    throw error
  }
  server.on('error', (error) => log.warn('rpc.accept.failed', { message: error.message }))
  const address = server.address()
  let closing: Promise<void> | undefined
  return {
    port: typeof address === 'object' && address ? address.port : at.port,
    get connections() {
      return connections.size
    },
    close: () =>
      (closing ??= new Promise((resolve) => {
        stopped = true
        stopSweeps()
        server.close(() => resolve())
        for (const connection of connections) connection.destroy()
      })),
  }
}

function listen(server: net.Server, at: { readonly host: string; readonly port: number }, setting: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      reject(
        error.code === 'EADDRINUSE'
          ? new QuarryError(
              'IN_USE',
              `Port ${at.port} on ${at.host} is in use by another program; choose another with -D ${setting}=N.`,
              at,
            )
          : new QuarryError('CONFIG', `Cannot listen on ${at.host}:${at.port}: ${error.message}`, at),
      )
    }
    server.once('error', failed)
    server.listen(at.port, at.host, () => {
      server.off('error', failed)
      resolve()
    })
  })
}
