// The life of one block's write pipeline as a pure machine: events in, state and effects out. No sockets, no clock.
//
//   connecting ──set up──> [updating] ──> streaming ──last packet acknowledged──> sealed
//       │                                    │  a datanode is lost
//       │ lost while a new block             v
//       │ was being set up        stamping ──> connecting (recovery) ──> updating ──> streaming, or sealed
//       v                                    │  nobody is left, or a packet lost too many pipelines
//   unplaced                                 v
//                                          failed
//
// Recovery goes on with the survivors (integrity.md, "Pipeline recovery"): a new generation stamp from the namenode, a set-up
// under it, the namenode told, and every packet that was not acknowledged sent again. Adding a datanode in place of a lost one
// belongs between `stamping` and `connecting`: it would change `nodes` there and nothing else.
//
// Invariants:
//   P1  Bytes below `acked` were acknowledged by every datanode of `nodes`, and `acked` never shrinks.
//   P2  `queue` holds, in order and without a gap, everything from `acked` on; what leaves it has been acknowledged.
//   P3  The last packet is sent only when all data before it is acknowledged, so a replica that is final has all its bytes.
//   P4  At most one attempt is alive. Events of earlier ones are ignored: they were under way when the attempt was given up.
//   P5  Every live state waits for exactly one of: its stream, the namenode, or its owner's next packet.
import { assert, unreachable } from '../../common/assert.ts'
import { packetRecoveriesMax } from '../../common/limits.ts'
import type { BlockPacket } from './packet-builder.ts'

export interface QueuedPacket extends BlockPacket {
  readonly seqno: number
  /** No data; the replica is final afterwards. */
  readonly last: boolean
  /** On disk before it is acknowledged. */
  readonly sync: boolean
}

export type Stage = 'create' | 'append' | 'append-recovery' | 'streaming-recovery' | 'close-recovery'

/** What all live states have. */
export interface Progress {
  /** Datanode uuids in pipeline order. */
  readonly nodes: readonly string[]
  /** Storage each node writes to; '' as long as it has not said. */
  readonly storages: readonly string[]
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
  /** Recoveries since the packet at the head of the queue was at the head. */
  readonly recoveries: number
  readonly recoveringSeqno: number
}

/** A datanode that was lost while the namenode's answer was awaited: dealt with when it is there, so that one stamp is certain. */
interface Loss {
  readonly node: string | undefined
  readonly reason: string
}

export type PipelineState =
  /** A stream is open, its set-up reply is awaited. */
  | ({ readonly kind: 'connecting'; readonly newGenstamp: number } & Progress)
  /** The first `sent` packets of the queue are on the stream. */
  | ({ readonly kind: 'streaming'; readonly sent: number } & Progress)
  /** The namenode is asked for a generation stamp. */
  | ({ readonly kind: 'stamping' } & Progress)
  /** The pipeline stands; the namenode is being told. */
  | ({ readonly kind: 'updating'; readonly newGenstamp: number; readonly meanwhile: Loss | undefined } & Progress)
  | { readonly kind: 'sealed'; readonly length: number; readonly genstamp: number }
  /** A new block that no data reached: abandon it and ask for another without `bad`. */
  | { readonly kind: 'unplaced'; readonly bad: string; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string; readonly acked: number }

export type PipelineEvent =
  /** From the owner. `sync` alone (no data) makes what is there durable. */
  | { readonly kind: 'packet'; readonly packet: BlockPacket; readonly sync: boolean }
  | { readonly kind: 'seal' }
  | { readonly kind: 'abort'; readonly reason: string }
  /** From the stream of an attempt. */
  | { readonly kind: 'connected'; readonly attempt: number; readonly storages: readonly string[] }
  | { readonly kind: 'acked'; readonly attempt: number; readonly seqno: number }
  /** A datanode, if known, failed; `node` undefined blames the first, which is the one we talk to. */
  | { readonly kind: 'lost'; readonly attempt: number; readonly node: string | undefined; readonly reason: string }
  /** From the namenode. */
  | { readonly kind: 'stamped'; readonly attempt: number; readonly genstamp: number }
  | { readonly kind: 'updated'; readonly attempt: number }
  | { readonly kind: 'refused'; readonly attempt: number; readonly reason: string }

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
  /** updateBlockForPipeline */
  | { readonly kind: 'stamp'; readonly attempt: number }
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

interface Target {
  readonly node: string
  readonly storage: string
}

/** A block that the namenode has just placed. */
export function createPipeline(targets: readonly Target[], genstamp: number): Step {
  return open({ ...fresh(targets, genstamp, 0), stage: 'create' }, genstamp)
}

