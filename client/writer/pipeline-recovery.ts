// What a pipeline does that has lost a member: waits for one that restarts, finds another in its place and has the block copied there,
// and agrees with the namenode on a new generation stamp and on who belongs to it.
import { must } from '../../common/assert.ts'
import { QuarryError, isQuarryError, toQuarryError } from '../../common/errors.ts'
import { replacementCopyMs, restartProbeMs } from '../../common/limits.ts'
import { ReplicaState } from '../../proto/ports.ts'
import type { ReplicaLocation } from '../../proto/ports.ts'
import { callPatiently } from '../patience.ts'
import type { BlockContext, EffectOf } from './block-context.ts'

/** How long a datanode that restarts may take to say whether it is back. */
const restartAnswerMs = 2_000

/** Asks a datanode that restarts whether it is back, until it is or its time is over. */
export async function awaitRestart(context: BlockContext, { attempt, node }: EffectOf<'await'>): Promise<void> {
  const { env, datanodes, namenode, options } = context.deps
  const lost = (reason: string): void => context.dispatch({ kind: 'lost', attempt, node, reason })
  env.log.info('pipeline.restart.awaited', { blockId: context.blockId, datanode: node })
  const giveUpAtMs = env.clock.monotonicMs() + options.datanodeRestartMs
  for (;;) {
    if (env.clock.monotonicMs() >= giveUpAtMs) return lost(`it did not come back within ${options.datanodeRestartMs / 1000} s`)
    try {
      await env.clock.sleep(restartProbeMs, context.over)
      const datanode = must(must(context.locations.get(node)).datanode)
      const request = { poolId: namenode.poolId, block: context.block() }
      const { state } = await datanodes.get(datanode).replicaInfo(request, { signal: context.over, deadlineMs: restartAnswerMs })
      if (state === ReplicaState.REPLICA_RWR) return lost('it restarted and did not keep the block open')
      return context.dispatch({ kind: 'returned', attempt })
    } catch (error) {
      if (context.over.aborted) return
      if (isQuarryError(error, 'REPLICA_NOT_FOUND')) return lost(`it restarted: ${error.message}`)
    }
  }
}

/** Finds another datanode and has a survivor copy to it what was acknowledged. */
export async function replaceNode(context: BlockContext, { attempt, nodes, excluded, source }: EffectOf<'replace'>): Promise<void> {
  const { namenode, datanodes, env, file, holder } = context.deps
  const failed = (node: string | undefined, error: unknown): void => {
    env.log.warn('pipeline.replacement.failed', { blockId: context.blockId, datanode: node, source, reason: toQuarryError(error).message })
    context.dispatch({ kind: 'unjoined', attempt, node, reason: toQuarryError(error).message })
  }
  let found: ReplicaLocation | undefined
  try {
    const request = { path: file.path, fileId: file.fileId, holder, block: context.block(), existing: nodes, excluded, wanted: 1 }
    const { block } = await callPatiently(namenode, env, 'additionalDatanode', request)
    found = block?.locations.find(({ datanode }) => datanode && !nodes.includes(datanode.uuid) && !excluded.includes(datanode.uuid))
  } catch (error) {
    return failed(undefined, error)
  }
  if (!found) return failed(undefined, new QuarryError('NO_TARGETS', 'the namenode knows no other datanode'))
  const node = must(found.datanode).uuid
  context.locations.set(node, found)
  try {
    await datanodes
      .get(must(must(context.locations.get(source)).datanode))
      .transferBlock(
        { poolId: namenode.poolId, block: context.block(), targets: [found], client: holder },
        { signal: context.over, deadlineMs: replacementCopyMs },
      )
  } catch (error) {
    // What befalls the other end comes as PIPELINE_FAILED: this is the survivor itself.
    if (isQuarryError(error, 'UNAVAILABLE') || isQuarryError(error, 'TIMEOUT'))
      return context.dispatch({ kind: 'lost', attempt, node: source, reason: error.message })
    return failed(node, error)
  }
  context.dispatch({ kind: 'joined', attempt, node, storage: found.storageUuid })
}

/** A new generation stamp for a pipeline that has lost a member. */
export async function newStamp(context: BlockContext, attempt: number): Promise<void> {
  try {
    const { block } = await callPatiently(context.deps.namenode, context.deps.env, 'updateBlockForPipeline', {
      block: context.block(),
      holder: context.deps.holder,
    })
    // A datanode that restarted may have another address.
    for (const location of block?.locations ?? []) {
      const uuid = location.datanode?.uuid ?? ''
      if (context.locations.has(uuid)) context.locations.set(uuid, location)
    }
    context.dispatch({ kind: 'stamped', attempt, genstamp: must(block?.block).genstamp })
  } catch (error) {
    context.refused(attempt, error)
  }
}

/** Tells the namenode who belongs to the pipeline now. */
export async function updatePipeline(context: BlockContext, effect: EffectOf<'update'>): Promise<void> {
  const { attempt, nodes, storages, genstamp, newGenstamp, length } = effect
  try {
    await callPatiently(context.deps.namenode, context.deps.env, 'updatePipeline', {
      holder: context.deps.holder,
      oldBlock: { blockId: context.blockId, genstamp, length },
      newBlock: { blockId: context.blockId, genstamp: newGenstamp, length },
      datanodes: nodes,
      storages,
    })
    context.deps.env.log.info('pipeline.recovered', { blockId: context.blockId, genstamp: newGenstamp, datanodes: nodes })
    context.dispatch({ kind: 'updated', attempt })
  } catch (error) {
    context.refused(attempt, error)
  }
}
