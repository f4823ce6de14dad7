// Encodes and decodes the messages of the wire, straight to plain objects and numbers. The code for each message is generated
// (gen/codecs.ts): building it at run time, as protobufjs does, costs every `quarry ls` a fifth of its start.
import protobuf from 'protobufjs/minimal.js'
import { QuarryError } from '../common/errors.ts'
import { services, types } from './gen/codecs.ts'
import type { MessageTypes } from './gen/messages.ts'

/** A message to encode: whatever is left out takes its default. */
export type Init<T> = T extends Uint8Array
  ? Uint8Array
  : T extends readonly (infer E)[]
    ? readonly Init<E>[]
    : T extends object
      ? { [K in keyof T]?: Init<T[K]> | undefined }
      : T

export interface Codec<T> {
  encode(message: Init<T>): Buffer
  /** Byte fields of the result are views of `bytes`. Throws INVALID_ARGUMENT when they are no such message. */
  decode(bytes: Uint8Array): T
}

/** A message without its frame, for codecs that are put together by hand where every microsecond counts. */
export interface MessageType {
  encode(message: object, writer: protobuf.Writer): protobuf.Writer
  decode(reader: protobuf.Reader, length?: number): object
}

export function messageType(name: keyof MessageTypes): MessageType {
  return (types as Record<keyof MessageTypes, MessageType>)[name]
}

export function codec<K extends keyof MessageTypes>(name: K): Codec<MessageTypes[K]> {
  const { encode, decode } = messageType(name)
  return {
    encode: (message) => encode(message as object, protobuf.Writer.create()).finish() as Buffer,
    decode: (bytes) => {
      try {
        return decode(protobuf.Reader.create(bytes)) as MessageTypes[K]
      } catch (error) {
        throw malformed(name, error)
      }
    },
  }
}

/** What a decoder throws for bytes that are no such message. */
export function malformed(name: string, error: unknown): QuarryError {
  return new QuarryError('INVALID_ARGUMENT', `The bytes received are no ${name}: ${(error as Error).message}.`, {}, { cause: error })
}

interface MethodShape {
  readonly path: string
  readonly requestStream: boolean
  readonly responseStream: boolean
  readonly requestSerialize: (message: never) => Buffer
  readonly requestDeserialize: (bytes: Buffer) => unknown
  readonly responseSerialize: (message: never) => Buffer
  readonly responseDeserialize: (bytes: Buffer) => unknown
}

/** The definition of a service in the form that @grpc/grpc-js takes, keyed by method name with a small first letter. */
export function serviceDefinition(name: 'Namenode' | 'DatanodeSession' | 'Datanode' | 'Compute'): Record<string, MethodShape> {
  const methods: Record<string, MethodShape> = {}
  for (const method of services[name] as readonly ServiceMethod[]) {
    const request = codec(method.request)
    const response = codec(method.response)
    methods[method.name.charAt(0).toLowerCase() + method.name.slice(1)] = {
      path: `/quarry.v1.${name}/${method.name}`,
      requestStream: method.requestStream,
      responseStream: method.responseStream,
      requestSerialize: request.encode as (message: never) => Buffer,
      requestDeserialize: request.decode,
      responseSerialize: response.encode as (message: never) => Buffer,
      responseDeserialize: response.decode,
    }
  }
  return methods
}

interface ServiceMethod {
  readonly name: string
  readonly request: keyof MessageTypes
  readonly response: keyof MessageTypes
  readonly requestStream: boolean
  readonly responseStream: boolean
}
