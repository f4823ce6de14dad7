// The packets of one stream on one datanode: written here, handed on, acknowledged in order. (Rules P1 to P4: pipeline.ts.)
import { isQuarryError, QuarryError, toQuarryError } from '../../common/errors.ts'
import { pipelinePatienceMs } from '../../common/limits.ts'
import { PipelineStatus, WriteStage } from '../../proto/ports.ts'
import type { PacketAck, WriteHeader } from '../../proto/ports.ts'
import { AcksBelow } from './acks-below.ts'
import { PacketReceiver } from './packet-receiver.ts'
import { idleHeartbeatMs, outOfBandSeqno, stallMs } from './pipeline-ports.ts'
import type { Downstream, IncomingPacket, PipelinePacket, PipelinePorts } from './pipeline-ports.ts'
import type { ReplicaWriter } from './replica.ts'
import { within } from './within.ts'

interface Entry {
  readonly seqno: number
  readonly packet: PipelinePacket
  /** Resolves when written here (and synced, if asked); undefined for heartbeats of our own, which nobody above waits for. */
  readonly written: Promise<void>
  readonly forwarded: boolean
  readonly internal: boolean
  readonly end: number
  /** When it was taken, and how long this node then took to write it. */
  readonly atMs: number
  tookMs: number
}

/** Why a stream ended, when it did not end with its last packet. */
class PipelineFailure extends Error {
  readonly statuses: PipelineStatus[]
  /** Of the acknowledgement that tells it; that of the packet it befell when undefined. */
  readonly seqno: number | undefined

  constructor(statuses: PipelineStatus[], message: string, seqno?: number) {
    super(message)
    this.statuses = statuses
    this.seqno = seqno
  }
}

export class PipelineStream {
  readonly #ports: PipelinePorts
  readonly #writer: ReplicaWriter
  readonly #downstream: Downstream | undefined
  readonly #acks: AcksBelow | undefined
  readonly #receiver: PacketReceiver
  readonly #stage: WriteStage
  /** Copies are checked at every node: their source read them from a disk. */
  readonly #verify: boolean
  readonly #stallMs: number
  /** Nobody stands behind the node below: how long it takes to answer is its own time. */
  readonly #tailIsBelow: boolean
  readonly #entries: Entry[] = []
  #wakeResponder: () => void = () => {}
  #wakeReceiver: () => void = () => {}
  #evicted = false
  #onEvicted: () => void = () => {}
  #receiving = true
  #failed = false
  #stop: () => void = () => {}

  constructor(header: WriteHeader, writer: ReplicaWriter, downstream: Downstream | undefined, ports: PipelinePorts) {
    this.#ports = ports
    this.#writer = writer
    this.#downstream = downstream
    this.#stage = header.stage
    this.#receiver = new PacketReceiver(writer.sum, writer.startLength, writer.startTail)
    this.#verify =
      downstream === undefined || header.stage === WriteStage.WRITE_TRANSFER_RBW || header.stage === WriteStage.WRITE_TRANSFER_FINALIZED
    this.#acks = downstream && new AcksBelow(downstream)
    this.#stallMs = pipelinePatienceMs(header.ackTimeoutMs || stallMs, header.targets.length)
    this.#tailIsBelow = header.targets.length === 1
  }

