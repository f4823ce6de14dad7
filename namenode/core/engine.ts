// The metadata engine: one command after another, group commit, replies after the disk.
//
// Commands that change something wait in a queue; a turn takes what is there, plans and applies each, commits all of it in one
// transaction, and only then answers and tells the block layer. What arrives meanwhile is the next turn's. A turn never yields,
// so between turns the store holds exactly what is committed, and a query is answered from it at once: nobody sees a state that
// a crash could take back.
//
// Invariants
//   E1  a reply to a change is sent only after its commit; replies and effects keep the order of the commands
//   E2  a failed commit leaves the state of the last one, and every command of the batch fails
//   E3  an error inside apply is a bug, and a disk that fails cannot be trusted: nothing of the batch is kept and the engine answers
//       nothing but INTERNAL from then on
import { QuarryError, isQuarryError, toQuarryError } from '../../common/errors.ts'
import {
  commitBatchMax,
  completeWaitMs,
  graveyardInodeId,
  removeAtOnceMax,
  retryCacheEntriesMax,
  retryCacheMs,
} from '../../common/limits.ts'
import type { Env } from '../../common/env.ts'
import type { CallContext, Command, Init, Method, ReplyOf, Request } from '../../proto/ports.ts'
import { mutations } from '../../proto/ports.ts'
import { apply } from './apply.ts'
import { atMostOnce, plan } from './commands.ts'
import { editTime } from './edit-time.ts'
import { wireEdit } from './edits.ts'
import type { Edit, EditRecord } from './edits.ts'
import { LeaseTable } from './lease-table.ts'
import type { ClusterPort, Effect, NamespaceStore } from './model.ts'
import { requireSuper } from './permissions.ts'
import { callerOf } from './plan.ts'
import type { EngineSettings, PlanContext, Planned } from './plan.ts'
import { RetryCache } from './retry-cache.ts'
import { replyOfEdit } from './retry-replies.ts'
import { blockRecovered, expireLease, recoverAgain } from './verbs/lease.ts'
import { reap } from './verbs/remove.ts'

export type Done = (error: QuarryError | undefined, reply: object) => void

export interface EngineDeps {
  readonly store: NamespaceStore
  readonly cluster: ClusterPort
  readonly env: Env
  readonly settings: EngineSettings
  /** Runs a callback after what has arrived meanwhile was taken in: setImmediate. */
  readonly defer: (callback: () => void) => void
  /** What to answer to a batch whose commit found no room. Without it the callers get the store's DISK_FULL. */
  readonly diskFull?: (cause: QuarryError) => QuarryError
  /** The engine has stopped for good; what remains is to end the process. */
  readonly onFailure?: (error: QuarryError) => void
}

interface Pending {
  readonly context: CallContext
  readonly method: Method | 'internal'
  readonly plan: (context: PlanContext) => Planned
  readonly done: Done
  /** Its reply is remembered for retries. */
  readonly once: boolean
  /** 0 until the command had to wait. */
  giveUpMs: number
}

/** Commands that may wait for a commit. Beyond, the disk is slower than the callers and they are told so. */
const queueMax = 65_536
/** Planned commands that wait for replicas look again this often, should nobody wake them. */
const waitPollMs = 50
const editsPageMax = 10_000
/** Files that one look at the leases works on: the rest has waited long enough to wait for the next. */
const leaseCheckFilesMax = 1_000
/** Edits that are read at once when old replies are looked for. */
const REFILL_PAGE = 1000
const nobody: object = {}

export class Engine {
  readonly leases: LeaseTable
  readonly #store: NamespaceStore
  readonly #cluster: ClusterPort
  readonly #env: Env
  readonly #settings: EngineSettings
  readonly #defer: (callback: () => void) => void
  readonly #diskFull: (cause: QuarryError) => QuarryError
  readonly #onFailure: ((error: QuarryError) => void) | undefined
  readonly #retries = new RetryCache()
  #queue: Pending[] = []
  #scheduled = false
  #waiting = new Map<number, Pending[]>()
  #stopWaitPoll: (() => void) | undefined
  #failure: QuarryError | undefined
  #lastAtMs = 0
  #trimmedTxid = 0
  readonly #startTxid: number
  /** Monotonic. */
  readonly #startedMs: number
  /** Time of the last edit before this start. */
  readonly #startAtMs: number
  #oldEdits: Map<string, EditRecord> | undefined
  #closed = false
  #reaping = false

