// The life of one block's write pipeline as a pure machine: events in, state and effects out. No sockets, no clock.
//
//   connecting ──set up──> [updating] ──> streaming ──last packet acknowledged──> sealed
//       │                                    │
//       │ lost while a new block             │ a datanode restarts           │ a datanode is lost
//       │ was being set up                   v                               v
//       v                                 awaiting ──back, or its time is over──> stamping
//   unplaced                                                                       │
//                      connecting (recovery) <──── [replacing] <──────────────────┘
//                          │
//                          v
//                       updating ──> streaming, or sealed          failed: nobody is left, or nothing was acknowledged over
//                                                                          several recoveries, or a lost node must be replaced and cannot be
//
// Recovery goes on with the survivors (integrity.md, "Pipeline recovery"): a new generation stamp from the namenode, another
// datanode with a copy of the block where replacement-policy.ts asks for it, a set-up under the new stamp, the namenode told, and
// every packet that was not acknowledged sent again.
//
// Invariants:
//   P1  Bytes below `acked` were acknowledged by every datanode of `nodes`, and `acked` never shrinks. (One that joined has them by copy.)
//   P2  `queue` holds, in order and without a gap, everything from `acked` on; what leaves it has been acknowledged.
//   P3  The last packet is sent only when all data before it is acknowledged, so a replica that is final has all its bytes.
//   P4  At most one attempt is alive. Events of earlier ones are ignored: they were under way when the attempt was given up.
//   P5  Every live state waits for exactly one of: its stream, the namenode, a datanode that restarts or joins, or its owner's next packet.
import { assert, unreachable } from '../../common/assert.ts'
import { packetRecoveriesMax, replacementsMax } from '../../common/limits.ts'
import { isLive, progressOf } from './pipeline-state.ts'
import type {
  LiveState,
  Meanwhile,
  PipelineEffect,
  PipelineEvent,
  PipelineRules,
  PipelineState,
  Progress,
  QueuedPacket,
  Stage,
  Step,
} from './pipeline-state.ts'
import { wantsReplacement } from './replacement-policy.ts'

interface Target {
  readonly node: string
  readonly storage: string
}

/** A block that the namenode has just placed. */
export function createPipeline(targets: readonly Target[], genstamp: number, rules: PipelineRules): Step {
  return open({ ...fresh(targets, genstamp, 0, rules), stage: 'create' }, genstamp)
}

/** The last block of a file that is being appended to. */
export function appendPipeline(targets: readonly Target[], genstamp: number, length: number, rules: PipelineRules): Step {
  return stamp({ ...fresh(targets, genstamp, length, rules), stage: 'append', appended: true })
}

function fresh(targets: readonly Target[], genstamp: number, length: number, rules: PipelineRules): Progress {
  return {
    rules,
    appended: false,
    flushed: false,
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
  }
}

export function step(state: PipelineState, event: PipelineEvent): Step {
  if (!isLive(state)) {
    assert(event.kind !== 'packet' && event.kind !== 'seal', () => `${event.kind} for a pipeline that is ${state.kind}`)
    return { state, effects: [] }
  }
  if ('attempt' in event && event.attempt !== state.attempt) return same(state)
  switch (event.kind) {
    case 'packet':
      return enqueue(state, { ...event.packet, last: false, sync: event.sync })
    case 'flush':
      return same(state.flushed ? state : { ...state, flushed: true })
    case 'seal':
      return enqueue(state, { offset: endOf(state), data: nothing, checksums: nothing, last: true, sync: false })
    case 'abort':
      return fail(state, event.reason)
    case 'connected':
      return state.kind === 'connecting' ? connected(state, event.storages) : same(state)
    case 'acked':
      return state.kind === 'streaming' ? acknowledge(state, event.seqno) : same(state)
    case 'alive':
      return same(state.recoveries === 0 || state.queue.length > 0 ? state : { ...state, recoveries: 0 })
    case 'lost':
      return befall(state, { node: event.node, reason: event.reason, restarting: false })
    case 'restarting':
      return befall(state, { node: event.node, reason: 'it restarts', restarting: true })
    case 'returned':
      return state.kind === 'awaiting' ? stamp(progressOf(state)) : same(state)
    case 'stamped':
      return state.kind === 'stamping' ? stamped(progressOf(state), event.genstamp) : same(state)
    case 'joined':
      return state.kind === 'replacing' ? joined(state, event.node, event.storage) : same(state)
    case 'unjoined':
      return state.kind === 'replacing' ? unjoined(state, event.node, event.reason) : same(state)
    case 'updated':
      return state.kind === 'updating' ? updated(state) : same(state)
    case 'refused':
      return fail(state, event.reason)
    default:
      return unreachable(event, 'pipeline event')
  }
}

