// One datanode's part in a write pipeline, whatever wire the writer speaks.
//
//   writer ──packet──▶ this node ──same bytes──▶ next node ──▶ …
//          ◀───ack────          ◀──────ack──────
//
// A packet is handed on at once, written here meanwhile, and acknowledged when it is written here *and* acknowledged from below.
// Only the last node checks the checksums (every node does for copies, whose source may be a bad disk): a packet that was
// damaged on its way is found there, and each node above looks at its own copy to say whose fault it was.
//
// P1  acks leave in the order of the packets
// P2  bytes acknowledged to the writer are written on this node and on every node below
// P3  a replica is finalised only after the nodes below acknowledged its last packet
// P4  whatever fails, the reply says which node, and both sides are closed: nobody waits for ever
//
// What this does not do: choosing nodes and starting recoveries, which are the writer's business.
import type { Clock, Logger } from '../../common/env.ts'
import { isQuarryError, QuarryError, toQuarryError } from '../../common/errors.ts'
import { PipelineStatus, WriteStage } from '../../proto/ports.ts'
import type { SetupReply, WriteHeader, WriteReply } from '../../proto/ports.ts'
import { PacketReceiver } from './packet-receiver.ts'
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
  reply(
    reply: { readonly setup: Partial<SetupReply> } | { readonly ack: { seqno: number; statuses: PipelineStatus[]; message: string } },
  ): Promise<void>
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
/** A node below that neither answers nor takes bytes for this long has failed; more for every node behind it, as HDFS does. */
export const stallMs = 60_000
export const stallPerNodeMs = 5_000
/** With nothing to send for this long, a heartbeat goes down the pipeline, so that a dead node is noticed while idle. */
export const idleHeartbeatMs = 20_000

interface Entry {
  readonly seqno: number
  readonly packet: PipelinePacket
  /** Resolves when written here (and synced, if asked); undefined for heartbeats of our own, which nobody above waits for. */
  readonly written: Promise<void>
  readonly forwarded: boolean
  readonly internal: boolean
  readonly end: number
}

/** Why a stream ended, when it did not end with its last packet. */
class PipelineFailure extends Error {
  readonly statuses: PipelineStatus[]

  constructor(statuses: PipelineStatus[], message: string) {
    super(message)
    this.statuses = statuses
  }
}

export async function runPipeline(header: WriteHeader, packets: AsyncIterator<IncomingPacket>, ports: PipelinePorts): Promise<void> {
  const setup = await setUp(header, ports)
  if (setup === undefined) return
  const { writer, downstream } = setup
  const stream = new PipelineStream(header, writer, downstream, ports)
  try {
    if (header.stage === WriteStage.WRITE_CLOSE_RECOVERY) {
      await writer.finalize(() =>
        ports.reply({ setup: { status: PipelineStatus.PIPELINE_SUCCESS, storages: [writer.storageUuid, ...setup.storages] } }),
      )
      return
    }
    await ports.reply({ setup: { status: PipelineStatus.PIPELINE_SUCCESS, storages: [writer.storageUuid, ...setup.storages] } })
    await stream.run(packets)
  } finally {
    downstream?.cancel()
    await writer.close()
  }
}

async function setUp(
  header: WriteHeader,
  ports: PipelinePorts,
): Promise<{ writer: ReplicaWriter; downstream: Downstream | undefined; storages: string[] } | undefined> {
  let writer: ReplicaWriter
  try {
    writer = await ports.openReplica(header)
  } catch (thrown) {
    await refuse(ports, thrown, ports.uuid)
    return undefined
  }
  const next = header.targets[0]?.datanode
  if (next === undefined || next === null) return { writer, downstream: undefined, storages: [] }
  const downstream = ports.connect({
    ...header,
    targets: header.targets.slice(1),
    storageUuid: header.targets[0]?.storageUuid ?? '',
    storageType: header.targets[0]?.storageType ?? 0,
  })
  try {
    const reply = await within(
      ports.clock,
      stallMs + stallPerNodeMs * header.targets.length,
      downstream.replies.next(),
      `Datanode ${next.uuid} did not answer.`,
    )
    const setup = reply.done ? undefined : (reply.value as WriteReply).setup
    if (setup === undefined || setup === null)
      throw new QuarryError('UNAVAILABLE', `Datanode ${next.uuid} ended the call before it answered.`)
    if (setup.status !== PipelineStatus.PIPELINE_SUCCESS) {
      await writer.close()
      downstream.cancel()
      await ports.reply({ setup: { status: PipelineStatus.PIPELINE_ERROR, firstBad: setup.firstBad || next.uuid, error: setup.error } })
      return undefined
    }
    return { writer, downstream, storages: setup.storages }
  } catch (thrown) {
    downstream.cancel()
    await writer.close()
    await refuse(ports, thrown, next.uuid)
    return undefined
  }
}