  /** Resolves when the last packet was acknowledged, the writer went away, or a failure was told. */
  async run(packets: AsyncIterator<IncomingPacket>): Promise<void> {
    const stopped = new Promise<void>((resolve) => (this.#stop = resolve))
    const ignoreRestart = this.#ports.onRestart(() => this.#restart())
    void this.#acks?.listen({ outOfBand: (ack) => this.#relay(ack), broken: () => this.#wakeResponder() })
    const responder = this.#respond().catch((thrown: unknown) => this.#fail(thrown))
    const received = this.#receive(packets)
    // The writer may go on sending, or wait for us, when the stream has failed: do not wait for its next packet then.
    await Promise.race([received, responder, stopped])
    this.#receiving = false
    this.#wakeResponder()
    await responder
    ignoreRestart()
  }

  /** This node restarts: the writer is told to come back to the replica, which stays as it is. */
  #restart(): void {
    void this.#fail(new PipelineFailure([PipelineStatus.PIPELINE_RESTARTING], 'it restarts', outOfBandSeqno)).then(this.#stop)
  }

  /** A node below has something to say that belongs to no packet. */
  #relay(ack: PacketAck): void {
    if (this.#failed) return
    const statuses = [PipelineStatus.PIPELINE_SUCCESS, ...ack.statuses]
    this.#ports.reply({ ack: { seqno: outOfBandSeqno, statuses, message: ack.message, tookMs: [] } }).catch(() => {
      // The writer went away.
    })
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
      this.#push({ seqno: -1, packet: heartbeat, written: rejected(thrown), forwarded: false })
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
      this.#push({ seqno: -1, packet: heartbeat, written: Promise.resolve(), forwarded: true, internal: true })
      await this.#below(this.#downstream.send({ seqno: -1 }))
    }
  }

  async #take({ packet, raw }: IncomingPacket): Promise<void> {
    const downstream = this.#downstream
    if (packet.seqno === -1 && packet.length === 0 && !packet.last) {
      this.#push({ seqno: -1, packet, written: Promise.resolve(), forwarded: downstream !== undefined })
      if (downstream !== undefined) await this.#below(downstream.forward(raw))
      return
    }
    const wrong = this.#wrong(packet)
    if (wrong !== undefined) {
      this.#push({ seqno: packet.seqno, packet, written: rejected(wrong), forwarded: false })
      return
    }
    const atMs = this.#ports.clock.monotonicMs()
    const sent = downstream?.forward(raw)
    const placement = this.#receiver.place(packet)
    let written = this.#writer.write(placement)
    if (packet.sync) written = this.#writer.sync()
    if (packet.last) this.#writer.startSync()
    const end = packet.offset + packet.length
    this.#push({ seqno: packet.seqno, packet, written, forwarded: downstream !== undefined, end, atMs })
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
        if (!this.#receiving || this.#failed) return
        const broken = this.#acks?.broken
        if (broken !== undefined) throw new PipelineFailure([PipelineStatus.PIPELINE_SUCCESS, PipelineStatus.PIPELINE_ERROR], broken)
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
    const below = entry.forwarded ? await this.#ackFromBelow(entry) : undefined
    if (this.#failed) return true
    if (entry.internal) return false
    const statuses = [PipelineStatus.PIPELINE_SUCCESS, ...(below?.statuses ?? [])]
    const tookMs = [entry.tookMs, ...(below?.tookMs ?? [])]
    const reply = () => this.#ports.reply({ ack: { seqno: entry.seqno, statuses, message: '', tookMs } })
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

  /** What the nodes below say of this packet; throws what to tell the writer when one of them failed. */
  async #ackFromBelow(entry: Entry): Promise<PacketAck> {
    const downstream = this.#downstream!
    let ack: PacketAck | undefined
    let message = `Datanode ${downstream.uuid} answered something else than an acknowledgement of packet ${entry.seqno}.`
    try {
      ack = await within(
        this.#ports.clock,
        this.#stallMs,
        this.#acks!.next(),
        `Datanode ${downstream.uuid} has not acknowledged a packet for ${this.#stallMs} ms.`,
      )
    } catch (thrown) {
      message = (thrown as Error).message
    }
    if (ack?.statuses.some((status) => status !== PipelineStatus.PIPELINE_SUCCESS)) throw this.#blame(entry, ack.statuses, ack.message)
    if (ack?.seqno !== entry.seqno) throw new PipelineFailure([PipelineStatus.PIPELINE_SUCCESS, PipelineStatus.PIPELINE_ERROR], message)
    this.#judge(entry, ack)
    return ack
  }

  /** How long the node below took: its own word, or what is seen from here when nobody stands behind it. */
  #judge(entry: Entry, ack: PacketAck): void {
    if (entry.packet.length === 0 || entry.packet.sync) return
    const ms = this.#tailIsBelow ? this.#ports.clock.monotonicMs() - entry.atMs : ack.tookMs[0]
    if (ms !== undefined) this.#ports.peerTook(this.#downstream!.uuid, ms)
  }

  /** The node right below found bad checksums: is our own copy of the packet good? Then it was damaged after us. */
  #blame(entry: Entry, statuses: PipelineStatus[], message: string): PipelineFailure {
    if (statuses[0] === PipelineStatus.PIPELINE_ERROR_CHECKSUM && this.#receiver.firstBad(entry.packet) >= 0) {
      return new PipelineFailure([PipelineStatus.PIPELINE_ERROR_CHECKSUM], message)
    }
    return new PipelineFailure([PipelineStatus.PIPELINE_SUCCESS, ...statuses], message)
  }

  async #fail(thrown: unknown): Promise<void> {
    if (this.#failed) return
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
      const seqno = failure.seqno ?? entry?.seqno ?? -1
      await this.#ports.reply({ ack: { seqno, statuses: failure.statuses, message: failure.message, tookMs: [] } })
    } catch {
      // The writer went away meanwhile.
    }
  }

  #push(given: Pick<Entry, 'seqno' | 'packet' | 'written' | 'forwarded'> & Partial<Entry>): void {
    const entry: Entry = { internal: false, end: 0, atMs: 0, tookMs: 0, ...given }
    entry.written.then(
      () => {
        if (entry.atMs > 0) entry.tookMs = Math.round(this.#ports.clock.monotonicMs() - entry.atMs)
      },
      () => {
        // Looked at when its turn comes.
      },
    )
    this.#entries.push(entry)
    this.#wakeResponder()
  }
}

const heartbeat: PipelinePacket = { seqno: -1, offset: 0, checksums: new Uint8Array(0), last: false, sync: false, data: [], length: 0 }

function rejected(error: unknown): Promise<void> {
  return Promise.reject(error as Error)
}
