// The native door for clients: Namenode.Calls, one bidirectional stream a client.
//
//   hello -> (groups of the user looked up) -> welcome -> batches of calls <-> batches of replies
//
// A message costs more than the call inside it (some 28 us in grpc-js), so all replies of one turn of the event loop leave in
// one message. Nothing on the way of a call makes a promise. Bounds: a client with callsInFlightMax calls unanswered, one that has
// had its turn for now (admission.ts), or whose replies pile up unread, is not read from until it has caught up.
import type { ServerDuplexStream } from '@grpc/grpc-js'
import { assert } from '../../common/assert.ts'
import { QuarryError, toQuarryError } from '../../common/errors.ts'
import type { Logger } from '../../common/env.ts'
import { callsInFlightMax } from '../../common/limits.ts'
import { serviceDefinition } from '../../proto/codec.ts'
import type { Call, CallBatch, CallContext, Command, Hello } from '../../proto/ports.ts'
import { ReplyBatchEncoder } from '../../proto/reply-batch.ts'
import { protocolVersion } from '../../proto/version.ts'
import { hostOf } from '../core/cluster/placement.ts'
import type { Patron } from './admission.ts'
import type { Front } from './front.ts'

/** A message of replies that has grown to this size leaves at once: keeps messages far below their limit. */
const replyBytesMax = 512 * 1024
/** Names of users and contexts that a client may send, in characters. */
const helloTextMax = 1024
const clientIdBytes = 16

type Stream = ServerDuplexStream<CallBatch, Buffer>

export interface Door {
  readonly definition: ReturnType<typeof serviceDefinition>
  readonly handlers: Readonly<Record<string, unknown>>
}

export function clientDoor(front: Front, log: Logger): Door {
  const definition = serviceDefinition('Namenode')
  const calls = definition['calls']!
  return {
    definition: { ...definition, calls: { ...calls, responseSerialize: (bytes: Buffer) => bytes } },
    handlers: { calls: (stream: Stream) => new ClientSession(stream, front, log) },
  }
}

/** Calls of one session share everything but the ids. */
type SharedContext = Omit<CallContext, 'callId' | 'retryCount' | 'groups'>

type Phase =
  | { readonly kind: 'greeting' }
  | { readonly kind: 'looking-up'; readonly early: Call[] }
  | { readonly kind: 'serving'; readonly shared: SharedContext; readonly patron: Patron }
  | { readonly kind: 'closed' }

class ClientSession {
  readonly #stream: Stream
  readonly #front: Front
  readonly #log: Logger
  readonly #replies = new ReplyBatchEncoder()
  #phase: Phase = { kind: 'greeting' }
  #inFlight = 0
  #flushing = false
  /** The stream's own buffer is full. */
  #congested = false
  #paused = false
  /** The client sends no more calls. */
  #ending = false

