// BLOCK_CHECKSUM: what `-checksum` and distcp compare, of one block.
import { QuarryError } from '../../../common/errors.ts'
import type { OpBlockChecksum } from '../../../proto/hadoop/codec.ts'
import { blockChecksum, composedChecksum } from '../../store/block-checksum.ts'
import { answerMs, transferStatus } from './answers.ts'
import type { TransferConnection } from './connection.ts'
import type { TransferContext } from './context.ts'

/** Numbers of Hadoop's BlockChecksumType. */
const md5Type = 1
const compositeType = 2

export async function serveChecksum(context: TransferContext, connection: TransferConnection, op: OpBlockChecksum): Promise<void> {
  const { block } = op.header
  context.streams.checkPool(block.poolId)
  if ((op.options?.stripeLength ?? 0) !== 0) throw new QuarryError('UNSUPPORTED', 'Checksums of stripes are for erasure-coded files only.')
  const id = { blockId: block.blockId, genstamp: block.generationStamp, length: block.numBytes ?? 0 }
  const type = op.options?.type === compositeType ? compositeType : md5Type
  const { checksum, chunks, bytes } = type === compositeType ? await composedChecksum(context.store, id) : await md5Of(context, id)
  await connection.sendMessage(
    'BlockOpResponse',
    {
      status: transferStatus.success,
      checksum: {
        bytesPerCrc: checksum.bytesPerChunk ?? 0,
        crcPerBlock: chunks,
        blockChecksum: bytes,
        crcType: checksum.type ?? 0,
        options: { type, stripeLength: 0 },
      },
    },
    answerMs,
  )
}

async function md5Of({ store }: TransferContext, id: Parameters<typeof blockChecksum>[1]) {
  const { checksum, chunks, md5 } = await blockChecksum(store, id)
  return { checksum: checksum ?? {}, chunks: chunks ?? 0, bytes: md5 ?? Buffer.alloc(0) }
}
