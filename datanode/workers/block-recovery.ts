// The primary of a block recovery: the writer of a block is gone, and its replicas must agree.
//
// Every location stops its writer and tells what it holds. Replicas with an older stamp than the block's, and empty ones while
// others have bytes, drop out. Finalised replicas decide the length if there are any; otherwise the shortest of the rest does,
// because it holds every byte that all of them acknowledged. All of them are then cut to it and finalised under the recovery id.
import type { Env } from '../../common/env.ts'
import { QuarryError, toQuarryError } from '../../common/errors.ts'
import { ReplicaState } from '../../proto/ports.ts'
import type { Block, Init, NodeMessage, RecoverCommand, ReplicaLocation } from '../../proto/ports.ts'
import type { DatanodeClients } from '../../proto/transport/datanode-client.ts'
import { agreeOnLength } from '../core/recovery-length.ts'
import type { Candidate } from '../core/recovery-length.ts'

/** A location that does not answer within this time takes no part. Twice this is less than the namenode waits for an attempt (10 s). */
const answerMs = 4_000

export interface RecoveryDeps {
  readonly env: Env
  readonly clients: DatanodeClients
  poolId(): string
  send(message: Init<NodeMessage>): void
}

export async function recoverBlock(deps: RecoveryDeps, command: RecoverCommand): Promise<void> {
  const block = command.block!
  let result: { newLength: number; locations: ReplicaLocation[] }
  try {
    result = await recover(deps, block, command)
  } catch (thrown) {
    const error = toQuarryError(thrown)
    deps.env.log.warn('block.recovery.failed', { blockId: block.blockId, recoveryId: command.recoveryId, message: error.message })
    deps.send({
      recoveryResult: {
        block,
        recoveryId: command.recoveryId,
        error: { code: error.code, message: error.message, detailsJson: JSON.stringify(error.details) },
      },
    })
    return
  }
  deps.env.log.info('block.recovered', { blockId: block.blockId, recoveryId: command.recoveryId, length: result.newLength })
  deps.send({ recoveryResult: { block, recoveryId: command.recoveryId, ...result } })
}

async function recover(
  deps: RecoveryDeps,
  block: Block,
  command: RecoverCommand,
): Promise<{ newLength: number; locations: ReplicaLocation[] }> {
  const options = { deadlineMs: answerMs }
  const answers = await Promise.allSettled(
    command.locations.map(async (location): Promise<Candidate<ReplicaLocation>> => {
      const reply = await deps.clients
        .get(location.datanode!)
        .initReplicaRecovery({ poolId: deps.poolId(), block, recoveryId: command.recoveryId }, options)
      return {
        from: location,
        found: reply.found,
        genstamp: reply.replica?.genstamp ?? 0,
        length: reply.replica?.length ?? 0,
        finalized: reply.state === ReplicaState.REPLICA_FINALIZED,
        waiting: reply.state === ReplicaState.REPLICA_RWR,
      }
    }),
  )
  const candidates = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  const failures = answers.flatMap((answer) => (answer.status === 'rejected' ? [toQuarryError(answer.reason).message] : []))
  if (candidates.length === 0)
    throw new QuarryError('UNAVAILABLE', `No replica of block ${block.blockId} could be asked: ${failures.join('; ')}`)
  const { length, parties } = agreeOnLength(candidates, block.genstamp)
  if (parties.length === 0) {
    // Nobody has a byte. Those that could not be asked might: without all answers the block must not be given up.
    if (failures.length > 0)
      throw new QuarryError('UNAVAILABLE', `Not every replica of block ${block.blockId} could be asked: ${failures.join('; ')}`)
    return { newLength: 0, locations: [] }
  }
  const finished = await Promise.allSettled(
    parties.map(async ({ from }): Promise<ReplicaLocation> => {
      const { storageUuid } = await deps.clients
        .get(from.datanode!)
        .finishReplicaRecovery({ poolId: deps.poolId(), block, recoveryId: command.recoveryId, newLength: length }, options)
      return { ...from, storageUuid }
    }),
  )
  const locations = finished.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  if (locations.length === 0) {
    const reasons = finished.flatMap((one) => (one.status === 'rejected' ? [toQuarryError(one.reason).message] : []))
    throw new QuarryError('PIPELINE_FAILED', `No replica of block ${block.blockId} could be finished: ${reasons.join('; ')}`)
  }
  return { newLength: length, locations }
}
