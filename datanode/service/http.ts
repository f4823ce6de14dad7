// The HTTP door of a datanode: pages for operators and probes, and what is mounted beside them, such as WebHDFS.
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { QuarryError } from '../../common/errors.ts'
import { leaveBody } from '../../proto/webhdfs/answer.ts'
import { httpLimits } from '../../proto/webhdfs/http-limits.ts'
import type { HadoopPages } from '../../proto/hadoop-http/pages.ts'

export interface HttpPages {
  /** Whether the node does its work, and why not. */
  health(): { readonly ok: boolean; readonly reason: string }
  status(): object
  /** Prometheus text format. */
  metrics(): string
  readonly extensions: readonly HttpExtension[]
  /** /jmx and its kind. */
  readonly hadoop: HadoopPages
}

/** Another part of the program that answers requests at this port. */
export interface HttpExtension {
  /** False when the request is not for it. It is also asked by clients that wait for a word before they send a body. */
  handle(request: http.IncomingMessage, response: http.ServerResponse): boolean
  close(): Promise<void>
}

export interface HttpServer {
  readonly port: number
  close(): Promise<void>
}

/** Connections at a time: each that carries a file holds some packets. */
const connectionsMax = 4096

export async function serveHttp(host: string, port: number, pages: HttpPages): Promise<HttpServer> {
  const listener = (request: http.IncomingMessage, response: http.ServerResponse) => {
    if (pages.extensions.some((extension) => extension.handle(request, response))) return
    leaveBody(request, response)
    if (pages.hadoop.handle(request, response)) return
    const path = (request.url ?? '/').split('?', 1)[0]
    if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405, { allow: 'GET, HEAD' }).end()
    switch (path) {
      case '/health': {
        const { ok, reason } = pages.health()
        return void response.writeHead(ok ? 200 : 503, { 'content-type': 'text/plain' }).end(`${ok ? 'ok' : reason}\n`)
      }
      case '/status':
        return void response.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify(pages.status(), null, 2)}\n`)
      case '/metrics':
        return void response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(pages.metrics())
      default:
        return void response
          .writeHead(404, { 'content-type': 'text/plain' })
          .end('not found: try /health, /status, /metrics, /jmx, /conf or /logLevel\n')
    }
  }
  // A file may take any time to arrive: whoever reads a body bounds it.
  const server = http.createServer({ ...httpLimits, requestTimeout: 0 }, listener)
  server.on('checkContinue', listener)
  server.maxConnections = connectionsMax
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new QuarryError('IN_USE', `Port ${port} on ${host} is in use by another program; choose another with -D http.port=N.`, {
              host,
              port,
            })
          : new QuarryError('CONFIG', `Cannot listen on ${host}:${port}: ${error.message}`, { host, port }),
      )
    })
    server.listen(port, host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections()
      if (server.listening) await new Promise((resolve) => server.close(resolve))
    },
  }
}