  constructor(deps: EngineDeps) {
    this.#store = deps.store
    this.#cluster = deps.cluster
    this.#env = deps.env
    this.leases = new LeaseTable(deps.env.clock)
    this.#settings = deps.settings
    this.#defer = deps.defer
    this.#diskFull = deps.diskFull ?? ((cause) => cause)
    this.#onFailure = deps.onFailure
    this.#startedMs = this.#env.clock.monotonicMs()
    this.#startTxid = this.#store.tx.counters().lastTxid
    this.#lastAtMs = this.#store.editsAfter(this.#startTxid - 1, 1)[0]?.atMs ?? 0
    this.#startAtMs = this.#lastAtMs
    this.#trimmedTxid = this.#startTxid
    if (this.#trimmedTxid === 0) this.#format()
    this.#openLeases()
    this.#reap()
  }

  /** Decides, commits with its neighbours, answers. Rejects with a QuarryError. */
  submit<M extends Method>(context: CallContext, method: M, request: Request<M>): Promise<Init<ReplyOf<M>>> {
    return new Promise((resolve, reject) => {
      this.submitCallback(context, { method, request } as unknown as Command, (error, reply) =>
        error === undefined ? resolve(reply as Init<ReplyOf<M>>) : reject(error),
      )
    })
  }

  /** The same for the hot path. The callback runs in this tick for a query, after the commit for a change. */
  submitCallback(context: CallContext, command: Command, done: Done): void {
    if (this.#failure !== undefined) return done(this.#failure, nobody)
    const { method } = command
    if (!mutations.has(method) || method === 'renewLease') return this.#query(context, command, done)
    if (this.#queue.length >= queueMax) {
      return done(new QuarryError('OVERLOADED', `The namenode has ${queueMax} changes waiting for the disk. Try again.`), nobody)
    }
    const once = context.clientId !== '' && atMostOnce.has(method)
    this.#enqueue({ context, method, plan: (at) => plan(at, command), done, once, giveUpMs: 0 })
  }

  /** A replica was reported finalised: commands that wait for it look again. The block layer calls it; safe to call too often. */
  blockReported(blockId: number): void {
    const waiting = this.#waiting.get(blockId)
    if (waiting === undefined) return
    this.#waiting.delete(blockId)
    for (const pending of waiting) this.#enqueue(pending)
  }

  /** Answer to the effect `recover-block`: the replicas are final and equal. Closes the file. */
  blockRecovered(recovered: { readonly blockId: number; readonly genstamp: number; readonly length: number }): void {
    this.#internal((context) => blockRecovered(context, recovered))
  }

  /** An attempt at a block's recovery ended badly, or its primary is gone: the next one follows soon. */
  recoveryFailed(failed: { readonly blockId: number; readonly genstamp: number }): void {
    const { recoveries } = this.leases
    if (this.#closed || !recoveries.fail(failed.blockId, failed.genstamp)) return
    this.#env.clock.after(recoveries.waitMs(failed.blockId), () => {
      if (!this.#closed && recoveries.isCurrent(failed.blockId, failed.genstamp)) this.#recoverAgain(failed.blockId)
    })
  }

  /** For a worker, every few seconds: closes the files of writers that have been silent for the hard limit, and goes on with recoveries. */
  checkLeases(): void {
    if (this.#cluster.safeMode().on) return
    for (const { fileId, holder } of this.leases.silentFiles(this.#settings.settings['lease.hard'], leaseCheckFilesMax))
      this.#internal((context) => expireLease(context, fileId, holder))
    for (const blockId of this.leases.recoveries.due(leaseCheckFilesMax)) this.#recoverAgain(blockId)
  }

  #recoverAgain(blockId: number): void {
    if (!this.#cluster.safeMode().on) this.#internal((context) => recoverAgain(context, blockId))
  }

  /** The edits after a transaction, for feeds and tools. */
  editsAfter(txid: number, limit: number): EditRecord[] {
    return this.#store.editsAfter(txid, limit)
  }

  /** E3 for a failure that was noticed elsewhere, such as by a checkpoint: what waits fails, and nothing is answered any more. */
  stop(error: QuarryError): void {
    if (this.#failure === undefined && !this.#closed)
      this.#abort(new QuarryError('INTERNAL', error.message, {}, { cause: error }), [], [], [])
  }

  /** Commits what is queued, fails what waits, and answers nothing more. The store stays open: it is its owner's to close. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    while (this.#queue.length > 0 && this.#failure === undefined) this.#turn()
    this.#stopWaitPoll?.()
    this.#failure ??= new QuarryError('UNAVAILABLE', 'The namenode is stopping.')
    for (const waiting of this.#waiting.values()) for (const pending of waiting) pending.done(this.#failure, nobody)
    this.#waiting.clear()
  }

  // --- queries ------------------------------------------------------------------------------------------------------------

  #query(context: CallContext, command: Command, done: Done): void {
    let reply: object
    try {
      const at = this.#planContext(context, this.#env.clock.nowMs())
      if (command.method === 'getEdits') {
        reply = this.#edits(at, command.request)
      } else {
        const planned = plan(at, command)
        reply = planned.reply
        if (planned.touches !== undefined) this.#touch(planned.touches)
      }
    } catch (error) {
      return done(this.#explain(error, command.method), nobody)
    }
    done(undefined, reply)
  }

  #edits(at: PlanContext, request: Request<'getEdits'>): object {
    requireSuper(at.caller)
    const limit = Math.min(request.limit === 0 ? 1000 : request.limit, editsPageMax)
    const edits = this.#store.editsAfter(request.afterTxid, limit).map(wireEdit)
    return { edits, lastTxid: at.view.counters().lastTxid, firstKeptTxid: this.#store.firstKeptTxid() }
  }

  #touch(edit: Edit): void {
    if (this.#queue.length < queueMax) {
      this.#internal((context) =>
        'id' in edit && context.view.inode(edit.id)?.kind === 'file' ? { reply: nobody, edit } : { reply: nobody },
      )
    }
  }

  // --- turns --------------------------------------------------------------------------------------------------------------

  #enqueue(pending: Pending): void {
    this.#queue.push(pending)
    if (this.#scheduled) return
    this.#scheduled = true
    this.#defer(() => {
      this.#scheduled = false
      if (this.#failure === undefined) this.#turn()
    })
  }

  #internal(planIt: (context: PlanContext) => Planned, then?: () => void): void {
    if (this.#failure !== undefined) return
    const done: Done = (error) => {
      then?.()
      if (error !== undefined) this.#env.log.warn('engine.internal.failed', { code: error.code, message: error.message })
    }
    this.#enqueue({ context: internalContext(this.#settings.superuser), method: 'internal', plan: planIt, done, once: false, giveUpMs: 0 })
  }

  #turn(): void {
    const batch = this.#queue.length <= commitBatchMax ? this.#queue : this.#queue.slice(0, commitBatchMax)
    this.#queue = batch === this.#queue ? [] : this.#queue.slice(commitBatchMax)
    const atMs = editTime(this.#lastAtMs, this.#env.clock.nowMs())
    this.#lastAtMs = atMs
    const records: EditRecord[] = []
    const effects: Effect[] = []
    const answers: { done: Done; error: QuarryError | undefined; reply: object }[] = []
    const cached: CallContext[] = []
    const firstTxid = this.#store.tx.counters().lastTxid + 1
    try {
      for (const pending of batch) this.#run(pending, atMs, firstTxid, records, effects, answers, cached)
      if (records.length > 0) this.#store.commit(records)
    } catch (error) {
      this.#abort(error, answers, cached, batch)
      return
    }
    if (effects.length > 0) this.#cluster.committed(effects)
    for (const { done, error, reply } of answers) done(error, reply)
    if (this.#queue.length > 0 && !this.#scheduled) {
      this.#scheduled = true
      this.#defer(() => {
        this.#scheduled = false
        if (this.#failure === undefined) this.#turn()
      })
    }
    if (records.length > 0) {
      this.#trim()
      this.#reap()
    }
  }

  /** Trees that were deleted lose their records part by part, one part a turn, so that no turn takes long. */
  #reap(): void {
    if (this.#reaping || this.#closed) return
    const graveyard = this.#store.tx.inode(graveyardInodeId)
    if (graveyard?.kind !== 'directory' || graveyard.children === 0) return
    this.#reaping = true
    this.#internal(reap, () => {
      this.#reaping = false
    })
  }

  /** Plans and applies one command; what it throws ends the batch. */
  #run(
    pending: Pending,
    atMs: number,
    firstTxid: number,
    records: EditRecord[],
    effects: Effect[],
    answers: { done: Done; error: QuarryError | undefined; reply: object }[],
    cached: CallContext[],
  ): void {
    const { once, done, context } = pending
    if (once) {
      const before =
        this.#retries.get(context.clientId, context.callId) ?? (context.retryCount > 0 ? this.#replyBeforeRestart(context) : undefined)
      if (before !== undefined) {
        answers.push({ done, error: undefined, reply: before })
        return
      }
    }
    for (;;) {
      let planned: Planned
      try {
        planned = pending.plan(this.#planContext(context, atMs))
      } catch (error) {
        answers.push({ done, error: this.#explain(error, pending.method), reply: nobody })
        return
      }
      if (planned.wait !== undefined && this.#wait(pending, planned.wait)) return
      if (planned.edit !== undefined) {
        const record: EditRecord =
          !once || planned.again === true
            ? { txid: firstTxid + records.length, atMs, edit: planned.edit }
            : { txid: firstTxid + records.length, atMs, edit: planned.edit, clientId: context.clientId, callId: context.callId }
        if (planned.effects !== undefined) for (const effect of planned.effects) effects.push(effect)
        const firstEffect = effects.length
        apply(this.#store.tx, planned.edit, atMs, effects)
        this.#followLeases(planned.edit, effects, firstEffect, context.remoteAddress)
        records.push(record)
        if (planned.again === true) continue
        if (once && planned.refuse === undefined) {
          this.#retries.set(context.clientId, context.callId, planned.reply, this.#env.clock.monotonicMs())
          cached.push(context)
        }
      } else if (planned.effects !== undefined) for (const effect of planned.effects) effects.push(effect)
      answers.push({ done, error: planned.refuse, reply: planned.reply })
      return
    }
  }

  /** False when the wait is over. */
  #wait(pending: Pending, blockId: number): boolean {
    if (this.#closed) return false
    const nowMs = this.#env.clock.monotonicMs()
    if (pending.giveUpMs === 0) pending.giveUpMs = nowMs + completeWaitMs
    else if (nowMs >= pending.giveUpMs) return false
    const waiting = this.#waiting.get(blockId)
    if (waiting === undefined) this.#waiting.set(blockId, [pending])
    else waiting.push(pending)
    this.#stopWaitPoll ??= this.#env.clock.after(waitPollMs, () => {
      this.#stopWaitPoll = undefined
      for (const id of [...this.#waiting.keys()]) this.blockReported(id)
    })
    return true
  }

  #followLeases(edit: Edit, effects: readonly Effect[], firstEffect: number, host: string): void {
    if (edit.op === 'create' || edit.op === 'append') this.leases.open(edit.holder, edit.id, host)
    else if (edit.op === 'recoverBlock') this.leases.recoveries.begin(edit.blockId, edit.genstamp)
    for (let i = firstEffect; i < effects.length; i++) {
      const effect = effects[i]!
      if (effect.kind === 'lease-released') this.leases.close(effect.fileId)
      else if (effect.kind === 'block-committed') this.leases.recoveries.end(effect.block.blockId)
      else if (effect.kind === 'blocks-deleted') for (const block of effect.blocks) this.leases.recoveries.end(block.blockId)
    }
  }

  #abort(error: unknown, answers: readonly { done: Done }[], cached: readonly CallContext[], batch: readonly Pending[]): void {
    const failure = isFatal(error)
      ? new QuarryError('INTERNAL', `The namenode stopped after an internal error: ${toQuarryError(error).message}`, {}, { cause: error })
      : isQuarryError(error, 'DISK_FULL')
        ? this.#diskFull(error)
        : toQuarryError(error)
    this.#env.log.error('engine.batch.failed', {
      code: failure.code,
      message: failure.message,
      commands: batch.length,
      stack: error instanceof Error ? error.stack : undefined,
    })
    for (const { clientId, callId } of cached) this.#retries.delete(clientId, callId)
    const reached = new Set(answers.map((answer) => answer.done))
    if (isFatal(error)) {
      this.#failure = failure
      for (const waiting of this.#waiting.values()) for (const pending of waiting) pending.done(failure, nobody)
      this.#waiting.clear()
      for (const pending of batch) reached.add(pending.done)
      for (const pending of this.#queue) reached.add(pending.done)
      this.#queue = []
    }
    try {
      this.#store.rollback()
      this.#openLeases()
    } catch (rollbackError) {
      this.#failure ??= new QuarryError(
        'INTERNAL',
        `The namenode could not go back to its last commit: ${toQuarryError(rollbackError).message}`,
        {},
        { cause: rollbackError },
      )
    }
    for (const done of reached) done(failure, nobody)
    if (this.#failure !== undefined) this.#onFailure?.(this.#failure)
  }

  #explain(error: unknown, method: string): QuarryError {
    const explained = toQuarryError(this.#store.explain(error))
    if (explained.code === 'INTERNAL')
      this.#env.log.error('engine.plan.failed', {
        method,
        message: explained.message,
        stack: error instanceof Error ? error.stack : undefined,
      })
    return explained
  }

  #planContext(context: CallContext, atMs: number): PlanContext {
    const { settings, superuser, poolId } = this.#settings
    return {
      view: this.#store.tx,
      cluster: this.#cluster,
      leases: this.leases,
      settings,
      superuser,
      poolId,
      removeAtOnceMax: this.#settings.removeAtOnceMax ?? removeAtOnceMax,
      caller: callerOf(context, this.#settings),
      atMs,
    }
  }

  // --- start and upkeep -----------------------------------------------------------------------------------------------------

  #format(): void {
    const { superuser, settings } = this.#settings
    const edit: Edit = { op: 'format', owner: superuser, group: settings['superuser.group'], permission: 0o755 }
    const atMs = this.#env.clock.nowMs()
    apply(this.#store.tx, edit, atMs, [])
    this.#store.commit([{ txid: 1, atMs, edit }])
  }

  #openLeases(): void {
    this.leases.clear()
    for (let after = 0; ;) {
      const page = this.#store.tx.openFiles(after, 1000)
      for (const file of page) {
        this.leases.open(file.holder, file.id, '')
        const last = this.#store.tx.blocks(file.id).at(-1)
        if (last?.state === 'under-recovery') this.leases.recoveries.interrupted(last.blockId)
      }
      if (page.length < 1000) return
      after = page.at(-1)!.id
    }
  }

  /**
   * After a restart the replies of the last minutes are told from the edits, when the first repeated call asks for one: no start
   * has to wait for it, and most never need it.
   */
  #replyBeforeRestart(context: CallContext): object | undefined {
    if (this.#env.clock.monotonicMs() - this.#startedMs >= retryCacheMs) {
      this.#oldEdits?.clear()
      return undefined
    }
    this.#oldEdits ??= this.#lastEditsBeforeStart()
    const record = this.#oldEdits.get(`${context.clientId}:${context.callId}`)
    return record === undefined ? undefined : replyOfEdit(record, this.#store.tx, this.#cluster, context.remoteAddress)
  }

  /**
   * Those of the last minutes that were worked, whatever the clock says now: it may have been set while the namenode was down, and
   * keys of long ago harm nobody.
   */
  #lastEditsBeforeStart(): Map<string, EditRecord> {
    const edits = new Map<string, EditRecord>()
    const sinceMs = this.#startAtMs - retryCacheMs
    for (let last = this.#startTxid; last >= this.#store.firstKeptTxid() && edits.size < retryCacheEntriesMax; last -= REFILL_PAGE) {
      const page = this.#store.editsAfter(Math.max(0, last - REFILL_PAGE), REFILL_PAGE).filter((record) => record.txid <= last)
      for (const record of page) {
        if (record.clientId !== undefined && record.atMs >= sinceMs) edits.set(`${record.clientId}:${record.callId}`, record)
      }
      if (page.length === 0 || page[0]!.atMs < sinceMs) break
    }
    return edits
  }

  #trim(): void {
    const keep = this.#settings.settings['edits.retain']
    if (keep === 0) return
    const { lastTxid } = this.#store.tx.counters()
    if (lastTxid - this.#trimmedTxid < Math.max(1000, keep / 10)) return
    this.#trimmedTxid = lastTxid
    try {
      this.#store.trimEdits(keep)
    } catch (error) {
      const failure = toQuarryError(error)
      this.#env.log.warn('engine.trim.failed', { message: failure.message })
      if (isFatal(failure)) this.stop(failure)
    }
  }
}

/** A bug of ours, or a disk that cannot be trusted: there is no going on. */
const isFatal = (error: unknown): boolean => !(error instanceof QuarryError) || error.code === 'INTERNAL'

const internalContext = (superuser: string): CallContext => ({
  user: superuser,
  realUser: '',
  groups: [],
  remoteAddress: '',
  clientId: '',
  callId: 0,
  retryCount: 0,
  callerContext: 'internal',
})
