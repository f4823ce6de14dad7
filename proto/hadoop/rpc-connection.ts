// One connection of a Hadoop client: preamble, who it is, then frames with calls, many in flight, answered in any order.
//
//   preamble -> (SASL, answered "no need") -> connection context -> service.open -> calls <-> replies
//
// Replies to everything that one turn of the event loop answers leave in one write. Bounds: a connection with too many calls
// unanswered, with replies that nobody takes, or that its service does not want to hear now, is not read from; what waits of an
// incomplete frame counts against all connections together; one that does not get on is closed (sweep).
import type { Socket } from 'node:net'
import protobuf from 'protobufjs/minimal.js'
import { QuarryError, toQuarryError } from '../../common/errors.ts'
import type { Logger } from '../../common/env.ts'
import { messageBytesMax } from '../../common/limits.ts'
import { ByteQueue } from './byte-queue.ts'
import { readDelimited, encodeHadoop } from './codec.ts'
import type { ConnectionContext, RpcRequestHeader } from './codec.ts'
import { encodeMessage, later } from './rpc-service.ts'
import type { MethodTable, PreparedMethod, RpcCall, RpcPeer, RpcService } from './rpc-service.ts'
import * as wire from './rpc-wire.ts'
import type { RpcFault } from './rpc-wire.ts'

/** Calls of one connection that may be unanswered before it is not read from: a Java process shares one among its threads. */
const inFlightMax = 1024
/** Replies that have grown to this size leave at once, in bytes, so that calls of a flood are not all answered into memory. */
const replyBytesMax = 256 * 1024
/** Replies up to this size are joined for one write: cheaper than a list of buffers. */
const joinedBytesMax = 64 * 1024
/** Incomplete frames of all connections together, in bytes; who then has more than a little waiting is closed. */
const heldBytesMax = 256 * 1024 * 1024
const heldFairBytes = 64 * 1024
/** Names and contexts that a client may send, in characters. */
const textMax = 4096
const clientIdBytesMax = 256
const preambleBytes = 7

/** What connections of one server share. */
export interface RpcHost<S> {
  readonly service: RpcService<S>
  readonly table: MethodTable<S>
  readonly log: Logger
  /** Bytes of incomplete frames. */
  held: number
  /** Calls `flush` of the connection when this turn of the event loop is over. */
  flushSoon(connection: RpcConnection<S>): void
  closed(connection: RpcConnection<S>): void
}

type Phase<S> =
  | { readonly kind: 'preamble' }
  | { readonly kind: 'greeting' }
  | { readonly kind: 'opening' }
  | { readonly kind: 'serving'; readonly session: S }
  /** Nothing is read any more; a last answer may be on its way. */
  | { readonly kind: 'closed' }

const noClientId = new Uint8Array(0)
const emptyTail = wire.successTail(noClientId)

export class RpcConnection<S> implements RpcPeer {
  readonly #socket: Socket
  readonly #host: RpcHost<S>
  readonly #remoteAddress: string
  readonly #queue = new ByteQueue()
  #phase: Phase<S> = { kind: 'preamble' }
  #inFlight = 0
  #paused = false
  #pumping = false
  #frames: Buffer[] = []
  #frameBytes = 0
  #flushScheduled = false
  #held = 0
  /** Looks since something came in, since the frame that waits began, since replies were taken. */
  #idleLooks = 0
  #partialLooks = 0
  #congestedLooks = 0
  #clientIdBytes: Uint8Array = noClientId
  #clientId = ''
  #tail: Buffer = emptyTail

