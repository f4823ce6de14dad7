// Runs the planned fragments on their nodes and collects their results in files.
//
// A fragment only reads, so an attempt that fails is simply made again somewhere else: at most three times, first on the node with
// most of the bytes, then on the next. A result counts when its last frame arrived; until then it has another name. A node that
// failed is asked last for what is left of the query.
import { setMaxListeners } from 'node:events'
import { open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { must } from '../../common/assert.ts'
import type { Env } from '../../common/env.ts'
import { QuarryError, toQuarryError, type ErrorCode } from '../../common/errors.ts'
import type { DatanodeId, FragmentDone, FragmentRequest } from '../../proto/ports.ts'
import type { Init } from '../../proto/codec.ts'
import { Gate } from '../gate.ts'
import type { ByteRange } from '../parquet/footer.ts'
import { mergeRanges, type PlannedFragment } from '../plan/fragments.ts'
import type { FragmentRunner } from '../service/fragment-client.ts'
import type { ExplainAttempt, ExplainFragment } from './explain.ts'
import type { LocatedFile } from './source.ts'

/** Tries for one fragment, the first included. */
const attemptsMax = 3
/** Fragments that one node has in hand: one that runs and one whose bytes are being prepared or sent. */
const perNodeMax = 2
/** Wait before the second and third attempt, milliseconds. */
const backoffMs = 200

export interface FragmentsInput {
  readonly queryId: string
  readonly file: LocatedFile
  /** Bytes that every fragment needs. */
  readonly common: readonly ByteRange[]
  readonly astJson: string
  readonly fragments: readonly PlannedFragment[]
  readonly runner: FragmentRunner
  /** Where the blocks lie now; asked before another attempt. */
  readonly relocate: () => Promise<LocatedFile>
  readonly dir: string
  /** Bytes that all results together may have. */
  readonly resultBytesMax: number
  readonly fragmentTimeoutMs: number
  readonly env: Env
  readonly signal: AbortSignal
}

export interface FragmentsOutput {
  /** Parquet files in the order of the fragments. */
  readonly files: readonly string[]
  readonly explain: readonly ExplainFragment[]
}

export async function runFragments(input: FragmentsInput): Promise<FragmentsOutput> {
  const stop = new AbortController()
  // Every fragment listens; Node would take many listeners for a leak.
  setMaxListeners(0, stop.signal)
  const onAbort = () => stop.abort(input.signal.reason)
  if (input.signal.aborted) onAbort()
  input.signal.addEventListener('abort', onAbort, { once: true })
  const state: SharedState = { file: input.file, gates: new Map(), suspects: new Set(), bytes: 0 }
  try {
    // All are settled before the first failure is thrown: nothing writes into the directory after this returns.
    const settled = await Promise.allSettled(
      input.fragments.map(async (fragment, index) => {
        try {
          return await runWithAttempts(input, fragment, index, state, stop.signal)
        } catch (error) {
          stop.abort(error)
          throw error
        }
      }),
    )
    if (stop.signal.aborted) throw stop.signal.reason
    const done = settled.map((one) => must(one.status === 'fulfilled' ? one.value : undefined))
    return { files: done.map((one) => one.file), explain: done.map((one) => one.explain) }
  } finally {
    input.signal.removeEventListener('abort', onAbort)
  }
}

interface SharedState {
  file: LocatedFile
  /** One for each node, by its uuid. */
  readonly gates: Map<string, Gate>
  readonly suspects: Set<string>
  bytes: number
}

async function runWithAttempts(
  input: FragmentsInput,
  fragment: PlannedFragment,
  index: number,
  state: SharedState,
  signal: AbortSignal,
): Promise<{ file: string; explain: ExplainFragment }> {
  const attempts: ExplainAttempt[] = []
  for (let attempt = 1; ; attempt++) {
    const node = chooseNode(fragment, attempts, state.suspects)
    const release = await gateOf(state, node).enter(signal)
    const address = `${node.ip}:${node.grpcPort}`
    const startedMs = input.env.clock.monotonicMs()
    const spent = () => input.env.clock.monotonicMs() - startedMs
    try {
      const { file, bytes, done } = await runAttempt(input, fragment, index, attempt, node, state, signal)
      attempts.push({ node: node.uuid, address, ms: spent() })
      return {
        file,
        explain: {
          fragment: index,
          rowGroups: fragment.rowGroups,
          rows: fragment.rows,
          bytes: fragment.bytes,
          attempts,
          bytesLocal: done.bytesLocal,
          bytesRemote: done.bytesRemote,
          resultRows: done.rows,
          resultBytes: bytes,
          prepareMs: done.verifyUs / 1000,
          runMs: done.runUs / 1000,
        },
      }
    } catch (thrown) {
      signal.throwIfAborted()
      const error = toQuarryError(thrown)
      attempts.push({ node: node.uuid, address, error: error.message, ms: spent() })
      if (!mayRetry.has(error.code)) throw error
      if (attempt === attemptsMax)
        throw new QuarryError(
          error.code,
          `${input.file.path}: fragment ${index} failed ${attemptsMax} times, last on ${address}: ${error.message}`,
          {},
          { cause: error },
        )
      input.env.log.warn('sql.fragment.retry', { fragment: index, attempt, address, code: error.code, message: error.message })
      state.suspects.add(node.uuid)
    } finally {
      release()
    }
    await input.env.clock.sleep(backoffMs * attempt, signal)
    state.file = await sameFile(input, state.file)
  }
}

function gateOf(state: SharedState, node: DatanodeId): Gate {
  let gate = state.gates.get(node.uuid)
  if (gate === undefined) state.gates.set(node.uuid, (gate = new Gate(perNodeMax, Number.POSITIVE_INFINITY)))
  return gate
}

/** Failures that another node, or the same one a moment later, may not have. */
const mayRetry: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'UNAVAILABLE',
  'TIMEOUT',
  'CANCELLED',
  'CLOSED',
  'OVERLOADED',
  'RETRY_LATER',
  'UNSUPPORTED',
  'REPLICA_NOT_FOUND',
  'REPLICA_STATE',
  'STALE_GENERATION',
  'CHECKSUM',
  'BLOCK_MISSING',
  'DISK_FULL',
  'WRONG_CLUSTER',
  'INTERNAL',
])

