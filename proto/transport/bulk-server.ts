// The server's side of bulk calls: takes the http2 streams of some methods before grpc-js sees them.
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { Http2BulkStream } from './bulk-stream.ts'
import type { BulkStream } from './bulk-stream.ts'
import { trailersOf } from './status.ts'

/** Serves a call: a rejection becomes the call's status. */
export type BulkHandler = (call: BulkStream) => Promise<void>

/** Answers whether the stream is one of the methods in `handlers`, and serves it if so. */
export function serveBulk(handlers: ReadonlyMap<string, BulkHandler>, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean {
  const handler = handlers.get(String(headers[':path']))
  if (handler === undefined) return false
  const peer = `${stream.session?.socket.remoteAddress ?? 'the caller'}`
  const call = new Http2BulkStream(stream, { peer })
  let trailers: OutgoingHttpHeaders = trailersOf(undefined)
  stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' }, { waitForTrailers: true })
  stream.once('wantTrailers', () => {
    if (!stream.destroyed) stream.sendTrailers(trailers)
  })
  handler(call)
    .catch((error: unknown) => {
      trailers = trailersOf(error)
    })
    .finally(() => {
      call.end()
      // What the caller still sends is dropped, so that it finds the end of our answer and not a reset.
      stream.resume()
    })
  return true
}
