// Encodes and decodes Hadoop's messages (proto2), alone or behind their length as Hadoop's wires carry them.
import protobuf from 'protobufjs/minimal.js'
import { malformed } from '../codec.ts'
import type { MessageType } from '../codec.ts'
import { types } from './gen/codecs.ts'
import type { MessageTypes } from './gen/messages.ts'

export type * from './gen/messages.ts'

/** A message to encode. Required scalars that are left out are written as zero; required messages must be there. */
export type HadoopInit<T> = T extends Uint8Array
  ? Uint8Array
  : T extends readonly (infer E)[]
    ? readonly HadoopInit<E>[]
    : T extends object
      ? { [K in keyof T]?: HadoopInit<T[K]> | undefined }
      : T

export type HadoopMessage = keyof MessageTypes

/** A message without its frame, for what is put together by hand. */
export const hadoopType = (name: HadoopMessage): MessageType => (types as Record<HadoopMessage, MessageType>)[name]

export function encodeHadoop<K extends HadoopMessage>(name: K, message: HadoopInit<MessageTypes[K]>): Buffer {
  return hadoopType(name)
    .encode(message as object, protobuf.Writer.create())
    .finish() as Buffer
}

/** Writes the message behind its length (a varint) into what a writer holds already. */
export function appendDelimited<K extends HadoopMessage>(
  writer: protobuf.Writer,
  name: K,
  message: HadoopInit<MessageTypes[K]>,
): protobuf.Writer {
  return hadoopType(name)
    .encode(message as object, writer.fork())
    .ldelim()
}

/** Byte fields of the result are views of `bytes`. Throws INVALID_ARGUMENT when they are no such message. */
export function decodeHadoop<K extends HadoopMessage>(name: K, bytes: Uint8Array): MessageTypes[K] {
  try {
    return hadoopType(name).decode(protobuf.Reader.create(bytes)) as MessageTypes[K]
  } catch (error) {
    throw malformed(name, error)
  }
}

/** Reads a message behind its length and moves the reader past it. Throws INVALID_ARGUMENT. */
export function readDelimited<K extends HadoopMessage>(name: K, reader: protobuf.Reader): MessageTypes[K] {
  try {
    return hadoopType(name).decode(reader, reader.uint32()) as MessageTypes[K]
  } catch (error) {
    throw malformed(name, error)
  }
}
