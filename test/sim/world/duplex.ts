// The two kinds of long-lived streams, over the simulated network, in the form in which the doors and sessions take them: a gRPC
// duplex stream as an event emitter, and a datanode's stream to the namenode.
import { EventEmitter } from 'node:events'
import { status as Status } from '@grpc/grpc-js'
import { codec } from '../../../proto/codec.ts'
import type { NameMessage } from '../../../proto/ports.ts'
import type { NodeChannel, NodeStream } from '../../../proto/transport/node-session.ts'
import { QuarryError } from '../../../common/errors.ts'
import type { Machine } from './machine.ts'
import type { Endpoint, Network } from './network.ts'

export interface Wire<In, Out> {
  encode(message: Out): Uint8Array
  decode(bytes: Buffer): In
}

/** As much of grpc-js's duplex streams as our code uses, on either side. */
export class SimDuplex<In, Out> extends EventEmitter {
  readonly #endpoint: Endpoint
  readonly #wire: Wire<In, Out>
  readonly #client: boolean
  /** Our code lowers how far grpc-js reads ahead here; there is nothing read ahead. */
  readonly _readableState = { highWaterMark: 16 }

  constructor(endpoint: Endpoint, wire: Wire<In, Out>, client: boolean) {
    super()
    this.#endpoint = endpoint
    this.#wire = wire
    this.#client = client
    // What nobody listens to is no failure of the program.
    this.on('error', () => {})
    endpoint.listener = {
      data: (bytes) => void this.emit('data', wire.decode(bytes)),
      ended: () => {
        if (this.#client) endpoint.closed = true
        this.emit('end')
      },
      broken: (reason) => {
        if (this.#client) this.emit('error', Object.assign(new Error(reason), { code: Status.UNAVAILABLE, details: reason }))
        else this.emit('cancelled')
        this.emit('close')
      },
    }
  }

  get destroyed(): boolean {
    return this.#endpoint.closed
  }

  write(message: Out): boolean {
    this.#endpoint.send([this.#wire.encode(message)])
    return true
  }

  end(): void {
    this.#endpoint.end()
  }

  cancel(): void {
    this.#endpoint.abort('cancelled')
  }

  pause(): void {
    this.#endpoint.pause()
  }

  resume(): void {
    this.#endpoint.resume()
  }

  getPeer(): string {
    return `${this.#endpoint.peer.ip}:40000`
  }
}

const nodeMessage = codec('NodeMessage')
const nameMessage = codec('NameMessage')

/** Where a datanode opens its stream to the namenode. */
export function simNodeChannel(network: Network, from: Machine, address: string): NodeChannel {
  return {
    open: () => openNodeStream(network.connect(from, address, '/quarry.v1.DatanodeSession/Session')),
    close: () => {},
  }
}

function openNodeStream(endpoint: Endpoint): NodeStream {
  const queue: NameMessage[] = []
  let failure: QuarryError | undefined
  let over = false
  let wake = () => {}
  const stop = (error?: QuarryError) => {
    failure ??= error
    over = true
    wake()
  }
  endpoint.listener = {
    data: (bytes) => {
      queue.push(nameMessage.decode(bytes))
      wake()
    },
    ended: () => stop(),
    broken: (reason) => stop(new QuarryError('UNAVAILABLE', `the namenode cannot be reached: ${reason}`)),
  }
  async function* messages(): AsyncGenerator<NameMessage, void, undefined> {
    for (;;) {
      const next = queue.shift()
      if (next !== undefined) yield next
      else if (failure !== undefined) throw failure
      else if (over) return
      else await new Promise<void>((resolve) => (wake = resolve))
    }
  }
  return {
    messages: messages(),
    get over() {
      return endpoint.closed
    },
    write: (message) => endpoint.send([nodeMessage.encode(message)]),
    end: () => endpoint.end(),
    cancel: () => {
      endpoint.abort('cancelled')
      stop(new QuarryError('CANCELLED', 'The call was cancelled.'))
    },
  }
}
