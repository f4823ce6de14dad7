// What a server of Hadoop's RPC offers: protocols with their methods, as a table, and who may call.
import protobuf from 'protobufjs/minimal.js'
import { hadoopType } from './codec.ts'
import type { HadoopInit, HadoopMessage } from './codec.ts'
import type { MessageType } from '../codec.ts'
import type { MessageTypes, RequestHeader } from './gen/messages.ts'
import { noSuchMethod, noSuchProtocol } from './rpc-wire.ts'
import type { RpcFault } from './rpc-wire.ts'

/** What a handler answers that calls `reply` or `fail` of the call by itself, now or later, exactly once. */
export const later = Symbol('later')

/** One call of a client. What is answered after the connection is gone, or twice, is dropped. */
export interface RpcCall<S> {
  /** What `open` of the service made for the connection. */
  readonly session: S
  readonly method: string
  readonly callId: number
  /** Above 0 when the client sends the call again; below when it does not say. */
  readonly retryCount: number
  /** 16 bytes as hex, the same after a reconnect; '' when the client gave none. */
  readonly clientId: string
  readonly callerContext: string
  reply(message: object): void
  /** The bytes of the reply's message, which are copied at once: for what is encoded by hand, or once and sent often. */
  replyEncoded(message: Uint8Array): void
  /** Anything thrown: a QuarryError goes out as its Java class, everything else as INTERNAL. */
  fail(error: unknown): void
  /** An answer whose Java class is not one of an error code. */
  fault(fault: RpcFault): void
}

export interface RpcMethod<S> {
  readonly request: HadoopMessage
  readonly response: HadoopMessage
  /** Throws, or rejects, with what the caller is to be told. */
  handle(call: RpcCall<S>, request: never): object | Promise<object> | typeof later
}

export type RpcMethods<S> = Readonly<Record<string, RpcMethod<S>>>

/** A row of a table of methods, its messages checked against each other. */
export function rpcMethod<S, Q extends HadoopMessage, R extends HadoopMessage>(
  request: Q,
  response: R,
  handle: (call: RpcCall<S>, request: MessageTypes[Q]) => HadoopInit<MessageTypes[R]> | Promise<HadoopInit<MessageTypes[R]>> | typeof later,
): RpcMethod<S> {
  return { request, response, handle: handle as RpcMethod<S>['handle'] }
}

/** Who a connection says it is. */
export interface RpcCaller {
  /** Whom calls act for. */
  readonly user: string
  /** Set when another user acts for `user`. */
  readonly realUser: string
  /** Without a port. */
  readonly remoteAddress: string
}

/** The connection as its session sees it. */
export interface RpcPeer {
  /** `mayRead` may have changed its mind. */
  look(): void
}

export interface RpcService<S> {
  /** By the name that calls carry, such as org.apache.hadoop.hdfs.protocol.ClientProtocol. */
  readonly protocols: Readonly<Record<string, { readonly methods: RpcMethods<S> }>>
  /**
   * A connection has said who it is; calls wait until this resolves. A QuarryError that is thrown refuses the connection:
   * UNAUTHENTICATED and NOT_AUTHORIZED as Hadoop's authorization failure, others by their class.
   */
  open(caller: RpcCaller, peer: RpcPeer): S | Promise<S>
  /** Once for each session that `open` made. */
  close?(session: S): void
  /** Bytes have come in. */
  arrived?(session: S): void
  /** False: nothing is read until the peer is told to look again. */
  mayRead?(session: S): boolean
}

/** A method with its codecs looked up. */
export interface PreparedMethod<S> {
  readonly name: string
  readonly request: MessageType
  readonly response: MessageType
  readonly handle: (call: RpcCall<S>, request: object) => object | Promise<object> | typeof later
}

/** Headers of requests that are remembered: every method of every protocol in a few versions of clients. */
const headersMax = 2048
/** Longer ones name nothing that exists. */
const headerBytesMax = 512

export class MethodTable<S> {
  readonly #protocols = new Map<string, ReadonlyMap<string, PreparedMethod<S>>>()
  /** By the bytes of the whole header: clients send the same few again and again. */
  readonly #headers = new Map<string, PreparedMethod<S>>()

  constructor(protocols: RpcService<S>['protocols']) {
    for (const [protocol, { methods }] of Object.entries(protocols)) {
      const prepared = Object.entries(methods).map(([name, method]): [string, PreparedMethod<S>] => [
        name,
        {
          name,
          request: hadoopType(method.request),
          response: hadoopType(method.response),
          handle: method.handle.bind(method) as PreparedMethod<S>['handle'],
        },
      ])
      this.#protocols.set(protocol, new Map(prepared))
    }
  }

  /** Reads the header that names the method, and moves the reader past it. Throws for what is no header. */
  read(reader: protobuf.Reader): PreparedMethod<S> | RpcFault {
    const length = reader.uint32()
    const start = reader.pos
    if (length > headerBytesMax || start + length > reader.len) throw new RangeError('the header of the request is too long')
    const key = (reader.buf as Buffer).toString('latin1', start, start + length)
    const known = this.#headers.get(key)
    if (known !== undefined) {
      reader.pos = start + length
      return known
    }
    const header = hadoopType('RequestHeader').decode(reader, length) as RequestHeader
    const methods = this.#protocols.get(header.protocol)
    if (methods === undefined) return noSuchProtocol(header.protocol)
    const method = methods.get(header.methodName)
    if (method === undefined) return noSuchMethod(header.methodName, header.protocol)
    if (this.#headers.size < headersMax) this.#headers.set(key, method)
    return method
  }
}

export function encodeMessage(type: MessageType, message: object): Uint8Array {
  return type.encode(message, protobuf.Writer.create()).finish()
}
