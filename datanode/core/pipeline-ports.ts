// What a pipeline run (pipeline.ts) is connected to: the writer above, the replica here, the node below; and its bounds.
import type { Clock, Logger } from '../../common/env.ts'
import type { PacketAck, SetupReply, WriteHeader, WriteReply } from '../../proto/ports.ts'
import type { PacketData } from './packet-receiver.ts'
import type { ReplicaWriter } from './replica.ts'

export interface PipelinePacket extends PacketData {
  /** -1 = heartbeat. */
  readonly seqno: number
  readonly last: boolean
  readonly sync: boolean
}

/** The bytes of a packet as they came, to hand on. */
export interface RawPacket {
  readonly parts: readonly Uint8Array[]
}

export interface IncomingPacket {
  readonly packet: PipelinePacket
  readonly raw: RawPacket
}

/** The node below. */
export interface Downstream {
  readonly uuid: string
  /** Resolves when there is room for more. */
  forward(raw: RawPacket): Promise<void>
  send(packet: { readonly seqno: number; readonly last?: boolean }): Promise<void>
  end(): void
  cancel(): void
  readonly replies: AsyncIterator<WriteReply>
}

export interface PipelinePorts {
  readonly clock: Clock
  readonly log: Logger
  /** This node. */
  readonly uuid: string
  /** Packets that this stream may hold now, of those not yet acknowledged. */
  packetsHeld(): number
  openReplica(header: WriteHeader): Promise<ReplicaWriter>
  /** Makes a finished copy of an RBW replica ready for recovery (stage TRANSFER_RBW). */
  adopt(writer: ReplicaWriter): Promise<void>
  /** Starts the call to the node below; the header is already the one it should get. */
  connect(header: WriteHeader): Downstream
  /** To the writer; resolves when there is room for more. */
  reply(reply: { readonly setup: Partial<SetupReply> } | { readonly ack: PacketAck }): Promise<void>
  /** Calls back when this node is about to restart; the result stops listening. */
  onRestart(callback: () => void): () => void
  /** How long the node below took for a packet. */
  peerTook(uuid: string, ms: number): void
}

/** Packets taken from the writer and not yet acknowledged: bounds what one stream holds when the disk or the next node is slow. */
export const unackedMax = 16
/** The least that keeps a pipeline moving: one packet being written while the next arrives. */
const unackedMin = 2
/** Unacknowledged packets of all streams of a node, 256 MiB of full ones: many writers share what a few would have for themselves. */
const unackedOfNodeMax = 256

/** Packets that each of `streams` write streams of a node may hold. */
export function packetsHeld(streams: number): number {
  return Math.max(unackedMin, Math.min(unackedMax, Math.floor(unackedOfNodeMax / Math.max(1, streams))))
}
/** A node below that neither answers nor takes bytes for this long has failed, unless the writer says otherwise. */
export const stallMs = 60_000
/** With nothing to send for this long, a heartbeat goes down the pipeline, so that a dead node is noticed while idle. */
export const idleHeartbeatMs = 20_000

/** The seqno of an acknowledgement that belongs to no packet: something befell a node. */
export const outOfBandSeqno = -2
