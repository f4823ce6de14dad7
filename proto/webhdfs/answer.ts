// Answers of WebHDFS: JSON, errors as Java's exceptions, nothing, or an address to go to; and what to do with a request that brings
// bytes nobody reads.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { errorTable, toQuarryError } from '../../common/errors.ts'

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Content-Type; left out without a body. */
  readonly type?: string
  readonly body?: string
}

export const jsonType = 'application/json'
/** What HDFS says of an empty answer. */
const binaryType = 'application/octet-stream'

export const json = (value: object | null): Answer => ({ status: 200, type: jsonType, body: JSON.stringify(value) })
export const jsonText = (body: string): Answer => ({ status: 200, type: jsonType, body })
export const nothing: Answer = { status: 200, type: binaryType, body: '' }
export const bool = (value: boolean): Answer => ({ status: 200, type: jsonType, body: `{"boolean":${value}}` })

/** `asJson`: the client asked to be told rather than sent (noredirect). */
export const redirect = (location: string, asJson: boolean): Answer =>
  asJson ? json({ Location: location }) : { status: 307, type: binaryType, headers: { location }, body: '' }

/** An error as the Java exception that Hadoop's clients rebuild from its name. */
export function failure(error: unknown): Answer {
  const { code, message, details } = toQuarryError(error)
  const { java, http } = errorTable[code]
  const exception = java.slice(java.lastIndexOf('.') + 1)
  const retryAfterMs = typeof details['retryAfterMs'] === 'number' ? details['retryAfterMs'] : undefined
  return {
    status: http,
    type: jsonType,
    ...(retryAfterMs !== undefined && { headers: { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) } }),
    body: JSON.stringify({ RemoteException: { exception, javaClassName: java, message } }),
  }
}

/** On every answer: nothing is kept by caches on the way or guessed by browsers. */
export const commonHeaders = { 'cache-control': 'no-cache', 'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN' } as const

export function send(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  more: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent || response.destroyed) return
  const body = answer.body ?? ''
  leaveBody(request, response)
  response.writeHead(answer.status, {
    ...commonHeaders,
    ...(answer.type !== undefined && { 'content-type': answer.type }),
    'content-length': Buffer.byteLength(body),
    ...answer.headers,
    ...more,
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** Of a body that is refused, so much is read and thrown away that the answer arrives; with more the connection ends. */
const drainBytesMax = 4 * 1024 * 1024
const drainMs = 5_000

/**
 * To be called before the answer leaves: a body that nobody will read must neither fill memory nor keep the connection. One that the
 * client holds back (Expect: 100-continue) is not asked for, and the connection ends instead.
 */
export function leaveBody(request: IncomingMessage, response: ServerResponse): void {
  const { 'content-length': length = '0', 'transfer-encoding': encoding, expect } = request.headers
  if (request.complete || (length === '0' && encoding === undefined)) return
  if (expect !== undefined) response.shouldKeepAlive = false
  let left = drainBytesMax
  const timer = setTimeout(() => request.socket.destroy(), drainMs)
  timer.unref()
  request.on('data', (part: Buffer) => {
    left -= part.length
    if (left < 0) request.socket.destroy()
  })
  request.once('close', () => clearTimeout(timer))
  request.once('end', () => clearTimeout(timer))
  request.on('error', () => {})
  request.resume()
}
