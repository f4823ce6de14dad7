// How many bytes of a block that is being written a reader may see: what a datanode of its pipeline has acknowledged.
//
// Any live replica may answer: each has at least what its writer was told is safe. They are asked one after another, the next
// one also when the one before is silent, so that a frozen datanode costs a moment.
import { must } from '../../common/assert.ts'
import type { Env } from '../../common/env.ts'
import { isQuarryError, toQuarryError } from '../../common/errors.ts'
import type { LocatedBlock, ReplicaLocation } from '../../proto/ports.ts'
import type { DatanodeSource } from '../../proto/transport/datanode-client.ts'

const answerDeadlineMs = 10_000
/** A datanode that has not answered after this long is not waited for alone. */
const staggerMs = 500

/** Undefined: not to be learnt now; ask again with fresh locations. */
export async function visibleLength(
  datanodes: DatanodeSource,
  env: Env,
  poolId: string,
  last: LocatedBlock,
  signal?: AbortSignal,
): Promise<number | undefined> {
  const { length: knownLength } = must(last.block)
  let missing = 0
  const ask = async ({ datanode }: ReplicaLocation): Promise<number | undefined> => {
    try {
      const request = { poolId, block: last.block }
      const info = await datanodes.get(must(datanode)).replicaInfo(request, { signal, deadlineMs: answerDeadlineMs })
      return info.block?.length ?? 0
    } catch (error) {
      if (signal?.aborted) throw error
      if (isQuarryError(error, 'REPLICA_NOT_FOUND')) missing++
      env.log.debug('replica.length.unknown', { blockId: last.block?.blockId, reason: toQuarryError(error).message })
      return undefined
    }
  }
  const length = await firstKnown(
    last.locations.map((location) => () => ask(location)),
    env,
  )
  // Placed but never written to: nothing is visible. A datanode that cannot be asked may hold bytes that were promised, and so may
  // all of them while an append moves the replicas.
  const untouched = last.locations.length > 0 && missing === last.locations.length && knownLength === 0
  return length ?? (untouched ? 0 : undefined)
}

/** The first answer that is not undefined; the asks begin one after another. */
async function firstKnown(asks: readonly (() => Promise<number | undefined>)[], env: Env): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    let open = asks.length
    let next = 0
    let stop = (): void => {}
    const begin = (): void => {
      stop()
      const ask = asks[next++]
      if (!ask) return
      if (next < asks.length) stop = env.clock.after(staggerMs, begin)
      ask().then((answer) => {
        open--
        if (answer !== undefined || open === 0) {
          stop()
          resolve(answer)
        } else begin()
      }, reject)
    }
    if (asks.length === 0) resolve(undefined)
    else begin()
  })
}
