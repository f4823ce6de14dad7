// Copies replicas to other datanodes: for the namenode (a block has too few copies) and for writers (a pipeline gets a new node).
//
// The stored checksums go with the bytes and every target checks them, so a bad disk here cannot spread. When a target finds a
// mismatch, this node looks at its own replica and reports it if that is where the damage is.
//
// Three kinds do not stand in each other's way: copies that a writer waits for run at once, copies that the namenode orders for
// safety have places of their own, and moves of the balancer have theirs and share a bandwidth.
import type { Env } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'
import { packetsInFlightMax } from '../../common/limits.ts'
import { PipelineStatus, ReplicaState, WriteStage } from '../../proto/ports.ts'
import type { Block, ReplicaLocation, WriteReply } from '../../proto/ports.ts'
import type { DatanodeSource, WriteStream } from '../../proto/transport/datanode-client.ts'
import { Lane } from '../core/lane.ts'
import { packetDataBytes } from '../core/read-plan.ts'
import { ReplicaReader } from '../store/replica-reader.ts'
import { Throttle } from '../core/throttle.ts'
import type { ReplicaStore } from '../store/replica-store.ts'
import { verifyReplica } from '../store/verify.ts'
import type { DatanodeMetrics } from '../service/metrics.ts'

/** Copies of each kind sent at the same time; more wait. HDFS allows 2 for safety and 4 at the hardest, and 100 moves. */
const lanes = { safety: 4, balancing: 8, pipeline: 64 } as const
export type TransferKind = keyof typeof lanes
/** Copies of a kind that may wait: the namenode, or the writer, asks again for what was refused. */
const waitingMax = 1000
const transferPacketBytes = 1024 * 1024
/** A copy without progress for this long has failed. */
const stallMs = 60_000

/** A long wait for bandwidth is cut into these, so that another bandwidth is soon noticed. */
const throttleSliceMs = 1_000

interface Exchange {
  readonly reader: ReplicaReader
  readonly stream: WriteStream
  readonly stage: WriteStage
  readonly kind: TransferKind
  progressed(): void
}

export interface TransferDeps {
  readonly env: Env
  readonly store: ReplicaStore
  readonly clients: DatanodeSource
  readonly metrics: DatanodeMetrics
  /** Bytes a second that moves of the balancer may take together. */
  readonly balancingBandwidth: number
  reportBad(block: Block, storageUuid: string, reason: string): void
}

export class Transfers {
  readonly #deps: TransferDeps
  readonly #lanes: Readonly<Record<TransferKind, Lane>>
  readonly #throttle: Throttle

  constructor(deps: TransferDeps) {
    this.#deps = deps
    this.#throttle = new Throttle(deps.balancingBandwidth)
    const lane = (kind: TransferKind): Lane => new Lane(lanes[kind], waitingMax)
    this.#lanes = { safety: lane('safety'), balancing: lane('balancing'), pipeline: lane('pipeline') }
  }

  /** Bytes a second that moves of the balancer may take together. */
  get balancingBandwidth(): number {
    return this.#throttle.bytesPerSecond
  }

  /** Holds for the moves under way too. */
  setBalancingBandwidth(bytesPerSecond: number): void {
    this.#throttle.setRate(bytesPerSecond, this.#deps.env.clock.monotonicMs())
  }

