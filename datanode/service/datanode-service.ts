// The gRPC door of a datanode: streams become pipeline runs and reads, calls become operations of the store.
import type { ServerUnaryCall } from '@grpc/grpc-js'
import type { Env } from '../../common/env.ts'
import { QuarryError, isQuarryError } from '../../common/errors.ts'
import { codec, serviceDefinition } from '../../proto/codec.ts'
import { PipelineStatus, ReplicaState, WriteStage } from '../../proto/ports.ts'
import type {
  BlockChecksumReply,
  BlockChecksumRequest,
  DatanodeId,
  FinishReplicaRecoveryReply,
  FinishReplicaRecoveryRequest,
  Init,
  InitReplicaRecoveryReply,
  InitReplicaRecoveryRequest,
  ReplicaInfoReply,
  ReplicaInfoRequest,
  TransferReply,
  TransferRequest,
  WriteHeader,
  WriteReply,
} from '../../proto/ports.ts'
import type { DatanodeSource } from '../../proto/transport/datanode-client.ts'
import { joined } from '../../proto/transport/bulk-stream.ts'
import type { BulkStream, Message } from '../../proto/transport/bulk-stream.ts'
import { decodePacketParts, decodeWriteFrame } from '../../proto/transport/packet-codec.ts'
import type { GrpcServer } from '../../proto/transport/server.ts'
import { statusOf } from '../../proto/transport/status.ts'
import { runPipeline } from '../core/pipeline.ts'
import { packetsHeld } from '../core/pipeline-ports.ts'
import type { IncomingPacket } from '../core/pipeline-ports.ts'
import type { ReplicaWriter } from '../core/replica.ts'
import { SlowPeers } from '../core/slow-peers.ts'
import type { SlowPeerReport } from '../core/slow-peers.ts'
import { blockChecksum } from '../store/block-checksum.ts'
import { checksummer } from '../store/checksum-file.ts'
import { ReplicaReader } from '../store/replica-reader.ts'
import type { ReplicaStore } from '../store/replica-store.ts'
import type { Transfers } from '../workers/transfers.ts'
import { BufferPool } from './buffer-pool.ts'
import { appendCheckMs, recoveryCheckMs, refuseDamaged } from './damage-check.ts'
import { connectDownstream } from './downstream.ts'
import type { DatanodeMetrics } from './metrics.ts'
import { serveRead } from './read-block.ts'

export interface ServiceDeps {
  readonly env: Env
  readonly store: ReplicaStore
  readonly clients: DatanodeSource
  readonly transfers: Transfers
  readonly metrics: DatanodeMetrics
  readonly streamsMax: number
  readonly localReads: boolean
}

const readRequest = codec('ReadRequest')
const writeReply = codec('WriteReply')
type Unary<Q, R> = (call: ServerUnaryCall<Q, R>, callback: (error: unknown, reply?: Init<R>) => void) => void

export class DatanodeService {
  readonly #deps: ServiceDeps
  readonly #pool = new BufferPool()
  readonly #slowPeers = new SlowPeers()
  /** Write streams that are to hear of a restart. */
  readonly #restarts = new Set<() => void>()
  #draining = false

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

  /** Refuses new streams from now on; the open ones go on. */
  drain(): void {
    this.#draining = true
  }

