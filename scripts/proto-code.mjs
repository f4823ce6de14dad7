// TypeScript for the messages of a protobuf schema: interfaces (messagesOf), and code that encodes and decodes them (codecsOf), which
// is what protobufjs would compile at run time, written down.
//
// proto3: a field that is not there has its default. proto2, the language of Hadoop's messages: a required field is always written,
// also when it is zero, and a message that lacks one is refused, as Java does; an optional one is undefined when it is not there, and
// 64-bit integers are read as signed, since Hadoop sends -1 in its unsigned fields.
import protobuf from 'protobufjs'

const scalars = {
  string: 'string',
  bool: 'boolean',
  bytes: 'Uint8Array',
  double: 'number',
  float: 'number',
  int32: 'number',
  uint32: 'number',
  sint32: 'number',
  int64: 'number',
  uint64: 'number',
  sint64: 'number',
}

const isMessage = (field) => field.resolvedType instanceof protobuf.Type
const isProto2 = (field) => field._features.field_presence !== 'IMPLICIT'

const typesOf = (namespace) => namespace.nestedArray.filter((item) => item instanceof protobuf.Type)

// --- messages.ts ----------------------------------------------------------------------------------------------------------

function fieldType(field) {
  const base = scalars[field.type] ?? field.type
  if (field.repeated) return `${base}[]`
  if (isProto2(field)) return field.required ? base : `${base} | undefined`
  return isMessage(field) || field.partOf ? `${base} | null` : base
}

/** Text of messages.ts for the messages and enums of a package. */
export function messagesOf(namespace, notice) {
  const out = [notice, '']
  const doc = (comment, indent = '') => {
    if (comment) out.push(`${indent}/** ${comment.replace(/\s*\n\s*/g, ' ').replaceAll('*/', '* /')} */`)
  }
  for (const item of namespace.nestedArray) {
    if (item instanceof protobuf.Enum) {
      doc(item.comment)
      out.push(`export const ${item.name} = {`)
      for (const [name, value] of Object.entries(item.values)) out.push(`  ${name}: ${value},`)
      out.push('} as const', `export type ${item.name} = (typeof ${item.name})[keyof typeof ${item.name}]`, '')
    } else if (item instanceof protobuf.Type) {
      doc(item.comment)
      out.push(`export interface ${item.name} {`)
      for (const oneof of item.oneofsArray) {
        out.push(`  readonly ${oneof.name}?: ${oneof.fieldsArray.map((f) => `'${f.name}'`).join(' | ')}`)
      }
      for (const field of item.fieldsArray) {
        doc(field.comment, '  ')
        out.push(`  ${field.name}: ${fieldType(field)}`)
      }
      out.push('}', '')
    }
  }
  out.push('/** Every message type by its name. */', 'export interface MessageTypes {')
  for (const item of typesOf(namespace)) out.push(`  ${item.name}: ${item.name}`)
  out.push('}', '')
  return out.join('\n')
}

// --- codecs.ts ------------------------------------------------------------------------------------------------------------

const prelude = [
  '// @ts-nocheck',
  "import protobuf from 'protobufjs/minimal.js'",
  '',
  '// 64-bit integers as JavaScript numbers: every id and length of the schema stays below 2^53.',
  'protobuf.util.Long = null',
  'protobuf.configure()',
  '',
  'const { Reader, Writer, util } = protobuf',
  'const own = Object.prototype.hasOwnProperty',
  '',
  '// A 64-bit varint straight to a number: the Reader makes an object of two halves of each, which costs more than the rest of a listing.',
  'function read64(r, slow) {',
  '  const { buf, pos, len } = r',
  '  let value = 0',
  '  let scale = 1',
  '  // Seven bytes carry 49 bits; what is longer, or negative, or ends early, is left to the Reader.',
  '  for (let at = pos; at < len && at < pos + 7; at++) {',
  '    const byte = buf[at]',
  '    value += (byte & 127) * scale',
  '    if (byte < 128) {',
  '      r.pos = at + 1',
  '      return value',
  '    }',
  '    scale *= 128',
  '  }',
  '  return slow.call(r)',
  '}',
  'const { int64, uint64 } = Reader.prototype',
  '',
  '// A packed column. Its varints are counted first, so that the array is made once in its final size.',
  'function packed(r, before, slow) {',
  '  const last = r.uint32() + r.pos',
  '  const outer = r.len',
  '  if (last > outer) throw RangeError(outside)',
  '  const { buf } = r',
  '  let count = 0',
  '  for (let at = r.pos; at < last; at++) if (buf[at] < 128) count++',
  '  const values = new Array(count)',
  '  r.len = last',
  '  for (let i = 0; i < count; i++) {',
  '    const byte = buf[r.pos]',
  '    if (byte < 128) {',
  '      values[i] = byte',
  '      r.pos++',
  '    } else values[i] = read64(r, slow)',
  '  }',
  '  if (r.pos !== last) throw RangeError(outside)',
  '  r.len = outer',
  '  return before.length > 0 ? before.concat(values) : values',
  '}',
  '',
]

/** The name of Reader's and Writer's method for a scalar or an enum. */
const scalarOf = (field) => (field.resolvedType instanceof protobuf.Enum ? 'int32' : field.type)
const wireType = (field) => (isMessage(field) ? 2 : protobuf.types.basic[scalarOf(field)])
const tag = (field, type) => ((field.id << 3) | type) >>> 0
const member = (name) => `m.${name}`