  /** Copies of open replicas stay open at the target; the others are finalised there. Resolves when every target holds it. */
  async copy(block: Block, targets: readonly ReplicaLocation[], kind: TransferKind = 'safety'): Promise<void> {
    const first = targets[0]?.datanode
    if (first === undefined || first === null) throw new QuarryError('INVALID_ARGUMENT', 'A copy needs a target.')
    await this.#lanes[kind].run(async () => {
      this.#deps.metrics.transfers++
      try {
        await this.#send(block, targets, kind)
        this.#deps.metrics.blocksCopied++
      } finally {
        this.#deps.metrics.transfers--
      }
    })
  }

  async #send(block: Block, targets: readonly ReplicaLocation[], kind: TransferKind): Promise<void> {
    const { store, clients, env } = this.#deps
    const reader = await ReplicaReader.open(store, block)
    const record = store.find(block)
    const stage = record.state === ReplicaState.REPLICA_FINALIZED ? WriteStage.WRITE_TRANSFER_FINALIZED : WriteStage.WRITE_TRANSFER_RBW
    const stream = clients.get(targets[0]!.datanode!).writeBlock({
      poolId: store.poolId,
      block: { blockId: block.blockId, genstamp: reader.genstamp, length: reader.length },
      stage,
      targets: targets.slice(1),
      storageUuid: targets[0]!.storageUuid,
      storageType: targets[0]!.storageType,
      newGenstamp: reader.genstamp,
      checksum: { type: reader.sum.type as 0 | 1 | 2, bytesPerChunk: reader.sum.bytesPerChunk },
      blockSize: reader.length,
    })
    let progressMs = env.clock.monotonicMs()
    let stop = () => {}
    const watch = () => {
      stop = env.clock.after(stallMs, () => (env.clock.monotonicMs() - progressMs >= stallMs ? stream.cancel() : watch()))
    }
    watch()
    try {
      await this.#exchange({ reader, stream, stage, kind, progressed: () => (progressMs = env.clock.monotonicMs()) })
    } catch (error) {
      if (error instanceof QuarryError && error.code === 'CHECKSUM') await this.#suspect(block)
      throw error
    } finally {
      stop()
      stream.cancel()
      await reader.close()
    }
  }

  async #exchange({ reader, stream, stage, kind, progressed }: Exchange): Promise<void> {
    const replies = stream.replies[Symbol.asyncIterator]()
    const setup = await this.#reply(replies)
    if (setup.setup?.status !== PipelineStatus.PIPELINE_SUCCESS) {
      // What is there already is what was wanted, unless a pipeline waits for exactly these bytes.
      if (setup.setup?.error?.code === 'ALREADY_EXISTS' && stage === WriteStage.WRITE_TRANSFER_FINALIZED) return
      throw new QuarryError(
        'PIPELINE_FAILED',
        `The copy was refused by datanode ${setup.setup?.firstBad ?? '?'}: ${setup.setup?.error?.message ?? 'no reason given'}`,
      )
    }
    const { bytesPerChunk, crc } = reader.sum
    const step = packetDataBytes(bytesPerChunk, transferPacketBytes)
    let unacked = 0
    const takeAck = async () => {
      const { ack } = await this.#reply(replies)
      progressed()
      unacked--
      const bad = ack?.statuses.find((status) => status !== PipelineStatus.PIPELINE_SUCCESS)
      if (ack === null || bad !== undefined) {
        throw new QuarryError(
          bad === PipelineStatus.PIPELINE_ERROR_CHECKSUM ? 'CHECKSUM' : 'PIPELINE_FAILED',
          ack?.message || 'The target ended the copy.',
        )
      }
    }
    let seqno = 0
    for (let offset = 0; offset < reader.length; offset += step) {
      const length = Math.min(step, reader.length - offset)
      // A packet's bytes stay untouched until it is acknowledged, so each has its own.
      const data = Buffer.allocUnsafe(length)
      const sums = Buffer.allocUnsafe(crc === undefined ? 0 : Math.ceil(length / bytesPerChunk) * 4)
      await reader.read(offset, length, data, sums)
      if (unacked >= packetsInFlightMax) await takeAck()
      if (kind === 'balancing') await this.#throttled(length + sums.length, progressed)
      unacked++
      await stream.send({ seqno: seqno++, offset, checksums: sums, data })
      progressed()
    }
    unacked++
    await stream.send({ seqno, offset: reader.length, last: true })
    stream.end()
    while (unacked > 0) await takeAck()
  }

  /** Waits until the moves of the balancer may send these bytes. */
  async #throttled(bytes: number, progressed: () => void): Promise<void> {
    const { clock } = this.#deps.env
    const ticket = this.#throttle.take(bytes, clock.monotonicMs())
    for (;;) {
      const waitMs = this.#throttle.waitMs(ticket, clock.monotonicMs())
      if (waitMs === 0) return
      await clock.sleep(Math.min(waitMs, throttleSliceMs))
      // Waiting for the bandwidth is no stall.
      progressed()
    }
  }

  async #reply(replies: AsyncIterator<WriteReply>): Promise<WriteReply> {
    const next = await replies.next()
    if (next.done) throw new QuarryError('PIPELINE_FAILED', 'The target ended the copy without an answer.')
    return next.value
  }

  /** A target found bad checksums: ours, or damage on the way? */
  async #suspect(block: Block): Promise<void> {
    const { store, env } = this.#deps
    try {
      const found = await verifyReplica(store, block)
      if (!found.ok) {
        this.#deps.metrics.badReplicas++
        this.#deps.reportBad(block, found.storageUuid, found.reason)
      }
    } catch (error) {
      env.log.warn('replica.verify.failed', { blockId: block.blockId, error })
    }
  }
}
