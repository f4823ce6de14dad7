// HTTP for people and monitors: /health, /status, /metrics. Reads only.
import http from 'node:http'
import { QuarryError } from '../../common/errors.ts'
import { DatanodeFilter } from '../../proto/ports.ts'
import type { BlockManager } from '../core/cluster/block-manager.ts'
import type { Front } from './front.ts'
import { dearestShown } from './metrics.ts'
import type { Metrics } from './metrics.ts'

/** A request that is not complete after this long is dropped, in ms. */
const requestTimeoutMs = 10_000
const connectionsMax = 256

export interface HttpDoorDeps {
  readonly front: Front
  readonly cluster: BlockManager
  readonly metrics: Metrics
  readonly startedMs: number
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
  const server = http.createServer({ requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs }, (request, response) => {
    // Bodies mean nothing here.
    request.resume()
    const { status, type, body } = answer(deps, request)
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  })
  server.maxConnections = connectionsMax
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
      return { status: 200, type: 'text/plain; version=0.0.4', body: deps.metrics.prometheus(deps.front, deps.cluster) }
    default:
      return text(404, 'There is /health, /status and /metrics.\n')
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
