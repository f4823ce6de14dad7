// What the streams of a datanode share, whatever wire they came by: how many there may be, who hears of a restart, how a replica is
// opened for a pipeline.
import type { Env } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'
import { WriteStage } from '../../proto/ports.ts'
import type { DatanodeId, WriteHeader } from '../../proto/ports.ts'
import type { DatanodeSource } from '../../proto/transport/datanode-client.ts'
import { packetsHeld } from '../core/pipeline-ports.ts'
import type { PipelinePorts } from '../core/pipeline-ports.ts'
import type { ReplicaWriter } from '../core/replica.ts'
import { SlowPeers } from '../core/slow-peers.ts'
import type { SlowPeerReport } from '../core/slow-peers.ts'
import { checksummer } from '../store/checksum-file.ts'
import type { ReplicaStore } from '../store/replica-store.ts'
import { BufferPool } from './buffer-pool.ts'
import { appendCheckMs, refuseDamaged } from './damage-check.ts'
import { connectDownstream } from './downstream.ts'
import type { DatanodeMetrics } from './metrics.ts'

export interface BlockStreamsDeps {
  readonly env: Env
  readonly store: ReplicaStore
  readonly clients: DatanodeSource
  readonly metrics: DatanodeMetrics
  readonly streamsMax: number
}

export class BlockStreams {
  /** Buffers of packets that are being read. */
  readonly pool = new BufferPool()
  readonly #deps: BlockStreamsDeps
  readonly #slowPeers = new SlowPeers()
  /** Write streams that are to hear of a restart. */
  readonly #restarts = new Set<() => void>()
  #draining = false

  constructor(deps: BlockStreamsDeps) {
    this.#deps = deps
  }

  /** This node is stopping. */
  get draining(): boolean {
    return this.#draining
  }

  get streamsMax(): number {
    return this.#deps.streamsMax
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

  /** Throws when there is no place for the stream that was just counted. */
  admit(): void {
    if (this.#draining) throw new QuarryError('UNAVAILABLE', 'This datanode is stopping.')
    const { metrics, streamsMax } = this.#deps
    if (metrics.writers + metrics.readers > streamsMax)
      throw new QuarryError('OVERLOADED', `This datanode serves ${streamsMax} block streams already (datanode.streams.max).`)
  }

  checkPool(poolId: string): void {
    const own = this.#deps.store.poolId
    if (own !== '' && poolId !== '' && poolId !== own)
      throw new QuarryError('WRONG_CLUSTER', `This datanode keeps blocks of pool ${own}, not of ${poolId}.`)
  }

  /** What a pipeline run of this header is connected to; `reply` speaks to its writer. */
  pipelinePorts(header: WriteHeader, reply: PipelinePorts['reply']): PipelinePorts {
    const { env, store, clients, metrics } = this.#deps
    return {
      clock: env.clock,
      log: env.log,
      uuid: store.datanodeUuid,
      packetsHeld: () => packetsHeld(metrics.writers),
      openReplica: (asked) => this.#openReplica(asked),
      adopt: (writer) => store.adopt(writer),
      connect: (below) => connectDownstream(clients, header.targets[0]!.datanode as DatanodeId, below),
      reply,
      onRestart: (callback) => {
        this.#restarts.add(callback)
        return () => this.#restarts.delete(callback)
      },
      peerTook: (uuid, ms) => this.#slowPeers.record(uuid, ms, env.clock.monotonicMs()),
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
}
