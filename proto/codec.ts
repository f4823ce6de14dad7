// Encodes and decodes the messages of proto/gen with protobufjs, straight to plain objects and numbers.
import protobuf from 'protobufjs'
import { schema } from './gen/schema.ts'
import type { MessageTypes } from './gen/messages.ts'

// 64-bit integers as JavaScript numbers: every id and length of the schema stays below 2^53 (common/limits.ts idMax).
protobuf.util.Long = null as unknown as typeof protobuf.util.Long
protobuf.configure()

const root = protobuf.Root.fromJSON(schema as protobuf.INamespace)

/** A message to encode: whatever is left out takes its default. */
export type Init<T> = T extends Uint8Array ? Uint8Array : T extends readonly (infer E)[] ? readonly Init<E>[] : T extends object ? { [K in keyof T]?: Init<T[K]> | undefined } : T

export interface Codec<T> {
  encode(message: Init<T>): Buffer
  /** Byte fields of the result are views of `bytes`. */
  decode(bytes: Uint8Array): T
}

/** The type behind a message, for codecs that are put together by hand where every microsecond counts. */
export function messageType(name: keyof MessageTypes): protobuf.Type {
  return root.lookupType(`quarry.v1.${name}`)
}

/** The codec of a message; compiled when first used. */
export function codec<K extends keyof MessageTypes>(name: K): Codec<MessageTypes[K]> {
  const type = root.lookupType(`quarry.v1.${name}`)
  return {
    encode: (message) => type.encode(message as object).finish() as Buffer,
    decode: (bytes) => type.decode(bytes) as unknown as MessageTypes[K],
  }
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
  const service = root.lookupService(`quarry.v1.${name}`)
  const methods: Record<string, MethodShape> = {}
  for (const method of service.methodsArray) {
    const request = codec(method.requestType as keyof MessageTypes)
    const response = codec(method.responseType as keyof MessageTypes)
    methods[method.name.charAt(0).toLowerCase() + method.name.slice(1)] = {
      path: `/quarry.v1.${name}/${method.name}`,
      requestStream: method.requestStream ?? false,
      responseStream: method.responseStream ?? false,
      requestSerialize: request.encode as (message: never) => Buffer,
      requestDeserialize: request.decode,
      responseSerialize: response.encode as (message: never) => Buffer,
      responseDeserialize: response.decode,
    }
  }
  return methods
}
