// Carries out the effects of the pipeline machine (pipeline.ts) for one block: streams to datanodes, calls to the namenode,
// time-outs. What happens there comes back to the machine as events.
import { QuarryError, toQuarryError } from '../../common/errors.ts'
import type { Env } from '../../common/env.ts'
import { ackTimeoutMs, pipelineHeartbeatMs } from '../../common/limits.ts'
import { must } from '../../common/assert.ts'
import { PipelineStatus, WriteStage } from '../../proto/ports.ts'
import type { Block, ChecksumSpec, DatanodeId, Init, LocatedBlock, NamenodePort, Packet, ReplicaLocation } from '../../proto/ports.ts'
import type { DatanodeClient, WriteStream } from '../../proto/transport/datanode-client.ts'
import { callPatiently } from '../patience.ts'
import type { BlockPacket } from './packet-builder.ts'
import { appendPipeline, createPipeline, isLive, step } from './pipeline.ts'
import type { PipelineEffect, PipelineEvent, PipelineState, Stage, Step } from './pipeline.ts'

/** The part of DatanodeClients that writers and readers use. */
export interface DatanodeSource {
  get(node: Pick<DatanodeId, 'ip' | 'grpcPort'>): DatanodeClient
}

export interface BlockWriterDeps {
  readonly namenode: NamenodePort
  readonly datanodes: DatanodeSource
  readonly env: Env
  readonly holder: string
  readonly checksum: ChecksumSpec
  readonly blockSize: number
  /** Nobody reads these bytes any more. */
  readonly release: (data: Uint8Array) => void
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

export class BlockWriter {
  readonly #deps: BlockWriterDeps
  readonly #blockId: number
  readonly #locations = new Map<string, ReplicaLocation>()
  #state: PipelineState
  #stream: { readonly attempt: number; readonly stream: WriteStream } | undefined
  #waiters: Waiter[] = []
  #stopTimer: (() => void) | undefined
  /** Why the namenode refused, with its own code. */
  #refusal: QuarryError | undefined

  private constructor(deps: BlockWriterDeps, located: LocatedBlock, first: Step) {
    this.#deps = deps
    this.#blockId = must(located.block).blockId
    for (const location of located.locations) this.#locations.set(must(location.datanode).uuid, location)
    this.#state = first.state
    this.#carryOut(first.effects)
    this.#watch()
  }

  /** For a block that the namenode has just placed. */
  static create(deps: BlockWriterDeps, located: LocatedBlock): BlockWriter {
    return new BlockWriter(deps, located, createPipeline(targetsOf(located), must(located.block).genstamp))
  }

  /** For the last, partial block of a file. */
  static append(deps: BlockWriterDeps, located: LocatedBlock): BlockWriter {
    const { genstamp, length } = must(located.block)
    return new BlockWriter(deps, located, appendPipeline(targetsOf(located), genstamp, length))
  }

  /** Undefined when the pipeline stands; else what was in the way of a new block, and nothing was written. */
  async placed(): Promise<{ readonly bad: string; readonly reason: string } | undefined> {
    await this.#until((state) => state.kind === 'streaming' || state.kind === 'unplaced')
    return this.#state.kind === 'unplaced' ? this.#state : undefined
  }

  /** Waits until the window has room, then takes the packet over. */
  async send(packet: BlockPacket, options: { readonly window: number; readonly sync?: boolean }): Promise<void> {
    await this.#until((state) => isLive(state) && state.queue.length < options.window)
    this.#dispatch({ kind: 'packet', packet, sync: options.sync ?? false })
  }

  /** Resolves when every datanode has acknowledged everything sent so far. */
  async flushed(): Promise<void> {
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
    this.#carryOut(next.effects)
    const due = this.#waiters.filter((waiter) => waiter.done(this.#state))
    if (due.length > 0) {
      this.#waiters = this.#waiters.filter((waiter) => !due.includes(waiter))
      for (const waiter of due) waiter.resolve()
    }
    this.#watch()
  }

  /** A pipeline that owes an answer is given up after a while; one that has nothing to do is told that its writer lives. */
  #watch(): void {
    this.#stopTimer?.()
    this.#stopTimer = undefined
    const state = this.#state
    if (state.kind !== 'connecting' && state.kind !== 'streaming') return
    const owes = state.kind === 'connecting' || state.sent > 0
    this.#stopTimer = this.#deps.env.clock.after(owes ? ackTimeoutMs : pipelineHeartbeatMs, () => {
      if (owes)
        return this.#dispatch({ kind: 'lost', attempt: state.attempt, node: undefined, reason: `no answer for ${ackTimeoutMs / 1000} s` })
      this.#post(state.attempt, { seqno: heartbeatSeqno, offset: 0, checksums: nothing, data: nothing, last: false, sync: false })
      this.#watch()
    })
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
        case 'stamp':
          void this.#stamp(effect.attempt)
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
          if (setup.status !== PipelineStatus.PIPELINE_SUCCESS)
            return lost(setup.firstBad || undefined, setup.error?.message || statusText(setup.status))
          this.#dispatch({ kind: 'connected', attempt, storages: setup.storages })
        } else if (ack && ack.seqno !== heartbeatSeqno) {
          const bad = ack.statuses.findIndex((status) => status !== PipelineStatus.PIPELINE_SUCCESS)
          if (bad >= 0) return lost(nodes[bad], ack.message || statusText(ack.statuses[bad]!))
          this.#dispatch({ kind: 'acked', attempt, seqno: ack.seqno })
        }
      }
      lost(undefined, 'it ended the stream')
    } catch (error) {
      lost(undefined, toQuarryError(error).message)
    }
  }

  async #stamp(attempt: number): Promise<void> {
    try {
      const { block } = await callPatiently(this.#deps.namenode, this.#deps.env, 'updateBlockForPipeline', {
        block: this.block,
        holder: this.#deps.holder,
      })
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
