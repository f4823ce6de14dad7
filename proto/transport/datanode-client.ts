// The data plane as its callers see it: clients write and read blocks, datanodes forward and copy them. Failures are
// QuarryErrors.
//
// Two connections for each datanode, shared by all streams to it: one that carries bulk up, one that carries bulk down. They must
// not be one: Node's http2 stops reading from a connection while its own write there waits, so with bulk both ways each end waits
// for the other to read, for ever. (node_http2.cc, OnDataChunkReceived: "receive paused" while a write is in progress.)
//
// Memory of one stream here: the http2 window (streamWindowBytes) at most, two messages ahead of the consumer, and two outgoing
// messages.
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import type { CallOptions as GrpcCallOptions } from '@grpc/grpc-js'
import { QuarryError } from '../../common/errors.ts'
import { messageBytesMax } from '../../common/limits.ts'
import { codec } from '../codec.ts'
import type { Init } from '../codec.ts'
import type {
  BlockChecksumReply,
  BlockChecksumRequest,
  DatanodeId,
  FinishReplicaRecoveryReply,
  FinishReplicaRecoveryRequest,
  InitReplicaRecoveryReply,
  InitReplicaRecoveryRequest,
  Packet,
  ReadFrame,
  ReadRequest,
  ReplicaInfoReply,
  ReplicaInfoRequest,
  TransferReply,
  TransferRequest,
  WriteHeader,
  WriteReply,
} from '../gen/messages.ts'
import { BulkConnection } from './bulk-client.ts'
import { joined } from './bulk-stream.ts'
import type { BulkStream, Message } from './bulk-stream.ts'
import { decodeReadFrame, encodeWriteHeader, packetFrame } from './packet-codec.ts'
import type { Received } from './packet-codec.ts'
import { errorOf } from './status.ts'

export interface DatanodeCallOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds a call without a stream may take; default 60,000. */
  readonly deadlineMs?: number | undefined
}

/** A block being written. `replies` must be read: the setup reply, then an ack for every packet, in order. */
export interface WriteStream {
  /** Sends a packet; resolves when there is room for the next. The packet's bytes must not change until it is acknowledged. */
  send(packet: Init<Packet>): Promise<void>
  /** Hands on a frame as it was received, in pieces. */
  forward(frame: { readonly parts: readonly Uint8Array[] }): Promise<void>
  /** No more packets. */
  end(): void
  /** Gives the call up; `replies` ends with CANCELLED. Idempotent. */
  cancel(): void
  readonly replies: AsyncIterable<WriteReply>
}

export interface DatanodeClient {
  writeBlock(header: Init<WriteHeader>, options?: DatanodeCallOptions): WriteStream
  /** Ending the iteration cancels the call. Each frame's byte fields are views of a message that nobody else holds. */
  readBlock(request: Init<ReadRequest>, options?: DatanodeCallOptions): AsyncIterable<Received<ReadFrame>>
  replicaInfo(request: Init<ReplicaInfoRequest>, options?: DatanodeCallOptions): Promise<ReplicaInfoReply>
  blockChecksum(request: Init<BlockChecksumRequest>, options?: DatanodeCallOptions): Promise<BlockChecksumReply>
  transferBlock(request: Init<TransferRequest>, options?: DatanodeCallOptions): Promise<TransferReply>
  initReplicaRecovery(request: Init<InitReplicaRecoveryRequest>, options?: DatanodeCallOptions): Promise<InitReplicaRecoveryReply>
  finishReplicaRecovery(request: Init<FinishReplicaRecoveryRequest>, options?: DatanodeCallOptions): Promise<FinishReplicaRecoveryReply>
}

/** The datanodes that somebody may talk to: DatanodeClients, or those of a test or a simulation. */
export interface DatanodeSource {
  /** Throws CLOSED when the connections are closed. */
  get(node: Pick<DatanodeId, 'ip' | 'grpcPort'>): DatanodeClient
}

const unaryDeadlineMs = 60_000
const identity = (bytes: Buffer): Buffer => bytes

