// Serves a replica to a reader: stored checksums with the data, nothing computed, a fixed amount of memory for each stream.
//
// While one packet is on its way the next one is read from the file. Three buffers take turns: one being sent, one waiting behind
// it, one being read into. A stream holds 3 x readPacketBytes here and at most two framed packets in the transport.
import { ChecksumType } from '../../proto/ports.ts'
import type { Packet, ReadRequest } from '../../proto/ports.ts'
import { encodeReadHeader, packetFrame } from '../../proto/transport/packet-codec.ts'
import { packetDataBytes, planRead } from '../core/read-plan.ts'
import { ReplicaReader } from '../store/replica-reader.ts'
import type { ReplicaStore } from '../store/replica-store.ts'
import type { BufferPool } from './buffer-pool.ts'

/** Data of a packet: large messages are what gRPC moves fast, and four of them still fit a reader's window. */
export const readPacketBytes = 1024 * 1024
const buffersPerStream = 3

/** Sends messages made of pieces, which must stay as they are until two more were sent, or everything was flushed. */
export interface FrameSink {
  send(frame: readonly Uint8Array[]): Promise<void>
  flush(): Promise<void>
}

export async function serveRead(
  store: ReplicaStore,
  pool: BufferPool,
  request: ReadRequest,
  sink: FrameSink,
  count: (bytes: number) => void,
): Promise<void> {
  const block = request.block ?? { blockId: 0, genstamp: 0, length: 0 }
  const reader = await ReplicaReader.open(store, block)
  const buffers: Buffer[] = []
  try {
    const { type, bytesPerChunk } = reader.sum
    const plan = planRead(reader.length, bytesPerChunk, request.offset, request.length)
    await sink.send([
      encodeReadHeader({
        checksum: { type: request.skipChecksums ? ChecksumType.CHECKSUM_NULL : (type as ChecksumType), bytesPerChunk },
        chunkOffset: plan.start,
        visibleLength: reader.length,
      }),
    ])
    const step = packetDataBytes(bytesPerChunk, readPacketBytes)
    const sumBytes = Math.ceil(step / bytesPerChunk) * 4
    for (let i = 0; i < buffersPerStream && plan.start + i * step < plan.end; i++) buffers.push(pool.take(step + sumBytes))

    const load = async (index: number): Promise<Packet | undefined> => {
      const offset = plan.start + index * step
      const length = Math.min(step, plan.end - offset)
      if (length <= 0) return undefined
      const buffer = buffers[index % buffers.length]!
      const data = buffer.subarray(0, length)
      const sums = buffer.subarray(step)
      if (request.skipChecksums) await reader.readData(offset, length, data)
      else await reader.read(offset, length, data, sums)
      const checksums =
        request.skipChecksums || reader.sum.crc === undefined
          ? sums.subarray(0, 0)
          : sums.subarray(0, Math.ceil(length / bytesPerChunk) * 4)
      return { seqno: index, offset, checksums, last: false, sync: false, data }
    }

    let index = 0
    let packet = await load(0)
    while (packet !== undefined) {
      const sent = sink.send(packetFrame(packet))
      count(packet.data.length)
      const next = load(++index)
      // Both end before anything is given up: a read must not go on into a buffer that another stream has by then.
      const [sending] = await Promise.allSettled([sent, next])
      if (sending.status === 'rejected') throw sending.reason
      packet = await next
    }
    await sink.send(packetFrame({ seqno: index, offset: plan.end, last: true }))
    await sink.flush()
  } finally {
    for (const buffer of buffers) pool.give(buffer)
    await reader.close()
  }
}
