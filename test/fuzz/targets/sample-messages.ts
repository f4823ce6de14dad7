// A full and an empty message of every type, made from the schema: every field set, every list with two entries.
import { readFileSync } from 'node:fs'
import { codec } from '../../../proto/codec.ts'
import { types } from '../../../proto/gen/codecs.ts'
import type { MessageTypes } from '../../../proto/gen/messages.ts'

interface Field {
  readonly type: string
  readonly id: number
  readonly rule?: 'repeated'
  readonly keyType?: string
}
interface Entry {
  readonly fields?: Readonly<Record<string, Field>>
  readonly values?: Readonly<Record<string, number>>
}

/** Deeper messages are left out: some contain themselves. */
const depthMax = 4

export function sampleMessages(): Map<keyof MessageTypes, Uint8Array[]> {
  const schema = JSON.parse(readFileSync(new URL('../../../proto/gen/schema.json', import.meta.url), 'utf8')) as {
    nested: { quarry: { nested: { v1: { nested: Record<string, Entry> } } } }
  }
  const entries = schema.nested.quarry.nested.v1.nested
  const value = (type: string, depth: number): unknown => {
    switch (type) {
      case 'string':
        return 'text-ä'
      case 'bytes':
        return Buffer.from([1, 2, 3, 255])
      case 'bool':
        return true
      case 'double':
      case 'float':
        return 0.5
      default:
    }
    if (/^s?u?(int|fixed)(32|64)$|^sfixed/.test(type)) return type.includes('64') ? 1_073_741_900 : 77
    const entry = entries[type]
    if (entry?.values !== undefined) return Math.max(...Object.values(entry.values))
    return depth > 0 ? message(type, depth - 1) : undefined
  }
  const message = (type: string, depth: number): Record<string, unknown> => {
    const out: Record<string, unknown> = {}
    for (const [name, field] of Object.entries(entries[type]?.fields ?? {})) {
      const one = value(field.type, depth)
      if (one !== undefined) out[name] = field.rule === 'repeated' ? [one, one] : one
    }
    return out
  }
  const samples = new Map<keyof MessageTypes, Uint8Array[]>()
  for (const name of Object.keys(types) as (keyof MessageTypes)[]) {
    const { encode } = codec(name)
    samples.set(name, [encode(message(name, depthMax) as never), encode(message(name, 1) as never), encode({} as never)])
  }
  return samples
}