const channelOptions = {
  'grpc.max_receive_message_length': messageBytesMax,
  'grpc.max_send_message_length': messageBytesMax,
  'grpc.enable_http_proxy': 0,
  // A call that failed is decided on by the pipeline or the reader, which know what was acknowledged.
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.service_config_disable_resolution': 1,
} as const

/** How calls reach one datanode: over gRPC, or over the simulated network of the tests. */
export interface DatanodeTransport {
  /** Starts a streaming call; `bulk` is the way that most bytes go. That it could not be started is told by its first read. */
  open(
    path: string,
    options: { readonly bulk: 'up' | 'down'; readonly signal?: AbortSignal | undefined; readonly readAhead?: number },
  ): BulkStream
  /** A call that answers once. Rejects with a QuarryError. */
  call(path: string, request: Buffer, options: { readonly signal?: AbortSignal | undefined; readonly deadlineMs: number }): Promise<Buffer>
  close(): void
}

/** The datanodes this process talks to; connections are made when first used. */
export class DatanodeClients implements DatanodeSource {
  readonly #clients = new Map<string, RemoteDatanode>()
  readonly #connect: (address: string) => DatanodeTransport
  #closed = false

  /** `connect` is given host:port. */
  constructor(connect: (address: string) => DatanodeTransport = (address) => new GrpcTransport(address)) {
    this.#connect = connect
  }

