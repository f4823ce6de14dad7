// HTTP: WebHDFS for clients; /health, /status, /metrics and the pages of Hadoop's servers for people and monitors.
import http from 'node:http'
import { QuarryError } from '../../common/errors.ts'
import { DatanodeFilter } from '../../proto/ports.ts'
import type { HadoopPages } from '../../proto/hadoop-http/pages.ts'
import type { BlockManager } from '../core/cluster/block-manager.ts'
import type { Front } from './front.ts'
import { dearestShown } from './metrics.ts'
import type { Metrics } from './metrics.ts'
import { leaveBody } from '../../proto/webhdfs/answer.ts'
import { httpLimits } from '../../proto/webhdfs/http-limits.ts'
import { Origins } from '../../proto/webhdfs/origins.ts'
import { RawAddresses } from '../../proto/webhdfs/raw-addresses.ts'
import { WebHdfsDoor } from './webhdfs/door.ts'
import type { WebHdfsDeps } from './webhdfs/operation.ts'

/** A request that is not complete after this long is dropped, in ms: clients send no bytes of files here. */
const requestTimeoutMs = 30_000

export interface HttpDoorDeps {
  readonly front: Front
  readonly cluster: BlockManager
  readonly metrics: Metrics
  readonly startedMs: number
  readonly webhdfs: WebHdfsDeps
  /** Pages of these origins are served. */
  readonly origins: readonly string[]
  /** Connections at a time; who comes then is let go at once. */
  readonly connectionsMax: number
  /** /jmx and its kind. */
  readonly pages: HadoopPages
  /** Pages that a client of the namenode makes, such as /fsck; false when the request is for none of them. */
  readonly clientPage?: ((request: http.IncomingMessage, response: http.ServerResponse) => boolean) | undefined
  /** Connections of Hadoop's clients. */
  hadoopConnections(): number
}

export interface HttpDoor {
  readonly port: number
  close(): Promise<void>
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

export async function openHttpDoor(deps: HttpDoorDeps, at: { readonly host: string; readonly port: number }): Promise<HttpDoor> {
  const webhdfs = new WebHdfsDoor(deps.webhdfs, new Origins(deps.origins))
  const addresses = new RawAddresses()
  const listener = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    addresses.expectNext(request, response)
    if (webhdfs.handle(request, response)) return
    leaveBody(request, response)
    if (deps.pages.handle(request, response)) return
    if (deps.clientPage?.(request, response)) return
    const { status, type, body } = answer(deps, request)
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
  const server = http.createServer({ ...httpLimits, requestTimeout: requestTimeoutMs }, listener)
  // Nothing here reads a body: a client that asks before it sends one is answered at once.
  server.on('checkContinue', listener)
  server.on('connection', (socket) => addresses.watch(socket))
  server.maxConnections = deps.connectionsMax
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new QuarryError('IN_USE', `Port ${at.port} on ${at.host} is in use by another program; choose another with -D http.port=N.`, at)
          : new QuarryError('CONFIG', `Cannot listen on ${at.host}:${at.port}: ${error.message}`, at),
      )
    })
    server.listen(at.port, at.host, resolve)
  })
  const address = server.address()
  let closing: Promise<void> | undefined
  return {
    port: typeof address === 'object' && address ? address.port : at.port,
    close: () =>
      (closing ??= new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })),
  }
}

function answer(deps: HttpDoorDeps, request: http.IncomingMessage): Answer {
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'Only GET is understood here.\n')
  switch ((request.url ?? '/').split('?', 1)[0]) {
    case '/health':
      return health(deps)
    case '/status':
      return { status: 200, type: 'application/json', body: `${JSON.stringify(status(deps), null, 2)}\n` }
    case '/metrics':
      return {
        status: 200,
        type: 'text/plain; version=0.0.4',
        body: deps.metrics.prometheus(deps.front, deps.cluster, deps.hadoopConnections()),
      }
    default:
      return text(404, 'There is /health, /status, /metrics, /jmx, /conf and /logLevel.\n')
  }
}

/** 200 when the namenode serves reads and writes. */
function health({ front, cluster }: HttpDoorDeps): Answer {
  if (front.draining) return text(503, 'stopping\n')
  const safeMode = cluster.safeMode()
  return safeMode.on ? text(503, `safe mode: ${safeMode.reason}\n`) : text(200, 'ok\n')
}

function status({ front, cluster, metrics, startedMs }: HttpDoorDeps): object {
  const { safeMode, safeModeReason, lastTxid, files, directories, blocks, ...stats } = front.fsStats()
  return {
    clusterId: front.clusterId,
    poolId: front.poolId,
    startedMs,
    draining: front.draining,
    safeMode: { on: safeMode, reason: safeModeReason },
    namespace: { files, directories, blocks, lastTxid },
    capacity: stats,
    redundancy: cluster.counts(),
    commits: metrics.commitSummary(),
    load: {
      clients: front.counters.sessions,
      inFlight: front.counters.inFlight,
      ...front.admission.counts,
      dearest: front.admission.dearest(dearestShown),
    },
    datanodes: cluster.datanodes(DatanodeFilter.DATANODES_ALL).map((node) => ({
      uuid: node.datanode?.uuid,
      address: `${node.datanode?.ip}:${node.datanode?.grpcPort}`,
      rack: node.datanode?.rack,
      state: node.live ? (node.stale ? 'stale' : 'live') : 'dead',
      adminState: node.adminState,
      blocksToLeave: node.blocksToLeave,
      slow: node.slow,
      capacity: node.capacity,
      used: node.dfsUsed,
      remaining: node.remaining,
      blocks: node.blocks,
      xceivers: node.xceivers,
      lastContactMs: node.lastContactMs,
      storages: node.storages.map((storage) => ({ uuid: storage.storageUuid, failed: storage.failed, blocks: storage.blocks })),
    })),
  }
}

function text(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body }
}
