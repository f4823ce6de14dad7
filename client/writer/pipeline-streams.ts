// The streams of a pipeline: one an attempt, to its first datanode. What the datanodes answer becomes events of the machine (pipeline.ts).
import { must } from '../../common/assert.ts'
import { isQuarryError, toQuarryError } from '../../common/errors.ts'
import { PipelineStatus, WriteStage } from '../../proto/ports.ts'
import type { DatanodeId, Init, Packet, PacketAck, SetupReply } from '../../proto/ports.ts'
import type { DatanodeClient, WriteStream } from '../../proto/transport/datanode-client.ts'
import type { BlockContext, EffectOf } from './block-context.ts'
import type { PipelineEvent, Stage } from './pipeline-state.ts'
import { SlowNodes } from './slow-nodes.ts'

const stages: Record<Stage, WriteStage> = {
  'create': WriteStage.WRITE_SETUP_CREATE,
  'append': WriteStage.WRITE_SETUP_APPEND,
  'append-recovery': WriteStage.WRITE_APPEND_RECOVERY,
  'streaming-recovery': WriteStage.WRITE_STREAMING_RECOVERY,
  'close-recovery': WriteStage.WRITE_CLOSE_RECOVERY,
}

const nothing = new Uint8Array(0)
/** Echoed by every datanode, acknowledges nothing. */
const heartbeatSeqno = -1

export class PipelineStreams {
  readonly #context: BlockContext
  readonly #slow: SlowNodes
  #stream: { readonly attempt: number; readonly stream: WriteStream } | undefined
  #overloaded = false

  constructor(context: BlockContext) {
    this.#context = context
    this.#slow = new SlowNodes(context.deps.options.slowDatanodeMs)
  }

  /** A datanode refused because it is busy, not broken. */
  get overloaded(): boolean {
    return this.#overloaded
  }

  open(effect: EffectOf<'open'>): void {
    const { deps, blockId } = this.#context
    const { attempt, stage, nodes, storages } = effect
    const locations = nodes.map((uuid, i) => ({ ...must(this.#context.locations.get(uuid)), storageUuid: storages[i]! }))
    const first = must(locations[0])
    const isNew = stage === 'create'
    const client = this.#clientOf(attempt, must(first.datanode))
    if (!client) return
    const stream = client.writeBlock({
      poolId: deps.namenode.poolId,
      block: { blockId, genstamp: effect.genstamp, length: effect.minBytes },
      stage: stages[stage],
      targets: locations.slice(1),
      storageUuid: first.storageUuid,
      storageType: first.storageType,
      minBytes: effect.minBytes,
      maxBytes: effect.maxBytes,
      newGenstamp: isNew ? 0 : effect.newGenstamp,
      checksum: deps.checksum,
      client: deps.holder,
      blockSize: deps.blockSize,
      targetStorages: storages.slice(1),
      ackTimeoutMs: deps.options.ackTimeoutMs,
    })
    this.#stream = { attempt, stream }
    void this.#follow(attempt, nodes, stream)
  }

  /** Undefined, and the attempt lost, when the connections are closed already. */
  #clientOf(attempt: number, datanode: DatanodeId): DatanodeClient | undefined {
    try {
      return this.#context.deps.datanodes.get(datanode)
    } catch (error) {
      queueMicrotask(() => this.#context.dispatch({ kind: 'lost', attempt, node: datanode.uuid, reason: toQuarryError(error).message }))
      return undefined
    }
  }

  /** Sends a packet on the stream of the attempt, if that is still the one. */
  post(attempt: number, packet: Init<Packet>): void {
    if (this.#stream?.attempt !== attempt) return
    // The window bounds what is out; the end of the replies tells of a stream that broke.
    this.#stream.stream.send(packet).catch(() => {})
  }

  async #follow(attempt: number, nodes: readonly string[], stream: WriteStream): Promise<void> {
    const lost = (node: string | undefined, reason: string): void => this.#context.dispatch({ kind: 'lost', attempt, node, reason })
    try {
      for await (const { setup, ack } of stream.replies) {
        if (setup) {
          if (setup.status !== PipelineStatus.PIPELINE_SUCCESS) return this.#context.dispatch(this.#refusedSetup(attempt, setup))
          this.#context.dispatch({ kind: 'connected', attempt, storages: setup.storages })
        } else if (ack) {
          const bad = ack.statuses.findIndex((status) => status !== PipelineStatus.PIPELINE_SUCCESS)
          if (bad >= 0) return this.#context.dispatch(badNode(attempt, nodes[bad], ack.statuses[bad]!, ack.message))
          if (ack.seqno === heartbeatSeqno) this.#context.dispatch({ kind: 'alive', attempt })
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
    this.#context.dispatch({ kind: 'acked', attempt, seqno: ack.seqno })
    const slow = ack.tookMs.length > 0 ? this.#slow.acknowledged(nodes, ack.tookMs) : undefined
    if (slow === undefined) return
    const { deps, blockId } = this.#context
    deps.env.log.warn('pipeline.slow', { blockId, datanode: slow.node, tookMs: slow.tookMs })
    deps.exclude(slow.node)
    const reason = `it takes ${slow.tookMs} ms for a packet, while the others take at most ${slow.othersMs} ms (slow.datanode.threshold)`
    this.#context.dispatch({ kind: 'lost', attempt, node: slow.node, reason })
  }

  /** Tells the datanodes that their writer lives. */
  heartbeat(attempt: number): void {
    this.post(attempt, { seqno: heartbeatSeqno, offset: 0, checksums: nothing, data: nothing, last: false, sync: false })
  }

  cancel(attempt: number): void {
    if (this.#stream?.attempt === attempt) this.#stream.stream.cancel()
  }

  /** The stream has done its work. */
  finish(attempt: number): void {
    if (this.#stream?.attempt === attempt) this.#stream.stream.end()
  }
}

/** What a status that is not success says of a datanode. */
function badNode(attempt: number, node: string | undefined, status: PipelineStatus, message: string): PipelineEvent {
  if (status === PipelineStatus.PIPELINE_RESTARTING && node !== undefined) return { kind: 'restarting', attempt, node }
  return { kind: 'lost', attempt, node, reason: message || statusText(status) }
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
