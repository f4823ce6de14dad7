// What the pipeline machine (pipeline.ts) is made of: its states, what comes in, what goes out.
import type { BlockPacket } from './packet-builder.ts'
import type { ReplacementPolicy } from './replacement-policy.ts'

export interface QueuedPacket extends BlockPacket {
  readonly seqno: number
  /** No data; the replica is final afterwards. */
  readonly last: boolean
  /** On disk before it is acknowledged. */
  readonly sync: boolean
}

export type Stage = 'create' | 'append' | 'append-recovery' | 'streaming-recovery' | 'close-recovery'

/** What does not change while the block is written. */
export interface PipelineRules {
  /** Replicas that the file should have. */
  readonly replication: number
  readonly replacement: ReplacementPolicy
}

/** What all live states have. */
export interface Progress {
  readonly rules: PipelineRules
  readonly appended: boolean
  /** Bytes were promised to readers. */
  readonly flushed: boolean
  /** Datanode uuids in pipeline order. */
  readonly nodes: readonly string[]
  /** Storage each node writes to; '' as long as it has not said. */
  readonly storages: readonly string[]
  /** Datanodes that failed, those that were to replace others included. */
  readonly lost: readonly { readonly node: string; readonly reason: string }[]
  /** The stamp that the namenode has for the block. */
  readonly genstamp: number
  readonly acked: number
  /** The highest byte that was ever sent. */
  readonly sentMax: number
  readonly queue: readonly QueuedPacket[]
  readonly nextSeqno: number
  readonly attempt: number
  /** The stage that the present attempt is, or was, set up with. */
  readonly stage: Stage
  /** Recoveries since anything was acknowledged. */
  readonly recoveries: number
}

/** What befell the pipeline while the namenode's answer was awaited: dealt with when it is there, so that one stamp is certain. */
export interface Meanwhile {
  readonly node: string | undefined
  readonly reason: string
  readonly restarting: boolean
}

export type PipelineState =
  /** A stream is open, its set-up reply is awaited. */
  | ({ readonly kind: 'connecting'; readonly newGenstamp: number } & Progress)
  /** The first `sent` packets of the queue are on the stream. */
  | ({ readonly kind: 'streaming'; readonly sent: number } & Progress)
  /** A datanode said that it restarts: its return is awaited, or the end of its time. */
  | ({ readonly kind: 'awaiting'; readonly node: string } & Progress)
  /** The namenode is asked for a generation stamp. */
  | ({ readonly kind: 'stamping' } & Progress)
  /** Another datanode is sought and given a copy of the block. */
  | ({ readonly kind: 'replacing'; readonly newGenstamp: number; readonly tried: number } & Progress)
  /** The pipeline stands; the namenode is being told. */
  | ({ readonly kind: 'updating'; readonly newGenstamp: number; readonly meanwhile: Meanwhile | undefined } & Progress)
  | { readonly kind: 'sealed'; readonly length: number; readonly genstamp: number }
  /** A new block that no data reached: abandon it and ask for another without `bad`. */
  | { readonly kind: 'unplaced'; readonly bad: string; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string; readonly acked: number }

export type PipelineEvent =
  /** From the owner. `sync` alone (no data) makes what is there durable. */
  | { readonly kind: 'packet'; readonly packet: BlockPacket; readonly sync: boolean }
  /** Readers are promised what was sent. */
  | { readonly kind: 'flush' }
  | { readonly kind: 'seal' }
  | { readonly kind: 'abort'; readonly reason: string }
  /** From the stream of an attempt. */
  | { readonly kind: 'connected'; readonly attempt: number; readonly storages: readonly string[] }
  | { readonly kind: 'acked'; readonly attempt: number; readonly seqno: number }
  /** Every datanode echoed a heartbeat. */
  | { readonly kind: 'alive'; readonly attempt: number }
  /** A datanode, if known, failed; `node` undefined blames the first, which is the one we talk to. */
  | { readonly kind: 'lost'; readonly attempt: number; readonly node: string | undefined; readonly reason: string }
  /** A datanode restarts and keeps its replica. */
  | { readonly kind: 'restarting'; readonly attempt: number; readonly node: string }
  | { readonly kind: 'returned'; readonly attempt: number }
  /** From the namenode. */
  | { readonly kind: 'stamped'; readonly attempt: number; readonly genstamp: number }
  | { readonly kind: 'updated'; readonly attempt: number }
  | { readonly kind: 'refused'; readonly attempt: number; readonly reason: string }
  /** Another datanode holds a copy of what was acknowledged. */
  | { readonly kind: 'joined'; readonly attempt: number; readonly node: string; readonly storage: string }
  /** `node` could not be given a copy; undefined: there is no other datanode. */
  | { readonly kind: 'unjoined'; readonly attempt: number; readonly node: string | undefined; readonly reason: string }

export type PipelineEffect =
  | {
      readonly kind: 'open'
      readonly attempt: number
      readonly stage: Stage
      readonly nodes: readonly string[]
      readonly storages: readonly string[]
      readonly genstamp: number
      readonly newGenstamp: number
      readonly minBytes: number
      readonly maxBytes: number
    }
  | { readonly kind: 'send'; readonly attempt: number; readonly packet: QueuedPacket }
  | { readonly kind: 'cancel'; readonly attempt: number }
  /** The stream has done its work. */
  | { readonly kind: 'finish'; readonly attempt: number }
  /** Wait for a datanode that restarts; answered by 'returned', or 'lost' when its time is over. */
  | { readonly kind: 'await'; readonly attempt: number; readonly node: string }
  /** updateBlockForPipeline */
  | { readonly kind: 'stamp'; readonly attempt: number }
  /** additionalDatanode, then a copy of the block from `source` to it; answered by 'joined', 'unjoined', or 'lost' for the source. */
  | {
      readonly kind: 'replace'
      readonly attempt: number
      readonly nodes: readonly string[]
      readonly excluded: readonly string[]
      readonly source: string
    }
  /** updatePipeline */
  | {
      readonly kind: 'update'
      readonly attempt: number
      readonly nodes: readonly string[]
      readonly storages: readonly string[]
      readonly genstamp: number
      readonly newGenstamp: number
      readonly length: number
    }
  /** Nobody needs the packet any more. */
  | { readonly kind: 'release'; readonly packet: QueuedPacket }

export interface Step {
  readonly state: PipelineState
  readonly effects: readonly PipelineEffect[]
}

export type LiveState = PipelineState & Progress

export function isLive(state: PipelineState): state is LiveState {
  return 'queue' in state
}

export function progressOf(state: LiveState): Progress {
  const { rules, appended, flushed, nodes, storages, lost, genstamp, acked, sentMax, queue, nextSeqno, attempt, stage, recoveries } = state
  return { rules, appended, flushed, nodes, storages, lost, genstamp, acked, sentMax, queue, nextSeqno, attempt, stage, recoveries }
}
