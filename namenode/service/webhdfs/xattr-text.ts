// Extended attributes as text: names with their namespace, values as "text", 0x hex or 0s base64.
import { QuarryError } from '../../../common/errors.ts'
import type { XAttr } from '../../../proto/ports.ts'
import { XAttrNamespace } from '../../../proto/ports.ts'
import { invalidParameter } from '../../../proto/webhdfs/parameters.ts'

const namespaces = {
  user: XAttrNamespace.XATTR_USER,
  trusted: XAttrNamespace.XATTR_TRUSTED,
  security: XAttrNamespace.XATTR_SECURITY,
  system: XAttrNamespace.XATTR_SYSTEM,
  raw: XAttrNamespace.XATTR_RAW,
} as const
const namespaceNames = Object.fromEntries(Object.entries(namespaces).map(([name, number]) => [number, name])) as Readonly<
  Record<number, string>
>

/** Throws INVALID_ARGUMENT. */
export function parseXAttrName(text: string): Pick<XAttr, 'namespace' | 'name'> {
  const dot = text.indexOf('.')
  if (dot < 3)
    throw new QuarryError('INVALID_ARGUMENT', `An XAttr name must be prefixed with user/trusted/security/system/raw, followed by a '.'`)
  const prefix = text.slice(0, dot).toLowerCase()
  const namespace = Object.hasOwn(namespaces, prefix) ? namespaces[prefix as keyof typeof namespaces] : undefined
  if (namespace === undefined)
    throw new QuarryError('INVALID_ARGUMENT', `An XAttr name must be prefixed with user/trusted/security/system/raw, followed by a '.'`)
  return { namespace, name: text.slice(dot + 1) }
}

export const xattrName = ({ namespace, name }: XAttr): string => `${namespaceNames[namespace] ?? 'user'}.${name}`

export type ValueEncoding = 'TEXT' | 'HEX' | 'BASE64'

export function encodingOf(text: string): ValueEncoding {
  const encoding = text.toUpperCase()
  if (encoding === 'TEXT' || encoding === 'HEX' || encoding === 'BASE64') return encoding
  throw invalidParameter('encoding', `No enum constant org.apache.hadoop.fs.XAttrCodec.${encoding}`)
}

/** Null for an attribute without a value, as HDFS. */
export function encodeValue(value: Uint8Array, encoding: ValueEncoding): string | null {
  if (value.length === 0) return null
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length)
  switch (encoding) {
    case 'HEX':
      return `0x${bytes.toString('hex')}`
    case 'BASE64':
      return `0s${bytes.toString('base64')}`
    default:
      return `"${bytes.toString('utf8')}"`
  }
}

/** Throws ILLEGAL_ARGUMENT for hex that is none. Text needs no quotes. */
export function decodeValue(text: string | undefined): Uint8Array {
  if (text === undefined) return new Uint8Array(0)
  if (text.length >= 2 && text.startsWith('"') && text.endsWith('"')) return Buffer.from(text.slice(1, -1))
  const encoding = text.slice(0, 2).toLowerCase()
  const rest = text.slice(2)
  if (encoding === '0x') {
    if (!/^([0-9a-f]{2})*$/i.test(rest)) throw invalidParameter('xattr.value', `${text.slice(0, 100)} is not hexadecimal`)
    return Buffer.from(rest, 'hex')
  }
  return encoding === '0s' ? Buffer.from(rest, 'base64') : Buffer.from(text)
}

/** SetXAttrRequest.flag; 0 where none is given. */
export function setFlags(text: string | undefined): number {
  if (text === undefined) return 0
  let flags = 0
  for (const word of text
    .toUpperCase()
    .split(',')
    .map((part) => part.trim())) {
    if (word === 'CREATE') flags |= 1
    else if (word === 'REPLACE') flags |= 2
    else throw invalidParameter('flag', `No enum constant org.apache.hadoop.fs.XAttrSetFlag.${word}`)
  }
  return flags
}
