// READ_BLOCK: stored bytes with their stored checksums, nothing computed.
//
// A packet is read from the files right into the place where it leaves from: head, checksums and data lie in one buffer. While one is
// on its way the next is read; three buffers take turns.
import { QuarryError } from '../../../common/errors.ts'
import { ChecksumType } from '../../../proto/ports.ts'
import type { OpReadBlock } from '../../../proto/hadoop/codec.ts'
import { packetDataBytes } from '../../core/read-plan.ts'
import { ReplicaReader } from '../../store/replica-reader.ts'
import { answerMs, blockText, transferStatus } from './answers.ts'
import type { TransferConnection } from './connection.ts'
import type { TransferContext } from './context.ts'
import { packetHeadBytes, writePacketHead } from './packet-wire.ts'

/** Data of a packet. Larger ones cost this side less, and keep the client waiting for whole packets. */
const packetBytes = 512 * 1024
const buffersPerStream = 3
/** Without checksums data goes in chunks of this size, as HDFS sends it. */
const plainChunkBytes = 512
/** A reader that knows the length of an open block from another replica may be a moment ahead of this one (HDFS: 3 s). */
const growWaitMs = 3_000
const growPollMs = 50
/** How long a client may take until it says that it has read all, in ms (HDFS: dfs.client.socket-timeout). */
const statusMs = 60_000

/** What went wrong after the client was told that its bytes come: nothing can be said any more, the connection must go. */
export class BrokenRead extends Error {}

/** A refusal is thrown as it is, a failure in the middle as a BrokenRead. Answers whether the connection can be used again. */
export async function serveRead(context: TransferContext, connection: TransferConnection, op: OpReadBlock): Promise<boolean> {
  const { metrics, streams } = context
  metrics.readers++
  try {
    streams.admit()
    streams.checkPool(op.header.base.block.poolId)
    const reader = await openAt(context, op)
    try {
      await sendRange(context, connection, op, reader)
    } catch (error) {
      throw new BrokenRead((error as Error).message, { cause: error })
    } finally {
      await reader.close()
    }
  } finally {
    metrics.readers--
  }
  const { status } = await connection.message('ClientReadStatus', statusMs)
  return status === transferStatus.success || status === transferStatus.checksumOk
}

async function openAt({ store, clock }: TransferContext, op: OpReadBlock): Promise<ReplicaReader> {
  const { block } = op.header.base
  const end = op.offset + op.length
  for (const untilMs = clock.monotonicMs() + growWaitMs; ; await clock.sleep(growPollMs)) {
    const reader = await ReplicaReader.open(store, { blockId: block.blockId, genstamp: block.generationStamp })
    if (end <= reader.length && op.offset >= 0 && op.length >= 0) return reader
    await reader.close()
    // Only a replica that is being written can still get what was asked for.
    if (store.get(block.blockId)?.writer !== undefined && end > reader.length && clock.monotonicMs() < untilMs) continue
    throw new QuarryError(
      'INVALID_ARGUMENT',
      ` Offset ${op.offset} and length ${op.length} don't match block ${blockText(block)} ( blockLen ${reader.length} )`,
    )
  }
}

async function sendRange(
  { streams, metrics }: TransferContext,
  connection: TransferConnection,
  op: OpReadBlock,
  reader: ReplicaReader,
): Promise<void> {
  const plain = op.sendChecksums === false || reader.sum.crc === undefined
  const chunk = plain ? plainChunkBytes : reader.sum.bytesPerChunk
  const start = op.offset - (op.offset % chunk)
  const end = Math.min(reader.length, Math.ceil((op.offset + op.length) / chunk) * chunk)
  const step = packetDataBytes(chunk, packetBytes)
  const sumsMax = plain ? 0 : Math.ceil(step / chunk) * 4
  await connection.sendMessage(
    'BlockOpResponse',
    {
      status: transferStatus.success,
      readChecksum: {
        checksum: { type: plain ? ChecksumType.CHECKSUM_NULL : reader.sum.type, bytesPerChecksum: chunk },
        chunkOffset: start,
      },
    },
    answerMs,
  )
  const buffers: Buffer[] = []
  for (let i = 0; i < buffersPerStream && start + i * step < end; i++) buffers.push(streams.pool.take(packetHeadBytes + sumsMax + step))
  /** The packet ready to be sent. */
  const load = async (index: number): Promise<Buffer | undefined> => {
    const offset = start + index * step
    const length = Math.min(step, end - offset)
    if (length <= 0) return undefined
    const buffer = buffers[index % buffers.length]!
    const checksumLength = plain ? 0 : Math.ceil(length / chunk) * 4
    const dataAt = packetHeadBytes + checksumLength
    writePacketHead(buffer, { offset, seqno: index, last: false, length, checksumLength })
    const data = buffer.subarray(dataAt, dataAt + length)
    if (plain) await readPlain(reader, offset, data)
    else await reader.read(offset, length, data, buffer.subarray(packetHeadBytes, dataAt))
    metrics.bytesRead += length
    return buffer.subarray(0, dataAt + length)
  }
  let allSent = false
  try {
    let index = 0
    let packet = await load(0)
    while (packet !== undefined) {
      const sent = connection.send(packet, answerMs)
      const next = load(++index)
      // Both end before anything is given up: a read must not go on into a buffer that another stream has by then.
      const [sending] = await Promise.allSettled([sent, next])
      if (sending.status === 'rejected') throw sending.reason
      packet = await next
    }
    const last = Buffer.alloc(packetHeadBytes)
    writePacketHead(last, { offset: end, seqno: index, last: true, length: 0, checksumLength: 0 })
    await connection.send(last, answerMs)
    await connection.flush(answerMs)
    allSent = true
  } finally {
    // Where that failed the system may still send from them: they are not used again.
    for (const buffer of buffers) {
      if (allSent) streams.pool.give(buffer)
      else streams.pool.drop(buffer)
    }
  }
}

async function readPlain(reader: ReplicaReader, offset: number, into: Buffer): Promise<void> {
  const got = await reader.readData(offset, into.length, into)
  if (got !== into.length) throw new QuarryError('CHECKSUM', `The data file of the block is shorter than its ${reader.length} bytes.`)
}