/** The last block of a file that is being appended to. */
export function appendPipeline(targets: readonly Target[], genstamp: number, length: number): Step {
  return stamp({ ...fresh(targets, genstamp, length), stage: 'append' })
}

function fresh(targets: readonly Target[], genstamp: number, length: number): Progress {
  return {
    nodes: targets.map((target) => target.node),
    storages: targets.map((target) => target.storage),
    lost: [],
    genstamp,
    acked: length,
    sentMax: length,
    queue: [],
    nextSeqno: 0,
    attempt: 1,
    stage: 'create',
    recoveries: 0,
    recoveringSeqno: -1,
  }
}

export function isLive(state: PipelineState): state is PipelineState & Progress {
  return state.kind === 'connecting' || state.kind === 'streaming' || state.kind === 'stamping' || state.kind === 'updating'
}

export function step(state: PipelineState, event: PipelineEvent): Step {
  if (!isLive(state)) {
    assert(event.kind !== 'packet' && event.kind !== 'seal', () => `${event.kind} for a pipeline that is ${state.kind}`)
    return { state, effects: [] }
  }
  if ('attempt' in event && event.attempt !== state.attempt) return { state, effects: [] }
  switch (event.kind) {
    case 'packet':
      return enqueue(state, { ...event.packet, last: false, sync: event.sync })
    case 'seal':
      return enqueue(state, { offset: endOf(state), data: nothing, checksums: nothing, last: true, sync: false })
    case 'abort':
      return fail(state, event.reason)
    case 'connected':
      return state.kind === 'connecting' ? connected(state, event.storages) : { state, effects: [] }
    case 'acked':
      return state.kind === 'streaming' ? acknowledge(state, event.seqno) : { state, effects: [] }
    case 'lost':
      if (state.kind === 'updating') return { state: { ...state, meanwhile: { node: event.node, reason: event.reason } }, effects: [] }
      return state.kind === 'stamping' ? { state, effects: [] } : lose(state, event.node, event.reason)
    case 'stamped':
      return state.kind === 'stamping' ? open(state, event.genstamp) : { state, effects: [] }
    case 'updated':
      return state.kind === 'updating' ? updated(state) : { state, effects: [] }
    case 'refused':
      return fail(state, event.reason)
    default:
      return unreachable(event, 'pipeline event')
  }
}

const nothing = new Uint8Array(0)

/** Where the next data packet would begin at the latest. */
function endOf(state: Progress): number {
  const tail = state.queue.at(-1)
  return tail ? tail.offset + tail.data.length : state.acked
}

function progressOf(state: PipelineState & Progress): Progress {
  const { nodes, storages, lost, genstamp, acked, sentMax, queue, nextSeqno, attempt, stage, recoveries, recoveringSeqno } = state
  return { nodes, storages, lost, genstamp, acked, sentMax, queue, nextSeqno, attempt, stage, recoveries, recoveringSeqno }
}

function enqueue(state: PipelineState & Progress, packet: Omit<QueuedPacket, 'seqno'>): Step {
  assert(!state.queue.at(-1)?.last, 'nothing follows the last packet')
  assert(packet.offset <= endOf(state), () => `a gap before ${packet.offset} (P2)`)
  const queue = [...state.queue, { ...packet, seqno: state.nextSeqno }]
  const next = { ...state, queue, nextSeqno: state.nextSeqno + 1 }
  return next.kind === 'streaming' ? pump(next) : { state: next, effects: [] }
}

/** Sends what may be sent. */
function pump(state: PipelineState & { kind: 'streaming' }): Step {
  const effects: PipelineEffect[] = []
  let { sent, sentMax } = state
  for (; sent < state.queue.length; sent++) {
    const packet = state.queue[sent]!
    if (packet.last && sent > 0) break // P3
    sentMax = Math.max(sentMax, packet.offset + packet.data.length)
    effects.push({ kind: 'send', attempt: state.attempt, packet })
  }
  return { state: { ...state, sent, sentMax }, effects }
}

function connected(state: PipelineState & { kind: 'connecting' }, told: readonly string[]): Step {
  const storages = state.storages.map((storage, i) => told[i] || storage)
  if (state.stage === 'create') return pump({ ...progressOf(state), storages, kind: 'streaming', sent: 0 })
  const { nodes, genstamp, newGenstamp, attempt, acked } = state
  return {
    state: { ...progressOf(state), storages, kind: 'updating', newGenstamp, meanwhile: undefined },
    effects: [{ kind: 'update', attempt, nodes, storages, genstamp, newGenstamp, length: acked }],
  }
}

