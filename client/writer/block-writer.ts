// Carries out the effects of the pipeline machine (pipeline.ts) for one block, and gives it up when an answer takes too long. What
// happens at the datanodes (pipeline-streams.ts) and at the namenode (pipeline-recovery.ts) comes back to the machine as events.
import { must } from '../../common/assert.ts'
import { QuarryError, toQuarryError } from '../../common/errors.ts'
import { pipelineHeartbeatMs, pipelinePatienceMs } from '../../common/limits.ts'
import type { Block, LocatedBlock } from '../../proto/ports.ts'
import type { BlockContext, BlockWriterDeps } from './block-context.ts'
import type { BlockPacket } from './packet-builder.ts'
import { appendPipeline, createPipeline, step } from './pipeline.ts'
import { awaitRestart, newStamp, replaceNode, updatePipeline } from './pipeline-recovery.ts'
import { isLive } from './pipeline-state.ts'
import type { PipelineEffect, PipelineEvent, PipelineRules, PipelineState, Step } from './pipeline-state.ts'
import { PipelineStreams } from './pipeline-streams.ts'

interface Waiter {
  readonly done: (state: PipelineState) => boolean
  readonly resolve: () => void
}

/** Why a new block could not be placed. */
export interface Unplaced {
  readonly bad: string
  readonly reason: string
  /** The datanode is not broken, only busy. */
  readonly overloaded: boolean
}

export class BlockWriter {
  readonly #deps: BlockWriterDeps
  readonly #blockId: number
  readonly #context: BlockContext
  readonly #streams: PipelineStreams
  /** Aborted when the block is written or given up: nothing may be waited for any more. */
  readonly #over = new AbortController()
  #state: PipelineState
  #waiters: Waiter[] = []
  #stopTimer: (() => void) | undefined
  /** When the pipeline began to owe an answer; undefined = it owes none. */
  #owedSinceMs: number | undefined
  #idleSinceMs: number
  /** Why the namenode refused, with its own code. */
  #refusal: QuarryError | undefined

