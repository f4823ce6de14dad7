// WRITE_BLOCK: a Hadoop writer's pipeline begins here and goes on among our datanodes over the native wire.
//
// The writer names the nodes below by their Hadoop ports; how each is reached natively it is asked itself (neighbours.ts). From there
// on it is the one pipeline engine: this file turns Hadoop's stages, statuses and names of nodes into its own and back.
import protobuf from 'protobufjs/minimal.js'
import { QuarryError, toQuarryError } from '../../../common/errors.ts'
import { appendDelimited } from '../../../proto/hadoop/codec.ts'
import type { DatanodeInfo, OpWriteBlock } from '../../../proto/hadoop/codec.ts'
import { PipelineStatus, WriteStage } from '../../../proto/ports.ts'
import type { Init, PacketAck, ReplicaLocation, SetupReply, StorageType, WriteHeader } from '../../../proto/ports.ts'
import { runPipeline } from '../../core/pipeline.ts'
import { outOfBandSeqno, stallMs } from '../../core/pipeline-ports.ts'
import type { PipelinePorts } from '../../core/pipeline-ports.ts'
import { checksummer } from '../../store/checksum-file.ts'
import { answerMs, blockText, failure, statusOf, transferStatus } from './answers.ts'
import type { TransferConnection } from './connection.ts'
import type { TransferContext } from './context.ts'
import { PacketSource } from './packet-source.ts'

/** Hadoop's BlockConstructionStage where clients write; the others are for copies between datanodes, which here go the native way. */
const stages = new Map<number, WriteStage>([
  [0, WriteStage.WRITE_SETUP_APPEND],
  [1, WriteStage.WRITE_APPEND_RECOVERY],
  [3, WriteStage.WRITE_STREAMING_RECOVERY],
  [5, WriteStage.WRITE_CLOSE_RECOVERY],
  [6, WriteStage.WRITE_SETUP_CREATE],
])

/** HDFS waits so much longer for a writer for each node behind (HdfsConstants.READ_TIMEOUT_EXTENSION), in ms. */
const silentExtensionMs = 5_000
/** Bytes of data that a stream may hold unacknowledged where a writer sends packets larger than ours. */
const heldBytesMax = 32 * 1024 * 1024

/** Serves one block; the connection is finished afterwards, whatever happened. */
export async function serveWrite(context: TransferContext, connection: TransferConnection, op: OpWriteBlock): Promise<void> {
  const { metrics, streams } = context
  const { block } = op.header.base
  metrics.writers++
  try {
    if (streams.draining) {
      await answer(connection, { status: transferStatus.restart, firstBadLink: ownLink(context), message: 'This datanode is stopping.' })
      return
    }
    streams.admit()
    streams.checkPool(block.poolId)
    const header = await nativeHeader(context, connection, op)
    if (header === undefined) return
    await run(context, connection, op, header)
  } catch (error) {
    await connection.sendMessage('BlockOpResponse', failure('opWriteBlock', block, toQuarryError(error)), answerMs)
  } finally {
    metrics.writers--
    connection.finish()
  }
}

async function run(context: TransferContext, connection: TransferConnection, op: OpWriteBlock, header: WriteHeader): Promise<void> {
  const { metrics, streams } = context
  const source = new PacketSource(connection, {
    sum: checksummer(header.checksum!.type, header.checksum!.bytesPerChunk),
    silentMs: stallMs + op.targets.length * silentExtensionMs,
    count: (bytes) => (metrics.bytesWritten += bytes),
  })
  const ports = streams.pipelinePorts(header, (reply) =>
    'setup' in reply ? answerSetup(context, connection, op, reply.setup) : acknowledge(connection, source, reply.ack),
  )
  const openReplica: PipelinePorts['openReplica'] = async (asked) => {
    const writer = await ports.openReplica(asked)
    source.storesAs(writer.sum)
    return writer
  }
  const packetsHeld = () => Math.max(2, Math.min(ports.packetsHeld(), Math.floor(heldBytesMax / Math.max(1, source.largest))))
  await runPipeline(header, source, { ...ports, openReplica, packetsHeld })
  await connection.flush(answerMs)
}