/** The namenode knows the new pipeline: the block has the new stamp from now on. */
function updated(state: PipelineState & { kind: 'updating' }): Step {
  const progress = { ...progressOf(state), genstamp: state.newGenstamp }
  if (state.stage !== 'close-recovery') {
    const streaming = { ...progress, kind: 'streaming', sent: 0 } as const
    return state.meanwhile ? lose(streaming, state.meanwhile.node, state.meanwhile.reason) : pump(streaming)
  }
  // The set-up alone made the replicas final: whatever became of the stream since.
  return {
    state: { kind: 'sealed', length: progress.acked, genstamp: progress.genstamp },
    effects: [...progress.queue.map((packet) => ({ kind: 'release', packet }) as const), { kind: 'finish', attempt: state.attempt }],
  }
}

function acknowledge(state: PipelineState & { kind: 'streaming' }, seqno: number): Step {
  const head = state.queue[0]
  if (head === undefined || state.sent === 0 || head.seqno !== seqno) {
    return lose(state, undefined, `it acknowledged packet ${seqno} instead of ${state.sent > 0 ? head?.seqno : 'nothing'}`)
  }
  const acked = Math.max(state.acked, head.offset + head.data.length)
  const released = { kind: 'release', packet: head } as const
  if (head.last)
    return {
      state: { kind: 'sealed', length: acked, genstamp: state.genstamp },
      effects: [released, { kind: 'finish', attempt: state.attempt }],
    }
  const next = pump({ ...state, acked, queue: state.queue.slice(1), sent: state.sent - 1 })
  return { state: next.state, effects: [released, ...next.effects] }
}

/** A datanode is gone: go on with the others under a new stamp. */
function lose(state: PipelineState & Progress, node: string | undefined, reason: string): Step {
  const bad = node !== undefined && state.nodes.includes(node) ? node : state.nodes[0]!
  const cancel = { kind: 'cancel', attempt: state.attempt } as const
  if (state.kind === 'connecting' && state.stage === 'create') {
    const effects = [cancel, ...state.queue.map((packet) => ({ kind: 'release', packet }) as const)]
    return { state: { kind: 'unplaced', bad, reason }, effects }
  }
  const index = state.nodes.indexOf(bad)
  const lost = [...state.lost, { node: bad, reason }]
  const progress: Progress = {
    ...progressOf(state),
    lost,
    nodes: state.nodes.toSpliced(index, 1),
    storages: state.storages.toSpliced(index, 1),
  }
  const reasons = lost.map((one) => `${one.node}: ${one.reason}`).join('; ')
  if (progress.nodes.length === 0) return fail({ ...state, ...progress }, `All datanodes of the pipeline are lost (${reasons})`)
  const head = state.queue[0]?.seqno ?? -1
  const recoveries = head === state.recoveringSeqno ? state.recoveries + 1 : 1
  if (recoveries > packetRecoveriesMax)
    return fail({ ...state, ...progress }, `Packet ${head} lost ${recoveries} pipelines in a row (${reasons})`)
  const next = stamp({ ...progress, recoveries, recoveringSeqno: head, stage: recoveryStage(state) })
  return { state: next.state, effects: [cancel, ...next.effects] }
}

function recoveryStage(state: PipelineState & Progress): Stage {
  const appending = state.stage === 'append' || state.stage === 'append-recovery'
  if (appending && state.kind !== 'streaming') return 'append-recovery'
  if (state.queue.length === 1 && state.queue[0]!.last) return 'close-recovery'
  return 'streaming-recovery'
}

function stamp(progress: Progress): Step {
  const attempt = progress.attempt + 1
  return { state: { ...progress, attempt, kind: 'stamping' }, effects: [{ kind: 'stamp', attempt }] }
}

function open(progress: Progress, newGenstamp: number): Step {
  const { attempt, stage, nodes, storages, genstamp, acked, sentMax } = progress
  return {
    state: { ...progress, kind: 'connecting', newGenstamp },
    effects: [{ kind: 'open', attempt, stage, nodes, storages, genstamp, newGenstamp, minBytes: acked, maxBytes: sentMax }],
  }
}

function fail(state: PipelineState & Progress, reason: string): Step {
  const effects: PipelineEffect[] = state.queue.map((packet) => ({ kind: 'release', packet }))
  return { state: { kind: 'failed', reason, acked: state.acked }, effects: [{ kind: 'cancel', attempt: state.attempt }, ...effects] }
}
