// What the client door lets through, and when. One event loop serves clients, datanodes and the disk: whatever clients send, a turn
// of it must stay short, so that heartbeats are answered and nobody waits for somebody else's flood.
//
//   idle        a call runs at once: no queue, no promise, nothing but a few counters
//   busy        beyond what one turn may do, calls wait in two queues (queries; changes) and are served fairly (fair-queue.ts),
//               a slice a turn; changes go to the engine in as large groups as keep its turns short (commit-window.ts)
//   flooded     a connection with more than its share waiting is not read from: its calls stay with the client
//   overloaded  when more waits than can be served in time, calls of those over their share are refused with OVERLOADED and told
//               when to come back; others are still let in
//
// Calls by which writers finish go before all others. Bounds: `waitingMax` calls in all, a slice of work a turn.
import type { Clock } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'
import { callsInFlightMax } from '../../common/limits.ts'
import type { CallContext, Command } from '../../proto/ports.ts'
import { mutations } from '../../proto/ports.ts'
import type { NamespaceView } from '../core/model.ts'
import type { Done } from '../core/engine.ts'
import { costOf, isExpress, isMeasured, mayWait, treeCost, unitMs } from './call-costs.ts'
import { CommitWindow } from './commit-window.ts'
import { Accounts, FairQueue } from './fair-queue.ts'
import type { Account, Source } from './fair-queue.ts'

/** Of queries in one turn of the event loop. */
const sliceMs = 2
/** The same in cost, for a clock that stands still while it works, and for calls that run at once. */
const sliceCost = 400
/** What waits should be served within this time; more is refused once as many calls wait as one client may have in flight. */
const waitAimMs = 100
/** Calls that may wait in all: some 50 MB. */
const waitingMax = 65_536
/** A connection that has no more than this waiting is read from, whatever its share. */
const readAlwaysCost = 64
/** Writers' finishing calls under way that go before everything else; beyond, they queue like other changes. */
const expressMax = 1024
/** HDFS (DecayRpcScheduler) halves recent cost every 5 s. */
const decayMs = 5_000
const retryMinMs = 20
const retryMaxMs = 5_000

interface Call {
  readonly patron: Patron
  readonly context: CallContext
  readonly command: Command
  readonly done: Done
}

type Lane = 'queries' | 'changes'

/** One connection of a client. */
export interface Patron {
  readonly account: Account
  readonly queries: Source<Call>
  readonly changes: Source<Call>
  /** Called when a connection that had more than its share waiting may be read from again. */
  readonly onRoom: () => void
  isOver: boolean
}

export interface AdmissionDeps {
  readonly clock: Clock
  readonly view: NamespaceView
  /** Carries a call out. */
  readonly run: (context: CallContext, command: Command, done: Done) => void
}

export interface AdmissionCounts {
  readonly queries: number
  readonly changes: number
  readonly refused: number
  readonly commitWindow: number
  readonly users: number
}

const dropped = new QuarryError('CANCELLED', 'The connection of the caller is gone.')

export class Admission {
  readonly #clock: Clock
  readonly #view: NamespaceView
  readonly #run: AdmissionDeps['run']
  readonly #accounts = new Accounts()
  readonly #queues = { queries: new FairQueue<Call>(this.#accounts), changes: new FairQueue<Call>(this.#accounts) } as const
  readonly #window = new CommitWindow()
  /** Cost served in a millisecond while calls wait. */
  readonly #rates = { queries: 1 / unitMs, changes: 1 / unitMs }
  readonly #refusals: Partial<Record<Lane, { readonly error: QuarryError; readonly untilMs: number }>> = {}
  #turnScheduled = false
  /** Cost of what ran at once in this turn. */
  #spent = 0
  #express = 0
  #refused = 0
  #decayedMs: number
  #lastSlice: { ms: number; queries: number; changes: number } | undefined
  readonly #served = { queries: 0, changes: 0 }

  constructor(deps: AdmissionDeps) {
    this.#clock = deps.clock
    this.#view = deps.view
    this.#run = deps.run
    this.#decayedMs = deps.clock.monotonicMs()
  }