  constructor(socket: Socket, host: RpcHost<S>) {
    this.#socket = socket
    this.#host = host
    this.#remoteAddress = plainAddress(socket.remoteAddress)
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#received(chunk))
    socket.on('drain', () => this.#drained())
    // As at HDFS: who says no more hears no more.
    socket.on('end', () => this.#end(undefined))
    socket.on('error', () => this.destroy())
    socket.on('close', () => this.destroy())
  }

  /** Serves calls, none of which is under way. */
  get isIdle(): boolean {
    return this.#inFlight === 0 && this.#queue.length === 0 && this.#frames.length === 0
  }

  /** For the service: it may want to hear the client again. */
  look(): void {
    if (this.#paused || this.#queue.length > 0) this.#pump()
  }

  /**
   * Called every few seconds. True when the connection should be closed: it has not said who it is, or sends a frame bit by bit, or
   * takes no replies, for `patience` looks; or, when there are many connections, has nothing to say for `idle` looks.
   */
  isStuck(patience: number, idle: number): boolean {
    if (this.#phase.kind === 'closed') return true
    const waiting = this.#phase.kind !== 'serving' && this.#phase.kind !== 'opening'
    const partial = this.#queue.length > 0 && !this.#paused
    this.#partialLooks = partial || waiting ? this.#partialLooks + 1 : 0
    this.#congestedLooks = this.#socket.writableNeedDrain ? this.#congestedLooks + 1 : 0
    this.#idleLooks = this.isIdle ? this.#idleLooks + 1 : 0
    return this.#partialLooks > patience || this.#congestedLooks > patience || this.#idleLooks > idle
  }

  /** Sends what is answered. */
  flush(): void {
    this.#flushScheduled = false
    if (this.#phase.kind === 'closed') return
    this.#write()
    if (!this.#pumping) this.#pauseIfNeeded()
  }

  #write(): void {
    const frames = this.#frames
    if (frames.length === 0 || this.#socket.destroyed) return
    const bytes = this.#frameBytes
    this.#frames = []
    this.#frameBytes = 0
    if (frames.length === 1) this.#socket.write(frames[0]!)
    else if (bytes <= joinedBytesMax) this.#socket.write(Buffer.concat(frames, bytes))
    else {
      this.#socket.cork()
      for (const frame of frames) this.#socket.write(frame)
      this.#socket.uncork()
    }
  }

  /** Ends the connection without a word. Idempotent. */
  destroy(): void {
    this.#leave()
    this.#socket.destroy()
    this.#host.closed(this)
  }

  // --- answers, for calls -----------------------------------------------------------------------------------------------------

  /** @internal */
  answer(frame: Buffer): void {
    this.#inFlight--
    if (this.#phase.kind === 'closed') return
    this.#send(frame)
    if (this.#paused && !this.#pumping) this.look()
  }

  #send(frame: Buffer): void {
    this.#frames.push(frame)
    this.#frameBytes += frame.length
    if (this.#frameBytes >= replyBytesMax) return this.flush()
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    this.#host.flushSoon(this)
  }

  // --- what comes in ----------------------------------------------------------------------------------------------------------

  #received(chunk: Buffer): void {
    const phase = this.#phase
    if (phase.kind === 'closed') return
    this.#idleLooks = 0
    this.#queue.push(chunk)
    if (phase.kind === 'serving') this.#host.service.arrived?.(phase.session)
    this.#pump()
  }

  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    try {
      while (!this.#mustWait() && this.#step()) this.#partialLooks = 0
    } finally {
      this.#pumping = false
    }
    this.#hold()
    this.#pauseIfNeeded()
  }

  /** Takes one thing out of the queue; false when it is not there as a whole. */
  #step(): boolean {
    switch (this.#phase.kind) {
      case 'preamble':
        return this.#preamble()
      case 'greeting':
      case 'serving': {
        if (this.#queue.length < 4) return false
        const length = this.#queue.peekInt32()
        if (length < 0 || length > messageBytesMax) {
          this.#refuse(
            wire.noCallId,
            wire.fatal(wire.detail.fatalHeader, `RPC request of ${length} bytes: at most ${messageBytesMax} are read`),
          )
          return false
        }
        if (this.#queue.length < 4 + length) return false
        this.#frame(this.#queue.take(4 + length)!)
        return true
      }
      case 'opening':
      case 'closed':
        return false
      default:
        this.#phase satisfies never
        return false
    }
  }

  #preamble(): boolean {
    const queue = this.#queue
    if (queue.length < 4) return this.#refuseOther(queue)
    const first = queue.peekInt32()
    if (first === wire.rpcMagic.readInt32BE(0)) {
      const bytes = queue.take(preambleBytes)
      if (bytes === undefined) return false
      const version = bytes[4]!
      const auth = bytes[6]!
      if (version !== wire.rpcVersion) {
        if (version > 8) this.#refuse(wire.noCallId, wire.wrongVersion(version))
        else this.#end(version >= 3 ? wire.wrongVersionOld(version) : undefined)
        return false
      }
      if (auth !== wire.authNone && auth !== wire.authSasl) {
        this.#refuse(wire.noCallId, wire.fatal(wire.detail.fatalHeader, `Unknown auth protocol: ${auth}`))
        return false
      }
      this.#phase = { kind: 'greeting' }
      return true
    }
    this.#end(first === httpGet ? wire.httpAnswer : undefined)
    return false
  }

  /** Less than four bytes: wait for more, unless they are the begin of nothing that is understood. */
  #refuseOther(queue: ByteQueue): boolean {
    const byte = queue.peekByte()
    if (byte !== -1 && byte !== wire.rpcMagic[0] && byte !== 'G'.charCodeAt(0)) this.#end(undefined)
    return false
  }

  #frame(bytes: Buffer): void {
    const reader = protobuf.Reader.create(bytes)
    reader.pos = 4
    let header: RpcRequestHeader
    try {
      header = readDelimited('RpcRequestHeader', reader)
    } catch (error) {
      return this.#refuse(wire.noCallId, wire.fatal(wire.detail.fatalHeader, toQuarryError(error).message))
    }
    const { callId } = header
    if (callId === wire.pingCallId) return
    const refusal = headerRefusal(header)
    if (refusal !== undefined) return this.#refuse(callId, refusal)
    const phase = this.#phase
    if (callId >= 0) {
      if (phase.kind === 'serving') return this.#call(header, reader, phase.session)
      return this.#refuse(callId, wire.fatal(wire.detail.fatalHeader, 'Connection context not established'))
    }
    if (callId === wire.contextCallId && phase.kind === 'greeting') return this.#context(header, reader)
    if (callId === wire.saslCallId && phase.kind === 'greeting') return this.#sasl(header)
    const message =
      callId === wire.contextCallId
        ? 'Connection context already processed'
        : callId === wire.saslCallId
          ? 'SASL protocol not requested by client'
          : `Unknown out of band call #${callId}`
    this.#refuse(callId, wire.fatal(wire.detail.fatalHeader, message))
  }

  /** A client that carries tokens asks for SASL even here: it is told that nothing needs to be negotiated. */
  #sasl(header: RpcRequestHeader): void {
    const reply = encodeHadoop('RpcSasl', { state: 0 })
    this.#send(wire.headerFrame(wire.saslCallId, header.retryCount ?? -1, header.clientId, undefined, reply))
  }

  #context(header: RpcRequestHeader, reader: protobuf.Reader): void {
    let context: ConnectionContext
    try {
      context = readDelimited('ConnectionContext', reader)
    } catch (error) {
      return this.#refuse(header.callId, wire.fatal(wire.detail.fatalRequest, toQuarryError(error).message))
    }
    const user = context.userInfo?.effectiveUser ?? ''
    const realUser = context.userInfo?.realUser ?? ''
    if (user === '') return this.#refuse(header.callId, wire.unauthorized('The client did not say who it is.'))
    if (user.length > textMax || realUser.length > textMax)
      return this.#refuse(header.callId, wire.unauthorized(`A user name has at most ${textMax} characters.`))
    this.#phase = { kind: 'opening' }
    const refuse = (error: unknown): void => this.#refuseCaller(toQuarryError(error))
    try {
      const opened = this.#host.service.open({ user, realUser, remoteAddress: this.#remoteAddress }, this)
      if (opened instanceof Promise) opened.then((session) => this.#serve(session), refuse)
      else this.#serve(opened)
    } catch (error) {
      refuse(error)
    }
  }

  #serve(session: S): void {
    if (this.#phase.kind !== 'opening') {
      // The client went away meanwhile.
      this.#host.service.close?.(session)
      return
    }
    this.#phase = { kind: 'serving', session }
    this.#pump()
  }

  #refuseCaller(error: QuarryError): void {
    if (this.#phase.kind === 'closed') return
    const isDenied = error.code === 'UNAUTHENTICATED' || error.code === 'NOT_AUTHORIZED'
    const fault: RpcFault = isDenied
      ? wire.unauthorized(error.message)
      : { ...wire.faultOf(error), status: wire.status.fatal, detail: wire.detail.fatalUnknown }
    this.#host.log.warn('rpc.refused', { peer: this.#remoteAddress, code: error.code, message: error.message })
    this.#refuse(wire.contextCallId, fault)
  }

  #call(header: RpcRequestHeader, reader: protobuf.Reader, session: S): void {
    if (header.clientId !== this.#clientIdBytes) this.#setClient(header.clientId)
    const call = new Call<S>(this, this.#host.log, session, header, this.#clientId, this.#tail)
    this.#inFlight++
    let method: PreparedMethod<S> | RpcFault
    let request: object
    try {
      method = this.#host.table.read(reader)
      if ('className' in method) return call.fault(method)
      request = method.request.decode(reader, reader.uint32())
    } catch (error) {
      return call.fault(wire.badRequest(`The request cannot be read: ${toQuarryError(error).message}`))
    }
    call.prepared = method
    let result: ReturnType<PreparedMethod<S>['handle']>
    try {
      result = method.handle(call, request)
    } catch (error) {
      return call.fail(error)
    }
    if (result === later) return
    if (result instanceof Promise) {
      result.then(
        (message) => call.reply(message),
        (error: unknown) => call.fail(error),
      )
    } else call.reply(result)
  }

  /** Clients keep their id: what depends on it is made when it changes. */
  #setClient(id: Uint8Array): void {
    const before = this.#clientIdBytes
    if (id.length === before.length && Buffer.compare(id, before) === 0) return
    this.#clientIdBytes = Buffer.from(id)
    this.#clientId = Buffer.from(id).toString('hex')
    this.#tail = wire.successTail(id)
  }

  // --- bounds and ends --------------------------------------------------------------------------------------------------------

  #mustWait(): boolean {
    const phase = this.#phase
    if (this.#inFlight >= inFlightMax || this.#socket.writableNeedDrain) return true
    return phase.kind === 'serving' && this.#host.service.mayRead?.(phase.session) === false
  }

  #pauseIfNeeded(): void {
    const kind = this.#phase.kind
    if (kind === 'closed') return
    const pause = kind === 'opening' || this.#mustWait()
    if (pause === this.#paused) return
    this.#paused = pause
    if (pause) this.#socket.pause()
    else this.#socket.resume()
  }

  /** Counts what waits here for the rest of its frame. */
  #hold(): void {
    const { length } = this.#queue
    const host = this.#host
    if (length === this.#held) return
    host.held += length - this.#held
    this.#held = length
    this.#queue.compact()
    if (host.held > heldBytesMax && length > heldFairBytes && !this.#paused) {
      this.#refuse(
        wire.noCallId,
        wire.fatal(wire.detail.fatalUnknown, 'Clients are sending more at a time than this server holds. Try again.'),
      )
    }
  }

  #drained(): void {
    this.#congestedLooks = 0
    this.look()
  }

