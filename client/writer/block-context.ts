// What the parts that carry out one block's pipeline share.
import type { Env } from '../../common/env.ts'
import type { Block, ChecksumSpec, NamenodePort, ReplicaLocation } from '../../proto/ports.ts'
import type { DatanodeSource } from '../../proto/transport/datanode-client.ts'
import type { DataOptions } from '../data-options.ts'
import type { PipelineEffect, PipelineEvent } from './pipeline-state.ts'

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

/** One block under way. */
export interface BlockContext {
  readonly deps: BlockWriterDeps
  readonly blockId: number
  /** Where the datanodes of the pipeline are, by uuid; those that are lost stay. */
  readonly locations: Map<string, ReplicaLocation>
  /** Aborted when the block is written or given up: nothing may be waited for any more. */
  readonly over: AbortSignal
  /** The block as it stands. */
  readonly block: () => Block
  readonly dispatch: (event: PipelineEvent) => void
  /** The namenode refused: dispatched, and kept for whoever waits. */
  readonly refused: (attempt: number, error: unknown) => void
}

export type EffectOf<K extends PipelineEffect['kind']> = PipelineEffect & { readonly kind: K }
