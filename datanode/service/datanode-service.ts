// The gRPC door of a datanode: streams become pipeline runs and reads, calls become operations of the store.
import type { ServerUnaryCall } from '@grpc/grpc-js'
import { QuarryError, isQuarryError } from '../../common/errors.ts'
import { codec, serviceDefinition } from '../../proto/codec.ts'
import { PipelineStatus, ReplicaState } from '../../proto/ports.ts'
import type {
  BlockChecksumReply,
  BlockChecksumRequest,
  FinishReplicaRecoveryReply,
  FinishReplicaRecoveryRequest,
  Init,
  InitReplicaRecoveryReply,
  InitReplicaRecoveryRequest,
  ReplicaInfoReply,
  ReplicaInfoRequest,
  TransferReply,
  TransferRequest,
  WriteReply,
} from '../../proto/ports.ts'
import { joined } from '../../proto/transport/bulk-stream.ts'
import type { BulkStream, Message } from '../../proto/transport/bulk-stream.ts'
import { decodePacketParts, decodeWriteFrame } from '../../proto/transport/packet-codec.ts'
import type { GrpcServer } from '../../proto/transport/server.ts'
import { statusOf } from '../../proto/transport/status.ts'
import { runPipeline } from '../core/pipeline.ts'
import type { IncomingPacket } from '../core/pipeline-ports.ts'
import { blockChecksum } from '../store/block-checksum.ts'
import { ReplicaReader } from '../store/replica-reader.ts'
import type { ReplicaStore } from '../store/replica-store.ts'
import type { Transfers } from '../workers/transfers.ts'
import type { BlockStreams } from './block-streams.ts'
import { recoveryCheckMs, refuseDamaged } from './damage-check.ts'
import type { DatanodeMetrics } from './metrics.ts'
import { serveRead } from './read-block.ts'

export interface ServiceDeps {
  readonly store: ReplicaStore
  readonly streams: BlockStreams
  readonly transfers: Transfers
  readonly metrics: DatanodeMetrics
  readonly localReads: boolean
}

const readRequest = codec('ReadRequest')
const writeReply = codec('WriteReply')
type Unary<Q, R> = (call: ServerUnaryCall<Q, R>, callback: (error: unknown, reply?: Init<R>) => void) => void

export class DatanodeService {
  readonly #deps: ServiceDeps

  constructor(deps: ServiceDeps) {
    this.#deps = deps
  }

  addTo(server: GrpcServer): void {
    server.addBulk('/quarry.v1.Datanode/WriteBlock', (call) => this.#write(call))
    server.addBulk('/quarry.v1.Datanode/ReadBlock', (call) => this.#read(call))
    const { writeBlock: _write, readBlock: _read, ...calls } = serviceDefinition('Datanode')
    server.add(calls, {
      replicaInfo: this.#unary<ReplicaInfoRequest, ReplicaInfoReply>((request, peer) => this.#replicaInfo(request, peer)),
      blockChecksum: this.#unary<BlockChecksumRequest, BlockChecksumReply>((request) => this.#blockChecksum(request)),
      transferBlock: this.#unary<TransferRequest, TransferReply>((request) => this.#transfer(request)),
      initReplicaRecovery: this.#unary<InitReplicaRecoveryRequest, InitReplicaRecoveryReply>((request) => this.#initRecovery(request)),
      finishReplicaRecovery: this.#unary<FinishReplicaRecoveryRequest, FinishReplicaRecoveryReply>((request) =>
        this.#finishRecovery(request),
      ),
    })
  }

  async #write(call: BulkStream): Promise<void> {
    const { metrics, streams } = this.#deps
    metrics.writers++
    try {
      if (streams.draining) return await this.#refuseRestarting(call)
      streams.admit()
      const first = await call.next()
      const header = first.done ? null : decodeWriteFrame(joined(first.value as Message)).header
      if (header === null) throw new QuarryError('INVALID_ARGUMENT', 'A block stream begins with a header.')
      streams.checkPool(header.poolId)
      const ports = streams.pipelinePorts(header, (reply) => call.send([writeReply.encode(reply as Init<WriteReply>)]))
      await runPipeline(header, this.#packets(call), ports)
      await call.flush()
    } finally {
      metrics.writers--
    }
  }

  /** A recovery that comes while this node stops is told to come back; a new block goes elsewhere. */
  async #refuseRestarting(call: BulkStream): Promise<void> {
    const error = { code: 'UNAVAILABLE', message: 'This datanode is stopping.', detailsJson: '' }
    const setup = { status: PipelineStatus.PIPELINE_RESTARTING, firstBad: this.#deps.store.datanodeUuid, error, storages: [] }
    await call.send([writeReply.encode({ setup })])
    await call.flush()
  }

  #packets(call: BulkStream): AsyncIterator<IncomingPacket> {
    return {
      next: async () => {
        const next = await call.next()
        if (next.done) return { done: true, value: undefined }
        const raw = next.value as Message
        const packet = decodePacketParts(raw)
        if (packet === undefined) throw new QuarryError('INVALID_ARGUMENT', 'A block stream has one header.')
        this.#deps.metrics.bytesWritten += packet.length
        return { done: false, value: { packet, raw } }
      },
    }
  }

