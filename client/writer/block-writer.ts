// Carries out the effects of the pipeline machine (pipeline.ts) for one block: streams to datanodes, calls to the namenode,
// time-outs. What happens there comes back to the machine as events.
import { QuarryError, isQuarryError, toQuarryError } from '../../common/errors.ts'
import type { Env } from '../../common/env.ts'
import { pipelineHeartbeatMs, pipelinePatienceMs, replacementCopyMs, restartProbeMs } from '../../common/limits.ts'
import { must } from '../../common/assert.ts'
import { PipelineStatus, ReplicaState, WriteStage } from '../../proto/ports.ts'
import type {
  Block,
  ChecksumSpec,
  DatanodeId,
  Init,
  LocatedBlock,
  NamenodePort,
  Packet,
  PacketAck,
  ReplicaLocation,
  SetupReply,
} from '../../proto/ports.ts'
import type { DatanodeClient, DatanodeSource, WriteStream } from '../../proto/transport/datanode-client.ts'
import type { DataOptions } from '../data-options.ts'
import { callPatiently } from '../patience.ts'
import type { BlockPacket } from './packet-builder.ts'
import { appendPipeline, createPipeline, step } from './pipeline.ts'
import { isLive } from './pipeline-state.ts'
import type { PipelineEffect, PipelineEvent, PipelineRules, PipelineState, Stage, Step } from './pipeline-state.ts'
import { SlowNodes } from './slow-nodes.ts'

export interface BlockWriterDeps {
  readonly namenode: NamenodePort
  readonly datanodes: DatanodeSource
  readonly env: Env
  readonly options: DataOptions
  readonly holder: string
  readonly file: { readonly path: string; readonly fileId: number; readonly replication: number }
  readonly checksum: ChecksumSpec
  readonly blockSize: number
  /** Nobody reads these bytes any more. */
  readonly release: (data: Uint8Array) => void
  /** A datanode that later blocks of the file do without. */
  readonly exclude: (node: string) => void
}