const nothing = new Uint8Array(0)

function same(state: PipelineState): Step {
  return { state, effects: [] }
}

/** Where the next data packet would begin at the latest. */
function endOf(state: Progress): number {
  const tail = state.queue.at(-1)
  return tail ? tail.offset + tail.data.length : state.acked
}

// --- packets ----------------------------------------------------------------------------------------------------------------

function enqueue(state: LiveState, packet: Omit<QueuedPacket, 'seqno'>): Step {
  assert(!state.queue.at(-1)?.last, 'nothing follows the last packet')
  assert(packet.offset <= endOf(state), () => `a gap before ${packet.offset} (P2)`)
  const queue = [...state.queue, { ...packet, seqno: state.nextSeqno }]
  const next = { ...state, queue, nextSeqno: state.nextSeqno + 1 }
  return next.kind === 'streaming' ? pump(next) : same(next)
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
  const next = pump({ ...state, acked, queue: state.queue.slice(1), sent: state.sent - 1, recoveries: 0 })
  return { state: next.state, effects: [released, ...next.effects] }
}

// --- the pipeline stands ------------------------------------------------------------------------------------------------------

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
    return state.meanwhile ? befall(streaming, state.meanwhile) : pump(streaming)
  }
  // The set-up alone made the replicas final: whatever became of the stream since.
  return {
    state: { kind: 'sealed', length: progress.acked, genstamp: progress.genstamp },
    effects: [...releaseAll(progress), { kind: 'finish', attempt: state.attempt }],
  }
}

// --- recovery ---------------------------------------------------------------------------------------------------------------

function befall(state: LiveState, what: Meanwhile): Step {
  switch (state.kind) {
    case 'updating':
      return same({ ...state, meanwhile: what })
    case 'stamping':
      return same(state)
    case 'replacing':
    case 'awaiting':
      return what.restarting ? same(state) : lose(state, what.node, what.reason)
    default:
      return what.restarting && what.node !== undefined && state.nodes.includes(what.node)
        ? awaitRestart(state, what.node)
        : lose(state, what.node, what.reason)
  }
}

/** A datanode is gone: go on with the others under a new stamp. */
function lose(state: LiveState, node: string | undefined, reason: string): Step {
  const bad = node !== undefined && state.nodes.includes(node) ? node : state.nodes[0]!
  if (isNew(state)) return unplaced(state, bad, reason)
  const index = state.nodes.indexOf(bad)
  const progress: Progress = {
    ...progressOf(state),
    lost: [...state.lost, { node: bad, reason }],
    nodes: state.nodes.toSpliced(index, 1),
    storages: state.storages.toSpliced(index, 1),
    stage: recoveryStage(state),
    // The end of a wait belongs to the recovery that began with it.
    recoveries: state.kind === 'awaiting' ? state.recoveries : state.recoveries + 1,
  }
  if (progress.nodes.length === 0) return fail({ ...state, ...progress }, `All datanodes of the pipeline are lost (${reasonsOf(progress)})`)
  if (progress.recoveries > packetRecoveriesMax) return tooMany({ ...state, ...progress })
  const next = stamp(progress)
  return { state: next.state, effects: [{ kind: 'cancel', attempt: state.attempt }, ...next.effects] }
}

function awaitRestart(state: LiveState, node: string): Step {
  if (isNew(state)) return unplaced(state, node, 'it restarts')
  const attempt = state.attempt + 1
  const progress: Progress = { ...progressOf(state), attempt, stage: recoveryStage(state), recoveries: state.recoveries + 1 }
  if (progress.recoveries > packetRecoveriesMax)
    return tooMany({ ...state, lost: [...state.lost, { node, reason: 'it restarts' }], recoveries: progress.recoveries })
  return {
    state: { ...progress, kind: 'awaiting', node },
    effects: [
      { kind: 'cancel', attempt: state.attempt },
      { kind: 'await', attempt, node },
    ],
  }
}