  open(user: string, onRoom: () => void): Patron {
    const account = this.#accounts.open(user)
    return { account, queries: this.#queues.queries.source(account), changes: this.#queues.changes.source(account), onRoom, isOver: false }
  }

  /** The connection is gone: what waits of it is not carried out. */
  close(patron: Patron): void {
    const left = [...this.#queues.queries.close(patron.queries), ...this.#queues.changes.close(patron.changes)]
    this.#accounts.close(patron.account)
    for (const call of left) call.done(dropped, {})
  }

  get counts(): AdmissionCounts {
    return {
      queries: this.#queues.queries.length,
      changes: this.#queues.changes.length,
      refused: this.#refused,
      commitWindow: this.#window.size,
      users: this.#accounts.size,
    }
  }

  submit(patron: Patron, context: CallContext, command: Command, done: Done): void {
    const { method } = command
    if (isExpress.has(method) && this.#express < expressMax) return this.#runExpress(patron, context, command, done)
    const lane: Lane = mutations.has(method) && method !== 'renewLease' ? 'changes' : 'queries'
    const queue = this.#queues[lane]
    const cost = costOf(method)
    if (queue.length === 0 && this.#spent < sliceCost && (lane === 'queries' || this.#window.hasRoom)) {
      this.#spent += cost
      this.#scheduleTurn()
      this.#accounts.charge(patron.account, cost)
      this.#start({ patron, context, command, done }, cost)
      return
    }
    const source = patron[lane]
    const capacity = this.#capacity(lane)
    const isFull = queue.length >= callsInFlightMax && queue.cost >= capacity
    if (isFull && (source.cost >= queue.shareOf(source, capacity) || queue.length >= waitingMax)) {
      this.#refused++
      return done(this.#refusal(lane), {})
    }
    queue.push(source, { patron, context, command, done }, cost + (lane === 'changes' ? treeCost(this.#view, command) : 0))
    if (!patron.isOver && source.cost > Math.max(readAlwaysCost, queue.shareOf(source, capacity))) patron.isOver = true
    this.#scheduleTurn()
  }

  // --- running ------------------------------------------------------------------------------------------------------------

  #runExpress(patron: Patron, context: CallContext, command: Command, done: Done): void {
    this.#express++
    this.#accounts.charge(patron.account, costOf(command.method))
    this.#run(context, command, (error, reply) => {
      this.#express--
      done(error, reply)
    })
  }

  /** `cost` is charged already. */
  #start(call: Call, cost: number): void {
    const { context, command, done, patron } = call
    const { method } = command
    if (mutations.has(method)) {
      if (mayWait.has(method)) return this.#run(context, command, done)
      const isSample = this.#window.took()
      if (isSample) this.#window.began(this.#clock.monotonicMs())
      return this.#run(context, command, (error, reply) => {
        this.#window.answered()
        if (isSample) this.#window.measured(this.#clock.monotonicMs())
        if (this.#queues.changes.length > 0) this.#scheduleTurn()
        done(error, reply)
      })
    }
    if (!isMeasured(method)) return this.#run(context, command, done)
    const startedMs = this.#clock.monotonicMs()
    this.#run(context, command, done)
    const more = (this.#clock.monotonicMs() - startedMs) / unitMs - cost
    if (more <= 0) return
    this.#spent += more
    this.#queues.queries.charge(patron.queries, more)
  }

  #scheduleTurn(): void {
    if (this.#turnScheduled) return
    this.#turnScheduled = true
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#turnScheduled = false
    this.#spent = 0
    const { queries, changes } = this.#queues
    if (queries.length === 0 && changes.length === 0) {
      this.#lastSlice = undefined
      return
    }
    const startedMs = this.#clock.monotonicMs()
    if (startedMs - this.#decayedMs >= decayMs) {
      this.#decayedMs = startedMs
      this.#accounts.decay()
    }
    while (changes.length > 0 && this.#window.hasRoom) this.#serve('changes')
    for (let served = 0; queries.length > 0 && this.#spent < sliceCost; served++) {
      if ((served & 7) === 7 && this.#clock.monotonicMs() - startedMs >= sliceMs) break
      this.#serve('queries')
    }
    this.#learnRates(startedMs)
    if (queries.length > 0) this.#scheduleTurn()
  }

  #serve(lane: Lane): void {
    const queue = this.#queues[lane]
    const before = queue.cost
    const call = queue.shift()!
    const cost = before - queue.cost
    this.#served[lane] += cost
    if (lane === 'queries') this.#spent += cost
    this.#start(call, cost)
    const { patron } = call
    if (patron.isOver && patron[lane].cost <= this.#roomAt(lane, patron)) {
      patron.isOver = false
      patron.onRoom()
    }
  }

  /** A connection is read from again when half of its share is free. */
  #roomAt(lane: Lane, patron: Patron): number {
    return Math.max(readAlwaysCost, this.#queues[lane].shareOf(patron[lane], this.#capacity(lane))) / 2
  }

  // --- bounds -------------------------------------------------------------------------------------------------------------

  #capacity(lane: Lane): number {
    return Math.max(callsInFlightMax, this.#rates[lane] * waitAimMs)
  }

  /** From one slice to the next, while both lanes' work and everything else of the event loop goes on. */
  #learnRates(nowMs: number): void {
    const last = this.#lastSlice
    if (last === undefined || nowMs - last.ms >= 10) {
      if (last !== undefined && nowMs - last.ms < 1000) {
        for (const lane of ['queries', 'changes'] as const) {
          const served = this.#served[lane] - last[lane]
          if (served > 0) this.#rates[lane] = 0.9 * this.#rates[lane] + 0.1 * (served / (nowMs - last.ms))
        }
      }
      this.#lastSlice = { ms: nowMs, queries: this.#served.queries, changes: this.#served.changes }
    }
  }

  /** One error for many calls of the same moment: making one costs more than refusing. */
  #refusal(lane: Lane): QuarryError {
    const nowMs = this.#clock.monotonicMs()
    const last = this.#refusals[lane]
    if (last !== undefined && nowMs < last.untilMs) return last.error
    const drainMs = this.#queues[lane].cost / Math.max(0.001, this.#rates[lane])
    const retryAfterMs = Math.round(Math.min(retryMaxMs, Math.max(retryMinMs, drainMs)))
    const error = new QuarryError(
      'OVERLOADED',
      `The namenode has more ${lane} waiting than it can answer in time, most of them of this user. Try again in ${retryAfterMs} ms.`,
      { retryAfterMs },
    )
    this.#refusals[lane] = { error, untilMs: nowMs + 10 }
    return error
  }
}