  async #read(call: BulkStream): Promise<void> {
    const { metrics, store, streams } = this.#deps
    metrics.readers++
    try {
      streams.admit()
      const first = await call.next()
      if (first.done) throw new QuarryError('INVALID_ARGUMENT', 'A read begins with a request.')
      const request = readRequest.decode(joined(first.value as Message))
      this.#deps.streams.checkPool(request.poolId)
      await serveRead(store, streams.pool, request, call, (bytes) => (metrics.bytesRead += bytes))
    } finally {
      metrics.readers--
    }
  }

  async #replicaInfo(request: ReplicaInfoRequest, peer: string): Promise<Init<ReplicaInfoReply>> {
    this.#deps.streams.checkPool(request.poolId)
    // A writer that waits for this node's return must not take its farewell for it.
    if (this.#deps.streams.draining) throw new QuarryError('UNAVAILABLE', 'This datanode is stopping.')
    const { store, localReads } = this.#deps
    const reader = await ReplicaReader.open(store, request.block ?? { blockId: 0, genstamp: 0 })
    await reader.close()
    const replica = store.find(request.block ?? { blockId: 0, genstamp: 0 })
    const paths = request.wantLocalPath && localReads && isLocal(peer) && replica.state === ReplicaState.REPLICA_FINALIZED
    return {
      block: { blockId: replica.blockId, genstamp: replica.genstamp, length: replica.visible },
      state: replica.state,
      checksum: { type: reader.sum.type as 0 | 1 | 2, bytesPerChunk: reader.sum.bytesPerChunk },
      ...(paths && { dataPath: store.dataPath(replica), checksumPath: store.checksumPath(replica) }),
    }
  }

  async #blockChecksum(request: BlockChecksumRequest): Promise<Init<BlockChecksumReply>> {
    this.#deps.streams.checkPool(request.poolId)
    return blockChecksum(this.#deps.store, request.block ?? { blockId: 0, genstamp: 0, length: 0 })
  }

  async #transfer(request: TransferRequest): Promise<Init<TransferReply>> {
    this.#deps.streams.checkPool(request.poolId)
    const block = request.block ?? { blockId: 0, genstamp: 0, length: 0 }
    try {
      await this.#deps.transfers.copy(block, request.targets, 'pipeline')
    } catch (error) {
      // Not to be taken for this node's own absence.
      if (isQuarryError(error, 'UNAVAILABLE')) throw new QuarryError('PIPELINE_FAILED', error.message, error.details, { cause: error })
      throw error
    }
    return {}
  }

  async #initRecovery(request: InitReplicaRecoveryRequest): Promise<Init<InitReplicaRecoveryReply>> {
    this.#deps.streams.checkPool(request.poolId)
    await refuseDamaged(this.#deps.store, request.block?.blockId ?? 0, recoveryCheckMs)
    return this.#deps.store.initRecovery(request.block ?? { blockId: 0 }, request.recoveryId)
  }

  async #finishRecovery(request: FinishReplicaRecoveryRequest): Promise<Init<FinishReplicaRecoveryReply>> {
    this.#deps.streams.checkPool(request.poolId)
    return { storageUuid: await this.#deps.store.finishRecovery(request.block ?? { blockId: 0 }, request.recoveryId, request.newLength) }
  }

  #unary<Q, R>(run: (request: Q, peer: string) => Promise<Init<R>>): Unary<Q, R> {
    return (call, callback) => {
      run(call.request, call.getPeer()).then(
        (reply) => callback(null, reply),
        (error: unknown) => callback(statusOf(error)),
      )
    }
  }
}

/** Whether a peer as grpc-js names it ("127.0.0.1:4711", "[::1]:4711") is on this host for certain. */
export function isLocal(peer: string): boolean {
  return /^(127\.|\[?::1\]?:|\[?::ffff:127\.|ipv4:127\.|unix:)/.test(peer)
}