  /** The last answer of the connection; what is in flight fails with it at the client. */
  #refuse(callId: number, fault: RpcFault): void {
    this.#end(wire.headerFrame(callId, -1, this.#clientIdBytes, fault))
  }

  #end(last: Buffer | undefined): void {
    if (this.#phase.kind === 'closed') return
    this.#write()
    this.#leave()
    // What the client still sends is read and dropped: unread bytes would make the close a reset, and the last answer lost.
    this.#socket.resume()
    if (last === undefined) this.#socket.end()
    else this.#socket.end(last)
  }

  #leave(): void {
    const phase = this.#phase
    if (phase.kind === 'closed') return
    this.#phase = { kind: 'closed' }
    this.#host.held -= this.#held
    this.#held = 0
    this.#queue.clear()
    this.#frames = []
    if (phase.kind === 'serving') this.#host.service.close?.(phase.session)
  }
}

class Call<S> implements RpcCall<S> {
  readonly session: S
  readonly callId: number
  readonly retryCount: number
  readonly clientId: string
  readonly callerContext: string
  prepared: PreparedMethod<S> | undefined
  readonly #connection: RpcConnection<S>
  readonly #log: Logger
  readonly #tail: Buffer
  readonly #clientIdBytes: Uint8Array
  #answered = false

