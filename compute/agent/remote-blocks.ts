// Bytes of a block that lies on another datanode, every chunk checked against the checksums the writer gave it.
import { crc32 } from 'node:zlib'
import { firstBadChunk } from '../../common/checksum.ts'
import { QuarryError } from '../../common/errors.ts'
import { ChecksumType, type Block, type ChecksumSpec, type DatanodeId } from '../../proto/ports.ts'
import type { DatanodeClients } from '../../proto/transport/datanode-client.ts'

/** Reads ranges of blocks from other datanodes. */
export interface RemoteBlocks {
  read(node: DatanodeId, poolId: string, block: Block, offset: number, length: number, signal: AbortSignal): AsyncIterable<Uint8Array>
  close(): Promise<void>
}

export function grpcRemoteBlocks(clients: DatanodeClients): RemoteBlocks {
  return {
    read: (node, poolId, block, offset, length, signal) => readChecked(clients, node, poolId, block, offset, length, signal),
    close: () => clients.close(),
  }
}

async function* readChecked(
  clients: DatanodeClients,
  node: DatanodeId,
  poolId: string,
  block: Block,
  offset: number,
  length: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let spec: ChecksumSpec | undefined
  let at = offset
  const end = offset + length
  for await (const frame of clients.get(node).readBlock({ poolId, block, offset, length, client: 'compute' }, { signal })) {
    if (frame.header) {
      spec = frame.header.checksum ?? undefined
      continue
    }
    const packet = frame.packet
    if (!packet) continue
    if (packet.data.length > 0) {
      check(packet.data, packet.checksums, spec, node, block)
      const from = Math.max(0, at - packet.offset)
      const to = Math.min(packet.data.length, end - packet.offset)
      if (to > from) {
        yield packet.data.subarray(from, to)
        at = packet.offset + to
      }
    }
    if (packet.last || at >= end) break
  }
  if (at < end)
    throw new QuarryError(
      'REPLICA_STATE',
      `Datanode ${node.hostname}:${node.grpcPort} ended block ${block.blockId} at ${at} of ${end} bytes.`,
    )
}

function check(data: Uint8Array, checksums: Uint8Array, spec: ChecksumSpec | undefined, node: DatanodeId, block: Block): void {
  const bytesPerChunk = spec?.bytesPerChunk || 512
  const bad =
    spec === undefined || spec.type === ChecksumType.CHECKSUM_NULL
      ? -1
      : spec.type === ChecksumType.CHECKSUM_CRC32C
        ? firstBadChunk(data, checksums, bytesPerChunk)
        : firstBadCrc32(data, checksums, bytesPerChunk)
  if (bad >= 0)
    throw new QuarryError(
      'CHECKSUM',
      `Block ${block.blockId} from datanode ${node.hostname}:${node.grpcPort} does not match its checksum.`,
      { blockId: block.blockId, uuid: node.uuid },
    )
}

function firstBadCrc32(data: Uint8Array, checksums: Uint8Array, bytesPerChunk: number): number {
  const view = new DataView(checksums.buffer, checksums.byteOffset, checksums.byteLength)
  const chunks = Math.ceil(data.length / bytesPerChunk)
  for (let i = 0; i < chunks; i++) {
    if (crc32(data.subarray(i * bytesPerChunk, (i + 1) * bytesPerChunk)) !== view.getUint32(i * 4)) return i
  }
  return -1
}
