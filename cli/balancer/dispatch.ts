// One iteration: orders the moves of a plan in batches of bounded size and waits until they are over.
//
// The namenode owns the moves. It keeps every replica until its copy stands and forgets what does not finish, so this side may stop
// at any moment; all it keeps is what to order next.
import { setTimeout as sleep } from 'node:timers/promises'
import type { FileSystem } from '../../client/index.ts'
import { Candidates } from './candidates.ts'
import { chooseTarget } from './choose.ts'
import type { Move, Target } from './choose.ts'
import type { NodeUsage, Transfer } from './plan.ts'

/** Moves under way for each node that gives: enough for a datanode's eight streams at a time, few enough to end soon. */
const movesPerSource = 16
/** Moves in one call (the namenode takes 1,000). */
const batchMax = 200
/** HDFS's dfs.balancer.getBlocks.min-block-size: smaller ones cost more than they bring, where there is much to move. */
const smallBlockBytes = 10 * 1024 ** 2
/** HDFS's dfs.balancer.max-iteration-time: then the figures are looked at anew. */
const iterationMaxMs = 20 * 60_000

export interface Progress {
  readonly movedBytes: number
  readonly movedBlocks: number
  readonly failed: number
  readonly pending: number
}

interface Source {
  readonly node: NodeUsage
  readonly targets: readonly Target[]
  readonly candidates: Candidates
  exhausted: boolean
}

/** The namenode's counters, from when this balancer began. They begin anew when the namenode does. */
export class MoveCounters {
  #last: { movedBytes: number; movedBlocks: number; failed: number } | undefined
  #progress: Progress = { movedBytes: 0, movedBlocks: 0, failed: 0, pending: 0 }

  get progress(): Progress {
    return this.#progress
  }

  note(reply: { readonly movedBytes: number; readonly movedBlocks: number; readonly failed: number; readonly pending: number }): void {
    const last = this.#last ?? reply
    const since = (now: number, before: number): number => (now >= before ? now - before : now)
    this.#progress = {
      movedBytes: this.#progress.movedBytes + since(reply.movedBytes, last.movedBytes),
      movedBlocks: this.#progress.movedBlocks + since(reply.movedBlocks, last.movedBlocks),
      failed: this.#progress.failed + since(reply.failed, last.failed),
      pending: reply.pending,
    }
    this.#last = reply
  }
}

export interface DispatchOptions {
  readonly fs: FileSystem
  readonly counters: MoveCounters
  readonly signal: AbortSignal
  readonly pollMs: number
  readonly onProgress: () => Promise<void>
}

/** Answers the moves that were ordered. */
export async function dispatch(transfers: readonly Transfer[], options: DispatchOptions): Promise<number> {
  const { fs, counters, signal } = options
  const sources = sourcesOf(fs, transfers)
  const window = movesPerSource * sources.length
  const deadlineMs = Date.now() + iterationMaxMs
  let ordered = 0
  for (;;) {
    const room = Date.now() < deadlineMs ? Math.min(batchMax, window - counters.progress.pending) : 0
    const batch = await nextBatch(sources, room, signal)
    const moves = batch.map(({ block: { blockId, genstamp, length }, source, target }) => ({
      block: { blockId, genstamp, length },
      source: source.uuid,
      target: target.node.uuid,
    }))
    const reply = await fs.admin.moveReplicas(moves, { signal })
    counters.note(reply)
    const accepted = giveBackRefused(batch, reply.refused, sources)
    ordered += accepted
    await options.onProgress()
    if (reply.pending === 0 && batch.length === 0) return ordered
    // A batch that was refused whole is followed by the next candidates; only what is under way is worth waiting for.
    if (reply.pending > 0) await sleep(options.pollMs, undefined, { signal })
  }
}

function sourcesOf(fs: FileSystem, transfers: readonly Transfer[]): Source[] {
  const bySource = new Map<string, { node: NodeUsage; targets: Target[]; bytes: number }>()
  for (const { source, target, bytes } of transfers) {
    const entry = bySource.get(source.uuid) ?? { node: source, targets: [], bytes: 0 }
    entry.targets.push({ node: target, left: bytes })
    entry.bytes += bytes
    bySource.set(source.uuid, entry)
  }
  return [...bySource.values()].map(({ node, targets, bytes }) => {
    const minBlockBytes = Math.min(smallBlockBytes, Math.floor(bytes / 100))
    return { node, targets, candidates: new Candidates(fs, node.uuid, minBlockBytes), exhausted: false }
  })
}

/** Takes turns among the sources. */
async function nextBatch(sources: readonly Source[], room: number, signal: AbortSignal): Promise<Move[]> {
  const batch: Move[] = []
  const taken = new Set<number>()
  while (batch.length < room) {
    const before = batch.length
    for (const source of sources) {
      if (batch.length >= room || source.exhausted) continue
      const move = await nextMove(source, taken, signal)
      if (move) batch.push(move)
      else source.exhausted = true
    }
    if (batch.length === before) break
  }
  return batch
}

async function nextMove(source: Source, taken: Set<number>, signal: AbortSignal): Promise<Move | undefined> {
  while (source.targets.some((target) => target.left > 0)) {
    const block = await source.candidates.next(signal)
    if (!block) return undefined
    const target = taken.has(block.blockId) ? undefined : chooseTarget(block, source.node, source.targets)
    if (!target) continue
    taken.add(block.blockId)
    target.left -= block.length
    return { block, source: source.node, target }
  }
  return undefined
}

/** What the namenode refused does not count. A node that is busy gets the same block later; for other reasons another one is tried. */
function giveBackRefused(batch: readonly Move[], refused: readonly string[], sources: readonly Source[]): number {
  let accepted = 0
  for (const [index, move] of batch.entries()) {
    const reason = refused[index] ?? ''
    if (reason === '') {
      accepted++
      continue
    }
    move.target.left += move.block.length
    const source = sources.find(({ node }) => node === move.source)
    if (!source) continue
    source.exhausted = false
    if (reason.includes('moves under way')) source.candidates.putBack(move.block)
  }
  return accepted
}