/** The best node that was not tried, rather one that has not failed in this query; else the one tried longest ago. */
function chooseNode(fragment: PlannedFragment, attempts: readonly ExplainAttempt[], suspects: ReadonlySet<string>): DatanodeId {
  const tried = new Set(attempts.map((attempt) => attempt.node))
  const fresh = fragment.nodes.filter((node) => !tried.has(node.uuid))
  const node =
    fresh.find((one) => !suspects.has(one.uuid)) ?? fresh[0] ?? fragment.nodes[attempts.length % Math.max(1, fragment.nodes.length)]
  if (node === undefined) throw new QuarryError('BLOCK_MISSING', 'No live datanode has a block of the file.')
  return node
}

async function runAttempt(
  input: FragmentsInput,
  fragment: PlannedFragment,
  index: number,
  attempt: number,
  node: DatanodeId,
  state: SharedState,
  signal: AbortSignal,
): Promise<{ file: string; bytes: number; done: FragmentDone }> {
  const partial = path.join(input.dir, `fragment-${index}-${attempt}.part`)
  let bytes = 0
  const out = await open(partial, 'wx')
  try {
    let done: FragmentDone
    try {
      done = await input.runner.run(
        node,
        requestOf(input, fragment, index, attempt, state.file),
        async (part) => {
          bytes += part.length
          state.bytes += part.length
          if (state.bytes > input.resultBytesMax)
            throw new QuarryError('SQL', `The fragments return more than ${input.resultBytesMax} bytes: add WHERE, LIMIT or an aggregate.`)
          await out.write(part)
        },
        signal,
      )
    } finally {
      await out.close()
    }
    const file = path.join(input.dir, `fragment-${index}.parquet`)
    await rename(partial, file)
    return { file, bytes, done }
  } catch (error) {
    state.bytes -= bytes
    await rm(partial, { force: true })
    throw error
  }
}

function requestOf(
  input: FragmentsInput,
  fragment: PlannedFragment,
  index: number,
  attempt: number,
  file: LocatedFile,
): Init<FragmentRequest> {
  return {
    queryId: input.queryId,
    fragment: index,
    attempt,
    poolId: file.poolId,
    astJson: input.astJson,
    deadlineMs: input.fragmentTimeoutMs,
    splits: fragment.pieces.map((piece) => {
      const ranges = mergeRanges([...input.common, ...piece.ranges])
      const blocks = file.blocks.filter((block) =>
        ranges.some((range) => range.start < block.offset + (block.block?.length ?? 0) && range.start + range.length > block.offset),
      )
      return {
        path: file.path,
        fileId: file.fileId,
        fileLength: file.length,
        ranges,
        firstRow: piece.firstRow,
        lastRow: piece.lastRow,
        blocks: (file.blocks.length === 1 ? file.blocks : blocks).map((block) => ({
          block: block.block,
          fileOffset: block.offset,
          locations: block.locations,
        })),
      }
    }),
  }
}

/** Fresh locations of the same bytes. A file that was replaced or appended to in the meantime ends the query. */
async function sameFile(input: FragmentsInput, before: LocatedFile): Promise<LocatedFile> {
  const now = await input.relocate()
  const identity = (file: LocatedFile) => [file.fileId, file.length, ...file.blocks.map((block) => block.block?.blockId)].join(' ')
  if (identity(now) !== identity(before))
    throw new QuarryError('SQL', `${before.path} was changed while it was being queried: run the query again.`)
  return now
}