async function refuse(ports: PipelinePorts, thrown: unknown, firstBad: string): Promise<void> {
  const error = toQuarryError(thrown)
  ports.log.warn('pipeline.refused', { code: error.code, message: error.message, firstBad })
  const status = error.code === 'DISK_FULL' ? PipelineStatus.PIPELINE_ERROR_DISK_FULL : PipelineStatus.PIPELINE_ERROR
  await ports.reply({
    setup: { status, firstBad, error: { code: error.code, message: error.message, detailsJson: JSON.stringify(error.details) } },
  })
}

class PipelineStream {
  readonly #ports: PipelinePorts
  readonly #writer: ReplicaWriter
  readonly #downstream: Downstream | undefined
  readonly #receiver: PacketReceiver
  readonly #stage: WriteStage
  /** Copies are checked at every node: their source read them from a disk. */
  readonly #verify: boolean
  readonly #stallMs: number
  readonly #entries: Entry[] = []
  #wakeResponder: () => void = () => {}
  #wakeReceiver: () => void = () => {}
  #evicted = false
  #onEvicted: () => void = () => {}
  #receiving = true
  #failed = false

  constructor(header: WriteHeader, writer: ReplicaWriter, downstream: Downstream | undefined, ports: PipelinePorts) {
    this.#ports = ports
    this.#writer = writer
    this.#downstream = downstream
    this.#stage = header.stage
    this.#receiver = new PacketReceiver(writer.sum, writer.startLength, writer.startTail)
    this.#verify =
      downstream === undefined || header.stage === WriteStage.WRITE_TRANSFER_RBW || header.stage === WriteStage.WRITE_TRANSFER_FINALIZED
    this.#stallMs = stallMs + stallPerNodeMs * header.targets.length
  }

  /** Resolves when the last packet was acknowledged, the writer went away, or a failure was told. */
  async run(packets: AsyncIterator<IncomingPacket>): Promise<void> {
    const responder = this.#respond().catch((thrown: unknown) => this.#fail(thrown))
    const received = this.#receive(packets)
    // The writer may go on sending, or wait for us, when the stream has failed: do not wait for its next packet then.
    await Promise.race([received, responder])
    this.#receiving = false
    this.#wakeResponder()
    await responder
  }

