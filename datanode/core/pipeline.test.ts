// The pipeline engine alone: a writer, a replica and a node below that do what a test says, on a clock that the test moves.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { crc32c } from '../../common/checksum.ts'
import { silentLogger } from '../../common/env.ts'
import { pipelinePatienceMs } from '../../common/limits.ts'
import { QuarryError } from '../../common/errors.ts'
import { VirtualClock } from '../../common/testing/virtual-clock.ts'
import { PipelineStatus, WriteStage } from '../../proto/ports.ts'
import type { PacketAck, WriteHeader, WriteReply } from '../../proto/ports.ts'
import type { Placement } from './packet-receiver.ts'
import { runPipeline } from './pipeline.ts'
import { idleHeartbeatMs, packetsHeld, stallMs, unackedMax } from './pipeline-ports.ts'
import type { Downstream, IncomingPacket } from './pipeline-ports.ts'
import type { ReplicaWriter } from './replica.ts'

const patienceMs = pipelinePatienceMs(stallMs, 1)

/** Values handed over one at a time; what is asked for before it is there waits. */
class Handover<T> implements AsyncIterator<T> {
  #values: T[] = []
  #waiting: ((result: IteratorResult<T>) => void)[] = []
  #ended = false

  put(value: T): void {
    const waiting = this.#waiting.shift()
    if (waiting) waiting({ done: false, value })
    else this.#values.push(value)
  }

