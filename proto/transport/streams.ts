// The two adapters between grpc-js's streaming calls and the rest of the program: messages in as an async iterator, messages
// out as promises. Both bound what is held: grpc-js reads sixteen messages ahead by itself, which at a megabyte a message and
// a few hundred streams is more memory than a machine has.
import type { Readable, Writable } from 'node:stream'
import { assert } from '../../common/assert.ts'
import { QuarryError } from '../../common/errors.ts'
import { errorOf } from './status.ts'

/** Messages decoded ahead of the consumer: one being worked on, one waiting. */
const readAheadDefault = 2

interface CallIn extends Readable {
  cancel?(): void
}

/**
 * The messages of a call, each delivered once to one consumer. Every message that arrived is delivered before the failure that
 * ended the call is thrown. Ending the iteration early cancels a client's call.
 */
export class Inbox<T> implements AsyncIterableIterator<T> {
  readonly #call: CallIn
  readonly #peer: string
  readonly #readAhead: number
  readonly #queue: T[] = []
  #failure: unknown
  #ended = false
  #waiting: { resolve(result: IteratorResult<T>): void; reject(error: unknown): void } | undefined

  constructor(call: CallIn, options: { readonly peer?: string; readonly readAhead?: number } = {}) {
    this.#call = call
    this.#peer = options.peer ?? 'the peer'
    this.#readAhead = options.readAhead ?? readAheadDefault
    const state = (call as unknown as { _readableState?: { highWaterMark: number } })._readableState
    assert(state !== undefined, 'Node streams no longer keep their high-water mark where we lower it')
    state.highWaterMark = 1
    call.on('data', (message: T) => this.#arrived(message))
    call.on('error', (error) => (this.#failure ??= error))
    call.once('end', () => this.#end())
    call.once('close', () => {
      if (!this.#ended) this.#failure ??= new QuarryError('CANCELLED', `The call was ended by ${this.#peer}.`)
      this.#end()
    })
  }

  next(): Promise<IteratorResult<T>> {
    assert(this.#waiting === undefined, 'an inbox has one consumer, which takes one message at a time')
    const message = this.#queue.shift()
    if (message !== undefined) {
      if (this.#queue.length < this.#readAhead && !this.#ended) this.#call.resume()
      return Promise.resolve({ done: false, value: message })
    }
    if (this.#ended)
      return this.#failure === undefined
        ? Promise.resolve({ done: true, value: undefined })
        : Promise.reject(errorOf(this.#failure, this.#peer))
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }))
  }

  return(): Promise<IteratorResult<T>> {
    this.#queue.length = 0
    this.#call.cancel?.()
    this.#call.resume()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #arrived(message: T): void {
    const waiting = this.#waiting
    if (waiting !== undefined) {
      this.#waiting = undefined
      waiting.resolve({ done: false, value: message })
      return
    }
    this.#queue.push(message)
    if (this.#queue.length >= this.#readAhead) this.#call.pause()
  }

  #end(): void {
    this.#ended = true
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting === undefined) return
    if (this.#failure === undefined) waiting.resolve({ done: true, value: undefined })
    else waiting.reject(errorOf(this.#failure, this.#peer))
  }
}

/** Messages that may wait inside grpc-js: one on the wire, one behind it, so that the wire never runs dry. */
const outgoingMax = 2

/** The sending side of a call, with back-pressure. */
export class Outbox<T> {
  readonly #call: Writable
  readonly #peer: string
  #outgoing = 0
  #failure: unknown
  #waiting: { resolve(): void; reject(error: unknown): void }[] = []

  constructor(call: Writable, peer = 'the peer') {
    this.#call = call
    this.#peer = peer
    call.on('error', (error) => this.#fail(error))
    call.once('cancelled', () => this.#fail(new QuarryError('CANCELLED', `The call was cancelled by ${peer}.`)))
    call.once('close', () => this.#fail(new QuarryError('CANCELLED', `The call was ended by ${peer}.`)))
    // A client's call that the server has answered takes no more messages.
    call.once('status', () => this.#fail(new QuarryError('CANCELLED', `The call was ended by ${peer}.`)))
  }

  /** Resolves when there is room for another message. Rejects when the call has failed. */
  send(message: T): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(errorOf(this.#failure, this.#peer))
    this.#outgoing++
    this.#call.write(message, () => this.#sent())
    if (this.#outgoing < outgoingMax) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** Resolves when everything has left this process's buffers, or the call has failed. */
  async flush(): Promise<void> {
    while (this.#outgoing > 0 && this.#failure === undefined) {
      await new Promise<void>((resolve) => this.#waiting.push({ resolve, reject: () => resolve() }))
    }
  }

  end(): void {
    if (this.#failure === undefined) this.#call.end()
  }

  #sent(): void {
    this.#outgoing--
    this.#waiting.shift()?.resolve()
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    const waiting = this.#waiting
    this.#waiting = []
    for (const one of waiting) one.reject(errorOf(error, this.#peer))
  }
}