  /** Ends the write streams that are still open: their writers are told that this node restarts and keeps their replicas. */
  restart(): void {
    this.#draining = true
    for (const tell of [...this.#restarts]) tell()
  }

  /** Datanodes below this one in pipelines that are far slower than the others. */
  slowPeers(): SlowPeerReport[] {
    return this.#slowPeers.slow(this.#deps.env.clock.monotonicMs())
  }

  async #write(call: BulkStream): Promise<void> {
    const { metrics, env, store, clients } = this.#deps
    metrics.writers++
    try {
      if (this.#draining) return await this.#refuseRestarting(call)
      this.#admit()
      const first = await call.next()
      const header = first.done ? null : decodeWriteFrame(joined(first.value as Message)).header
      if (header === null) throw new QuarryError('INVALID_ARGUMENT', 'A block stream begins with a header.')
      this.#checkPool(header.poolId)
      await runPipeline(header, this.#packets(call), {
        clock: env.clock,
        log: env.log,
        uuid: store.datanodeUuid,
        packetsHeld: () => packetsHeld(metrics.writers),
        openReplica: (asked) => this.#openReplica(asked),
        adopt: (writer) => store.adopt(writer),
        connect: (below) => connectDownstream(clients, header.targets[0]!.datanode as DatanodeId, below),
        reply: (reply) => call.send([writeReply.encode(reply as Init<WriteReply>)]),
        onRestart: (callback) => {
          this.#restarts.add(callback)
          return () => this.#restarts.delete(callback)
        },
        peerTook: (uuid, ms) => this.#slowPeers.record(uuid, ms, env.clock.monotonicMs()),
      })
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

  async #openReplica(header: WriteHeader): Promise<ReplicaWriter> {
    const block = header.block ?? { blockId: 0, genstamp: 0, length: 0 }
    if (header.stage === WriteStage.WRITE_SETUP_APPEND) await refuseDamaged(this.#deps.store, block.blockId, appendCheckMs)
    return this.#deps.store.openWriter({
      stage: header.stage,
      blockId: block.blockId,
      genstamp: block.genstamp,
      newGenstamp: header.newGenstamp || block.genstamp,
      minBytes: header.minBytes,
      maxBytes: header.maxBytes,
      sum: checksummer(header.checksum?.type ?? 2, header.checksum?.bytesPerChunk || 512),
      storageUuid: header.storageUuid,
      blockSize: header.blockSize,
    })
  }

  async #read(call: BulkStream): Promise<void> {
    const { metrics, store } = this.#deps
    metrics.readers++
    try {
      this.#admit()
      const first = await call.next()
      if (first.done) throw new QuarryError('INVALID_ARGUMENT', 'A read begins with a request.')
      const request = readRequest.decode(joined(first.value as Message))
      this.#checkPool(request.poolId)
      await serveRead(store, this.#pool, request, call, (bytes) => (metrics.bytesRead += bytes))
    } finally {
      metrics.readers--
    }
  }

  async #replicaInfo(request: ReplicaInfoRequest, peer: string): Promise<Init<ReplicaInfoReply>> {
    this.#checkPool(request.poolId)
    // A writer that waits for this node's return must not take its farewell for it.
    if (this.#draining) throw new QuarryError('UNAVAILABLE', 'This datanode is stopping.')
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
    this.#checkPool(request.poolId)
    return blockChecksum(this.#deps.store, request.block ?? { blockId: 0, genstamp: 0, length: 0 })
  }

  async #transfer(request: TransferRequest): Promise<Init<TransferReply>> {
    this.#checkPool(request.poolId)
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
    this.#checkPool(request.poolId)
    await refuseDamaged(this.#deps.store, request.block?.blockId ?? 0, recoveryCheckMs)
    return this.#deps.store.initRecovery(request.block ?? { blockId: 0 }, request.recoveryId)
  }

  async #finishRecovery(request: FinishReplicaRecoveryRequest): Promise<Init<FinishReplicaRecoveryReply>> {
    this.#checkPool(request.poolId)
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

  #admit(): void {
    if (this.#draining) throw new QuarryError('UNAVAILABLE', 'This datanode is stopping.')
    const open = this.#deps.metrics.writers + this.#deps.metrics.readers
    if (open > this.#deps.streamsMax) {
      throw new QuarryError('OVERLOADED', `This datanode serves ${this.#deps.streamsMax} block streams already (datanode.streams.max).`)
    }
  }

  #checkPool(poolId: string): void {
    const own = this.#deps.store.poolId
    if (own !== '' && poolId !== '' && poolId !== own)
      throw new QuarryError('WRONG_CLUSTER', `This datanode keeps blocks of pool ${own}, not of ${poolId}.`)
  }
}

/** Whether a peer as grpc-js names it ("127.0.0.1:4711", "[::1]:4711") is on this host for certain. */
export function isLocal(peer: string): boolean {
  return /^(127\.|\[?::1\]?:|\[?::ffff:127\.|ipv4:127\.|unix:)/.test(peer)
}