  constructor(stream: Stream, front: Front, log: Logger) {
    this.#stream = stream
    this.#front = front
    this.#log = log
    front.counters.sessions++
    readOneAhead(stream)
    stream.on('data', (batch: CallBatch) => this.#received(batch))
    stream.on('drain', () => this.#drained())
    // The client has said all it will; what is under way is still answered.
    stream.on('end', () => this.#ended())
    stream.on('cancelled', () => this.#close())
    stream.on('error', () => this.#close())
    stream.on('close', () => this.#close())
    const crowded = front.crowded()
    if (crowded) this.#refuse(crowded)
  }

  #received(batch: CallBatch): void {
    const phase = this.#phase
    switch (phase.kind) {
      case 'serving':
        this.#front.admission.arrived(phase.patron)
        return this.#run(batch.calls, phase.shared, phase.patron)
      case 'greeting':
        if (!batch.hello) return this.#refuse(new QuarryError('VERSION', 'The first message on this stream must be a hello.'))
        this.#greet(batch.hello, batch.calls)
        return
      case 'looking-up':
        phase.early.push(...batch.calls)
        return
      case 'closed':
        return
      default:
        phase satisfies never
    }
  }

  #greet(hello: Hello, early: readonly Call[]): void {
    const refusal = helloRefusal(hello)
    if (refusal) return this.#refuse(refusal)
    const wait = this.#front.prepare(hello.user)
    if (!wait) return this.#serve(hello, early)
    const phase: Phase = { kind: 'looking-up', early: [...early] }
    this.#phase = phase
    this.#pauseIfNeeded()
    void wait.then(() => {
      if (this.#phase === phase) this.#serve(hello, phase.early)
    })
  }

  #serve(hello: Hello, early: readonly Call[]): void {
    const remoteAddress = hostOf(this.#stream.getPeer())
    try {
      this.#front.authorize(hello.realUser, hello.user, remoteAddress)
    } catch (error) {
      return this.#refuse(toQuarryError(error))
    }
    const shared: SharedContext = {
      user: hello.user,
      realUser: hello.realUser,
      remoteAddress,
      clientId: Buffer.from(hello.clientId).toString('hex'),
      callerContext: hello.callerContext,
    }
    const patron = this.#front.admission.open(hello.user, () => this.#pauseIfNeeded())
    this.#phase = { kind: 'serving', shared, patron }
    this.#replies.welcome({ protocol: protocolVersion, clusterId: this.#front.clusterId, poolId: this.#front.poolId })
    this.#flush()
    this.#run(early, shared, patron)
    this.#pauseIfNeeded()
  }

  #refuse(error: QuarryError): void {
    if (this.#phase.kind === 'closed') return
    this.#replies.welcome({ protocol: protocolVersion, refused: { code: error.code, message: error.message } })
    this.#flush()
    this.#log.warn('client.refused', { peer: this.#stream.getPeer(), code: error.code, message: error.message })
    this.#close()
    this.#stream.end()
  }

  #run(calls: readonly Call[], shared: SharedContext, patron: Patron): void {
    const groups = this.#front.groups.current(shared.user)
    for (const call of calls) this.#call(call, shared, groups, patron)
    this.#pauseIfNeeded()
  }

  #call(call: Call, shared: SharedContext, groups: readonly string[], patron: Patron): void {
    const { id, op: method } = call
    if (method === undefined) {
      this.#replies.error(id, new QuarryError('UNSUPPORTED', 'This namenode does not know the call. Is the client of a newer release?'))
      return this.#scheduleFlush()
    }
    const context: CallContext = {
      user: shared.user,
      realUser: shared.realUser,
      groups,
      remoteAddress: shared.remoteAddress,
      clientId: shared.clientId,
      callId: id,
      retryCount: call.retryCount,
      callerContext: shared.callerContext,
    }
    this.#inFlight++
    const done = (error: QuarryError | undefined, reply: object): void => {
      this.#inFlight--
      if (this.#phase.kind === 'closed') return
      try {
        if (error === undefined) this.#replies.reply(id, method, reply)
        else this.#replies.error(id, error)
      } catch (failure) {
        this.#breakOff(failure)
        return
      }
      if (this.#replies.bytes >= replyBytesMax) this.#flush()
      else this.#scheduleFlush()
    }
    this.#front.call(context, { method, request: call[method] } as Command, done, patron)
  }

  /** Replies to everything this turn reads or commits leave together. */
  #scheduleFlush(): void {
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => {
      this.#flushing = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#phase.kind === 'closed') return
    if (this.#replies.bytes > 0 && !this.#stream.write(this.#replies.finish())) this.#congested = true
    if (this.#ending && this.#inFlight === 0) {
      this.#close()
      this.#stream.end()
    } else this.#pauseIfNeeded()
  }

  #drained(): void {
    this.#congested = false
    this.#pauseIfNeeded()
  }

  #pauseIfNeeded(): void {
    const phase = this.#phase
    const mustWait = phase.kind === 'serving' && (phase.patron.isOver || phase.patron.isResting)
    const pause = this.#congested || mustWait || this.#inFlight >= callsInFlightMax || phase.kind === 'looking-up'
    if (pause === this.#paused) return
    this.#paused = pause
    if (pause) this.#stream.pause()
    else this.#stream.resume()
  }

  #ended(): void {
    this.#ending = true
    this.#scheduleFlush()
  }

  /** A reply that cannot be encoded is a bug of ours: the stream is of no use any more. */
  #breakOff(failure: unknown): void {
    this.#log.error('client.reply.failed', { message: toQuarryError(failure).message })
    this.#close()
    this.#stream.end()
  }

  /** Idempotent. */
  #close(): void {
    const phase = this.#phase
    if (phase.kind === 'closed') return
    this.#phase = { kind: 'closed' }
    this.#front.counters.sessions--
    if (phase.kind === 'serving') this.#front.admission.close(phase.patron)
  }
}

/** grpc-js decodes sixteen messages ahead of a stream that is not read; with one, a flood stays bytes within the stream's window. */
function readOneAhead(stream: Stream): void {
  const state = (stream as unknown as { _readableState?: { highWaterMark: number } })._readableState
  assert(state !== undefined, 'Node streams no longer keep their high-water mark where we lower it')
  state.highWaterMark = 1
}

function helloRefusal(hello: Hello): QuarryError | undefined {
  if (hello.protocol !== protocolVersion) {
    return new QuarryError(
      'VERSION',
      `This namenode speaks version ${protocolVersion} of the protocol, the client version ${hello.protocol}. Use the same release on both sides.`,
    )
  }
  if (hello.user === '') return new QuarryError('UNAUTHENTICATED', 'The client did not say who it is.')
  if (hello.clientId.length !== clientIdBytes)
    return new QuarryError('INVALID_ARGUMENT', `A client id has ${clientIdBytes} bytes, not ${hello.clientId.length}.`)
  if (hello.user.length > helloTextMax || hello.realUser.length > helloTextMax || hello.callerContext.length > helloTextMax) {
    return new QuarryError('INVALID_ARGUMENT', `User names and caller contexts have at most ${helloTextMax} characters.`)
  }
  return undefined
}
