// What comes from the network: messages, frames of the data plane, batches of replies, and streams cut into messages.
import { must } from '../../../common/assert.ts'
import type { SeededRandom } from '../../../common/testing/seeded-random.ts'
import { codec } from '../../../proto/codec.ts'
import { types } from '../../../proto/gen/codecs.ts'
import type { MessageTypes } from '../../../proto/gen/messages.ts'
import { ReplyBatchReader } from '../../../proto/reply-reader.ts'
import { joined, MessageCutter } from '../../../proto/transport/bulk-stream.ts'
import {
  decodePacketParts,
  decodeReadFrame,
  decodeWriteFrame,
  encodePacketFrame,
  encodeReadHeader,
  encodeWriteHeader,
} from '../../../proto/transport/packet-codec.ts'
import type { Target } from '../fuzz.ts'
import { mutated } from '../mutate.ts'
import { sampleMessages } from './sample-messages.ts'

const names = Object.keys(types) as (keyof MessageTypes)[]

/** Every message type of the wire, by a number in front of the bytes. */
function messages(): Target {
  const samples = sampleMessages()
  const codecs = names.map((name) => codec(name))
  return {
    name: 'messages',
    draw: (random) => {
      const type = random.int(names.length)
      return Buffer.concat([Buffer.from([type >> 8, type & 255]), mutated(samples.get(must(names[type])) ?? [], random)])
    },
    take: (input) => must(codecs[Buffer.from(input).readUInt16BE(0)]).decode(input.subarray(2)),
  }
}

const packet = (dataBytes: number) =>
  encodePacketFrame({
    seqno: 7,
    offset: 1_048_576,
    checksums: Buffer.alloc(Math.ceil(dataBytes / 512) * 4, 5),
    last: true,
    sync: true,
    data: Buffer.alloc(dataBytes, 9),
  })
const block = { poolId: 'BP-1', blockId: 1_073_741_900, genstamp: 1003, length: 4096 }
const frames = [
  packet(0),
  packet(10),
  packet(5_000),
  encodeWriteHeader({ block, minBytes: 1, maxBytes: 2 ** 40, client: 'c' }),
  encodeReadHeader({ chunkOffset: 512, visibleLength: 77 }),
]

function dataFrames(): Target {
  return {
    name: 'data frames',
    draw: (random) => mutated(frames, random),
    take: (input) => {
      const bytes = Buffer.from(input)
      const outcomes = [
        () => decodeWriteFrame(bytes),
        () => decodeReadFrame(bytes),
        () => decodePacketParts({ parts: inPieces(bytes, 3), length: bytes.length }),
      ]
      return lastThrown(outcomes)
    },
  }
}

function replyBatches(): Target {
  const samples = sampleMessages().get('ReplyBatch') ?? []
  return {
    name: 'reply batches',
    draw: (random) => mutated(samples, random),
    take: (input) => {
      const reader = new ReplyBatchReader(input)
      // Every part takes at least two bytes.
      for (let parts = 0; reader.next() !== undefined; parts++) if (parts > input.length) throw new Error('more parts than bytes')
    },
  }
}

/** Messages with their prefixes, damaged, and given in pieces of any size. */
function streams(): Target {
  const framed = frames.map((frame) => Buffer.concat([Buffer.from([0, 0, 0, frame.length >> 8, frame.length & 255]), frame]))
  return {
    name: 'message streams',
    draw: (random: SeededRandom) => Buffer.concat([Buffer.from([random.int(256)]), mutated([Buffer.concat(framed), ...framed], random)]),
    take: (input) => {
      const cutter = new MessageCutter()
      for (const piece of inPieces(Buffer.from(input.subarray(1)), 1 + (input[0] ?? 0)))
        for (const message of cutter.push(piece)) joined(message)
    },
  }
}

function inPieces(bytes: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
  return pieces.length > 0 ? pieces : [bytes]
}

/** All are tried; the last failure is thrown. */
function lastThrown(attempts: readonly (() => unknown)[]): void {
  const failures: unknown[] = []
  for (const attempt of attempts) {
    try {
      attempt()
    } catch (error) {
      failures.push(error)
    }
  }
  // An error that is not ours comes first, whatever followed it.
  if (failures.length > 0) throw failures.find((error) => (error as Error).name !== 'QuarryError') ?? failures[0]
}

export const wireTargets = (): Target[] => [messages(), dataFrames(), replyBatches(), streams()]