function initialOf(field) {
  return isProto2(field) && !field.required ? 'undefined' : defaultOf(field)
}

function defaultOf(field) {
  if (isMessage(field)) return 'null'
  if (field.resolvedType instanceof protobuf.Enum) return '0'
  return { string: "''", bool: 'false', bytes: 'util.emptyArray' }[field.type] ?? '0'
}

function encodeField(field) {
  const value = member(field.name)
  if (field.repeated) {
    const each = (body) => `    for (let i = 0; i < ${value}.length; i++) ${body}`
    if (isMessage(field))
      return [
        `  if (${value} != null && ${value}.length) {`,
        each(`encode${field.type}(${value}[i], w.uint32(${tag(field, 2)}).fork(), depth + 1).ldelim()`),
        '  }',
      ]
    if (field.packed && protobuf.types.packed[scalarOf(field)] !== undefined)
      return [
        `  if (${value} != null && ${value}.length) {`,
        `    w.uint32(${tag(field, 2)}).fork()`,
        each(`w.${scalarOf(field)}(${value}[i])`),
        '    w.ldelim()',
        '  }',
      ]
    return [
      `  if (${value} != null && ${value}.length) {`,
      each(`w.uint32(${tag(field, wireType(field))}).${scalarOf(field)}(${value}[i])`),
      '  }',
    ]
  }
  if (field.required) return [encodeRequired(field, value)]
  const present = `  if (${value} != null && own.call(m, '${field.name}')) `
  if (isMessage(field)) return [`${present}encode${field.type}(${value}, w.uint32(${tag(field, 2)}).fork(), depth + 1).ldelim()`]
  return [`${present}w.uint32(${tag(field, wireType(field))}).${scalarOf(field)}(${value})`]
}

function encodeRequired(field, value) {
  if (isMessage(field)) return `  encode${field.type}(${value}, w.uint32(${tag(field, 2)}).fork(), depth + 1).ldelim()`
  return `  w.uint32(${tag(field, wireType(field))}).${scalarOf(field)}(${value} ?? ${defaultOf(field)})`
}

function decodeField(field) {
  const value = member(field.name)
  const scalar = scalarOf(field)
  const read = isMessage(field)
    ? `decode${field.type}(r, r.uint32(), depth + 1)`
    : scalar === 'int64' || scalar === 'uint64'
      ? `read64(r, ${isProto2(field) ? 'int64' : scalar})`
      : `r.${scalar}()`
  if (!field.repeated) return [`      case ${field.id}: ${value} = ${read}; break`]
  if (isMessage(field) || protobuf.types.packed[scalarOf(field)] === undefined)
    return [`      case ${field.id}: ${value}.push(${read}); break`]
  if (!['int32', 'uint32', 'int64', 'uint64', 'bool'].includes(scalar))
    throw new Error(`${field.fullName}: teach packed() to read ${scalar} first`)
  return [
    `      case ${field.id}:`,
    `        if ((t & 7) === 2) ${value} = packed(r, ${value}, Reader.prototype.${scalar})${scalar === 'bool' ? '.map(Boolean)' : ''}`,
    `        else ${value}.push(${read})`,
    '        break',
  ]
}

/** Text of codecs.ts: `types` holds an encoder and a decoder for each message. `more`: what else the file says. */
export function codecsOf(namespace, notice, more = []) {
  const code = [notice, ...prelude]
  code.push("const outside = 'index out of range'", "const tooDeep = 'maximum nesting depth exceeded'", '')
  for (const type of typesOf(namespace)) {
    const { name } = type
    const fields = type.fieldsArray
    code.push(`function ${name}() {`, ...fields.filter((f) => f.repeated).map((f) => `  this.${f.name} = []`), '}')
    for (const field of fields) if (!field.repeated) code.push(`${name}.prototype.${field.name} = ${initialOf(field)}`)
    for (const oneof of type.oneofsArray) {
      const names = JSON.stringify(oneof.oneof)
      code.push(
        `Object.defineProperty(${name}.prototype, '${oneof.name}', { get: util.oneOfGetter(${names}), set: util.oneOfSetter(${names}) })`,
      )
    }
    code.push(
      `function encode${name}(m, w, depth = 0) {`,
      '  if (depth > util.recursionLimit) throw Error(tooDeep)',
      ...fields.toSorted((x, y) => x.id - y.id).flatMap(encodeField),
      '  return w',
      '}',
      `function decode${name}(r, length, depth = 0) {`,
      '  if (depth > Reader.recursionLimit) throw Error(tooDeep)',
      '  const end = length === undefined ? r.len : r.pos + length',
      '  const outer = r.len',
      '  if (end > outer) throw RangeError(outside)',
      '  r.len = end',
      `  const m = new ${name}()`,
      '  while (r.pos < end) {',
      '    const t = r.uint32()',
      '    switch (t >>> 3) {',
      ...fields.flatMap(decodeField),
      '      default: r.skipType(t & 7, depth)',
      '    }',
      '  }',
      '  if (r.pos !== end) throw RangeError(outside)',
      '  r.len = outer',
      ...fields.filter((f) => f.required).map((f) => `  if (!own.call(m, '${f.name}')) throw RangeError('${f.name} is missing')`),
      '  return m',
      '}',
      '',
    )
  }
  code.push('export const types = {')
  for (const type of typesOf(namespace)) code.push(`  ${type.name}: { encode: encode${type.name}, decode: decode${type.name} },`)
  code.push('}', '', ...more, '')
  return code.join('\n')
}
