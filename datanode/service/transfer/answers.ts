// What this port answers with: Hadoop's status numbers, and errors in its form.
import { errorTable } from '../../../common/errors.ts'
import type { QuarryError } from '../../../common/errors.ts'
import type { BlockOpResponse, ExtendedBlock, HadoopInit } from '../../../proto/hadoop/codec.ts'
import { PipelineStatus } from '../../../proto/ports.ts'

/** Numbers of Hadoop's Status. */
export const transferStatus = { success: 0, error: 1, checksum: 2, checksumOk: 6, unsupported: 7, restart: 8 } as const

/** How long a client may take to read a few bytes, in ms (HDFS: dfs.datanode.socket.write.timeout). */
export const answerMs = 480_000

export function statusOf(status: PipelineStatus): number {
  switch (status) {
    case PipelineStatus.PIPELINE_SUCCESS:
      return transferStatus.success
    case PipelineStatus.PIPELINE_ERROR_CHECKSUM:
      return transferStatus.checksum
    case PipelineStatus.PIPELINE_RESTARTING:
      return transferStatus.restart
    case PipelineStatus.PIPELINE_ERROR:
    case PipelineStatus.PIPELINE_ERROR_DISK_FULL:
      return transferStatus.error
    default:
      status satisfies never
      return transferStatus.error
  }
}

/** A block as HDFS writes it in messages. */
export function blockText(block: Pick<ExtendedBlock, 'poolId' | 'blockId' | 'generationStamp'>): string {
  return `${block.poolId}:blk_${block.blockId}_${block.generationStamp}`
}

/** An operation that failed, with the text that HDFS gives: the operation, the block, the Java class. */
export function failure(operation: string, block: ExtendedBlock, error: QuarryError): HadoopInit<BlockOpResponse> {
  const status = error.code === 'UNSUPPORTED' ? transferStatus.unsupported : transferStatus.error
  return { status, message: `${operation} ${blockText(block)} received exception ${errorTable[error.code].java}: ${error.message}` }
}
