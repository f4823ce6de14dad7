// Encodes a ReplyBatch reply by reply, as the answers come, without building the message first: an envelope object for each reply
// costs more than its content.
//
// A listing page that the store hands out again unchanged is encoded once: its bytes are kept beside the object.
import protobuf from 'protobufjs/minimal.js'
import { must } from '../common/assert.ts'
import type { QuarryError } from '../common/errors.ts'
import { messageType } from './codec.ts'
import type { Init, MessageType } from './codec.ts'
import { fields } from './gen/codecs.ts'
import type { MessageTypes, Welcome } from './gen/messages.ts'
import type { Method } from './ports.ts'

/** Wire type 2: a length, then as many bytes. */
const LENGTH_DELIMITED = 2
const tagOf = (fieldId: number): number => ((fieldId << 3) | LENGTH_DELIMITED) >>> 0

const REPLIES = tagOf(fields.ReplyBatch.replies.id)
const WELCOME = tagOf(fields.ReplyBatch.welcome.id)
/** A varint field: wire type 0. */
const REPLY_ID = (fields.Reply.id.id << 3) >>> 0
const REPLY_ERROR = tagOf(fields.Reply.error.id)
const wireError = messageType('WireError')
const welcomeType = messageType('Welcome')

interface MethodReply {
  readonly tag: number
  readonly type: MessageType
}

interface ReplyField {
  readonly id: number
  readonly type: string
  /** One of the answers, not a part of the envelope. */
  readonly op?: boolean
}

const methods = new Map<Method, MethodReply>(
  Object.entries<ReplyField>(fields.Reply)
    .filter(([, field]) => field.op)
    .map(([name, { id, type }]) => [name as Method, { tag: tagOf(id), type: messageType(type as keyof MessageTypes) }]),
)

const encodedListings = new WeakMap<object, Uint8Array>()

export class ReplyBatchEncoder {
  #writer = protobuf.Writer.create()
  #replies = 0

  /** Bytes so far. */
  get bytes(): number {
    return this.#writer.len
  }

  get replies(): number {
    return this.#replies
  }

  welcome(message: Init<Welcome>): void {
    const writer = this.#writer.uint32(WELCOME).fork()
    welcomeType.encode(message, writer).ldelim()
  }

  reply(id: number, method: Method, message: object): void {
    const { tag, type } = must(methods.get(method), 'method unknown')
    const writer = this.#writer.uint32(REPLIES).fork().uint32(REPLY_ID).uint32(id).uint32(tag)
    if (method === 'getListing') writer.bytes(listingBytes(type, message)).ldelim()
    else type.encode(message, writer.fork()).ldelim().ldelim()
    this.#replies++
  }

  error(id: number, error: QuarryError): void {
    const writer = this.#writer.uint32(REPLIES).fork().uint32(REPLY_ID).uint32(id).uint32(REPLY_ERROR).fork()
    wireError
      .encode({ code: error.code, message: error.message, detailsJson: detailsJson(error) }, writer)
      .ldelim()
      .ldelim()
    this.#replies++
  }

  /** The bytes of the batch; the encoder begins anew. */
  finish(): Buffer {
    const bytes = this.#writer.finish() as Buffer
    this.#writer = protobuf.Writer.create()
    this.#replies = 0
    return bytes
  }
}

function listingBytes(type: MessageType, message: object): Uint8Array {
  let bytes = encodedListings.get(message)
  if (bytes === undefined) {
    bytes = type.encode(message, protobuf.Writer.create()).finish()
    encodedListings.set(message, bytes)
  }
  return bytes
}

function detailsJson(error: QuarryError): string {
  for (const _ in error.details) return JSON.stringify(error.details)
  return ''
}