/** The operation as our pipelines know it; undefined when the writer was told of a node that cannot be found. */
async function nativeHeader(context: TransferContext, connection: TransferConnection, op: OpWriteBlock): Promise<WriteHeader | undefined> {
  const { block } = op.header.base
  const stage = stages.get(op.stage)
  if (stage === undefined || op.header.clientName === '')
    throw new QuarryError('UNSUPPORTED', `This datanode takes blocks at this port from clients only (stage ${op.stage}).`)
  const found = await Promise.allSettled(op.targets.map((target) => context.neighbours.find(target)))
  const targets: Init<ReplicaLocation>[] = []
  for (const [index, one] of found.entries()) {
    if (one.status === 'rejected') {
      const error = toQuarryError(one.reason)
      context.log.warn('transfer.neighbour.unknown', { datanode: op.targets[index]!.id.datanodeUuid, message: error.message })
      await answer(connection, { status: transferStatus.error, firstBadLink: linkOf(op.targets[index]!), message: error.message })
      return undefined
    }
    targets.push({
      datanode: one.value,
      storageUuid: op.targetStorageIds[index] ?? '',
      storageType: (op.targetStorageTypes[index] ?? 0) as StorageType,
    })
  }
  const header: Init<WriteHeader> = {
    poolId: block.poolId,
    block: { blockId: block.blockId, genstamp: block.generationStamp, length: 0 },
    stage,
    targets,
    storageUuid: op.storageId ?? '',
    storageType: (op.storageType ?? 0) as StorageType,
    minBytes: op.minBytes,
    maxBytes: op.maxBytes,
    // A new block has the stamp of its header.
    newGenstamp: stage === WriteStage.WRITE_SETUP_CREATE ? block.generationStamp : op.latestGenerationStamp,
    checksum: { type: op.checksum.type as 0 | 1 | 2, bytesPerChunk: op.checksum.bytesPerChecksum },
    client: op.header.clientName,
    blockSize: 0,
    ackTimeoutMs: 0,
  }
  // Refuses checksums that nobody here knows, before a replica is made.
  checksummer(header.checksum!.type!, header.checksum!.bytesPerChunk!)
  return header as WriteHeader
}

async function answerSetup(
  context: TransferContext,
  connection: TransferConnection,
  op: OpWriteBlock,
  setup: Partial<SetupReply>,
): Promise<void> {
  const status = setup.status ?? PipelineStatus.PIPELINE_SUCCESS
  if (status === PipelineStatus.PIPELINE_SUCCESS)
    return answer(connection, { status: transferStatus.success, firstBadLink: '', message: '' })
  const bad = op.targets.find((target) => target.id.datanodeUuid === setup.firstBad)
  if (bad !== undefined) context.neighbours.forget(bad)
  // Without a link the client takes the node it speaks to for the bad one; one that restarts must say that it means itself.
  const own = status === PipelineStatus.PIPELINE_RESTARTING ? ownLink(context) : ''
  const { block } = op.header.base
  const message = `opWriteBlock ${blockText(block)} received exception ${setup.error?.message ?? 'no reason given'}`
  await answer(connection, { status: statusOf(status), firstBadLink: bad === undefined ? own : linkOf(bad), message })
}

/** One acknowledgement for each of the writer's packets. */
function acknowledge(connection: TransferConnection, source: PacketSource, ack: PacketAck): Promise<void> {
  const replies = ack.statuses.map(statusOf)
  const writer = protobuf.Writer.create()
  if (ack.seqno === outOfBandSeqno) appendDelimited(writer, 'PipelineAck', { seqno: outOfBandSeqno, replies })
  else if (replies.every((reply) => reply === transferStatus.success))
    for (const seqno of source.acknowledged()) appendDelimited(writer, 'PipelineAck', { seqno, replies })
  else appendDelimited(writer, 'PipelineAck', { seqno: source.oldest, replies })
  return connection.send(writer.finish(), answerMs)
}

function answer(connection: TransferConnection, response: { status: number; firstBadLink: string; message: string }): Promise<void> {
  return connection.sendMessage('BlockOpResponse', response, answerMs)
}

/** How clients name a node that failed: they look it up among the addresses that they sent. */
function linkOf({ id }: DatanodeInfo): string {
  return `${id.ipAddr}:${id.xferPort}`
}

function ownLink(context: TransferContext): string {
  const { ip, transferPort } = context.self()
  return `${ip}:${transferPort}`
}
