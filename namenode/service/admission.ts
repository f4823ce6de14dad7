// What the client door lets through, and when. One event loop serves clients, datanodes and the disk: whatever clients send, a turn
// of it must stay short, so that heartbeats are answered and nobody waits for somebody else's flood.
//
//   idle        a call runs at once: no queue, no promise, nothing but a few counters
//   busy        beyond what one turn may do, calls wait and are served fairly (fair-queue.ts), a slice a turn: writers' finishing
//               calls, then changes, as many as keep the engine's turn short (commit-window.ts), then queries
//   flooded     when a turn has taken in enough, connections are read from in turn, also fairly; one with more than its share
//               waiting is not read from at all: its calls stay with the client
//   overloaded  when more waits than can be served in time, calls of those over their share are refused with OVERLOADED and told
//               when to come back; others are still let in
import type { Clock } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'
import { callsInFlightMax } from '../../common/limits.ts'
import type { CallContext, Command } from '../../proto/ports.ts'
import type { NamespaceView } from '../core/model.ts'
import type { Done } from '../core/engine.ts'
import { profileOf, treeCost, unitMs } from './call-costs.ts'
import type { CallProfile, Lane } from './call-costs.ts'
import { CommitWindow } from './commit-window.ts'
import { Accounts, FairQueue } from './fair-queue.ts'
import type { Account, Source } from './fair-queue.ts'

/** Of queries in one turn of the event loop. */
const sliceMs = 1
/** The same in cost, for a clock that stands still while it works, and for calls that run at once. */
const sliceCost = 200
/** A message costs this much before its first call is looked at. */
const messageCost = 3
/** Connections that are read from again in one turn: as many as keep a turn with all its work below the time aimed at. */
const readsMin = 2
const readsMax = 64
const turnAimMs = 4
/** What waits should be served within this time; more is refused once as many calls wait as one client may have in flight. */
const waitAimMs = 100
/** Calls that may wait in all: some 50 MB. */
const waitingMax = 65_536
/** A connection that has no more than this waiting is read from, whatever its share. */
const readAlwaysCost = 64
/** HDFS (DecayRpcScheduler) halves recent cost every 5 s. */
const decayMs = 5_000
/** After so many halvings nothing is left that counts. */
const decaysMax = 32
const retryMinMs = 20
const retryMaxMs = 5_000

interface Call {
  readonly patron: Patron
  readonly context: CallContext
  readonly command: Command
  readonly done: Done
}

const lanes = ['finishing', 'changes', 'queries'] as const

/** One connection of a client. */
export interface Patron {
  readonly account: Account
  readonly finishing: Source<Call>
  readonly changes: Source<Call>
  readonly queries: Source<Call>
  readonly messages: Source<Patron>
  /** Called when a connection that was not to be read from may be again. */
  readonly onRoom: () => void
  /** Not to be read from: more than its share of calls waits. */
  isOver: boolean
  /** Not to be read from: this turn has taken in enough. */
  isResting: boolean
}

export interface AdmissionDeps {
  readonly clock: Clock
  readonly view: NamespaceView
  /** Carries a call out. */
  readonly run: (context: CallContext, command: Command, done: Done) => void
}

export interface AdmissionCounts {
  readonly finishing: number
  readonly changes: number
  readonly queries: number
  readonly refused: number
  readonly commitWindow: number
  readonly users: number
}

/** A user, and the time of the namenode that he has taken lately: what is longer ago than 5 s counts half, 10 s a quarter ... */
export interface DearUser {
  readonly user: string
  readonly recentMs: number
}

const dropped = new QuarryError('CANCELLED', 'The connection of the caller is gone.')