  constructor(connection: RpcConnection<S>, log: Logger, session: S, header: RpcRequestHeader, clientId: string, tail: Buffer) {
    this.#connection = connection
    this.#log = log
    this.session = session
    this.callId = header.callId
    this.retryCount = header.retryCount ?? -1
    this.clientId = clientId
    this.callerContext = header.callerContext?.context.slice(0, textMax) ?? ''
    this.#clientIdBytes = header.clientId
    this.#tail = tail
  }

  get method(): string {
    return this.prepared?.name ?? ''
  }

  reply(message: object): void {
    let bytes: Uint8Array
    try {
      bytes = encodeMessage(this.prepared!.response, message)
    } catch (error) {
      return this.fail(error)
    }
    this.replyEncoded(bytes)
  }

  replyEncoded(message: Uint8Array): void {
    this.#answer(wire.successFrame(this.callId, this.retryCount, this.#tail, message))
  }

  fail(error: unknown): void {
    const failure = toQuarryError(error)
    if (failure.code === 'INTERNAL' && !(error instanceof QuarryError))
      this.#log.error('rpc.call.failed', {
        method: this.method,
        message: failure.message,
        stack: error instanceof Error ? error.stack : '',
      })
    this.fault(wire.faultOf(failure))
  }

  fault(fault: RpcFault): void {
    this.#answer(wire.headerFrame(this.callId, this.retryCount, this.#clientIdBytes, fault))
  }

  #answer(frame: Buffer): void {
    if (this.#answered) return
    this.#answered = true
    this.#connection.answer(frame)
  }
}

const httpGet = Buffer.from('GET ').readInt32BE(0)

function headerRefusal(header: RpcRequestHeader): RpcFault | undefined {
  const { rpcOp, rpcKind, clientId } = header
  if (rpcOp !== undefined && rpcOp !== 0)
    return wire.fatal(wire.detail.fatalHeader, `IPC Server does not implement rpc header operation ${rpcOp}`)
  if (header.callId >= 0 && rpcKind !== undefined && rpcKind !== 2)
    return wire.fatal(wire.detail.fatalHeader, `Unknown rpc kind in rpc header ${rpcKind}`)
  if (clientId.length > clientIdBytesMax)
    return wire.fatal(wire.detail.fatalHeader, `A client id has at most ${clientIdBytesMax} bytes, not ${clientId.length}.`)
  return undefined
}

/** IPv4 as such also where the socket is IPv6. */
const plainAddress = (address: string | undefined): string => (address ?? '').replace(/^::ffff:/, '')
