// Reads a range of one block from whichever replica can give it. A replica that fails in the middle is replaced by another at
// the byte where it failed: the consumer sees every byte once.
import { backoffMs } from '../../common/backoff.ts'
import { must } from '../../common/assert.ts'
import { QuarryError, isQuarryError, toQuarryError } from '../../common/errors.ts'
import type { Env } from '../../common/env.ts'
import { readRoundsMax } from '../../common/limits.ts'
import type { LocatedBlock, NamenodePort, ReplicaLocation } from '../../proto/ports.ts'
import type { DatanodeSource } from '../../proto/transport/datanode-client.ts'
import type { DataOptions } from '../data-options.ts'
import { readHedged } from './hedge.ts'
import type { HedgeCounters } from './hedge.ts'
import type { LocalReplicas } from './local-replicas.ts'
import type { LocatedFile } from './located-file.ts'
import { readRemote } from './remote-replica.ts'
import type { ReplicaRange } from './remote-replica.ts'

export interface ReaderDeps {
  readonly namenode: NamenodePort
  readonly datanodes: DatanodeSource
  readonly env: Env
  /** Undefined: block files are never read directly. */
  readonly local: LocalReplicas | undefined
  readonly client: string
  readonly options: DataOptions
  readonly hedges: HedgeCounters
}

/** Between two rounds over the replicas: together some seconds, in which a namenode that restarted hears from its datanodes. */
const roundBackoff = { baseMs: 200, maxMs: 3_000 }

/** Datanodes that failed this reader lately, by uuid: asked last by its other reads. */
export type Shunned = Set<string>

/** `offset` is in the block. Fails with CHECKSUM when every replica is corrupt, else with BLOCK_MISSING. */
export async function* readBlock(
  deps: ReaderDeps,
  file: LocatedFile,
  first: LocatedBlock,
  range: { offset: number; length: number; shunned: Shunned; signal?: AbortSignal | undefined },
): AsyncGenerator<Uint8Array, void, undefined> {
  const { signal, shunned } = range
  const corrupt = new Map<string, ReplicaLocation>()
  const failed = new Set<string>()
  const reasons: string[] = []
  let located = first
  let done = 0
  /** Corrupt ones where another copy was good: they may go. */
  const proven = new Map<string, ReplicaLocation>()
  try {
    for (let round = 0; done < range.length;) {
      const location = pick(located, failed, corrupt, shunned)
      if (!location) {
        if (++round >= readRoundsMax || (located.locations.length > 0 && corrupt.size >= located.locations.length))
          throw await unreadable(deps, file, located, corrupt, reasons)
        await deps.env.clock
          .sleep(backoffMs(round - 1, roundBackoff, deps.env.random), signal)
          .catch((error) => Promise.reject(givenUp(error)))
        located = await file.refresh(located, signal)
        failed.clear()
        continue
      }
      const bytesOf = readHedged(location, {
        clock: deps.env.clock,
        thresholdMs: deps.options.hedgedReadMs,
        counters: deps.hedges,
        signal,
        open: (from, runSignal) =>
          readReplica(deps, {
            poolId: file.poolId,
            block: must(located.block),
            location: from,
            offset: range.offset + done,
            length: range.length - done,
            client: deps.client,
            timeoutMs: deps.options.readTimeoutMs,
            signal: runSignal,
          }),
        other: (asked) => pick(located, new Set([...failed, ...asked.map((one) => must(one.datanode).uuid)]), corrupt, shunned),
        failed: (from, error) => {
          const { uuid } = must(from.datanode)
          failed.add(uuid)
          shunned.add(uuid)
          if (isQuarryError(error, 'CHECKSUM')) corrupt.set(uuid, from)
          const reason = toQuarryError(error).message
          reasons.push(`${uuid}: ${reason}`)
          const { blockId } = must(located.block)
          deps.env.log.warn('replica.read.failed', { path: file.info.path, blockId, datanode: uuid, at: range.offset + done, reason })
        },
        passedOver: (from) => shunned.add(must(from.datanode).uuid),
      })
      try {
        for await (const bytes of bytesOf) {
          done += bytes.length
          if (corrupt.size > proven.size) for (const [uuid, from] of corrupt) proven.set(uuid, from)
          yield bytes
        }
        if (done >= range.length && !failed.has(must(location.datanode).uuid)) shunned.delete(must(location.datanode).uuid)
      } catch (error) {
        if (signal?.aborted) throw givenUp(signal.reason)
        throw error
      }
    }
  } finally {
    if (proven.size > 0) await report(deps, located, proven)
  }
}

/** Straight from the block file where possible, else through the datanode. */
async function* readReplica(deps: ReaderDeps, range: ReplicaRange): AsyncGenerator<Uint8Array, void, undefined> {
  const local = await deps.local?.read(range)
  if (!local) return yield* readRemote(deps.datanodes, deps.env, range)
  let done = 0
  try {
    for await (const bytes of local) {
      done += bytes.length
      yield bytes
    }
    return
  } catch (error) {
    deps.env.log.debug('replica.local.failed', { blockId: range.block.blockId, reason: toQuarryError(error).message })
  }
  // The file may have been replaced under us, by an append for instance: the datanode has the last word.
  await deps.local?.distrust(range)
  yield* readRemote(deps.datanodes, deps.env, { ...range, offset: range.offset + done, length: range.length - done })
}

function pick(
  located: LocatedBlock,
  failed: ReadonlySet<string>,
  corrupt: ReadonlyMap<string, unknown>,
  shunned: Shunned,
): ReplicaLocation | undefined {
  const usable = located.locations.filter(({ datanode }) => datanode && !failed.has(datanode.uuid) && !corrupt.has(datanode.uuid))
  return usable.find(({ datanode }) => !shunned.has(must(datanode).uuid)) ?? usable[0]
}

async function unreadable(
  deps: ReaderDeps,
  file: LocatedFile,
  located: LocatedBlock,
  corrupt: ReadonlyMap<string, ReplicaLocation>,
  reasons: readonly string[],
): Promise<QuarryError> {
  const blockId = must(located.block).blockId
  // With one replica in all, nobody else will ever notice.
  if (corrupt.size > 0 && located.locations.length === 1) await report(deps, located, corrupt)
  const why = reasons.length > 0 ? reasons.slice(-3).join('; ') : 'no live datanode holds a replica'
  const code = corrupt.size > 0 && corrupt.size >= located.locations.length ? 'CHECKSUM' : 'BLOCK_MISSING'
  return new QuarryError(
    code,
    `Block ${blockId} of ${file.info.path} cannot be read: ${why}. \`quarry fsck ${file.info.path}\` shows its replicas.`,
    { path: file.info.path, blockId },
  )
}

async function report(deps: ReaderDeps, located: LocatedBlock, corrupt: ReadonlyMap<string, ReplicaLocation>): Promise<void> {
  try {
    await deps.namenode.call('reportBadBlocks', {
      blocks: [...corrupt.values()].map((location) => ({
        block: located.block,
        datanodeUuid: location.datanode?.uuid ?? '',
        storageUuid: location.storageUuid,
      })),
    })
  } catch (error) {
    deps.env.log.warn('replica.report.failed', { blockId: located.block?.blockId, reason: toQuarryError(error).message })
  }
}

function givenUp(cause: unknown): QuarryError {
  return new QuarryError('CANCELLED', 'The read was given up by its caller.', {}, { cause })
}
