// Proves that the generated code says the same on the wire as protobufjs, for every message of the schema.
import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import protobuf from 'protobufjs'
import { describe, expect, it } from 'vitest'
import { messageType } from './codec.ts'
import type { MessageTypes } from './gen/messages.ts'

const schema = JSON.parse(readFileSync(new URL('./gen/schema.json', import.meta.url), 'utf8')) as protobuf.INamespace
const root = protobuf.Root.fromJSON(schema).resolveAll()
const all = (root.lookup('quarry.v1') as protobuf.Namespace).nestedArray.filter(
  (item): item is protobuf.Type => item instanceof protobuf.Type,
)

const integers = {
  int64: fc.maxSafeInteger(),
  uint64: fc.maxSafeNat(),
  sint64: fc.maxSafeInteger(),
  uint32: fc.nat(2 ** 32 - 1),
  int32: fc.integer(),
  sint32: fc.integer(),
}
const scalars: Record<string, fc.Arbitrary<unknown>> = {
  ...integers,
  bool: fc.boolean(),
  string: fc.string({ unit: 'grapheme' }),
  bytes: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
}

/** Any message of a type: each field there or not, of each oneof at most one. */
function anyOf(type: protobuf.Type, depth: number): fc.Arbitrary<object> {
  const shape: Record<string, fc.Arbitrary<unknown>> = {}
  for (const field of type.fieldsArray) {
    let value: fc.Arbitrary<unknown>
    if (field.resolvedType instanceof protobuf.Type) {
      if (depth === 0) continue
      value = anyOf(field.resolvedType, depth - 1)
    } else if (field.resolvedType) value = fc.constantFrom(...Object.values(field.resolvedType.values))
    else value = scalars[field.type]!
    shape[field.name] = field.repeated ? fc.array(value, { minLength: 1, maxLength: 3 }) : value
  }
  return fc.record(shape, { requiredKeys: [] }).map((message) => {
    for (const oneof of type.oneofsArray) {
      const [, ...rest] = oneof.oneof.filter((name) => name in message)
      for (const name of rest) delete message[name]
    }
    return message
  })
}

describe.each(all.map((type) => [type.name, type] as const))('%s', (name, type) => {
  const generated = messageType(name as keyof MessageTypes)

  it('has the bytes of protobufjs, and reads them back', () => {
    fc.assert(
      fc.property(anyOf(type, 2), (message) => {
        const bytes = generated.encode(message, protobuf.Writer.create()).finish()
        expect(Buffer.compare(bytes, type.encode(message).finish())).toBe(0)
        const back = generated.decode(protobuf.Reader.create(bytes))
        expect(back).toEqual(type.decode(bytes))
        for (const oneof of type.oneofsArray)
          expect((back as Record<string, unknown>)[oneof.name]).toBe(oneof.oneof.find((field) => field in message))
      }),
      { numRuns: 15 },
    )
  })

  it('refuses what protobufjs refuses of a message that is cut off', () => {
    fc.assert(
      fc.property(anyOf(type, 1), fc.nat(), (message, cut) => {
        const bytes = type.encode(message).finish()
        const part = bytes.subarray(0, cut % Math.max(1, bytes.length))
        try {
          type.decode(part)
        } catch {
          expect(() => generated.decode(protobuf.Reader.create(part))).toThrow()
        }
      }),
      { numRuns: 10 },
    )
  })
})