  private constructor(deps: BlockWriterDeps, located: LocatedBlock, first: Step) {
    this.#deps = deps
    this.#blockId = must(located.block).blockId
    this.#context = {
      deps,
      blockId: this.#blockId,
      locations: new Map(located.locations.map((location) => [must(location.datanode).uuid, location])),
      over: this.#over.signal,
      block: () => this.block,
      dispatch: (event) => this.#dispatch(event),
      refused: (attempt, error) => this.#refused(attempt, error),
    }
    this.#streams = new PipelineStreams(this.#context)
    this.#idleSinceMs = deps.env.clock.monotonicMs()
    this.#state = first.state
    this.#carryOut(first.effects)
    this.#watch(false)
  }

  /** For a block that the namenode has just placed. */
  static create(deps: BlockWriterDeps, located: LocatedBlock): BlockWriter {
    return new BlockWriter(deps, located, createPipeline(targetsOf(located), must(located.block).genstamp, rulesOf(deps)))
  }

  /** For the last, partial block of a file. */
  static append(deps: BlockWriterDeps, located: LocatedBlock): BlockWriter {
    const { genstamp, length } = must(located.block)
    return new BlockWriter(deps, located, appendPipeline(targetsOf(located), genstamp, length, rulesOf(deps)))
  }

  /** Undefined when the pipeline stands; else what was in the way of a new block, and nothing was written. */
  async placed(): Promise<Unplaced | undefined> {
    await this.#until((state) => state.kind === 'streaming' || state.kind === 'unplaced')
    if (this.#state.kind !== 'unplaced') return undefined
    const { bad, reason } = this.#state
    return { bad, reason, overloaded: this.#streams.overloaded }
  }

  /** Waits until the window has room, then takes the packet over. */
  async send(packet: BlockPacket, options: { readonly window: number; readonly sync?: boolean }): Promise<void> {
    await this.#until((state) => isLive(state) && state.queue.length < options.window)
    // It may have ended since the wait did.
    this.#throwIfOver()
    this.#dispatch({ kind: 'packet', packet, sync: options.sync ?? false })
  }

  /** Resolves when every datanode has acknowledged everything sent so far: readers are promised it. */
  async flushed(): Promise<void> {
    this.#dispatch({ kind: 'flush' })
    await this.#until((state) => isLive(state) && state.queue.length === 0)
  }

  /** Makes the block final. Answers it as the namenode must be told. */
  async seal(): Promise<Block> {
    this.#throwIfOver()
    this.#dispatch({ kind: 'seal' })
    await this.#until((state) => state.kind === 'sealed')
    const state = this.#state
    if (state.kind !== 'sealed') throw this.#failure()
    return { blockId: this.#blockId, genstamp: state.genstamp, length: state.length }
  }

  /** Bytes that every datanode has acknowledged. */
  get acked(): number {
    const state = this.#state
    return state.kind === 'sealed' ? state.length : state.kind === 'unplaced' ? 0 : state.acked
  }

  /** The block as it stands. */
  get block(): Block {
    const state = this.#state
    return { blockId: this.#blockId, genstamp: 'genstamp' in state ? state.genstamp : 0, length: this.acked }
  }

  /** Gives up at once. Idempotent. */
  abort(reason: string): void {
    this.#dispatch({ kind: 'abort', reason })
  }

  #throwIfOver(): void {
    if (!isLive(this.#state) && this.#state.kind !== 'sealed') throw this.#failure()
  }

  #failure(): QuarryError {
    if (this.#refusal) return this.#refusal
    const reason = this.#state.kind === 'failed' || this.#state.kind === 'unplaced' ? this.#state.reason : `it is ${this.#state.kind}`
    return new QuarryError('PIPELINE_FAILED', `Block ${this.#blockId} cannot be written: ${reason}`, { blockId: this.#blockId })
  }

  async #until(done: (state: PipelineState) => boolean): Promise<void> {
    const over = (state: PipelineState): boolean => done(state) || !isLive(state)
    if (!over(this.#state)) await new Promise<void>((resolve) => this.#waiters.push({ done: over, resolve }))
    if (!done(this.#state)) throw this.#failure()
  }

  #dispatch(event: PipelineEvent): void {
    const next = step(this.#state, event)
    this.#state = next.state
    if (!isLive(next.state)) this.#over.abort()
    this.#carryOut(next.effects)
    const due = this.#waiters.filter((waiter) => waiter.done(this.#state))
    if (due.length > 0) {
      this.#waiters = this.#waiters.filter((waiter) => !due.includes(waiter))
      for (const waiter of due) waiter.resolve()
    }
    this.#watch(event.kind === 'acked' || event.kind === 'connected' || event.kind === 'stamped')
  }

  /** A pipeline that owes an answer is given up after a while; one that has nothing to do is told that its writer lives. */
  #watch(answered: boolean): void {
    const state = this.#state
    if (!isLive(state)) {
      this.#stopTimer?.()
      this.#stopTimer = undefined
      return
    }
    const nowMs = this.#deps.env.clock.monotonicMs()
    const owes = state.kind === 'connecting' || (state.kind === 'streaming' && state.sent > 0)
    if (!owes) {
      if (this.#owedSinceMs !== undefined) this.#idleSinceMs = nowMs
      this.#owedSinceMs = undefined
    } else if (answered || this.#owedSinceMs === undefined) this.#owedSinceMs = nowMs
    // One timer that finds out when it fires what it fires for: setting one anew for every packet costs more.
    if (this.#stopTimer === undefined) this.#arm(Math.min(this.#patienceMs(), pipelineHeartbeatMs))
  }

  #arm(ms: number): void {
    this.#stopTimer = this.#deps.env.clock.after(ms, () => {
      this.#stopTimer = undefined
      this.#look()
    })
  }

  #look(): void {
    const state = this.#state
    if (!isLive(state)) return
    const nowMs = this.#deps.env.clock.monotonicMs()
    if (this.#owedSinceMs !== undefined) {
      const patienceMs = this.#patienceMs()
      const leftMs = this.#owedSinceMs + patienceMs - nowMs
      if (leftMs > 0) return this.#arm(Math.ceil(leftMs))
      return this.#dispatch({ kind: 'lost', attempt: state.attempt, node: undefined, reason: `no answer for ${patienceMs / 1000} s` })
    }
    if (state.kind === 'streaming' && nowMs - this.#idleSinceMs >= pipelineHeartbeatMs) {
      this.#idleSinceMs = nowMs
      this.#streams.heartbeat(state.attempt)
    }
    this.#arm(Math.min(this.#patienceMs(), pipelineHeartbeatMs))
  }

  #patienceMs(): number {
    return pipelinePatienceMs(this.#deps.options.ackTimeoutMs, isLive(this.#state) ? this.#state.nodes.length : 0)
  }

  #carryOut(effects: readonly PipelineEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'open':
          this.#streams.open(effect)
          break
        case 'send':
          this.#streams.post(effect.attempt, effect.packet)
          break
        case 'cancel':
          this.#streams.cancel(effect.attempt)
          this.#deps.env.log.debug('pipeline.cancelled', { blockId: this.#blockId, attempt: effect.attempt })
          break
        case 'finish':
          this.#streams.finish(effect.attempt)
          break
        case 'await':
          void awaitRestart(this.#context, effect)
          break
        case 'stamp':
          void newStamp(this.#context, effect.attempt)
          break
        case 'replace':
          void replaceNode(this.#context, effect)
          break
        case 'update':
          void updatePipeline(this.#context, effect)
          break
        case 'release':
          this.#deps.release(effect.packet.data)
      }
    }
  }

  #refused(attempt: number, error: unknown): void {
    if (isLive(this.#state) && this.#state.attempt === attempt) this.#refusal = toQuarryError(error)
    this.#dispatch({ kind: 'refused', attempt, reason: toQuarryError(error).message })
  }
}

function rulesOf({ file, options }: BlockWriterDeps): PipelineRules {
  return { replication: file.replication, replacement: { mode: options.replaceDatanode, bestEffort: options.replaceDatanodeBestEffort } }
}

function targetsOf(located: LocatedBlock): { node: string; storage: string }[] {
  return located.locations.map((location) => ({ node: must(location.datanode).uuid, storage: location.storageUuid }))
}
