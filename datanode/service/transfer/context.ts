// What the operations of the data transfer port work with.
import type { Clock, Logger } from '../../../common/env.ts'
import type { DatanodeId, Init } from '../../../proto/ports.ts'
import type { ReplicaStore } from '../../store/replica-store.ts'
import type { Transfers } from '../../workers/transfers.ts'
import type { BlockStreams } from '../block-streams.ts'
import type { DatanodeMetrics } from '../metrics.ts'
import type { Neighbours } from './neighbours.ts'

export interface TransferContext {
  readonly clock: Clock
  readonly log: Logger
  readonly store: ReplicaStore
  readonly streams: BlockStreams
  readonly transfers: Transfers
  readonly metrics: DatanodeMetrics
  readonly neighbours: Neighbours
  /** How this datanode is reached; its ports are known by the time that anybody comes. */
  self(): Init<DatanodeId>
}
