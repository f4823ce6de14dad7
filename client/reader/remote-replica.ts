// Reads a replica through its datanode, checking every chunk against the checksums it was stored with.
import { must } from '../../common/assert.ts'
import { QuarryError } from '../../common/errors.ts'
import type { Env } from '../../common/env.ts'
import type { Block, ReplicaLocation } from '../../proto/ports.ts'
import type { DatanodeSource } from '../../proto/transport/datanode-client.ts'
import { checksumBytes, firstMismatch } from '../chunk-check.ts'

export interface ReplicaRange {
  readonly poolId: string
  readonly block: Block
  readonly location: ReplicaLocation
  /** In the block. */
  readonly offset: number
  readonly length: number
  readonly client: string
  /** A datanode that sends nothing for this long is given up (HDFS: dfs.client.socket-timeout, 60 s). */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Exactly the bytes of the range, or an error: CHECKSUM when what came does not match. */
export async function* readRemote(datanodes: DatanodeSource, env: Env, range: ReplicaRange): AsyncGenerator<Uint8Array, void, undefined> {
  const datanode = must(range.location.datanode)
  const stop = new AbortController()
  const onAbort = (): void => stop.abort(range.signal?.reason)
  range.signal?.addEventListener('abort', onAbort, { once: true })
  let silent = false
  const rearm = (): (() => void) =>
    env.clock.after(range.timeoutMs, () => {
      silent = true
      stop.abort()
    })
  let stopTimer = rearm()
  try {
    if (range.signal?.aborted) throw new QuarryError('CANCELLED', 'The read was given up by its caller.')
    const frames = datanodes
      .get(datanode)
      .readBlock(
        { poolId: range.poolId, block: range.block, offset: range.offset, length: range.length, client: range.client },
        { signal: stop.signal },
      )
    const end = range.offset + range.length
    let spec
    let next = 0
    let taken = range.offset
    for await (const { header, packet } of frames) {
      stopTimer()
      if (header) {
        spec = must(header.checksum)
        next = header.chunkOffset
      } else if (packet && packet.data.length > 0) {
        if (!spec || packet.offset !== next || next > taken)
          throw new QuarryError(
            'INTERNAL',
            `Datanode ${datanode.uuid} sent byte ${packet.offset} of block ${range.block.blockId} where ${next} was due.`,
          )
        const bad =
          packet.checksums.length === checksumBytes(spec, packet.data.length) ? firstMismatch(spec, packet.data, packet.checksums) : 0
        if (bad >= 0) throw mismatch(range, packet.offset + bad * spec.bytesPerChunk)
        next += packet.data.length
        const from = taken - packet.offset
        const to = Math.min(end, next) - packet.offset
        if (to > from) {
          taken = packet.offset + to
          yield packet.data.subarray(from, to)
        }
        if (taken >= end) return
      }
      stopTimer = rearm()
    }
    throw new QuarryError('REPLICA_STATE', `Datanode ${datanode.uuid} ended block ${range.block.blockId} at byte ${taken} of ${end}.`)
  } catch (error) {
    if (silent)
      throw new QuarryError('TIMEOUT', `Datanode ${datanode.uuid} sent nothing for ${range.timeoutMs / 1000} s.`, {}, { cause: error })
    throw error
  } finally {
    stopTimer()
    range.signal?.removeEventListener('abort', onAbort)
  }
}

export function mismatch(range: ReplicaRange, at: number): QuarryError {
  const { block, location } = range
  return new QuarryError(
    'CHECKSUM',
    `The replica of block ${block.blockId} on datanode ${location.datanode?.uuid ?? '?'} is corrupt at byte ${at}.`,
    { blockId: block.blockId, datanode: location.datanode?.uuid, at },
  )
}
