// Takes a ReplyBatch apart reply by reply, so that its reader may stop between two large ones: a batch of listings decoded at once
// lives long enough to be copied by the garbage collector, which costs more than the decoding.
import protobuf from 'protobufjs/minimal.js'
import { isQuarryError } from '../common/errors.ts'
import { codec, malformed } from './codec.ts'
import { fields } from './gen/codecs.ts'
import type { Reply, Welcome } from './gen/messages.ts'

const welcomes = codec('Welcome')
const replies = codec('Reply')

export type BatchPart = { readonly kind: 'welcome'; readonly welcome: Welcome } | { readonly kind: 'reply'; readonly reply: Reply }

export class ReplyBatchReader {
  readonly #bytes: Uint8Array
  readonly #reader: protobuf.Reader

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#reader = protobuf.Reader.create(bytes)
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#reader.pos
  }

  /** The next part, or undefined at the end. Throws INVALID_ARGUMENT when the bytes are no ReplyBatch. */
  next(): BatchPart | undefined {
    try {
      return this.#next()
    } catch (error) {
      throw isQuarryError(error) ? error : malformed('ReplyBatch', error)
    }
  }

  #next(): BatchPart | undefined {
    const reader = this.#reader
    while (reader.pos < reader.len) {
      const tag = reader.uint32()
      switch (tag >>> 3) {
        case fields.ReplyBatch.welcome.id:
          return { kind: 'welcome', welcome: welcomes.decode(this.#slice()) }
        case fields.ReplyBatch.replies.id:
          return { kind: 'reply', reply: replies.decode(this.#slice()) }
        default:
          reader.skipType(tag & 7)
      }
    }
    return undefined
  }

  #slice(): Uint8Array {
    const length = this.#reader.uint32()
    const start = this.#reader.pos
    this.#reader.skip(length)
    return this.#bytes.subarray(start, start + length)
  }
}