/** No byte of the block was ever accepted: it can be placed elsewhere. */
function isNew(state: LiveState): boolean {
  return state.kind === 'connecting' && state.stage === 'create'
}

function unplaced(state: LiveState, bad: string, reason: string): Step {
  return { state: { kind: 'unplaced', bad, reason }, effects: [{ kind: 'cancel', attempt: state.attempt }, ...releaseAll(state)] }
}

function recoveryStage(state: LiveState): Stage {
  const appending = state.stage === 'append' || state.stage === 'append-recovery'
  if (appending && state.kind !== 'streaming') return 'append-recovery'
  if (state.queue.length === 1 && state.queue[0]!.last) return 'close-recovery'
  return 'streaming-recovery'
}

function stamp(progress: Progress): Step {
  const attempt = progress.attempt + 1
  return { state: { ...progress, attempt, kind: 'stamping' }, effects: [{ kind: 'stamp', attempt }] }
}

/** A block that is being closed needs nobody else: the namenode makes the missing copies at once. */
function stamped(progress: Progress, newGenstamp: number): Step {
  const { rules, nodes, appended, flushed, lost, stage } = progress
  const loss = { replication: rules.replication, survivors: nodes.length, appended, flushed }
  if (lost.length === 0 || stage === 'close-recovery' || !wantsReplacement(rules.replacement.mode, loss)) return open(progress, newGenstamp)
  return replace(progress, newGenstamp, 0)
}

function replace(progress: Progress, newGenstamp: number, tried: number): Step {
  const { attempt, nodes, lost } = progress
  // Each try copies from another survivor: it may be the source that fails.
  const source = nodes[tried % nodes.length]!
  return {
    state: { ...progress, kind: 'replacing', newGenstamp, tried },
    effects: [{ kind: 'replace', attempt, nodes, excluded: lost.map((one) => one.node), source }],
  }
}

function joined(state: PipelineState & { kind: 'replacing' }, node: string, storage: string): Step {
  const progress = progressOf(state)
  return open({ ...progress, nodes: [...progress.nodes, node], storages: [...progress.storages, storage] }, state.newGenstamp)
}

function unjoined(state: PipelineState & { kind: 'replacing' }, node: string | undefined, reason: string): Step {
  const progress = progressOf(state)
  const lost = node === undefined ? progress.lost : [...progress.lost, { node, reason }]
  const tried = state.tried + 1
  if (node !== undefined && tried < replacementsMax) return replace({ ...progress, lost }, state.newGenstamp, tried)
  if (state.rules.replacement.bestEffort) return open({ ...progress, lost }, state.newGenstamp)
  return fail(
    { ...state, lost },
    `A lost datanode could not be replaced, and replace.datanode.best.effort is false: ${reason} (${reasonsOf({ lost })})`,
  )
}

function open(progress: Progress, newGenstamp: number): Step {
  const { attempt, stage, nodes, storages, genstamp, acked, sentMax } = progress
  return {
    state: { ...progress, kind: 'connecting', newGenstamp },
    effects: [{ kind: 'open', attempt, stage, nodes, storages, genstamp, newGenstamp, minBytes: acked, maxBytes: sentMax }],
  }
}

// --- ends -------------------------------------------------------------------------------------------------------------------

function tooMany(state: LiveState): Step {
  const head = state.queue[0]
  const what = head === undefined ? 'The pipeline' : `Packet ${head.seqno}`
  return fail(state, `${what} lost ${state.recoveries} pipelines in a row (${reasonsOf(state)})`)
}

function reasonsOf({ lost }: Pick<Progress, 'lost'>): string {
  return lost.map((one) => `${one.node}: ${one.reason}`).join('; ')
}

function releaseAll({ queue }: Pick<Progress, 'queue'>): PipelineEffect[] {
  return queue.map((packet) => ({ kind: 'release', packet }))
}

function fail(state: LiveState, reason: string): Step {
  return {
    state: { kind: 'failed', reason, acked: state.acked },
    effects: [{ kind: 'cancel', attempt: state.attempt }, ...releaseAll(state)],
  }
}
