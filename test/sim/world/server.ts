// The server of a simulated process: takes what gRPC servers take, and serves it over the simulated network.
import type { serviceDefinition } from '../../../proto/codec.ts'
import { QuarryError } from '../../../common/errors.ts'
import type { BulkHandler } from '../../../proto/transport/bulk-server.ts'
import type { GrpcServer } from '../../../proto/transport/server.ts'
import { SimBulkStream } from './bulk.ts'
import { SimDuplex } from './duplex.ts'
import type { Machine } from './machine.ts'
import type { Endpoint, Network } from './network.ts'
import { statusOfError } from './status.ts'

type Method = ReturnType<typeof serviceDefinition>[string]
type UnaryHandler = (call: { request: unknown; getPeer(): string }, callback: (error: unknown, reply?: never) => void) => void

/** Serves from when it is made until the machine's process ends. */
export class SimServer implements GrpcServer {
  readonly #bulk = new Map<string, BulkHandler>()
  readonly #methods = new Map<string, { readonly method: Method; readonly handler: unknown }>()

  constructor(network: Network, machine: Machine) {
    network.listen(machine, (path, endpoint) => this.#accept(path, endpoint))
  }

  addBulk(path: string, handler: BulkHandler): void {
    this.#bulk.set(path, handler)
  }

  add(definition: ReturnType<typeof serviceDefinition>, handlers: Readonly<Record<string, unknown>>): void {
    for (const [name, method] of Object.entries(definition)) this.#methods.set(method.path, { method, handler: handlers[name] })
  }

  listen(_host: string, port: number): Promise<number> {
    return Promise.resolve(port)
  }

  async drain(): Promise<void> {}

  async close(): Promise<void> {}

  #accept(path: string, endpoint: Endpoint): void {
    const bulk = this.#bulk.get(path)
    if (bulk !== undefined) return serveBulk(bulk, endpoint)
    const known = this.#methods.get(path)
    if (known?.handler === undefined) return endpoint.end(statusOfError(new QuarryError('UNSUPPORTED', `nobody serves ${path}`)))
    const { method, handler } = known
    if (!method.requestStream) return serveUnary(method, handler as UnaryHandler, endpoint)
    const wire = { encode: method.responseSerialize as unknown as (message: unknown) => Uint8Array, decode: method.requestDeserialize }
    ;(handler as (stream: unknown) => void)(new SimDuplex(endpoint, wire, false))
  }
}

function serveBulk(handler: BulkHandler, endpoint: Endpoint): void {
  const call = new SimBulkStream(endpoint, { client: false })
  handler(call).then(
    () => call.endWith(''),
    (error: unknown) => call.endWith(statusOfError(error)),
  )
}

function serveUnary(method: Method, handler: UnaryHandler, endpoint: Endpoint): void {
  endpoint.listener = {
    data: (bytes) =>
      handler({ request: method.requestDeserialize(bytes), getPeer: () => `${endpoint.peer.ip}:40000` }, (error, reply) => {
        if (error === null || error === undefined) endpoint.send([method.responseSerialize(reply!)])
        endpoint.end(statusOfError(error))
      }),
    ended: () => {},
    broken: () => {},
  }
}