  get(node: Pick<DatanodeId, 'ip' | 'grpcPort'>): DatanodeClient {
    if (this.#closed) throw new QuarryError('CLOSED', 'The connections to the datanodes are closed.')
    const address = `${node.ip}:${node.grpcPort}`
    let client = this.#clients.get(address)
    if (client === undefined) {
      client = new RemoteDatanode(this.#connect(address))
      this.#clients.set(address, client)
    }
    return client
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const client of this.#clients.values()) client.close()
    this.#clients.clear()
  }
}

const service = '/quarry.v1.Datanode/'
/** Replies are small: a writer that is busy sending may leave many unread. */
const repliesAhead = 64
const writeReply = codec('WriteReply')
const readRequest = codec('ReadRequest')
const unary = {
  replicaInfo: { path: `${service}ReplicaInfo`, request: codec('ReplicaInfoRequest'), reply: codec('ReplicaInfoReply') },
  blockChecksum: { path: `${service}BlockChecksum`, request: codec('BlockChecksumRequest'), reply: codec('BlockChecksumReply') },
  transferBlock: { path: `${service}TransferBlock`, request: codec('TransferRequest'), reply: codec('TransferReply') },
  initReplicaRecovery: {
    path: `${service}InitReplicaRecovery`,
    request: codec('InitReplicaRecoveryRequest'),
    reply: codec('InitReplicaRecoveryReply'),
  },
  finishReplicaRecovery: {
    path: `${service}FinishReplicaRecovery`,
    request: codec('FinishReplicaRecoveryRequest'),
    reply: codec('FinishReplicaRecoveryReply'),
  },
}

class RemoteDatanode implements DatanodeClient {
  readonly #transport: DatanodeTransport

  constructor(transport: DatanodeTransport) {
    this.#transport = transport
  }

  writeBlock(header: Init<WriteHeader>, options: DatanodeCallOptions = {}): WriteStream {
    const call = this.#transport.open(`${service}WriteBlock`, { bulk: 'up', signal: options.signal, readAhead: repliesAhead })
    call.send([encodeWriteHeader(header)]).catch(() => {
      // The failure reaches the caller through `replies`.
    })
    return {
      send: (packet) => call.send(packetFrame(packet)),
      forward: (frame) => call.send(frame.parts),
      end: () => call.end(),
      cancel: () => call.cancel(),
      replies: decoded(call, (message) => writeReply.decode(joined(message))),
    }
  }

  readBlock(request: Init<ReadRequest>, options: DatanodeCallOptions = {}): AsyncIterable<Received<ReadFrame>> {
    const call = this.#transport.open(`${service}ReadBlock`, { bulk: 'down', signal: options.signal })
    call.send([readRequest.encode(request)]).catch(() => {
      // The failure reaches the caller through the frames.
    })
    call.end()
    return decoded(call, (message) => decodeReadFrame(joined(message)))
  }

  replicaInfo(request: Init<ReplicaInfoRequest>, options?: DatanodeCallOptions): Promise<ReplicaInfoReply> {
    return this.#unary(unary.replicaInfo, request, options)
  }

  blockChecksum(request: Init<BlockChecksumRequest>, options?: DatanodeCallOptions): Promise<BlockChecksumReply> {
    return this.#unary(unary.blockChecksum, request, options)
  }

  transferBlock(request: Init<TransferRequest>, options?: DatanodeCallOptions): Promise<TransferReply> {
    return this.#unary(unary.transferBlock, request, options)
  }

  initReplicaRecovery(request: Init<InitReplicaRecoveryRequest>, options?: DatanodeCallOptions): Promise<InitReplicaRecoveryReply> {
    return this.#unary(unary.initReplicaRecovery, request, options)
  }

  finishReplicaRecovery(request: Init<FinishReplicaRecoveryRequest>, options?: DatanodeCallOptions): Promise<FinishReplicaRecoveryReply> {
    return this.#unary(unary.finishReplicaRecovery, request, options)
  }

  close(): void {
    this.#transport.close()
  }

  async #unary<Q, R>(
    method: { path: string; request: { encode(message: Q): Buffer }; reply: { decode(bytes: Buffer): R } },
    request: Q,
    options: DatanodeCallOptions = {},
  ): Promise<R> {
    const { signal, deadlineMs = unaryDeadlineMs } = options
    return method.reply.decode(await this.#transport.call(method.path, method.request.encode(request), { signal, deadlineMs }))
  }
}

class GrpcTransport implements DatanodeTransport {
  /** Carries bulk to the datanode. */
  readonly #up: BulkConnection
  /** Carries bulk from the datanode. */
  readonly #down: BulkConnection
  /** Calls that answer once. */
  readonly #calls: Client
  readonly #peer: string

  constructor(address: string) {
    this.#peer = `datanode ${address}`
    this.#up = new BulkConnection(address, this.#peer)
    this.#down = new BulkConnection(address, this.#peer)
    this.#calls = new Client(address, credentials.createInsecure(), channelOptions)
  }

  open(path: string, { bulk, ...options }: { bulk: 'up' | 'down'; signal?: AbortSignal | undefined; readAhead?: number }): BulkStream {
    return (bulk === 'up' ? this.#up : this.#down).open(path, options)
  }

  call(path: string, request: Buffer, options: { signal?: AbortSignal | undefined; deadlineMs: number }): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const limits: GrpcCallOptions = { deadline: Date.now() + options.deadlineMs }
      const call = this.#calls.makeUnaryRequest(path, identity, identity, request, new Metadata(), limits, (error, reply) => {
        release()
        if (error) reject(errorOf(error, this.#peer))
        else resolve(reply!)
      })
      const release = cancelOn(options.signal, call)
    })
  }

  close(): void {
    this.#up.close()
    this.#down.close()
    this.#calls.close()
  }
}

/** The messages of a call, decoded when asked for. */
function decoded<T>(call: BulkStream, decode: (message: Message) => T): AsyncIterableIterator<T> {
  return {
    async next() {
      const next = await call.next()
      if (next.done) return { done: true, value: undefined }
      try {
        return { done: false, value: decode(next.value as Message) }
      } catch (error) {
        call.cancel()
        throw error
      }
    },
    async return() {
      await call.return()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

/** Cancels the call when the signal fires; the answer stops listening to the signal. */
function cancelOn(signal: AbortSignal | undefined, call: { cancel(): void }): () => void {
  if (signal === undefined) return () => {}
  const cancel = () => call.cancel()
  if (signal.aborted) queueMicrotask(cancel)
  else signal.addEventListener('abort', cancel, { once: true })
  return () => signal.removeEventListener('abort', cancel)
}