  end(): void {
    this.#ended = true
    for (const waiting of this.#waiting.splice(0)) waiting({ done: true, value: undefined })
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#values.length > 0) return Promise.resolve({ done: false, value: this.#values.shift()! })
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}

class FakeReplica implements ReplicaWriter {
  readonly blockId = 7
  readonly genstamp = 1001
  readonly storageUuid = 'DS-own'
  readonly sum = { type: 2, bytesPerChunk: 4, crc: crc32c }
  readonly startLength = 0
  readonly startTail = new Uint8Array(0)
  readonly done: string[] = []
  acknowledged = 0
  /** Writes wait for this. */
  gate: Promise<void> = Promise.resolve()
  failure: unknown
  evict!: () => void
  readonly evicted = new Promise<void>((resolve) => (this.evict = resolve))

  async write(placement: Placement): Promise<void> {
    await this.gate
    if (this.failure) throw this.failure
    this.done.push(`write ${placement.at}+${placement.length}`)
  }

  async sync(): Promise<void> {
    await this.gate
    this.done.push('sync')
  }

  acknowledge(length: number): void {
    this.acknowledged = length
  }

  startSync(): void {}

  async finalize(acknowledge: () => Promise<void>): Promise<void> {
    this.done.push('finalize')
    await acknowledge()
  }

  async close(): Promise<void> {
    this.done.push('close')
  }
}

class FakeBelow implements Downstream {
  readonly uuid = 'node-below'
  readonly sent: string[] = []
  readonly replies = new Handover<WriteReply>()
  cancelled = false
  /** Forwarding waits for this. */
  gate: Promise<void> = Promise.resolve()

  async forward(): Promise<void> {
    this.sent.push('packet')
    await this.gate
  }

  async send(packet: { readonly seqno: number }): Promise<void> {
    this.sent.push(`own ${packet.seqno}`)
  }

  end(): void {
    this.sent.push('end')
  }

  cancel(): void {
    this.cancelled = true
    this.replies.end()
  }

  ack(seqno: number, statuses: number[] = [0]): void {
    this.replies.put({ body: 'ack', setup: null, ack: { seqno, statuses: statuses as PipelineStatus[], message: '', tookMs: [5] } })
  }

  setup(status: PipelineStatus = PipelineStatus.PIPELINE_SUCCESS): void {
    this.replies.put({ body: 'setup', ack: null, setup: { status, firstBad: '', error: null, storages: ['DS-below'] } })
  }
}

const data = Uint8Array.from({ length: 8 }, (_, i) => i)

function packet(
  seqno: number,
  offset: number,
  more: { last?: boolean; sync?: boolean; length?: number; bad?: boolean } = {},
): IncomingPacket {
  const bytes = data.subarray(0, more.last ? 0 : (more.length ?? 8))
  const checksums = Buffer.alloc(Math.ceil(bytes.length / 4) * 4)
  for (let i = 0; i < bytes.length; i += 4) checksums.writeUInt32BE((crc32c(bytes.subarray(i, i + 4)) ^ (more.bad ? 1 : 0)) >>> 0, i)
  const decoded = {
    seqno,
    offset,
    checksums,
    last: more.last ?? false,
    sync: more.sync ?? false,
    data: bytes.length > 0 ? [bytes] : [],
    length: bytes.length,
  }
  return { packet: decoded, raw: { parts: [] } }
}

const heartbeat: IncomingPacket = { packet: { ...packet(-1, 0, { length: 0 }).packet }, raw: { parts: [] } }

function start(options: { below?: boolean; stage?: WriteStage } = {}) {
  const clock = new VirtualClock()
  const replica = new FakeReplica()
  const below = new FakeBelow()
  const packets = new Handover<IncomingPacket>()
  const replies: unknown[] = []
  const took: string[] = []
  const acks: PacketAck[] = []
  let restart = (): void => {}
  const target = { datanode: { uuid: 'node-below' }, storageUuid: '', storageType: 0 }
  const header = {
    stage: options.stage ?? WriteStage.WRITE_SETUP_CREATE,
    targets: options.below ? [target] : [],
    client: 'test',
  } as unknown as WriteHeader
  const running = runPipeline(header, packets, {
    clock,
    log: silentLogger,
    uuid: 'node-own',
    packetsHeld: () => unackedMax,
    openReplica: async () => replica,
    adopt: async () => void replica.done.push('adopt'),
    connect: () => below,
    reply: async (reply) => {
      if ('ack' in reply) acks.push(reply.ack)
      replies.push(
        'setup' in reply
          ? { setup: reply.setup.status, firstBad: reply.setup.firstBad }
          : { seqno: reply.ack.seqno, statuses: reply.ack.statuses },
      )
    },
    onRestart: (callback) => {
      restart = callback
      return () => (restart = () => {})
    },
    peerTook: (uuid, ms) => void took.push(`${uuid} ${ms}`),
  })
  return { clock, replica, below, packets, replies, running, took, acks, restart: () => restart() }
}

/** A full collection; Node offers it only behind a flag, which may be set late. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

/** Lets everything that can go on do so. */
async function settle(): Promise<void> {
  for (let i = 0; i < 60; i++) await Promise.resolve()
  await new Promise((resolve) => setImmediate(resolve))
  for (let i = 0; i < 60; i++) await Promise.resolve()
}

describe('a pipeline of one', () => {
  it('writes, acknowledges in order, and finalises with the last packet', async () => {
    const { replica, packets, replies, running } = start()
    packets.put(packet(0, 0))
    packets.put(packet(1, 8, { sync: true }))
    packets.put(packet(2, 16, { last: true }))
    await running
    expect(replies).toEqual([{ setup: 0 }, { seqno: 0, statuses: [0] }, { seqno: 1, statuses: [0] }, { seqno: 2, statuses: [0] }])
    expect(replica.done).toEqual(['write 0+8', 'write 8+8', 'sync', 'write 16+0', 'finalize', 'close'])
    expect(replica.acknowledged).toBe(16)
  })

  it('tells a bad checksum, and keeps the replica open up to what was good', async () => {
    const { replica, packets, replies, running } = start()
    packets.put(packet(0, 0))
    packets.put(packet(1, 8, { bad: true }))
    await running
    expect(replies.slice(1)).toEqual([
      { seqno: 0, statuses: [0] },
      { seqno: 1, statuses: [PipelineStatus.PIPELINE_ERROR_CHECKSUM] },
    ])
    expect(replica).toMatchObject({ acknowledged: 8, done: ['write 0+8', 'close'] })
  })

  it('tells a full disk and a hole as what they are', async () => {
    const full = start()
    full.replica.failure = new QuarryError('DISK_FULL', 'no room')
    full.packets.put(packet(0, 0))
    await full.running
    expect(full.replies[1]).toEqual({ seqno: 0, statuses: [PipelineStatus.PIPELINE_ERROR_DISK_FULL] })
    const hole = start()
    hole.packets.put(packet(0, 100))
    await hole.running
    expect(hole.replies[1]).toEqual({ seqno: 0, statuses: [PipelineStatus.PIPELINE_ERROR] })
  })

  it('ends when another writer takes the replica, though its own writer is silent', async () => {
    const { replica, replies, running } = start()
    await settle()
    replica.evict()
    await running
    expect(replies).toEqual([{ setup: 0 }, { seqno: -1, statuses: [PipelineStatus.PIPELINE_ERROR] }])
  })

  it('keeps nothing of a packet that is acknowledged, however long the stream goes on', async () => {
    const { packets, replies, running } = start()
    const seen: WeakRef<IncomingPacket>[] = []
    for (let seqno = 0; seqno < 20; seqno++) {
      const one = packet(seqno, seqno * 8)
      seen.push(new WeakRef(one))
      packets.put(one)
    }
    await settle()
    expect(replies).toHaveLength(21)
    collectGarbage()
    // The very last one may still be on its way through the machine.
    expect(seen.filter((one) => one.deref() !== undefined).length).toBeLessThanOrEqual(1)
    packets.put(packet(20, 160, { last: true }))
    await running
  })

  it('shares what a node may hold among its streams, and leaves each enough to go on', () => {
    expect([0, 1, 16, 17, 50, 128, 4096].map(packetsHeld)).toEqual([16, 16, 16, 15, 5, 2, 2])
  })

  it('takes no more packets than it may hold while the disk is slow', async () => {
    const { replica, packets, running } = start()
    let open = () => {}
    replica.gate = new Promise((resolve) => (open = resolve))
    let taken = 0
    const next = packets.next.bind(packets)
    packets.next = async () => {
      const result = await next()
      taken++
      return result
    }
    for (let seqno = 0; seqno < 50; seqno++) packets.put(packet(seqno, seqno * 8))
    packets.put(packet(50, 400, { last: true }))
    await settle()
    expect(taken).toBe(unackedMax)
    open()
    await running
    expect(taken).toBe(51)
  })

  it('leaves the replica as it is when the writer stops without a last packet', async () => {
    const { replica, packets, replies, running } = start()
    packets.put(packet(0, 0))
    packets.end()
    await running
    expect(replies).toHaveLength(2)
    expect(replica.done).toEqual(['write 0+8', 'close'])
  })
})

describe('a node with another below it', () => {
  it('acknowledges what is written here and below, and finalises after the node below did', async () => {
    const { replica, below, packets, replies, running } = start({ below: true })
    below.setup()
    packets.put(packet(0, 0))
    packets.put(packet(1, 8, { last: true }))
    await settle()
    expect(replies).toEqual([{ setup: 0 }])
    expect(below.sent).toEqual(['packet', 'packet', 'end'])
    below.ack(0)
    await settle()
    expect(replies.at(-1)).toEqual({ seqno: 0, statuses: [0, 0] })
    expect(replica.done).not.toContain('finalize')
    below.ack(1)
    await running
    expect(replies.at(-1)).toEqual({ seqno: 1, statuses: [0, 0] })
    expect(replica.done).toEqual(['write 0+8', 'write 8+0', 'finalize', 'close'])
  })

  it('does not acknowledge what is below but not yet written here', async () => {
    const { replica, below, packets, replies, running } = start({ below: true })
    let open = () => {}
    replica.gate = new Promise((resolve) => (open = resolve))
    below.setup()
    packets.put(packet(0, 0))
    await settle()
    below.ack(0)
    await settle()
    expect(replies).toEqual([{ setup: 0 }])
    open()
    await settle()
    expect(replies.at(-1)).toEqual({ seqno: 0, statuses: [0, 0] })
    packets.end()
    await running
  })

  it('leaves checking to the last node, and passes its verdict up when its own copy is good', async () => {
    const { below, packets, replies, running } = start({ below: true })
    below.setup()
    packets.put(packet(0, 0))
    await settle()
    below.ack(0, [PipelineStatus.PIPELINE_ERROR_CHECKSUM])
    await running
    expect(replies.at(-1)).toEqual({ seqno: 0, statuses: [0, PipelineStatus.PIPELINE_ERROR_CHECKSUM] })
  })

  it('takes the blame when its own copy is bad', async () => {
    const { below, packets, replies, running } = start({ below: true })
    below.setup()
    packets.put(packet(0, 0, { bad: true }))
    await settle()
    below.ack(0, [PipelineStatus.PIPELINE_ERROR_CHECKSUM])
    await running
    expect(replies.at(-1)).toEqual({ seqno: 0, statuses: [PipelineStatus.PIPELINE_ERROR_CHECKSUM] })
  })

  it('checks copies itself, whose source read them from a disk', async () => {
    const { below, packets, replies, running } = start({ below: true, stage: WriteStage.WRITE_TRANSFER_FINALIZED })
    below.setup()
    packets.put(packet(0, 0, { bad: true }))
    await running
    expect(replies.at(-1)).toEqual({ seqno: 0, statuses: [PipelineStatus.PIPELINE_ERROR_CHECKSUM] })
    expect(below).toMatchObject({ sent: [], cancelled: true })
  })

  it('says that the node below is gone when its stream ends', async () => {
    const { below, packets, replies, running } = start({ below: true })
    below.setup()
    packets.put(packet(0, 0))
    await settle()
    below.replies.end()
    await running
    expect(replies.at(-1)).toEqual({ seqno: 0, statuses: [0, PipelineStatus.PIPELINE_ERROR] })
  })

  it('gives up a node below that does not acknowledge, after a bound', async () => {
    const { clock, below, packets, replies, running } = start({ below: true })
    below.setup()
    packets.put(packet(0, 0))
    await settle()
    await clock.advance(patienceMs - 1)
    await settle()
    expect(replies).toHaveLength(1)
    await clock.advance(2)
    await running
    expect(replies.at(-1)).toEqual({ seqno: 0, statuses: [0, PipelineStatus.PIPELINE_ERROR] })
    expect(below.cancelled).toBe(true)
  })

  it('gives up a node below that takes no more bytes, after a bound', async () => {
    const { clock, below, packets, replies, running } = start({ below: true })
    below.setup()
    below.gate = new Promise(() => {})
    packets.put(packet(0, 0))
    await settle()
    await clock.advance(patienceMs + 1)
    await running
    expect(replies.at(-1)).toEqual({ seqno: 0, statuses: [0, PipelineStatus.PIPELINE_ERROR] })
  })

  it('gives up a node below that does not answer the setup, and names it', async () => {
    const { clock, replica, replies, running } = start({ below: true })
    await settle()
    await clock.advance(patienceMs + 1)
    await running
    expect(replies).toEqual([{ setup: PipelineStatus.PIPELINE_ERROR, firstBad: 'node-below' }])
    expect(replica.done).toEqual(['close'])
  })

  it('keeps an idle pipeline alive with heartbeats of its own, which nobody above hears of', async () => {
    const { clock, below, packets, replies, running } = start({ below: true })
    below.setup()
    await settle()
    await clock.advance(idleHeartbeatMs + 1)
    await settle()
    expect(below.sent).toEqual(['own -1'])
    below.ack(-1)
    await settle()
    expect(replies).toEqual([{ setup: 0 }])
    packets.put(heartbeat)
    await settle()
    below.ack(-1)
    await settle()
    expect(replies.at(-1)).toEqual({ seqno: -1, statuses: [0, 0] })
    await clock.advance(idleHeartbeatMs + 1)
    await settle()
    await clock.advance(patienceMs + 1)
    await running
    expect(replies.at(-1)).toEqual({ seqno: -1, statuses: [0, PipelineStatus.PIPELINE_ERROR] })
  })
})

describe('stages without packets of their own', () => {
  it('finalise when a recovery only closes the replica', async () => {
    const { replica, replies, running } = start({ stage: WriteStage.WRITE_CLOSE_RECOVERY })
    await running
    expect(replies).toEqual([{ setup: 0 }])
    expect(replica.done).toEqual(['finalize', 'close'])
  })

  it('leave a copied open replica open', async () => {
    const { replica, packets, replies, running } = start({ stage: WriteStage.WRITE_TRANSFER_RBW })
    packets.put(packet(0, 0))
    packets.put(packet(1, 8, { last: true }))
    await running
    expect(replies.at(-1)).toEqual({ seqno: 1, statuses: [0] })
    expect(replica.done).toEqual(['write 0+8', 'write 8+0', 'adopt', 'close'])
  })
})

describe('what belongs to no packet', () => {
  it('tells the writer of its own restart at once, and leaves the replica as it is', async () => {
    const { replica, below, packets, replies, running, restart } = start({ below: true })
    below.setup()
    packets.put(packet(0, 0))
    await settle()
    restart()
    await running
    expect(replies).toEqual([{ setup: 0 }, { seqno: -2, statuses: [PipelineStatus.PIPELINE_RESTARTING] }])
    expect(below.cancelled).toBe(true)
    expect(replica.done).toEqual(['write 0+8', 'close'])
  })

  it('tells of a restart while the writer is idle, and nothing once the stream is over', async () => {
    const idle = start()
    await settle()
    idle.restart()
    await idle.running
    expect(idle.replies.at(-1)).toEqual({ seqno: -2, statuses: [PipelineStatus.PIPELINE_RESTARTING] })
    const over = start()
    over.packets.put(packet(0, 0, { last: true }))
    await over.running
    over.restart()
    await settle()
    expect(over.replies.at(-1)).toEqual({ seqno: 0, statuses: [0] })
  })

  it('passes the restart of a node below up at once, before the acknowledgements that are still owed', async () => {
    const { below, packets, replies, running } = start({ below: true })
    below.setup()
    packets.put(packet(0, 0))
    await settle()
    below.ack(-2, [PipelineStatus.PIPELINE_SUCCESS, PipelineStatus.PIPELINE_RESTARTING])
    await settle()
    expect(replies.at(-1)).toEqual({ seqno: -2, statuses: [0, 0, PipelineStatus.PIPELINE_RESTARTING] })
    below.cancel()
    await running
  })

  it('tells that the node below is gone while the writer is idle', async () => {
    const { below, packets, replies, running } = start({ below: true })
    below.setup()
    packets.put(packet(0, 0))
    await settle()
    below.ack(0)
    await settle()
    below.replies.end()
    await running
    expect(replies.at(-1)).toEqual({ seqno: -1, statuses: [0, PipelineStatus.PIPELINE_ERROR] })
  })

  it('passes a set-up that was refused by a restarting node up as such', async () => {
    const { below, replies, running } = start({ below: true })
    below.setup(PipelineStatus.PIPELINE_RESTARTING)
    await running
    expect(replies).toEqual([{ setup: PipelineStatus.PIPELINE_RESTARTING, firstBad: 'node-below' }])
  })

  it('gives a node that acknowledges more than it was sent up', async () => {
    const { below, packets, running, replies } = start({ below: true })
    below.setup()
    await settle()
    for (let i = 0; i < 200; i++) below.ack(i)
    packets.put(packet(0, 0))
    await running
    expect(replies.length).toBeLessThanOrEqual(3)
    expect(below.cancelled).toBe(true)
  })
})

describe('how long a packet took', () => {
  it("is each node's own time, and what is seen of the last node goes to the judge of peers", async () => {
    const { clock, replica, below, packets, took, acks, running } = start({ below: true })
    let open = () => {}
    replica.gate = new Promise((resolve) => (open = resolve))
    below.setup()
    packets.put(packet(0, 0))
    await settle()
    await clock.advance(30)
    open()
    await settle()
    await clock.advance(70)
    below.ack(0)
    await settle()
    expect(acks.at(-1)).toMatchObject({ seqno: 0, tookMs: [30, 5] })
    expect(took).toEqual(['node-below 100'])
    packets.end()
    await running
  })
})

// --- three nodes, and a link that damages what passes ------------------------------------------------------------------------

/** A chain of three nodes; packets are damaged on link `damaged` (0 = from the writer). Answers the ack of the damaged packet. */
async function chain(damaged: number): Promise<unknown> {
  const clock = new VirtualClock()
  const make = (index: number): { packets: Handover<IncomingPacket>; replies: Handover<WriteReply>; replica: FakeReplica } => {
    const packets = new Handover<IncomingPacket>()
    const replies = new Handover<WriteReply>()
    const replica = new FakeReplica()
    const targets = Array.from({ length: 2 - index }, (_, i) => ({
      datanode: { uuid: `node-${index + 1 + i}` },
      storageUuid: '',
      storageType: 0,
    }))
    const header = { stage: WriteStage.WRITE_SETUP_CREATE, targets, client: 'test' } as unknown as WriteHeader
    // What a node receives is what it keeps and hands on.
    const received: IncomingPacket[] = []
    const incoming: AsyncIterator<IncomingPacket> = {
      next: async () => {
        const next = await packets.next()
        if (!next.done) received.push(next.value)
        return next
      },
    }
    const running = runPipeline(header, incoming, {
      clock,
      log: silentLogger,
      uuid: `node-${index}`,
      packetsHeld: () => unackedMax,
      openReplica: async () => replica,
      adopt: async () => {},
      connect: () => {
        const below = make(index + 1)
        return {
          uuid: `node-${index + 1}`,
          forward: async () => below.packets.put(index + 1 === damaged ? packet(0, 0, { bad: true }) : received.at(-1)!),
          send: async () => {},
          end: () => below.packets.end(),
          cancel: () => below.packets.end(),
          replies: below.replies,
        }
      },
      reply: async (reply) =>
        replies.put(
          'setup' in reply
            ? ({ body: 'setup', ack: null, setup: { status: 0, firstBad: '', error: null, storages: [], ...reply.setup } } as WriteReply)
            : { body: 'ack', setup: null, ack: reply.ack },
        ),
      onRestart: () => () => {},
      peerTook: () => {},
    })
    void running.finally(() => replies.end())
    return { packets, replies, replica }
  }
  const first = make(0)
  await settle()
  await first.replies.next()
  first.packets.put(packet(0, 0, { bad: damaged === 0 }))
  await settle()
  const ack = await first.replies.next()
  return (ack.value as WriteReply).ack?.statuses
}

describe('a packet that is damaged on its way', () => {
  const bad = PipelineStatus.PIPELINE_ERROR_CHECKSUM
  it.each([
    [0, [bad]],
    [1, [0, bad]],
    [2, [0, 0, bad]],
  ])('on link %i is blamed on the first node that has it damaged', async (damaged, statuses) => {
    expect(await chain(damaged)).toEqual(statuses)
  })
})
