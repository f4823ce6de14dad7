// The client's end of the metadata stream: NamenodePort over one bidirectional gRPC call.
//
// A unary gRPC call costs ten times a message on an open stream, and a message costs more than the call inside it. So all
// calls of a client share one stream, and the calls of one turn of the event loop share one message.
//
// The stream may break; the calls survive it. Invariants:
//   M1  A call is in #pending from call() until its promise settles, and in #queue while it waits for its turn on the stream.
//   M2  A call that was on a broken stream is sent again with its id and retryCount + 1: the namenode's retry cache (clientId,
//       id) answers what it had decided already, so nothing is done twice.
//   M3  Every call settles: by its reply, its deadline, its signal, or the end of the session.
//   M4  A namenode that refuses (OVERLOADED, RETRY_LATER) is asked again after a pause of its own choice or a growing one, spread by
//       chance; each refusal for overload halves how many calls are sent at a time, each answer lets one in a few more be.
import type { ClientDuplexStream, Client, ServiceError } from '@grpc/grpc-js'
import { backoffMs } from '../../common/backoff.ts'
import { QuarryError, isErrorCode } from '../../common/errors.ts'
import type { ErrorDetails } from '../../common/errors.ts'
import type { Env, Random } from '../../common/env.ts'
import { callsInFlightMax, callsQueuedMax } from '../../common/limits.ts'
import { systemEnv } from '../../common/system-env.ts'
import { codec } from '../codec.ts'
import type { Init } from '../codec.ts'
import type { Call, CallOptions, Method, NamenodePort, Reply, ReplyOf, Request, Welcome, WireError } from '../ports.ts'
import { ReplyBatchReader } from '../reply-reader.ts'
import { protocolVersion } from '../version.ts'
import { openChannel } from './channel.ts'
import { errorOf } from './status.ts'

export interface ConnectNamenodeOptions {
  /** quarry://host:port */
  readonly uri: string
  readonly user: string
  /** Set by a proxy that acts for `user`. */
  readonly realUser?: string | undefined
  /** 16 bytes; default random. */
  readonly clientId?: Uint8Array | undefined
  readonly callerContext?: string | undefined
  readonly env?: Env | undefined
  /** Milliseconds to keep trying. Default: 10,000 for one that does not answer, while one that refuses the connection fails at once. */
  readonly connectTimeoutMs?: number | undefined
  /** Deadline of a call that names none; default 60,000. */
  readonly callTimeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** What streams are opened on; default a gRPC channel to `uri`. Closed with the session. */
  readonly channel?: MetadataChannel | undefined
}

/** The part of a gRPC client that a session uses; the simulated network has one too. */
export type MetadataChannel = Pick<Client, 'makeBidiStreamRequest' | 'close'>

const connectTimeoutDefaultMs = 10_000
const callTimeoutDefaultMs = 60_000
/** A namenode that restarts is back within a second or two; a crowd of clients should not all knock in the same millisecond. */
const reconnectBackoff = { baseMs: 50, maxMs: 2_000 }
/** The namenode asked for patience (RETRY_LATER, OVERLOADED). */
const busyBackoff = { baseMs: 100, maxMs: 5_000 }
/** Calls that an overloaded namenode is still sent at a time. */
const windowMin = 16
/** How exactly deadlines are kept: one timer looks over all calls. */
const sweepIntervalMs = 50
/** Calls in one message: keeps a message far below its limit and lets the server begin early. */
const batchCallsMax = 512

/** About three pages of a thousand entries: they and what becomes of them die young. */
const decodeAtOnceBytes = 128 * 1024

const callBatch = codec('CallBatch')
const path = '/quarry.v1.Namenode/Calls'
const identity = (bytes: Buffer): Buffer => bytes

type Stream = ClientDuplexStream<Buffer, Buffer>