const stages: Record<Stage, WriteStage> = {
  'create': WriteStage.WRITE_SETUP_CREATE,
  'append': WriteStage.WRITE_SETUP_APPEND,
  'append-recovery': WriteStage.WRITE_APPEND_RECOVERY,
  'streaming-recovery': WriteStage.WRITE_STREAMING_RECOVERY,
  'close-recovery': WriteStage.WRITE_CLOSE_RECOVERY,
}

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
  readonly #locations = new Map<string, ReplicaLocation>()
  readonly #slow: SlowNodes
  /** Aborted when the block is written or given up: nothing may be waited for any more. */
  readonly #over = new AbortController()
  #state: PipelineState
  #stream: { readonly attempt: number; readonly stream: WriteStream } | undefined
  #waiters: Waiter[] = []
  #stopTimer: (() => void) | undefined
  /** When the pipeline began to owe an answer; undefined = it owes none. */
  #owedSinceMs: number | undefined
  #idleSinceMs: number
  /** Why the namenode refused, with its own code. */
  #refusal: QuarryError | undefined
  #overloaded = false

  private constructor(deps: BlockWriterDeps, located: LocatedBlock, first: Step) {
    this.#deps = deps
    this.#blockId = must(located.block).blockId
    this.#slow = new SlowNodes(deps.options.slowDatanodeMs)
    this.#idleSinceMs = deps.env.clock.monotonicMs()
    for (const location of located.locations) this.#locations.set(must(location.datanode).uuid, location)
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
    return { bad, reason, overloaded: this.#overloaded }
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
      this.#post(state.attempt, { seqno: heartbeatSeqno, offset: 0, checksums: nothing, data: nothing, last: false, sync: false })
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
          this.#open(effect)
          break
        case 'send':
          this.#post(effect.attempt, effect.packet)
          break
        case 'cancel':
          if (this.#stream?.attempt === effect.attempt) this.#stream.stream.cancel()
          this.#deps.env.log.debug('pipeline.cancelled', { blockId: this.#blockId, attempt: effect.attempt })
          break
        case 'finish':
          if (this.#stream?.attempt === effect.attempt) this.#stream.stream.end()
          break
        case 'await':
          void this.#awaitRestart(effect)
          break
        case 'stamp':
          void this.#stamp(effect.attempt)
          break
        case 'replace':
          void this.#replace(effect)
          break
        case 'update':
          void this.#update(effect)
          break
        case 'release':
          this.#deps.release(effect.packet.data)
      }
    }
  }

  #open(effect: PipelineEffect & { kind: 'open' }): void {
    const { attempt, stage, nodes, storages } = effect
    const locations = nodes.map((uuid, i) => ({ ...must(this.#locations.get(uuid)), storageUuid: storages[i]! }))
    const first = must(locations[0])
    const isNew = stage === 'create'
    const client = this.#clientOf(attempt, must(first.datanode))
    if (!client) return
    const stream = client.writeBlock({
      poolId: this.#deps.namenode.poolId,
      block: { blockId: this.#blockId, genstamp: effect.genstamp, length: effect.minBytes },
      stage: stages[stage],
      targets: locations.slice(1),
      storageUuid: first.storageUuid,
      storageType: first.storageType,
      minBytes: effect.minBytes,
      maxBytes: effect.maxBytes,
      newGenstamp: isNew ? 0 : effect.newGenstamp,
      checksum: this.#deps.checksum,
      client: this.#deps.holder,
      blockSize: this.#deps.blockSize,
      targetStorages: storages.slice(1),
      ackTimeoutMs: this.#deps.options.ackTimeoutMs,
    })
    this.#stream = { attempt, stream }
    void this.#follow(attempt, nodes, stream)
  }

  /** Undefined, and the attempt lost, when the connections are closed already. */
  #clientOf(attempt: number, datanode: DatanodeId): DatanodeClient | undefined {
    try {
      return this.#deps.datanodes.get(datanode)
    } catch (error) {
      queueMicrotask(() => this.#dispatch({ kind: 'lost', attempt, node: datanode.uuid, reason: toQuarryError(error).message }))
      return undefined
    }
  }

  #post(attempt: number, packet: Init<Packet>): void {
    if (this.#stream?.attempt !== attempt) return
    // The window bounds what is out; the end of the replies tells of a stream that broke.
    this.#stream.stream.send(packet).catch(() => {})
  }

  async #follow(attempt: number, nodes: readonly string[], stream: WriteStream): Promise<void> {
    const lost = (node: string | undefined, reason: string): void => this.#dispatch({ kind: 'lost', attempt, node, reason })
    try {
      for await (const { setup, ack } of stream.replies) {
        if (setup) {
          if (setup.status !== PipelineStatus.PIPELINE_SUCCESS) return this.#dispatch(this.#refusedSetup(attempt, setup))
          this.#dispatch({ kind: 'connected', attempt, storages: setup.storages })
        } else if (ack) {
          const bad = ack.statuses.findIndex((status) => status !== PipelineStatus.PIPELINE_SUCCESS)
          if (bad >= 0) return this.#dispatch(badNode(attempt, nodes[bad], ack.statuses[bad]!, ack.message))
          if (ack.seqno === heartbeatSeqno) this.#dispatch({ kind: 'alive', attempt })
          else this.#acked(attempt, nodes, ack)
        }
      }
      lost(undefined, 'it ended the stream')
    } catch (error) {
      this.#overloaded ||= isQuarryError(error, 'OVERLOADED')
      lost(undefined, toQuarryError(error).message)
    }
  }

  #refusedSetup(attempt: number, { status, firstBad, error }: SetupReply): PipelineEvent {
    this.#overloaded ||= error?.code === 'OVERLOADED'
    return badNode(attempt, firstBad || undefined, status, error?.message ?? '')
  }

  #acked(attempt: number, nodes: readonly string[], ack: PacketAck): void {
    this.#dispatch({ kind: 'acked', attempt, seqno: ack.seqno })
    const slow = ack.tookMs.length > 0 ? this.#slow.acknowledged(nodes, ack.tookMs) : undefined
    if (slow === undefined) return
    this.#deps.env.log.warn('pipeline.slow', { blockId: this.#blockId, datanode: slow.node, tookMs: slow.tookMs })
    this.#deps.exclude(slow.node)
    const reason = `it takes ${slow.tookMs} ms for a packet, while the others take at most ${slow.othersMs} ms (slow.datanode.threshold)`
    this.#dispatch({ kind: 'lost', attempt, node: slow.node, reason })
  }

  /** Asks a datanode that restarts whether it is back, until it is or its time is over. */
  async #awaitRestart({ attempt, node }: PipelineEffect & { kind: 'await' }): Promise<void> {
    const { env, datanodes, namenode, options } = this.#deps
    const lost = (reason: string): void => this.#dispatch({ kind: 'lost', attempt, node, reason })
    env.log.info('pipeline.restart.awaited', { blockId: this.#blockId, datanode: node })
    const giveUpAtMs = env.clock.monotonicMs() + options.datanodeRestartMs
    for (;;) {
      if (env.clock.monotonicMs() >= giveUpAtMs) return lost(`it did not come back within ${options.datanodeRestartMs / 1000} s`)
      try {
        await env.clock.sleep(restartProbeMs, this.#over.signal)
        const datanode = must(must(this.#locations.get(node)).datanode)
        const request = { poolId: namenode.poolId, block: this.block }
        const { state } = await datanodes.get(datanode).replicaInfo(request, { signal: this.#over.signal, deadlineMs: restartAnswerMs })
        if (state === ReplicaState.REPLICA_RWR) return lost('it restarted and did not keep the block open')
        return this.#dispatch({ kind: 'returned', attempt })
      } catch (error) {
        if (this.#over.signal.aborted) return
        if (isQuarryError(error, 'REPLICA_NOT_FOUND')) return lost(`it restarted: ${error.message}`)
      }
    }
  }

  /** Finds another datanode and has a survivor copy to it what was acknowledged. */
  async #replace({ attempt, nodes, excluded, source }: PipelineEffect & { kind: 'replace' }): Promise<void> {
    const { namenode, datanodes, env, file, holder } = this.#deps
    const failed = (node: string | undefined, error: unknown): void => {
      env.log.warn('pipeline.replacement.failed', { blockId: this.#blockId, datanode: node, source, reason: toQuarryError(error).message })
      this.#dispatch({ kind: 'unjoined', attempt, node, reason: toQuarryError(error).message })
    }
    let found: ReplicaLocation | undefined
    try {
      const request = { path: file.path, fileId: file.fileId, holder, block: this.block, existing: nodes, excluded, wanted: 1 }
      const { block } = await callPatiently(namenode, env, 'additionalDatanode', request)
      found = block?.locations.find(({ datanode }) => datanode && !nodes.includes(datanode.uuid) && !excluded.includes(datanode.uuid))
    } catch (error) {
      return failed(undefined, error)
    }
    if (!found) return failed(undefined, new QuarryError('NO_TARGETS', 'the namenode knows no other datanode'))
    const node = must(found.datanode).uuid
    this.#locations.set(node, found)
    try {
      await datanodes
        .get(must(must(this.#locations.get(source)).datanode))
        .transferBlock(
          { poolId: namenode.poolId, block: this.block, targets: [found], client: holder },
          { signal: this.#over.signal, deadlineMs: replacementCopyMs },
        )
    } catch (error) {
      // What befalls the other end comes as PIPELINE_FAILED: this is the survivor itself.
      if (isQuarryError(error, 'UNAVAILABLE') || isQuarryError(error, 'TIMEOUT'))
        return this.#dispatch({ kind: 'lost', attempt, node: source, reason: error.message })
      return failed(node, error)
    }
    this.#dispatch({ kind: 'joined', attempt, node, storage: found.storageUuid })
  }

  async #stamp(attempt: number): Promise<void> {
    try {
      const { block } = await callPatiently(this.#deps.namenode, this.#deps.env, 'updateBlockForPipeline', {
        block: this.block,
        holder: this.#deps.holder,
      })
      // A datanode that restarted may have another address.
      for (const location of block?.locations ?? []) {
        const uuid = location.datanode?.uuid ?? ''
        if (this.#locations.has(uuid)) this.#locations.set(uuid, location)
      }
      this.#dispatch({ kind: 'stamped', attempt, genstamp: must(block?.block).genstamp })
    } catch (error) {
      this.#refused(attempt, error)
    }
  }

  async #update(effect: PipelineEffect & { kind: 'update' }): Promise<void> {
    const { attempt, nodes, storages, genstamp, newGenstamp, length } = effect
    try {
      await callPatiently(this.#deps.namenode, this.#deps.env, 'updatePipeline', {
        holder: this.#deps.holder,
        oldBlock: { blockId: this.#blockId, genstamp, length },
        newBlock: { blockId: this.#blockId, genstamp: newGenstamp, length },
        datanodes: nodes,
        storages,
      })
      this.#deps.env.log.info('pipeline.recovered', { blockId: this.#blockId, genstamp: newGenstamp, datanodes: nodes })
      this.#dispatch({ kind: 'updated', attempt })
    } catch (error) {
      this.#refused(attempt, error)
    }
  }

  #refused(attempt: number, error: unknown): void {
    if (isLive(this.#state) && this.#state.attempt === attempt) this.#refusal = toQuarryError(error)
    this.#dispatch({ kind: 'refused', attempt, reason: toQuarryError(error).message })
  }
}

const nothing = new Uint8Array(0)
/** Echoed by every datanode, acknowledges nothing. */
const heartbeatSeqno = -1
/** How long a datanode that restarts may take to say whether it is back. */
const restartAnswerMs = 2_000

function rulesOf({ file, options }: BlockWriterDeps): PipelineRules {
  return { replication: file.replication, replacement: { mode: options.replaceDatanode, bestEffort: options.replaceDatanodeBestEffort } }
}

/** What a status that is not success says of a datanode. */
function badNode(attempt: number, node: string | undefined, status: PipelineStatus, message: string): PipelineEvent {
  if (status === PipelineStatus.PIPELINE_RESTARTING && node !== undefined) return { kind: 'restarting', attempt, node }
  return { kind: 'lost', attempt, node, reason: message || statusText(status) }
}

function targetsOf(located: LocatedBlock): { node: string; storage: string }[] {
  return located.locations.map((location) => ({ node: must(location.datanode).uuid, storage: location.storageUuid }))
}

function statusText(status: PipelineStatus): string {
  switch (status) {
    case PipelineStatus.PIPELINE_ERROR_CHECKSUM:
      return 'what arrived there does not match its checksums'
    case PipelineStatus.PIPELINE_ERROR_DISK_FULL:
      return 'its disk is full'
    case PipelineStatus.PIPELINE_RESTARTING:
      return 'it restarts'
    default:
      return 'it reported a failure'
  }
}
