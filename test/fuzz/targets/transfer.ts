// What Hadoop's clients send to a datanode: operations and packets, whole or in pieces of any size.
import { must } from '../../../common/assert.ts'
import { packetBytesMax, takePacket } from '../../../datanode/service/transfer/packet-wire.ts'
import { crc32c, encodePacket, extended, infoOf } from '../../../datanode/testing/transfer-client.ts'
import { ByteQueue } from '../../../proto/hadoop/byte-queue.ts'
import { decodeHadoop, encodeHadoop } from '../../../proto/hadoop/codec.ts'
import type { Target } from '../fuzz.ts'
import { mutated } from '../mutate.ts'

const block = extended({ blockId: 1_073_741_900, genstamp: 1003, length: 4096 })
const header = {
  base: { block, token: { identifier: Buffer.from('id'), password: Buffer.alloc(4), kind: 'k', service: 's' } },
  clientName: 'DFSClient_1',
}
const targets = [infoOf({ uuid: 'a', transferPort: 9866 }), infoOf({ uuid: 'b', transferPort: 65_535 })]

export const transferOps = [
  [
    'OpWriteBlock',
    encodeHadoop('OpWriteBlock', {
      header,
      targets,
      stage: 6,
      pipelineSize: 3,
      checksum: { type: 2, bytesPerChecksum: 512 },
      storageId: 'DS-1',
    }),
  ],
  ['OpReadBlock', encodeHadoop('OpReadBlock', { header, offset: 511, length: 2 ** 31, sendChecksums: false })],
  ['OpTransferBlock', encodeHadoop('OpTransferBlock', { header, targets, targetStorageIds: ['DS-2', 'DS-3'] })],
  ['OpBlockChecksum', encodeHadoop('OpBlockChecksum', { header: header.base, options: { type: 2 } })],
  ['OpCustom', encodeHadoop('OpCustom', { id: 'quarry.native-address' })],
  ['PipelineAck', encodeHadoop('PipelineAck', { seqno: -1, replies: [0, 0, 8] })],
  ['ClientReadStatus', encodeHadoop('ClientReadStatus', { status: 6 })],
] as const

export const transferPackets = [
  encodePacket({ offset: 0, seqno: 0, data: Buffer.alloc(1300, 3) }),
  encodePacket({ offset: 700, seqno: 1, data: Buffer.alloc(324, 4), sync: true }),
  encodePacket({ offset: 0, seqno: -1 }),
  encodePacket({ offset: 2 ** 40, seqno: 9, last: true }, crc32c),
]

function operations(): Target {
  return {
    name: 'hadoop operations',
    draw: (random) => {
      const index = random.int(transferOps.length)
      return Buffer.concat([Buffer.from([index]), mutated([must(transferOps[index])[1]], random)])
    },
    take: (input) => decodeHadoop(must(transferOps[(input[0] ?? 0) % transferOps.length])[0], input.subarray(1)),
  }
}

function packets(): Target {
  return {
    name: 'hadoop packets',
    draw: (random) =>
      Buffer.concat([Buffer.from([random.int(256)]), mutated([Buffer.concat(transferPackets), ...transferPackets], random)]),
    take: (input) => {
      const queue = new ByteQueue()
      const size = 1 + (input[0] ?? 0)
      for (let at = 1; at < input.length; at += size) {
        queue.push(Buffer.from(input.subarray(at, at + size)))
        for (;;) {
          const packet = takePacket(queue)
          if (typeof packet !== 'number') continue
          // A reader never waits for more than the largest packet and its lengths.
          if (packet > packetBytesMax + 6) throw new Error(`waits for ${packet} bytes`)
          break
        }
      }
    },
  }
}

export const transferTargets = (): Target[] => [operations(), packets()]
