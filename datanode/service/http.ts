// The small HTTP door of a datanode: for operators and probes, nothing of the data.
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { QuarryError } from '../../common/errors.ts'

export interface HttpPages {
  /** Whether the node does its work, and why not. */
  health(): { readonly ok: boolean; readonly reason: string }
  status(): object
  /** Prometheus text format. */
  metrics(): string
}

export interface HttpServer {
  readonly port: number
  close(): Promise<void>
}

/** A request that sends nothing for this long is ended. */
const requestMs = 10_000

export async function serveHttp(host: string, port: number, pages: HttpPages): Promise<HttpServer> {
  const server = http.createServer({ requestTimeout: requestMs, headersTimeout: requestMs }, (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0]
    if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405, { allow: 'GET, HEAD' }).end()
    switch (path) {
      case '/health': {
        const { ok, reason } = pages.health()
        return void response.writeHead(ok ? 200 : 503, { 'content-type': 'text/plain' }).end(`${ok ? 'ok' : reason}\n`)
      }
      case '/':
      case '/status':
        return void response.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify(pages.status(), null, 2)}\n`)
      case '/metrics':
        return void response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(pages.metrics())
      default:
        return void response.writeHead(404, { 'content-type': 'text/plain' }).end('not found: try /health, /status or /metrics\n')
    }
  })
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