/** Host and port of a quarry:// URI. Throws INVALID_ARGUMENT. */
export function parseQuarryUri(uri: string): { readonly address: string } {
  const match = /^quarry:\/\/(\[[0-9a-fA-F:.]+\]|[^\s/:@?#]+):(\d{1,5})\/*$/.exec(uri)
  if (!match || Number(match[2]) < 1 || Number(match[2]) > 65_535) {
    throw new QuarryError('INVALID_ARGUMENT', `'${uri}' is not the address of a cluster. It looks like quarry://127.0.0.1:8021.`, { uri })
  }
  return { address: `${match[1]}:${match[2]}` }
}

/** Resolves when the namenode has answered hello. See FileSystem.connect for the failures. */
export async function connectNamenode(options: ConnectNamenodeOptions): Promise<NamenodePort> {
  const session = new MetadataSession(options, parseQuarryUri(options.uri).address)
  await session.open()
  return session
}

interface PendingCall {
  id: number
  readonly method: Method
  readonly request: object
  retryCount: number
  /** Refusals of a busy namenode so far. */
  busy: number
  /** Pausing before it is sent again: neither on the stream nor in #queue. */
  pausing: boolean
  readonly deadlineAtMs: number
  readonly resolve: (reply: never) => void
  readonly reject: (error: QuarryError) => void
  readonly signal: AbortSignal | undefined
  readonly onAbort: (() => void) | undefined
}

type State =
  | { readonly kind: 'connecting'; readonly stream: Stream; readonly attempt: number; readonly last: QuarryError | undefined }
  | { readonly kind: 'serving'; readonly stream: Stream }
  | { readonly kind: 'waiting'; readonly cancel: () => void; readonly attempt: number; readonly last: QuarryError }
  | { readonly kind: 'closed'; readonly error: QuarryError }

/** The first connection: who waits for it, and when to give up. */
interface Opening {
  readonly resolve: () => void
  readonly reject: (error: QuarryError) => void
  readonly giveUpAtMs: number
}

class MetadataSession implements NamenodePort {
  readonly #options: ConnectNamenodeOptions
  readonly #address: string
  readonly #env: Env
  readonly #client: MetadataChannel
  readonly #clientId: Uint8Array
  readonly #callTimeoutMs: number
  readonly #pending = new Map<number, PendingCall>()
  #queue: PendingCall[] = []
  /** Messages of the present stream that were not read to their end. */
  #unread: ReplyBatchReader[] = []
  #inFlight = 0
  /** Calls that may be in flight. */
  #window = callsInFlightMax
  /** Refusals of calls that were sent before the window shrank do not shrink it again. */
  #shrunkAtId = 0
  #nextId = 1
  #state: State
  #opening: Opening | undefined
  #welcome: Welcome | undefined
  #flushScheduled = false
  #cancelSweep: (() => void) | undefined
  /** Timers of Env do not keep the process alive; calls that wait for a reconnect must. */
  #keepAlive: NodeJS.Timeout | undefined

  constructor(options: ConnectNamenodeOptions, address: string) {
    this.#options = options
    this.#address = address
    this.#env = options.env ?? systemEnv()
    this.#clientId = options.clientId ?? this.#env.random.bytes(16)
    this.#callTimeoutMs = options.callTimeoutMs ?? callTimeoutDefaultMs
    this.#client = options.channel ?? openChannel(address)
    this.#state = { kind: 'closed', error: new QuarryError('CLOSED', 'The session was not opened.') }
  }

  get poolId(): string {
    return this.#welcome?.poolId ?? ''
  }

  async open(): Promise<void> {
    const { signal } = this.#options
    const onAbort = (): void => this.#close(cancelled(signal))
    const timeoutMs = this.#options.connectTimeoutMs ?? connectTimeoutDefaultMs
    const stopTimer = this.#env.clock.after(timeoutMs, () => this.#giveUpOpening())
    try {
      if (signal?.aborted) throw cancelled(signal)
      signal?.addEventListener('abort', onAbort, { once: true })
      await new Promise<void>((resolve, reject) => {
        this.#opening = { resolve, reject, giveUpAtMs: this.#env.clock.monotonicMs() + timeoutMs }
        this.#connect(0)
      })
    } finally {
      stopTimer()
      signal?.removeEventListener('abort', onAbort)
    }
  }

  call<M extends Method>(method: M, request: Init<Request<M>>, options?: CallOptions): Promise<ReplyOf<M>> {
    return new Promise((resolve, reject) => {
      const signal = options?.signal
      if (this.#state.kind === 'closed') return reject(this.#state.error)
      if (signal?.aborted) return reject(cancelled(signal))
      if (this.#queue.length >= callsQueuedMax)
        return reject(
          new QuarryError('OVERLOADED', `More than ${callsQueuedMax} calls wait for the namenode. Await some before you make more.`),
        )
      const onAbort = signal && ((): void => this.#settle(pending.id)?.reject(cancelled(signal)))
      const pending: PendingCall = {
        id: this.#takeId(),
        method,
        request,
        retryCount: 0,
        busy: 0,
        pausing: false,
        signal,
        onAbort,
        reject,
        deadlineAtMs: this.#env.clock.monotonicMs() + (options?.deadlineMs ?? this.#callTimeoutMs),
        resolve: resolve as (reply: never) => void,
      }
      if (onAbort) signal.addEventListener('abort', onAbort, { once: true })
      this.#pending.set(pending.id, pending)
      this.#queue.push(pending)
      this.#cancelSweep ??= this.#env.clock.after(sweepIntervalMs, () => this.#sweep())
      this.#scheduleFlush()
    })
  }

  async close(): Promise<void> {
    this.#close(new QuarryError('CLOSED', 'This connection to the namenode was closed.'))
  }

  // --- the stream ---------------------------------------------------------------------------------------------------------

  #connect(attempt: number, last?: QuarryError): void {
    this.#keepAlive ??= setInterval(() => {}, 2 ** 30)
    const stream = this.#client.makeBidiStreamRequest(path, identity, identity)
    this.#state = { kind: 'connecting', stream, attempt, last }
    stream.on('data', (bytes: Buffer) => this.#received(stream, bytes))
    stream.on('error', (error: ServiceError) => this.#broken(stream, errorOf(error, `The namenode at ${this.#address}`)))
    stream.on('end', () => this.#broken(stream, new QuarryError('UNAVAILABLE', `The namenode at ${this.#address} ended the connection.`)))
    const { user, realUser = '', callerContext = '' } = this.#options
    stream.write(callBatch.encode({ hello: { protocol: protocolVersion, user, realUser, clientId: this.#clientId, callerContext } }))
  }

  #received(stream: Stream, bytes: Buffer): void {
    const state = this.#state
    if ((state.kind !== 'connecting' && state.kind !== 'serving') || state.stream !== stream) return
    this.#unread.push(new ReplyBatchReader(bytes))
    if (this.#unread.length === 1) this.#read()
  }

  /** Works off what arrived. After much data at once the callers get their turn before the rest is decoded. */
  #read(): void {
    let decoded = 0
    for (let batch = this.#unread[0]; batch !== undefined; batch = this.#unread[0]) {
      const state = this.#state
      if (state.kind !== 'connecting' && state.kind !== 'serving') return
      const from = batch.position
      let part
      try {
        part = batch.next()
      } catch (error) {
        state.stream.cancel()
        return this.#broken(state.stream, this.#stranger({ cause: error }))
      }
      if (part === undefined) {
        this.#unread.shift()
        continue
      }
      if (state.kind === 'connecting' && !this.#greeted(state.stream, part.kind === 'welcome' ? part.welcome : null)) return
      if (part.kind === 'reply') this.#replied(part.reply)
      decoded += batch.position - from
      if (decoded < decodeAtOnceBytes) continue
      setImmediate(() => this.#read())
      break
    }
    if (this.#queue.length > 0) this.#scheduleFlush()
  }

  /** Whether the server is one that this session can go on with. */
  #greeted(stream: Stream, welcome: Welcome | null): boolean {
    const refusal = this.#refusal(welcome)
    if (refusal) {
      stream.cancel()
      this.#broken(stream, refusal)
      return false
    }
    this.#welcome ??= welcome ?? undefined
    this.#state = { kind: 'serving', stream }
    clearInterval(this.#keepAlive)
    this.#keepAlive = undefined
    this.#opening?.resolve()
    this.#opening = undefined
    this.#scheduleFlush()
    return true
  }

  #stranger(options?: { cause: unknown }): QuarryError {
    return new QuarryError('VERSION', `What answers at ${this.#address} does not speak Quarry's protocol.`, {}, options)
  }

  #refusal(welcome: Welcome | null): QuarryError | undefined {
    if (welcome === null) return this.#stranger()
    if (welcome.refused) return wireError(welcome.refused)
    if (welcome.protocol !== protocolVersion) {
      return new QuarryError(
        'VERSION',
        `The namenode at ${this.#address} speaks version ${welcome.protocol} of the protocol, this program version ${protocolVersion}. Use the same release on both sides.`,
      )
    }
    if (this.#welcome && welcome.clusterId !== this.#welcome.clusterId) {
      return new QuarryError(
        'WRONG_CLUSTER',
        `Another cluster answers at ${this.#address} now: ${welcome.clusterId} instead of ${this.#welcome.clusterId}. Connect again.`,
      )
    }
    return undefined
  }

  /** The present stream is over. Decides whether another is tried. */
  #broken(stream: Stream, cause: QuarryError): void {
    const state = this.#state
    if ((state.kind !== 'connecting' && state.kind !== 'serving') || state.stream !== stream) return
    const attempt = state.kind === 'connecting' ? state.attempt + 1 : 0
    const error = this.#whyNoStream(cause)
    if (!isPassing(error) || (this.#opening && this.#isHopeless(error))) return this.#close(error)
    // M2. Map order is the order of the calls, so what was sent first goes first again.
    this.#inFlight = 0
    this.#unread = []
    const unsent = new Set(this.#queue)
    this.#queue = []
    for (const call of this.#pending.values()) {
      if (call.pausing) continue
      if (!unsent.has(call)) call.retryCount++
      this.#queue.push(call)
    }
    const waitMs = backoffMs(attempt, reconnectBackoff, this.#env.random)
    this.#keepAlive ??= setInterval(() => {}, 2 ** 30)
    const cancel = this.#env.clock.after(waitMs, () => this.#connect(attempt, error))
    this.#state = { kind: 'waiting', cancel, attempt, last: error }
    this.#env.log.debug('namenode.reconnect', { address: this.#address, attempt, waitMs, reason: error.message })
  }

  #whyNoStream(cause: QuarryError): QuarryError {
    if (cause.code === 'UNSUPPORTED')
      return new QuarryError('VERSION', `What answers at ${this.#address} is not a Quarry namenode.`, {}, { cause })
    if (cause.code === 'UNAVAILABLE' || cause.code === 'INTERNAL') {
      if (/protocol error|parse error|HPE_|NGHTTP2|ERR_HTTP2|HTTP status/i.test(cause.message)) {
        return new QuarryError(
          'VERSION',
          `What answers at ${this.#address} is not a Quarry namenode (${cause.message}). Check the port: the namenode's native one is meant.`,
          {},
          { cause },
        )
      }
      return this.#unreachable(cause)
    }
    return cause
  }

  #unreachable(cause: QuarryError): QuarryError {
    const refused = cause.message.includes('ECONNREFUSED')
    const reason = refused ? 'nobody listens there' : cause.message
    return new QuarryError(
      'UNAVAILABLE',
      `Cannot reach the namenode at ${this.#address}: ${reason}. Is the cluster up? \`quarry up\` starts one.`,
      { address: this.#address, refused },
      { cause },
    )
  }

  /** Whether waiting for the first connection makes no sense: nobody listens, and nobody asked for patience. */
  #isHopeless(error: QuarryError): boolean {
    if (this.#env.clock.monotonicMs() >= (this.#opening?.giveUpAtMs ?? 0)) return true
    if (this.#options.connectTimeoutMs !== undefined) return false
    return error.details['refused'] === true || /name resolution/i.test(error.message)
  }

  #giveUpOpening(): void {
    const state = this.#state
    if (!this.#opening) return
    // Why it was refused before says more than that the present attempt has not been answered yet.
    const last = state.kind === 'waiting' || state.kind === 'connecting' ? state.last : undefined
    this.#close(last ?? this.#unreachable(new QuarryError('UNAVAILABLE', 'it did not answer')))
  }

  #close(error: QuarryError): void {
    const state = this.#state
    if (state.kind === 'closed' && !this.#opening) return
    this.#state = { kind: 'closed', error }
    if (state.kind === 'waiting') state.cancel()
    if (state.kind === 'serving' || state.kind === 'connecting') state.stream.cancel()
    clearInterval(this.#keepAlive)
    this.#cancelSweep?.()
    this.#cancelSweep = undefined
    this.#opening?.reject(error)
    this.#opening = undefined
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(error)
    this.#queue = []
    this.#unread = []
    this.#client.close()
  }

  // --- calls --------------------------------------------------------------------------------------------------------------

  #takeId(): number {
    const id = this.#nextId
    // Ids are 32 bits on the wire. By the time they come round, the retry cache has long forgotten the old ones.
    this.#nextId = id >= 0xffff_ffff ? 1 : id + 1
    return id
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#state.kind !== 'serving') return
    this.#flushScheduled = true
    setImmediate(() => {
      this.#flushScheduled = false
      this.#flush()
    })
  }

  /** Sends what waits. No more than the window are out at a time, so the stream's own buffer stays small too. */
  #flush(): void {
    const state = this.#state
    if (state.kind !== 'serving') return
    let taken = 0
    while (taken < this.#queue.length && this.#inFlight < this.#window) {
      const calls: Init<Call>[] = []
      while (taken < this.#queue.length && calls.length < batchCallsMax && this.#inFlight < this.#window) {
        const call = this.#queue[taken++]!
        if (!this.#pending.has(call.id)) continue
        calls.push({ id: call.id, retryCount: call.retryCount, [call.method]: call.request })
        this.#inFlight++
      }
      if (calls.length > 0) this.#send(state.stream, calls)
    }
    if (taken >= this.#queue.length) this.#queue = []
    else this.#queue.splice(0, taken)
  }

  #send(stream: Stream, calls: readonly Init<Call>[]): void {
    try {
      stream.write(callBatch.encode({ calls }))
    } catch {
      // One holds what no message can, such as undefined for a number: it fails alone.
      for (const call of calls) {
        try {
          stream.write(callBatch.encode({ calls: [call] }))
        } catch (error) {
          this.#inFlight--
          const message = `The request cannot be sent, an argument of it is no value of its type: ${(error as Error).message}.`
          this.#settle(call.id!)?.reject(new QuarryError('INVALID_ARGUMENT', message, {}, { cause: error }))
        }
      }
    }
  }

  #replied(reply: Reply): void {
    this.#inFlight = Math.max(0, this.#inFlight - 1)
    const call = this.#pending.get(reply.id)
    if (!call) return
    if (reply.error) {
      const error = wireError(reply.error)
      if (error.code === 'OVERLOADED') this.#shrink(call)
      if ((error.code === 'RETRY_LATER' || error.code === 'OVERLOADED') && this.#tryLater(call, error)) return
      this.#settle(reply.id)?.reject(error)
      return
    }
    if (this.#window < callsInFlightMax) this.#window += 4 / this.#window
    const result = reply[call.method]
    this.#settle(reply.id)
    if (result === null) call.reject(new QuarryError('INTERNAL', `The namenode answered ${call.method} with something else.`))
    else call.resolve(result as never)
  }

  /** Whether the call waits and is made again: under a new id, because the namenode did nothing under the old one. */
  #tryLater(call: PendingCall, refusal: QuarryError): boolean {
    const waitMs = pauseMs(refusal, call.busy, this.#env.random)
    if (this.#env.clock.monotonicMs() + waitMs >= call.deadlineAtMs) return false
    this.#pending.delete(call.id)
    call.busy++
    call.id = this.#takeId()
    call.retryCount = 0
    call.pausing = true
    this.#pending.set(call.id, call)
    this.#env.clock.after(waitMs, () => {
      call.pausing = false
      if (!this.#pending.has(call.id)) return
      this.#queue.push(call)
      this.#scheduleFlush()
    })
    return true
  }

  #shrink(call: PendingCall): void {
    if (call.id < this.#shrunkAtId) return
    this.#shrunkAtId = this.#nextId
    this.#window = Math.max(windowMin, Math.min(this.#window, this.#inFlight) / 2)
  }

  /** Takes the call out: whoever gets it settles its promise. */
  #settle(id: number): PendingCall | undefined {
    const call = this.#pending.get(id)
    if (!call) return undefined
    this.#pending.delete(id)
    if (call.onAbort) call.signal?.removeEventListener('abort', call.onAbort)
    return call
  }

  #sweep(): void {
    this.#cancelSweep = undefined
    const nowMs = this.#env.clock.monotonicMs()
    for (const call of this.#pending.values()) {
      if (call.deadlineAtMs <= nowMs) this.#settle(call.id)?.reject(this.#late(call))
    }
    if (this.#pending.size > 0) this.#cancelSweep = this.#env.clock.after(sweepIntervalMs, () => this.#sweep())
  }

  #late(call: PendingCall): QuarryError {
    const state = this.#state
    if ((state.kind === 'waiting' || state.kind === 'connecting') && state.last) return state.last
    return new QuarryError('TIMEOUT', `The namenode at ${this.#address} did not answer ${call.method} in time.`, { method: call.method })
  }
}

/** Milliseconds before a refused call is made again: what the namenode asks for, or a pause that doubles; spread, so that callers part ways. */
function pauseMs(refusal: QuarryError, attempt: number, random: Random): number {
  const growing = backoffMs(attempt, busyBackoff, random)
  const asked = refusal.details['retryAfterMs']
  if (typeof asked !== 'number' || !(asked >= 0)) return growing
  return Math.max(Math.min(asked, busyBackoff.maxMs) * (1 + random.float()), attempt === 0 ? 0 : growing)
}

/** Failures of a connection after which another may succeed. */
function isPassing(error: QuarryError): boolean {
  switch (error.code) {
    case 'UNAVAILABLE':
    case 'TIMEOUT':
    case 'CANCELLED':
    case 'OVERLOADED':
    case 'RETRY_LATER':
    case 'SAFE_MODE':
    case 'INTERNAL':
      return true
    default:
      return false
  }
}

/** The error that a server sent. A code of a newer release is INTERNAL here. */
export function wireError({ code, message, detailsJson }: WireError): QuarryError {
  let details: ErrorDetails = {}
  try {
    if (detailsJson !== '') details = JSON.parse(detailsJson) as ErrorDetails
  } catch {
    details = { detailsJson }
  }
  return isErrorCode(code) ? new QuarryError(code, message, details) : new QuarryError('INTERNAL', `${code}: ${message}`, details)
}

function cancelled(signal: AbortSignal | undefined): QuarryError {
  return new QuarryError('CANCELLED', 'The call was given up by its caller.', {}, { cause: signal?.reason })
}
