// TRANSFER_BLOCK: a client whose pipeline gets a new node has an old one copy to it what was written so far. The copy goes the native
// way and is ready for the pipeline when the client is answered.
import { QuarryError } from '../../../common/errors.ts'
import type { OpTransferBlock } from '../../../proto/hadoop/codec.ts'
import type { Block, ReplicaLocation } from '../../../proto/ports.ts'
import { answerMs, transferStatus } from './answers.ts'
import type { TransferConnection } from './connection.ts'
import type { TransferContext } from './context.ts'

export async function serveTransfer(context: TransferContext, connection: TransferConnection, op: OpTransferBlock): Promise<void> {
  const { streams, transfers, neighbours } = context
  const { block } = op.header.base
  streams.checkPool(block.poolId)
  if (streams.draining) throw new QuarryError('UNAVAILABLE', 'This datanode is stopping.')
  const nodes = await Promise.all(op.targets.map((target) => neighbours.find(target)))
  const targets = nodes.map((datanode, index) => ({
    datanode,
    storageUuid: op.targetStorageIds[index] ?? '',
    storageType: op.targetStorageTypes[index] ?? 0,
  }))
  const asked: Block = { blockId: block.blockId, genstamp: block.generationStamp, length: block.numBytes ?? 0 }
  await transfers.copy(asked, targets as unknown as readonly ReplicaLocation[], 'pipeline')
  await connection.sendMessage('BlockOpResponse', { status: transferStatus.success }, answerMs)
}
