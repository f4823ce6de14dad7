// The pages that Hadoop's servers have beside their services, for a namenode or a datanode: /, /jmx, /conf, /logLevel. Reads only, but
// for the log level. They are mounted into the HTTP server of the role.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from '../../common/env.ts'
import { confPage } from './conf-page.ts'
import type { Property } from './hadoop-keys.ts'
import { escapeText, htmlPage } from './html.ts'
import { jmxPage } from './jmx-page.ts'
import type { Bean } from './jmx-page.ts'
import { logLevelPage } from './log-level-page.ts'

export interface PageAnswer {
  readonly status: number
  readonly type: string
  readonly body: string
}

export interface PageRequest {
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** Of the client, numeric. */
  readonly address: string
}

export interface HadoopPagesDeps {
  /** Heading of the index page. */
  readonly title: string
  readonly beans: readonly Bean[]
  readonly configuration: readonly Property[]
  readonly log: Logger
  /** What else the server has, for the index page. */
  readonly links: readonly { readonly path: string; readonly what: string }[]
}

const methods = 'GET, HEAD, OPTIONS'
/** Longer addresses are none of ours. */
const urlMax = 8192

const ownLinks: HadoopPagesDeps['links'] = [
  { path: '/jmx', what: "figures by the names of HDFS's beans" },
  { path: '/conf', what: 'settings that this process runs with' },
  { path: '/logLevel', what: 'how much it logs' },
]

export class HadoopPages {
  readonly #deps: HadoopPagesDeps

  constructor(deps: HadoopPagesDeps) {
    this.#deps = deps
  }

  /** False when the request is for another page. The body of the request is not read. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const url = request.url ?? '/'
    const question = url.indexOf('?')
    const path = question < 0 ? url : url.slice(0, question)
    const render = this.#page(path)
    if (render === undefined) return false
    const { method, headers } = request
    const query = url.length > urlMax || question < 0 ? '' : url.slice(question + 1)
    // Hadoop's programs ask with OPTIONS first, whether they must authenticate: any good answer says that they need not.
    if (method === 'OPTIONS') send(response, { status: 200, type: 'text/plain', body: '' }, method)
    else if (method !== 'GET' && method !== 'HEAD')
      send(response, { status: 405, type: 'text/plain; charset=utf-8', body: 'Only GET is understood here.\n' }, method)
    else send(response, render({ query: new URLSearchParams(query), headers, address: request.socket.remoteAddress ?? '' }), method)
    return true
  }

  #page(path: string): ((request: PageRequest) => PageAnswer) | undefined {
    const deps = this.#deps
    switch (path) {
      case '/':
      case '/index.html':
        return () => indexPage(deps)
      case '/jmx':
        return ({ query }) => jmxPage(deps.beans, query)
      case '/conf':
        return ({ query, headers }) => confPage(deps.configuration, query, headers.accept ?? '')
      case '/logLevel':
        return (request) => logLevelPage(deps.log, request)
      default:
        return undefined
    }
  }
}

function indexPage({ title, links }: HadoopPagesDeps): PageAnswer {
  const rows = [...links, ...ownLinks].map(
    ({ path, what }) => `<li><a href="${escapeText(path)}">${escapeText(path)}</a> &ndash; ${escapeText(what)}</li>\n`,
  )
  return { status: 200, type: 'text/html; charset=utf-8', body: htmlPage(title, `<ul>\n${rows.join('')}</ul>\n`) }
}

function send(response: ServerResponse, { status, type, body }: PageAnswer, method: string | undefined): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    ...((status === 405 || method === 'OPTIONS') && { allow: methods }),
  })
  response.end(method === 'HEAD' ? undefined : body)
}
