// What the calls of one Hadoop connection share: who calls, its place in the queue, and the way to the front.
import type { QuarryError } from '../../../common/errors.ts'
import type { Clock } from '../../../common/env.ts'
import type { HadoopInit, HadoopMessage } from '../../../proto/hadoop/codec.ts'
import type { MessageTypes } from '../../../proto/hadoop/gen/messages.ts'
import { later, rpcMethod } from '../../../proto/hadoop/rpc-service.ts'
import type { RpcCall, RpcCaller, RpcMethod } from '../../../proto/hadoop/rpc-service.ts'
import type { CallContext, Command, Method, ReplyOf, Request } from '../../../proto/ports.ts'
import type { Done } from '../../core/engine.ts'
import type { BlockManager } from '../../core/cluster/block-manager.ts'
import type { Patron } from '../admission.ts'
import type { Front } from '../front.ts'

/**
 * How long the door keeps a call that the namenode is too busy for, in ms. A native client comes back later by itself; Hadoop's
 * clients without high availability give up, and each has no more calls in flight than threads.
 */
const busyPatienceMs = 60_000
/**
 * The same for calls of a writer in the middle of a file: while a namenode that has just started hears from its datanodes, or those
 * of a pipeline are away for a moment. A native writer asks again; Hadoop's would lose the file.
 */
const writerPatienceMs = 30_000
/** An append waits this long for the file's last replicas to be reported; Java's asks again after that by itself. */
const appendPatienceMs = 4_000
const writerPauseMs = 200
const patience: { readonly [M in Method]?: number } = {
  addBlock: writerPatienceMs,
  abandonBlock: writerPatienceMs,
  complete: writerPatienceMs,
  fsync: writerPatienceMs,
  updateBlockForPipeline: writerPatienceMs,
  updatePipeline: writerPatienceMs,
  additionalDatanode: writerPatienceMs,
  append: appendPatienceMs,
}

export interface DoorParts {
  readonly front: Front
  readonly cluster: BlockManager
  readonly clock: Clock
  /** Cuts a file inside a block, which takes moving bytes; the caller's right to it is checked. Without it such a cut is refused. */
  readonly cut?: ((path: string, newLength: number) => Promise<boolean>) | undefined
}

export class HadoopSession {
  readonly cluster: BlockManager
  readonly front: Front
  readonly patron: Patron
  readonly caller: RpcCaller
  readonly cut: DoorParts['cut']
  readonly #clock: Clock
  #closed = false

  constructor(parts: DoorParts, caller: RpcCaller, onRoom: () => void) {
    this.front = parts.front
    this.cluster = parts.cluster
    this.cut = parts.cut
    this.#clock = parts.clock
    this.caller = caller
    this.patron = this.front.admission.open(caller.user, onRoom)
  }

  context(call: RpcCall<HadoopSession>): CallContext {
    const { user, realUser, remoteAddress } = this.caller
    return {
      user,
      realUser,
      groups: this.front.groups.current(user),
      remoteAddress,
      clientId: call.clientId,
      callId: call.callId,
      retryCount: Math.max(0, call.retryCount),
      callerContext: call.callerContext,
    }
  }

  /** Has the command carried out. `done` is called once, in this tick for a query. */
  submit<M extends Method>(call: RpcCall<HadoopSession>, method: M, request: Request<M>, done: Done): void {
    const context = this.context(call)
    const command = { method, request } as unknown as Command
    this.front.call(
      context,
      command,
      (error, reply) => {
        if (error === undefined || !mayPass(error)) done(error, reply)
        else this.#again(context, command, done, error, this.#clock.monotonicMs())
      },
      this.patron,
    )
  }

  /** The same as a promise, for calls that need more than one answer of the core. */
  ask<M extends Method>(call: RpcCall<HadoopSession>, method: M, request: Request<M>): Promise<ReplyOf<M>> {
    return new Promise((resolve, reject) => {
      this.submit(call, method, request, (error, reply) => (error === undefined ? resolve(reply as ReplyOf<M>) : reject(error)))
    })
  }

  requireSuper(call: RpcCall<HadoopSession>, operation: string): void {
    this.front.requireSuper(this.context(call), operation)
  }

  close(): void {
    this.#closed = true
    this.front.admission.close(this.patron)
  }

  #again(context: CallContext, command: Command, done: Done, error: QuarryError, sinceMs: number): void {
    const isBusy = error.code === 'OVERLOADED'
    const waitMs = isBusy ? Number(error.details['retryAfterMs'] ?? 0) : writerPauseMs
    const patienceMs = isBusy ? busyPatienceMs : (patience[command.method] ?? 0)
    const isOver = this.#closed || waitMs <= 0 || this.#clock.monotonicMs() + waitMs - sinceMs > patienceMs
    if (isOver || this.front.draining) return done(error, {})
    this.#clock.after(waitMs, () => {
      // The place in the queue is given up with the connection.
      if (this.#closed) return done(error, {})
      this.front.call(
        context,
        command,
        (next, reply) => {
          if (next === undefined || !mayPass(next)) done(next, reply)
          else this.#again(context, command, done, next, sinceMs)
        },
        this.patron,
      )
    })
  }
}

const mayPass = (error: QuarryError): boolean => error.code === 'OVERLOADED' || error.code === 'RETRY_LATER'

export type HadoopCall = RpcCall<HadoopSession>
export type HadoopMethod = RpcMethod<HadoopSession>
export type HadoopMethods = Readonly<Record<string, HadoopMethod>>

/** A row whose call is one command of the core, and whose answer is made of the core's. */
export function viaCore<Q extends HadoopMessage, R extends HadoopMessage, M extends Method>(
  request: Q,
  response: R,
  method: M,
  command: (request: MessageTypes[Q], call: HadoopCall) => Request<M>,
  reply: (reply: ReplyOf<M>, request: MessageTypes[Q], call: HadoopCall) => HadoopInit<MessageTypes[R]>,
): HadoopMethod {
  return rpcMethod(request, response, (call: HadoopCall, message) => {
    call.session.submit(call, method, command(message, call), (error, answer) => {
      if (error !== undefined) return call.fail(error)
      let made: HadoopInit<MessageTypes[R]>
      try {
        made = reply(answer as ReplyOf<M>, message, call)
      } catch (failure) {
        return call.fail(failure)
      }
      call.reply(made as object)
    })
    return later
  })
}

/** The same for answers that are written straight into bytes. */
export function viaCoreEncoded<Q extends HadoopMessage, R extends HadoopMessage, M extends Method>(
  request: Q,
  response: R,
  method: M,
  command: (request: MessageTypes[Q], call: HadoopCall) => Request<M>,
  reply: (reply: ReplyOf<M>, request: MessageTypes[Q], call: HadoopCall) => Uint8Array,
): HadoopMethod {
  return rpcMethod(request, response, (call: HadoopCall, message) => {
    call.session.submit(call, method, command(message, call), (error, answer) => {
      if (error !== undefined) return call.fail(error)
      let bytes: Uint8Array
      try {
        bytes = reply(answer as ReplyOf<M>, message, call)
      } catch (failure) {
        return call.fail(failure)
      }
      call.replyEncoded(bytes)
    })
    return later
  })
}

const nothing = {}
export const noReply = (): object => nothing
export const boolReply = (reply: { readonly value: boolean }): { result: boolean } => ({ result: reply.value })