  async #receive(packets: AsyncIterator<IncomingPacket>): Promise<void> {
    void this.#writer.evicted.then(() => {
      this.#evicted = true
      this.#onEvicted()
    })
    try {
      while (!this.#failed) {
        const next = await this.#nextOrEvicted(packets)
        if (next === 'evicted')
          throw new QuarryError('REPLICA_STATE', `Another writer took over block ${this.#writer.blockId}, or it was deleted.`)
        if (next.done) return
        await this.#take(next.value)
        if (next.value.packet.last) return
        while (this.#entries.length >= this.#ports.packetsHeld() && !this.#failed)
          await new Promise<void>((resolve) => (this.#wakeReceiver = resolve))
      }
    } catch (thrown) {
      // Tell what is still to be told of the packets before, then this.
      this.#push({ seqno: -1, packet: heartbeat, written: rejected(thrown), forwarded: false, internal: false, end: 0 })
    }
  }

  /** Not Promise.race: `evicted` outlives the packets, and what hangs on it would keep every one of them until the block ends. */
  #nextOrEvicted(packets: AsyncIterator<IncomingPacket>): Promise<IteratorResult<IncomingPacket> | 'evicted'> {
    if (this.#evicted) return Promise.resolve('evicted')
    return new Promise((resolve, reject) => {
      this.#onEvicted = () => resolve('evicted')
      this.#nextWithHeartbeats(packets).then(resolve, reject)
    })
  }

  /** The writer's next packet; while it is silent, the pipeline below is kept alive and watched. */
  async #nextWithHeartbeats(packets: AsyncIterator<IncomingPacket>): Promise<IteratorResult<IncomingPacket>> {
    const next = packets.next()
    if (this.#downstream === undefined) return next
    for (;;) {
      let stop = () => {}
      const idle = new Promise<'idle'>((resolve) => (stop = this.#ports.clock.after(idleHeartbeatMs, () => resolve('idle'))))
      const first = await Promise.race([next, idle])
      stop()
      if (first !== 'idle') return first
      if (this.#entries.length > 0) continue
      this.#push({ seqno: -1, packet: heartbeat, written: Promise.resolve(), forwarded: true, internal: true, end: 0 })
      await this.#below(this.#downstream.send({ seqno: -1 }))
    }
  }

  async #take({ packet, raw }: IncomingPacket): Promise<void> {
    const downstream = this.#downstream
    if (packet.seqno === -1 && packet.length === 0 && !packet.last) {
      this.#push({ seqno: -1, packet, written: Promise.resolve(), forwarded: downstream !== undefined, internal: false, end: 0 })
      if (downstream !== undefined) await this.#below(downstream.forward(raw))
      return
    }
    const wrong = this.#wrong(packet)
    if (wrong !== undefined) {
      this.#push({ seqno: packet.seqno, packet, written: rejected(wrong), forwarded: false, internal: false, end: 0 })
      return
    }
    const sent = downstream?.forward(raw)
    const placement = this.#receiver.place(packet)
    let written = this.#writer.write(placement)
    if (packet.sync) written = this.#writer.sync()
    if (packet.last) this.#writer.startSync()
    this.#push({
      seqno: packet.seqno,
      packet,
      written,
      forwarded: downstream !== undefined,
      internal: false,
      end: packet.offset + packet.length,
    })
    if (sent !== undefined) await this.#below(sent)
    if (packet.last) downstream?.end()
  }

  /** Why the packet cannot be taken, if so. */
  #wrong(packet: PipelinePacket): Error | undefined {
    try {
      this.#receiver.check(packet)
    } catch (error) {
      return error as Error
    }
    if (!this.#verify || this.#receiver.firstBad(packet) < 0) return undefined
    return new PipelineFailure(
      [PipelineStatus.PIPELINE_ERROR_CHECKSUM],
      `Packet ${packet.seqno} of block ${this.#writer.blockId} does not match its checksums.`,
    )
  }

  /** A send downstream, with its bound. That it failed is found by the responder, in its order. */
  async #below(sent: Promise<void>): Promise<void> {
    try {
      await within(this.#ports.clock, this.#stallMs, sent, 'The next datanode takes no more bytes.')
    } catch (thrown) {
      this.#ports.log.warn('pipeline.forward.failed', {
        blockId: this.#writer.blockId,
        downstream: this.#downstream?.uuid,
        message: (thrown as Error).message,
      })
      this.#downstream?.cancel()
    }
  }

  async #respond(): Promise<void> {
    for (;;) {
      const entry = this.#entries[0]
      if (entry === undefined) {
        if (!this.#receiving) return
        await new Promise<void>((resolve) => (this.#wakeResponder = resolve))
        continue
      }
      if (await this.#answer(entry)) return
      this.#entries.shift()
      this.#wakeReceiver()
    }
  }

  /** Answers whether the stream is over. */
  async #answer(entry: Entry): Promise<boolean> {
    await entry.written
    const below = entry.forwarded ? await this.#ackFromBelow(entry) : []
    if (entry.internal) return false
    const reply = () =>
      this.#ports.reply({ ack: { seqno: entry.seqno, statuses: [PipelineStatus.PIPELINE_SUCCESS, ...below], message: '' } })
    if (!entry.packet.last) {
      if (entry.end > 0) this.#writer.acknowledge(entry.end)
      await reply()
      return false
    }
    if (this.#stage === WriteStage.WRITE_TRANSFER_RBW) {
      await this.#ports.adopt(this.#writer)
      await reply()
    } else await this.#writer.finalize(reply)
    return true
  }

  /** The statuses of the nodes below for this packet; throws what to tell the writer when one of them failed. */
  async #ackFromBelow(entry: Entry): Promise<PipelineStatus[]> {
    const downstream = this.#downstream!
    let ack: WriteReply['ack'] = null
    let message = `Datanode ${downstream.uuid} ended the stream.`
    try {
      const next = await within(
        this.#ports.clock,
        this.#stallMs,
        downstream.replies.next(),
        `Datanode ${downstream.uuid} has not acknowledged a packet for ${this.#stallMs} ms.`,
      )
      if (!next.done) ack = (next.value as WriteReply).ack
    } catch (thrown) {
      message = (thrown as Error).message
    }
    if (ack === null || ack.seqno !== entry.seqno) {
      if (ack !== null && ack.statuses.some((status) => status !== PipelineStatus.PIPELINE_SUCCESS))
        throw this.#blame(entry, ack.statuses, ack.message)
      throw new PipelineFailure([PipelineStatus.PIPELINE_SUCCESS, PipelineStatus.PIPELINE_ERROR], message)
    }
    if (ack.statuses.some((status) => status !== PipelineStatus.PIPELINE_SUCCESS)) throw this.#blame(entry, ack.statuses, ack.message)
    return ack.statuses
  }

  /** The node right below found bad checksums: is our own copy of the packet good? Then it was damaged after us. */
  #blame(entry: Entry, statuses: PipelineStatus[], message: string): PipelineFailure {
    if (statuses[0] === PipelineStatus.PIPELINE_ERROR_CHECKSUM && this.#receiver.firstBad(entry.packet) >= 0) {
      return new PipelineFailure([PipelineStatus.PIPELINE_ERROR_CHECKSUM], message)
    }
    return new PipelineFailure([PipelineStatus.PIPELINE_SUCCESS, ...statuses], message)
  }

  async #fail(thrown: unknown): Promise<void> {
    this.#failed = true
    const entry = this.#entries[0]
    this.#entries.length = 0
    this.#wakeReceiver()
    this.#downstream?.cancel()
    let failure: PipelineFailure
    if (thrown instanceof PipelineFailure) failure = thrown
    else {
      const status = isQuarryError(thrown, 'DISK_FULL') ? PipelineStatus.PIPELINE_ERROR_DISK_FULL : PipelineStatus.PIPELINE_ERROR
      failure = new PipelineFailure([status], toQuarryError(thrown).message)
    }
    // The writer went away: nobody is there to be told.
    if (isQuarryError(thrown, 'CANCELLED')) return
    this.#ports.log.warn('pipeline.failed', { blockId: this.#writer.blockId, message: failure.message, statuses: failure.statuses })
    try {
      await this.#ports.reply({ ack: { seqno: entry?.seqno ?? -1, statuses: failure.statuses, message: failure.message } })
    } catch {
      // The writer went away meanwhile.
    }
  }

  #push(entry: Entry): void {
    entry.written.catch(() => {
      // Looked at when its turn comes.
    })
    this.#entries.push(entry)
    this.#wakeResponder()
  }
}

const heartbeat: PipelinePacket = { seqno: -1, offset: 0, checksums: new Uint8Array(0), last: false, sync: false, data: [], length: 0 }

function rejected(error: unknown): Promise<void> {
  return Promise.reject(error as Error)
}

/** `promise`, or TIMEOUT after `ms`. */
async function within<T>(clock: Clock, ms: number, promise: Promise<T>, message: string): Promise<T> {
  let stop = () => {}
  const late = new Promise<never>((_, reject) => {
    stop = clock.after(ms, () => reject(new QuarryError('TIMEOUT', message)))
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    stop()
  }
}
