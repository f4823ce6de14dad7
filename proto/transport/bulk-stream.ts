// A streaming gRPC call straight on an http2 stream, for the data plane. The wire is gRPC's, word for word (the tests have grpc-js
// on the other side); what is left out is what costs: grpc-js puts every message together in one new buffer when it arrives and
// copies it into another when it leaves, and at a gigabyte a second those buffers are most of the work.
//
//   message   [flag u8 = 0] [length u32] [bytes]        across DATA frames as it comes
//
// A message here is a list of views: of the socket's buffers when it comes in, of whatever the caller has when it goes out.
//
// B1  at most `readAhead` whole messages are held for the consumer; then the stream is paused and its http2 window fills
// B2  send() resolves when fewer than two messages wait; their bytes must not change until the call is flushed or has failed
// B3  every message that arrived is delivered before the failure that ended the call is thrown
import type { Http2Stream } from 'node:http2'
import { assert } from '../../common/assert.ts'
import { QuarryError } from '../../common/errors.ts'
import { messageBytesMax } from '../../common/limits.ts'

/** A message as the pieces it came in, in order. */
export interface Message {
  readonly parts: readonly Buffer[]
  readonly length: number
}

/** A message as one piece; copied when it came in several. */
export function joined(message: Message): Buffer {
  return message.parts.length === 1 ? message.parts[0]! : Buffer.concat(message.parts as Buffer[], message.length)
}

const prefixBytes = 5
/** Pieces of a message that are kept as they came; the packets of our own clients come in far fewer. */
const smallPiecesMax = 1024

/** Cuts a stream of bytes into messages without copying them. */
export class MessageCutter {
  readonly #prefix = Buffer.alloc(prefixBytes)
  #prefixGot = 0
  #parts: Buffer[] = []
  /** Parts that were put together already. */
  #whole = 0
  #length = 0
  #missing = 0

