// Streaming calls of the data plane over the simulated network: the same promises as on http2 (B1 to B3 in
// proto/transport/bulk-stream.ts).
import { assert } from '../../../common/assert.ts'
import { QuarryError } from '../../../common/errors.ts'
import type { BulkStream, Message } from '../../../proto/transport/bulk-stream.ts'
import type { Endpoint } from './network.ts'
import { errorOfStatus } from './status.ts'

const outgoingMax = 2
const readAheadDefault = 2

interface Waiting<T> {
  resolve(value: T): void
  reject(error: unknown): void
}

export class SimBulkStream implements BulkStream {
  readonly #endpoint: Endpoint
  readonly #peer: string
  readonly #client: boolean
  readonly #readAhead: number
  readonly #queue: Message[] = []
  #consumer: Waiting<IteratorResult<Message>> | undefined
  #senders: Waiting<void>[] = []
  #outgoing = 0
  #ended = false
  #cancelled = false
  #failure: QuarryError | undefined

  constructor(endpoint: Endpoint, options: { readonly client: boolean; readonly readAhead?: number | undefined }) {
    this.#endpoint = endpoint
    this.#client = options.client
    this.#readAhead = options.readAhead ?? readAheadDefault
    this.#peer = `datanode ${endpoint.peer.name}`
    endpoint.listener = {
      data: (bytes) => this.#received({ parts: [bytes], length: bytes.length }),
      ended: (status) => {
        // The server is done: what we might still send is of no use to it.
        if (this.#client) {
          this.#endpoint.closed = true
          const error = errorOfStatus(status)
          if (error !== undefined) this.#fail(error)
          this.#releaseSenders(error ?? new QuarryError('CANCELLED', `The call was ended by ${this.#peer}.`))
        }
        this.#stopReading()
      },
      broken: (reason) => {
        this.#fail(this.#lost(reason))
        this.#stopReading()
      },
    }
  }

  get closed(): boolean {
    return this.#endpoint.closed && this.#ended
  }

  next(): Promise<IteratorResult<Message>> {
    assert(this.#consumer === undefined, 'a stream has one consumer, which takes one message at a time')
    const message = this.#queue.shift()
    if (message !== undefined) {
      if (this.#queue.length < this.#readAhead) this.#endpoint.resume()
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
    if (this.#endpoint.closed) return Promise.reject(new QuarryError('CANCELLED', `The call was ended by ${this.#peer}.`))
    this.#outgoing++
    this.#endpoint.send(parts, () => {
      this.#outgoing--
      this.#senders.shift()?.resolve()
    })
    if (this.#outgoing < outgoingMax) return Promise.resolve()
    return new Promise((resolve, reject) => this.#senders.push({ resolve, reject }))
  }

  async flush(): Promise<void> {
    while (this.#outgoing > 0 && this.#failure === undefined && !this.#ended)
      await new Promise<void>((resolve) => this.#senders.push({ resolve, reject: () => resolve() }))
  }

  end(): void {
    this.#endpoint.end()
  }

  /** The server's last word. */
  endWith(status: string): void {
    this.#endpoint.end(status)
  }

  cancel(): void {
    this.#queue.length = 0
    if (this.#ended) return
    this.#cancelled = true
    this.#endpoint.abort('cancelled')
    this.#fail(this.#lost('cancelled'))
    this.#stopReading()
  }

  #lost(reason: string): QuarryError {
    if (this.#cancelled) return new QuarryError('CANCELLED', 'The call was cancelled.')
    if (this.#client) return new QuarryError('UNAVAILABLE', `${this.#peer} cannot be reached: ${reason}`)
    return new QuarryError('CANCELLED', `The call was ended by ${this.#peer}.`)
  }

  #received(message: Message): void {
    const consumer = this.#consumer
    this.#consumer = undefined
    if (consumer !== undefined) return consumer.resolve({ done: false, value: message })
    this.#queue.push(message)
    if (this.#queue.length >= this.#readAhead) this.#endpoint.pause()
  }

  #fail(error: QuarryError): void {
    this.#failure ??= error
    this.#releaseSenders(this.#failure)
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
