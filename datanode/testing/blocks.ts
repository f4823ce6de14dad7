// Writes and reads whole blocks through the data plane, as a client would; for tests and measurements.
import { chunkChecksums, firstBadChunk } from '../../common/checksum.ts'
import { chunkBytes, packetBytesMax } from '../../common/limits.ts'
import { PipelineStatus } from '../../proto/ports.ts'
import type { Init, ReplicaLocation, WriteHeader, WriteReply } from '../../proto/ports.ts'
import type { DatanodeClient, WriteStream } from '../../proto/transport/datanode-client.ts'

export const checksum = { type: 2, bytesPerChunk: chunkBytes } as const

/** Random-looking bytes that are the same for the same seed. */
export function patternBytes(length: number, seed = 1): Buffer {
  const out = Buffer.allocUnsafe(length)
  let state = (seed * 2654435761) >>> 0
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    out[i] = state >>> 24
  }
  return out
}

/** The next reply, which must be a setup reply or an ack. */
export async function nextReply(replies: AsyncIterator<WriteReply>): Promise<WriteReply> {
  const next = await replies.next()
  if (next.done) throw new Error('the stream of replies has ended')
  return next.value
}

/** Writes `data` as one block and waits for all acks. Throws when anything but success is acknowledged. */
export async function writeWhole(
  client: DatanodeClient,
  header: Init<WriteHeader>,
  data: Uint8Array,
  packetBytes = packetBytesMax,
): Promise<void> {
  const stream = client.writeBlock({ checksum, ...header })
  const replies = stream.replies[Symbol.asyncIterator]()
  const { setup } = await nextReply(replies)
  if (setup?.status !== PipelineStatus.PIPELINE_SUCCESS) throw new Error(`setup: ${JSON.stringify(setup)}`)
  const packets = Math.ceil(data.length / packetBytes)
  const acks = (async () => {
    for (let i = 0; i <= packets; i++) {
      const { ack } = await nextReply(replies)
      if (ack?.seqno !== i || ack.statuses.some((status) => status !== PipelineStatus.PIPELINE_SUCCESS))
        throw new Error(`ack: ${JSON.stringify(ack)}`)
    }
  })()
  await sendPackets(stream, data, 0, packetBytes)
  await stream.send({ seqno: packets, offset: data.length, last: true })
  stream.end()
  await acks
}

export async function sendPackets(stream: WriteStream, data: Uint8Array, seqno: number, packetBytes = packetBytesMax): Promise<void> {
  for (let offset = 0; offset < data.length; offset += packetBytes) {
    const part = data.subarray(offset, offset + packetBytes)
    await stream.send({ seqno: seqno++, offset, checksums: chunkChecksums(part, chunkBytes), data: part })
  }
}

/** Reads a range of a block and checks every chunk. */
export async function readWhole(
  client: DatanodeClient,
  poolId: string,
  block: { blockId: number; genstamp: number },
  offset: number,
  length: number,
): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let start = 0
  for await (const frame of client.readBlock({ poolId, block, offset, length })) {
    if (frame.header) start = frame.header.chunkOffset
    else if (frame.packet && !frame.packet.last) {
      const { data, checksums } = frame.packet
      if (firstBadChunk(data, checksums, chunkBytes) >= 0) throw new Error(`bad checksum in the packet at ${frame.packet.offset}`)
      parts.push(data)
    }
  }
  return Buffer.concat(parts).subarray(offset - start, offset - start + length)
}

export function location(node: { readonly uuid: string; readonly grpc: string }): Init<ReplicaLocation> {
  const [ip, port] = node.grpc.split(':') as [string, string]
  return { datanode: { uuid: node.uuid, ip, grpcPort: Number(port) } }
}