  /** The messages that this piece completes. Throws when the peer breaks the framing or its bound. */
  push(piece: Buffer): Message[] {
    const done: Message[] = []
    for (let at = 0; at < piece.length;) {
      if (this.#prefixGot < prefixBytes) {
        const taken = piece.copy(this.#prefix, this.#prefixGot, at, at + prefixBytes - this.#prefixGot)
        this.#prefixGot += taken
        at += taken
        if (this.#prefixGot < prefixBytes) break
        this.#begin()
      } else {
        const end = Math.min(piece.length, at + this.#missing)
        this.#parts.push(at === 0 && end === piece.length ? piece : piece.subarray(at, end))
        if (this.#parts.length - this.#whole >= smallPiecesMax) this.#joinSmall()
        this.#missing -= end - at
        at = end
      }
      if (this.#missing === 0) {
        done.push({ parts: this.#parts.length > 0 ? this.#parts : [Buffer.alloc(0)], length: this.#length })
        this.#parts = []
        this.#whole = 0
        this.#prefixGot = 0
      }
    }
    return done
  }

  /** A peer that sends a message byte by byte would make us keep an object, and the socket's buffer, for each byte. */
  #joinSmall(): void {
    const tail = this.#parts.splice(this.#whole)
    this.#parts.push(Buffer.concat(tail))
    this.#whole = this.#parts.length
  }

  #begin(): void {
    if (this.#prefix[0] !== 0) throw new QuarryError('UNSUPPORTED', 'Compressed messages are not taken on the data plane.')
    this.#length = this.#missing = this.#prefix.readUInt32BE(1)
    if (this.#length > messageBytesMax)
      throw new QuarryError('INVALID_ARGUMENT', `A message of ${this.#length} bytes is larger than the ${messageBytesMax} that are taken.`)
  }
}

/** Messages that may wait to be written: one on the wire, one behind it. */
const outgoingMax = 2
const readAheadDefault = 2

interface Waiting<T> {
  resolve(value: T): void
  reject(error: unknown): void
}

export interface BulkStreamOptions {
  /** For messages. */
  readonly peer: string
  readonly readAhead?: number
  /** Reading is over when the peer's last bytes *and* its status are in, which come in either order. */
  readonly status?: Promise<void>
  /** What it means that the call ended before its end. */
  readonly lost?: () => QuarryError
}

/** One streaming call as its users see it, over http2 or over the simulated network. The promises B1 to B3 are its own. */
export interface BulkStream extends AsyncIterableIterator<Message> {
  /** Whether the call is over in both directions. */
  readonly closed: boolean
  next(): Promise<IteratorResult<Message>>
  return(): Promise<IteratorResult<Message>>
  /** Sends one message made of these pieces. */
  send(parts: readonly Uint8Array[]): Promise<void>
  /** Resolves when everything sent has left this process's buffers, or the call has failed. */
  flush(): Promise<void>
  /** Nothing more will be sent. */
  end(): void
  /** Gives the call up in both directions. Idempotent. */
  cancel(): void
}

/** One call on http2. Client and server put their headers and trailers around it. */
export class Http2BulkStream implements BulkStream {
  readonly #stream: Http2Stream
  readonly #peer: string
  readonly #readAhead: number
  readonly #cutter = new MessageCutter()
  readonly #queue: Message[] = []
  #consumer: Waiting<IteratorResult<Message>> | undefined
  #ended = false
  #failure: QuarryError | undefined
  readonly #lost: () => QuarryError
  #cancelled = false
  #outgoing = 0
  #senders: Waiting<void>[] = []

  constructor(stream: Http2Stream, options: BulkStreamOptions) {
    this.#stream = stream
    this.#peer = options.peer
    this.#readAhead = options.readAhead ?? readAheadDefault
    stream.on('data', (piece: Buffer) => this.#received(piece))
    stream.once('end', () => {
      // A stream that was reset ends too, without all its bytes.
      if (stream.rstCode) this.fail(this.#lost())
      if (options.status === undefined) this.#stopReading()
      else void options.status.then(() => this.#stopReading())
    })
    // Errors are followed by 'close', where what is known of the end is complete.
    stream.on('error', () => {})
    stream.once('close', () => {
      this.fail(this.#lost())
      this.#stopReading()
    })
    this.#lost = () => {
      if (this.#cancelled) return new QuarryError('CANCELLED', 'The call was cancelled.')
      return options.lost?.() ?? new QuarryError('CANCELLED', `The call was ended by ${this.#peer}.`)
    }
  }

  get closed(): boolean {
    return this.#stream.destroyed || this.#stream.closed
  }

  next(): Promise<IteratorResult<Message>> {
    assert(this.#consumer === undefined, 'a stream has one consumer, which takes one message at a time')
    const message = this.#queue.shift()
    if (message !== undefined) {
      if (this.#queue.length < this.#readAhead && !this.#ended) this.#stream.resume()
      return Promise.resolve({ done: false, value: message })
    }
    if (this.#ended) return this.#failure === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(this.#failure)
    return new Promise((resolve, reject) => (this.#consumer = { resolve, reject }))
  }

  return(): Promise<IteratorResult<Message>> {
    this.cancel()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  send(parts: readonly Uint8Array[]): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const stream = this.#stream
    if (stream.destroyed || stream.writableEnded)
      return Promise.reject(new QuarryError('CANCELLED', `The call was ended by ${this.#peer}.`))
    const prefix = Buffer.allocUnsafe(prefixBytes)
    let length = 0
    for (const part of parts) length += part.length
    prefix[0] = 0
    prefix.writeUInt32BE(length, 1)
    this.#outgoing++
    // Corked, all pieces go to the socket in one writev.
    stream.cork()
    stream.write(prefix)
    for (let i = 0; i < parts.length - 1; i++) stream.write(parts[i])
    stream.write(parts[parts.length - 1], () => this.#sent())
    stream.uncork()
    if (this.#outgoing < outgoingMax) return Promise.resolve()
    return new Promise((resolve, reject) => this.#senders.push({ resolve, reject }))
  }

  async flush(): Promise<void> {
    while (this.#outgoing > 0 && this.#failure === undefined) {
      await new Promise<void>((resolve) => this.#senders.push({ resolve, reject: () => resolve() }))
    }
  }

  end(): void {
    if (!this.#stream.destroyed && !this.#stream.writableEnded) this.#stream.end()
  }

  cancel(): void {
    this.#queue.length = 0
    this.#cancelled = true
    if (this.#stream.closed || this.#stream.destroyed) return
    this.#stream.close(cancelCode)
    // A paused stream would keep what it holds and never report its end.
    this.#stream.resume()
  }

  /** Why the call will have failed when it ends; the first reason counts. Senders hear of it at once. */
  fail(error: QuarryError): void {
    if (this.#failure !== undefined || this.#ended) {
      this.#releaseSenders(this.#failure ?? error)
      return
    }
    this.#failure = error
    this.#releaseSenders(error)
  }

  #received(piece: Buffer): void {
    let messages: Message[]
    try {
      messages = this.#cutter.push(piece)
    } catch (error) {
      this.fail(error as QuarryError)
      this.cancel()
      return
    }
    for (const message of messages) {
      const consumer = this.#consumer
      if (consumer !== undefined) {
        this.#consumer = undefined
        consumer.resolve({ done: false, value: message })
      } else this.#queue.push(message)
    }
    if (this.#queue.length >= this.#readAhead) this.#stream.pause()
  }

  #sent(): void {
    this.#outgoing--
    this.#senders.shift()?.resolve()
  }

  #stopReading(): void {
    if (this.#ended) return
    this.#ended = true
    const consumer = this.#consumer
    this.#consumer = undefined
    if (consumer === undefined) return
    if (this.#failure === undefined) consumer.resolve({ done: true, value: undefined })
    else consumer.reject(this.#failure)
  }

  #releaseSenders(error: QuarryError): void {
    const senders = this.#senders
    this.#senders = []
    for (const sender of senders) sender.reject(error)
  }
}

/** NGHTTP2_CANCEL */
const cancelCode = 8
