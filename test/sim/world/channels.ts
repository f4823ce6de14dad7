// The client's ends: how simulated processes reach the namenode and datanodes.
import { QuarryError } from '../../../common/errors.ts'
import type { Clock } from '../../../common/env.ts'
import { DatanodeClients } from '../../../proto/transport/datanode-client.ts'
import type { DatanodeTransport } from '../../../proto/transport/datanode-client.ts'
import type { MetadataChannel } from '../../../proto/transport/metadata-session.ts'
import { SimBulkStream } from './bulk.ts'
import { SimDuplex } from './duplex.ts'
import type { Machine } from './machine.ts'
import type { Network } from './network.ts'
import { errorOfStatus } from './status.ts'

/** `from` is the machine whose process calls, `clock` that process's. */
export function simDatanodeClients(network: Network, from: Machine, clock: Clock): DatanodeClients {
  return new DatanodeClients((address) => datanodeTransport(network, from, clock, address))
}

function datanodeTransport(network: Network, from: Machine, clock: Clock, address: string): DatanodeTransport {
  const open = new Set<SimBulkStream>()
  return {
    open(path, { signal, readAhead }) {
      const call = new SimBulkStream(network.connect(from, address, path), { client: true, readAhead })
      if (signal?.aborted) queueMicrotask(() => call.cancel())
      else signal?.addEventListener('abort', () => call.cancel(), { once: true })
      open.add(call)
      for (const one of open) if (one.closed) open.delete(one)
      return call
    },
    call: (path, request, options) => callOnce(network, from, clock, { address, path, request, ...options }),
    close() {
      for (const call of open) call.cancel()
    },
  }
}

interface Request {
  readonly address: string
  readonly path: string
  readonly request: Buffer
  readonly deadlineMs: number
  readonly signal?: AbortSignal | undefined
}

function callOnce(network: Network, from: Machine, clock: Clock, { address, path, request, deadlineMs, signal }: Request): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const endpoint = network.connect(from, address, path)
    const give = (error: QuarryError) => {
      stop()
      endpoint.abort('cancelled')
      reject(error)
    }
    const stop = clock.after(deadlineMs, () => give(new QuarryError('TIMEOUT', `datanode ${address} did not answer in time`)))
    signal?.addEventListener('abort', () => give(new QuarryError('CANCELLED', 'The call was cancelled.')), { once: true })
    let reply: Buffer | undefined
    endpoint.listener = {
      data: (bytes) => (reply = bytes),
      ended: (status) => {
        stop()
        const error = errorOfStatus(status)
        if (error === undefined && reply !== undefined) resolve(reply)
        else reject(error ?? new QuarryError('INTERNAL', `datanode ${address} ended a call without an answer`))
      },
      broken: (reason) => {
        stop()
        reject(new QuarryError('UNAVAILABLE', `datanode ${address} cannot be reached: ${reason}`))
      },
    }
    endpoint.send([request])
  })
}

const same = (bytes: Buffer): Buffer => bytes

/** What a metadata session opens its streams on. */
export function simMetadataChannel(network: Network, from: Machine, address: string): MetadataChannel {
  return {
    makeBidiStreamRequest: (path: string) => new SimDuplex(network.connect(from, address, path), { encode: same, decode: same }, true),
    close: () => {},
  } as unknown as MetadataChannel
}
