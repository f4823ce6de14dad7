// Encodes a ReplyBatch reply by reply, as the answers come, without building the message first: an envelope object for each reply
// costs more than its content.
//
// A listing page that the store hands out again unchanged is encoded once: its bytes are kept beside the object.
import protobuf from 'protobufjs'
import { must } from '../common/assert.ts'
import type { QuarryError } from '../common/errors.ts'
import { messageType } from './codec.ts'
import type { Init } from './codec.ts'
import type { Welcome } from './gen/messages.ts'
import type { Method } from './ports.ts'

/** Wire type 2: a length, then as many bytes. */
const LENGTH_DELIMITED = 2
const tagOf = (fieldId: number): number => ((fieldId << 3) | LENGTH_DELIMITED) >>> 0

const fieldOf = (message: 'ReplyBatch' | 'Reply', name: string): protobuf.Field => must(messageType(message).fields[name], `${message}.${name}`)

const REPLIES = tagOf(fieldOf('ReplyBatch', 'replies').id)
const WELCOME = tagOf(fieldOf('ReplyBatch', 'welcome').id)
/** A varint field: wire type 0. */
const REPLY_ID = (fieldOf('Reply', 'id').id << 3) >>> 0
const REPLY_ERROR = tagOf(fieldOf('Reply', 'error').id)
const wireError = messageType('WireError')
const welcomeType = messageType('Welcome')

interface MethodReply {
  readonly tag: number
  readonly type: protobuf.Type
}

const methods = new Map<Method, MethodReply>(
  must(messageType('Reply').oneofs['op']).fieldsArray.map((field) => {
    field.resolve()
    return [field.name as Method, { tag: tagOf(field.id), type: field.resolvedType as protobuf.Type }]
  }),
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
    wireError.encode({ code: error.code, message: error.message, detailsJson: detailsJson(error) }, writer).ldelim().ldelim()
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

function listingBytes(type: protobuf.Type, message: object): Uint8Array {
  let bytes = encodedListings.get(message)
  if (bytes === undefined) {
    bytes = type.encode(message).finish()
    encodedListings.set(message, bytes)
  }
  return bytes
}

function detailsJson(error: QuarryError): string {
  for (const _ in error.details) return JSON.stringify(error.details)
  return ''
}