export class Admission {
  readonly #clock: Clock
  readonly #view: NamespaceView
  readonly #run: AdmissionDeps['run']
  readonly #accounts = new Accounts()
  readonly #queues = {
    finishing: new FairQueue<Call>(this.#accounts),
    changes: new FairQueue<Call>(this.#accounts),
    queries: new FairQueue<Call>(this.#accounts),
  } as const
  /** Connections that wait to be read from. */
  readonly #messages = new FairQueue<Patron>(this.#accounts)
  readonly #window = new CommitWindow()
  /** Cost served in a millisecond while calls wait. */
  readonly #rates = { finishing: 1 / unitMs, changes: 1 / unitMs, queries: 1 / unitMs }
  readonly #refusals: Partial<Record<Lane, { readonly error: QuarryError; readonly untilMs: number }>> = {}
  #turnScheduled = false
  /** Cost of the queries of this turn. */
  #spent = 0
  /** Cost of the messages of this turn. */
  #taken = 0
  #reads = readsMax
  #turnMs = 0
  /** A turn has passed since the engine was given something, without an answer. */
  #gaveUp = false
  #refused = 0
  #decayedMs: number
  #rateSinceMs = 0
  readonly #served = { finishing: 0, changes: 0, queries: 0 }

  constructor(deps: AdmissionDeps) {
    this.#clock = deps.clock
    this.#view = deps.view
    this.#run = deps.run
    this.#decayedMs = deps.clock.monotonicMs()
  }

  open(user: string, onRoom: () => void): Patron {
    const account = this.#accounts.open(user)
    const { finishing, changes, queries } = this.#queues
    return {
      account,
      finishing: finishing.source(account),
      changes: changes.source(account),
      queries: queries.source(account),
      messages: this.#messages.source(account),
      onRoom,
      isOver: false,
      isResting: false,
    }
  }

  /** The connection is gone: what waits of it is not carried out. */
  close(patron: Patron): void {
    const left = lanes.flatMap((lane) => this.#queues[lane].close(patron[lane]))
    this.#messages.close(patron.messages)
    this.#accounts.close(patron.account)
    for (const call of left) call.done(dropped, {})
  }

  /** A message came in on the connection, whatever is in it. */
  arrived(patron: Patron): void {
    this.#taken += messageCost
    this.#scheduleTurn()
    if (this.#taken < sliceCost || patron.isResting) return
    patron.isResting = true
    this.#messages.push(patron.messages, patron, messageCost)
  }

  get counts(): AdmissionCounts {
    const { finishing, changes, queries } = this.#queues
    return {
      finishing: finishing.length,
      changes: changes.length,
      queries: queries.length,
      refused: this.#refused,
      commitWindow: this.#window.size,
      users: this.#accounts.size,
    }
  }

  /** The users that have taken most lately, dearest first. */
  dearest(limit: number): DearUser[] {
    this.#decay(this.#clock.monotonicMs())
    return this.#accounts.dearest(limit).flatMap(({ user, recent }) => {
      const recentMs = Math.round(recent * unitMs)
      return recentMs > 0 ? [{ user, recentMs }] : []
    })
  }

  submit(patron: Patron, context: CallContext, command: Command, done: Done): void {
    const { method } = command
    // As cheap as a refusal would be, and a lease that is lost costs a writer his file.
    if (method === 'renewLease') return this.#run(context, command, done)
    const profile = profileOf(method)
    const { lane, cost } = profile
    const queue = this.#queues[lane]
    if (queue.length === 0 && (lane === 'queries' ? this.#spent < sliceCost : this.#window.hasRoom)) {
      if (lane === 'queries') this.#spent += cost
      this.#scheduleTurn()
      this.#accounts.charge(patron.account, cost)
      this.#start(patron, context, command, done, profile, cost)
      return
    }
    const source = patron[lane]
    const capacity = this.#capacity(lane)
    if (queue.length >= callsInFlightMax && queue.cost >= capacity) {
      const isOver = lane !== 'finishing' && source.cost >= queue.shareOf(source, capacity)
      if (isOver || queue.length >= waitingMax) {
        this.#refused++
        return done(this.#refusal(lane), {})
      }
    }
    queue.push(source, { patron, context, command, done }, cost + (lane === 'changes' ? treeCost(this.#view, command) : 0))
    if (!patron.isOver && source.cost > Math.max(readAlwaysCost, queue.shareOf(source, capacity))) patron.isOver = true
    this.#scheduleTurn()
  }

  // --- running ------------------------------------------------------------------------------------------------------------

  /** `cost` is charged already. */
  #start(patron: Patron, context: CallContext, command: Command, done: Done, profile: CallProfile, cost: number): void {
    if (profile.lane !== 'queries') {
      this.#gaveUp = false
      // The time of calls that may wait for datanodes says nothing about the engine.
      const isSample = this.#window.took(!profile.mayWait)
      if (isSample) this.#window.began(this.#clock.monotonicMs())
      return this.#run(context, command, (error, reply) => {
        this.#window.taken()
        if (isSample) this.#window.measured(this.#clock.monotonicMs())
        done(error, reply)
      })
    }
    if (!profile.isMeasured) return this.#run(context, command, done)
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
    this.#taken = 0
    const { finishing, changes, queries } = this.#queues
    if (queries.length + changes.length + finishing.length + this.#messages.length === 0) {
      this.#window.taken()
      this.#turnMs = 0
      this.#rateSinceMs = 0
      return
    }
    const startedMs = this.#clock.monotonicMs()
    this.#decay(startedMs)
    if (this.#window.given > 0) {
      if (this.#gaveUp) this.#window.taken()
      this.#gaveUp = true
    }
    while (finishing.length > 0 && this.#window.hasRoom) this.#serve('finishing')
    while (changes.length > 0 && this.#window.hasRoom) this.#serve('changes')
    for (let served = 0; queries.length > 0 && this.#spent < sliceCost; served++) {
      if ((served & 7) === 7 && this.#clock.monotonicMs() - startedMs >= sliceMs) break
      this.#serve('queries')
    }
    this.#learnRates(startedMs)
    this.#learnReads(startedMs)
    this.#spent = 0
    for (let reads = 0; reads < this.#reads && this.#messages.length > 0; reads++) {
      const patron = this.#messages.shift()!
      patron.isResting = false
      patron.onRoom()
    }
    this.#scheduleTurn()
  }

  #serve(lane: Lane): void {
    const queue = this.#queues[lane]
    const before = queue.cost
    const call = queue.shift()!
    const cost = before - queue.cost
    this.#served[lane] += cost
    if (lane === 'queries') this.#spent += cost
    const { patron, context, command, done } = call
    this.#start(patron, context, command, done, profileOf(command.method), cost)
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

  /** Turns that come too late, whatever took the time, read from fewer connections. */
  #learnReads(nowMs: number): void {
    const lastMs = this.#turnMs
    this.#turnMs = nowMs
    if (lastMs === 0) return
    if (nowMs - lastMs > turnAimMs) this.#reads = Math.max(readsMin, Math.floor(this.#reads * 0.7))
    else this.#reads = Math.min(readsMax, this.#reads + 2)
  }

  /** From one slice to the next, while both lanes' work and everything else of the event loop goes on. */
  #learnRates(nowMs: number): void {
    const spentMs = nowMs - this.#rateSinceMs
    if (this.#rateSinceMs > 0 && spentMs < 10) return
    for (const lane of lanes) {
      if (this.#rateSinceMs > 0 && spentMs < 1000 && this.#served[lane] > 0)
        this.#rates[lane] = 0.9 * this.#rates[lane] + (0.1 * this.#served[lane]) / spentMs
      this.#served[lane] = 0
    }
    this.#rateSinceMs = nowMs
  }

  /** Turns come only while somebody calls: what a quiet time would have halved is halved behind it. */
  #decay(nowMs: number): void {
    const due = Math.floor((nowMs - this.#decayedMs) / decayMs)
    if (due <= 0) return
    this.#decayedMs += due * decayMs
    for (let i = 0; i < Math.min(due, decaysMax); i++) this.#accounts.decay()
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
      `The namenode has more ${lane === 'queries' ? 'queries' : 'changes'} waiting than it can answer in time. Try again in ${retryAfterMs} ms.`,
      { retryAfterMs },
    )
    this.#refusals[lane] = { error, untilMs: nowMs + 10 }
    return error
  }
}
