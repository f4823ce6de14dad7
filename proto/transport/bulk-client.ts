// Connections for bulk calls: one http2 session to a peer, made when first used and again after it broke.
import http2 from 'node:http2'
import { QuarryError } from '../../common/errors.ts'
import { Http2BulkStream } from './bulk-stream.ts'
import type { BulkStream } from './bulk-stream.ts'
import { frameBytesMax, sessionWindowBytes, streamWindowBytes } from './server.ts'
import { errorOfTrailers } from './status.ts'

/** A peer that does not accept a connection within this time is treated as gone. */
const connectMs = 5_000
/**
 * A connection with calls is looked at this often, asked for a sign of life when nothing came since the last look, and given up when
 * nothing has come for `silentMs`: a peer that is frozen or cut off says nothing. Any byte counts, and http2 answers pings by itself,
 * so a peer that is only slow (a busy disk, a full queue) is not taken for a silent one.
 */
export interface SilenceBounds {
  readonly lookMs: number
  readonly silentMs: number
}
const silenceBounds: SilenceBounds = { lookMs: 2_000, silentMs: 8_000 }

export class BulkConnection {
  readonly #address: string
  readonly #peer: string
  readonly #silence: SilenceBounds
  #session: http2.ClientHttp2Session | undefined
  #calls = 0

  constructor(address: string, peer: string, silence: SilenceBounds = silenceBounds) {
    this.#address = address
    this.#peer = peer
    this.#silence = silence
  }

  /** Starts a call. That it could not be started is told by its first read. */
  open(path: string, options: { readonly signal?: AbortSignal | undefined; readonly readAhead?: number } = {}): BulkStream {
    if (this.#session?.closed || this.#session?.destroyed) this.#session = undefined
    const session = (this.#session ??= this.#connect())
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' })
    if (this.#calls++ === 0) session.ref()
    let gotStatus = () => {}
    const status = new Promise<void>((resolve) => (gotStatus = resolve))
    const call = new Http2BulkStream(stream, {
      peer: this.#peer,
      status,
      lost: () => this.#unreachable(undefined),
      ...(options.readAhead !== undefined && { readAhead: options.readAhead }),
    })
    const ended = (headers: http2.IncomingHttpHeaders) => {
      const error = errorOfTrailers(headers, this.#peer)
      if (error !== undefined) call.fail(error)
      gotStatus()
      // The server is done; what we might still send is of no use to it.
      call.end()
    }
    stream.once('response', (headers) => {
      if (headers['grpc-status'] !== undefined) ended(headers)
      else if (headers[':status'] !== 200)
        call.fail(
          new QuarryError('UNAVAILABLE', `${this.#peer} answered with HTTP status ${String(headers[':status'])}: is it a datanode?`),
        )
    })
    stream.once('trailers', ended)
    stream.once('error', (error: NodeJS.ErrnoException) => call.fail(this.#unreachable(error)))
    const cancel = () => call.cancel()
    stream.once('close', () => {
      options.signal?.removeEventListener('abort', cancel)
      gotStatus()
      if (--this.#calls === 0 && !session.destroyed) session.unref()
    })
    if (options.signal?.aborted) queueMicrotask(cancel)
    else options.signal?.addEventListener('abort', cancel, { once: true })
    return call
  }

  close(): void {
    this.#session?.destroy()
    this.#session = undefined
  }

  #connect(): http2.ClientHttp2Session {
    const session = http2.connect(`http://${this.#address}`, {
      maxSessionMemory: Number.MAX_SAFE_INTEGER,
      settings: { initialWindowSize: streamWindowBytes, maxFrameSize: frameBytesMax, enablePush: false },
    })
    const late = setTimeout(() => session.destroy(new Error('no connection in time')), connectMs)
    const forget = () => {
      clearTimeout(late)
      clearInterval(pings)
      if (this.#session === session) this.#session = undefined
    }
    session.once('connect', () => {
      clearTimeout(late)
      session.setLocalWindowSize(sessionWindowBytes)
    })
    const pings = this.#watch(session)
    // Calls hear of a broken session through their own streams.
    session.on('error', forget)
    session.once('goaway', forget)
    session.once('close', forget)
    session.unref()
    return session
  }

  #watch(session: http2.ClientHttp2Session): NodeJS.Timeout {
    const { lookMs, silentMs } = this.#silence
    let heardMs = performance.now()
    let bytesRead = 0
    let asked = false
    return setInterval(() => {
      if (session.connecting || session.destroyed) return
      const now = performance.now()
      const socketBytes = session.socket.bytesRead
      if (this.#calls === 0 || socketBytes !== bytesRead) {
        heardMs = now
        bytesRead = socketBytes
        asked = false
      } else if (!asked) {
        asked = true
        // The silence counts from the question: before it there was nothing to say.
        heardMs = now
        session.ping(() => {})
      } else if (now - heardMs >= silentMs) {
        // Timers fire before sockets are read: an answer that waits to be read still counts.
        setImmediate(() => {
          if (!session.destroyed && session.socket.bytesRead === bytesRead)
            session.destroy(new Error(`it was silent for ${silentMs / 1000} s`))
        })
      }
    }, lookMs).unref()
  }

  #unreachable(cause: NodeJS.ErrnoException | undefined): QuarryError {
    return new QuarryError('UNAVAILABLE', `${this.#peer} cannot be reached: ${cause?.message ?? 'the connection broke'}`, {}, { cause })
  }
}
