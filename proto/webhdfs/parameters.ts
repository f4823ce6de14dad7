// Parameters of WebHDFS by their types, with HDFS's refusals: clients show them to their users.
import { QuarryError } from '../../common/errors.ts'
import type { Query } from './request.ts'

export function invalidParameter(name: string, why: string): QuarryError {
  return new QuarryError('ILLEGAL_ARGUMENT', `Invalid value for webhdfs parameter "${name}": ${why}`, { parameter: name })
}

/** Throws ILLEGAL_ARGUMENT where `op` cannot do without it. */
export function required(query: Query, name: string, op: string): string {
  const value = query.first(name)
  if (value === undefined)
    throw new QuarryError('ILLEGAL_ARGUMENT', `Required param ${name} for op: ${op} is null or empty`, { parameter: name })
  return value
}

/** A whole number of at least `min`; undefined where it is left out. `type` is the word of HDFS's refusal. */
export function integer(query: Query, name: string, min?: number, type: 'long' | 'integer' | 'short' = 'long'): number | undefined {
  const text = query.first(name)
  if (text === undefined || text === 'null') return undefined
  const value = /^[+-]?\d{1,19}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(value) || Math.abs(value) > limits[type])
    throw invalidParameter(name, `Failed to parse "${text}" as a radix-10 ${type} integer.`)
  if (min !== undefined && value < min) throw invalidParameter(name, `Invalid parameter range: ${name} = ${value} < ${min}`)
  return Math.min(value, Number.MAX_SAFE_INTEGER)
}

const limits = { long: 2 ** 63, integer: 2 ** 31 - 1, short: 2 ** 15 - 1 } as const

/** Octal, with the sticky bit. */
export function permission(query: Query, name = 'permission'): number | undefined {
  const text = query.first(name)
  if (text === undefined || text === 'null') return undefined
  if (!/^[0-7]{1,6}$/.test(text)) throw invalidParameter(name, `Failed to parse "${text}" as a radix-8 short integer.`)
  const value = Number.parseInt(text, 8)
  if (value > 0o1777) throw invalidParameter(name, `Invalid parameter range: ${name} = ${value.toString(8)} > 1777`)
  return value
}

export function boolean(query: Query, name: string, otherwise: boolean): boolean {
  const text = query.first(name)
  if (text === undefined || text === 'null') return otherwise
  switch (text.toLowerCase()) {
    case 'true':
      return true
    case 'false':
      return false
    default:
      throw invalidParameter(name, `Failed to parse "${text}" to Boolean.`)
  }
}

/** An absolute path; undefined where it is left out. */
export function absolutePath(query: Query, name: string): string | undefined {
  const text = query.first(name)
  if (text === undefined) return undefined
  if (!text.startsWith('/')) throw invalidParameter(name, `Invalid parameter value: ${name} = "${text}" is not an absolute path.`)
  return text.length > 1 ? text.replace(/\/{2,}/g, '/').replace(/(.)\/$/, '$1') : text
}

/** Bits of fsaction, such as r-x; throws ILLEGAL_ARGUMENT. */
export function fsAction(text: string): number {
  if (!/^[r-][w-][x-]$/.test(text))
    throw invalidParameter('fsaction', `Invalid value: "${text}" does not belong to the domain [r-][w-][x-]`)
  return (text[0] === 'r' ? 4 : 0) | (text[1] === 'w' ? 2 : 0) | (text[2] === 'x' ? 1 : 0)
}

export interface CreateParameters {
  /** The permission before any umask; of WebHDFS nothing is taken away. */
  readonly permission: number
  readonly unmasked: number | undefined
  readonly overwrite: boolean
  readonly createParent: boolean
  readonly replication: number | undefined
  readonly blockSize: number | undefined
}

const createFlags: ReadonlySet<string> = new Set([
  'CREATE',
  'OVERWRITE',
  'APPEND',
  'SYNC_BLOCK',
  'LAZY_PERSIST',
  'NEW_BLOCK',
  'NO_LOCAL_WRITE',
  'SHOULD_REPLICATE',
  'IGNORE_CLIENT_LOCALITY',
  'NO_LOCAL_RACK',
])

/** What CREATE may say; the namenode refuses what is wrong before it sends anybody to a datanode. */
export function createParameters(query: Query): CreateParameters {
  integer(query, 'buffersize', 1, 'integer')
  return {
    permission: permission(query) ?? 0o644,
    unmasked: permission(query, 'unmaskedpermission'),
    overwrite: overwrites(query),
    createParent: boolean(query, 'createparent', true),
    replication: integer(query, 'replication', 1, 'short'),
    blockSize: integer(query, 'blocksize', 1),
  }
}

/** createflag says it all where it is given. */
function overwrites(query: Query): boolean {
  const overwrite = boolean(query, 'overwrite', false)
  const text = query.first('createflag')
  if (text === undefined) return overwrite
  // Redirects of HDFS escape the comma twice.
  const flags = text
    .toUpperCase()
    .split(/,|%2C/)
    .map((flag) => flag.trim())
  for (const flag of flags)
    if (!createFlags.has(flag)) throw invalidParameter('createflag', `No enum constant org.apache.hadoop.fs.CreateFlag.${flag}`)
  if (!flags.includes('CREATE')) {
    throw new QuarryError('INVALID_ARGUMENT', `[${flags.join(', ')}] does not specify any options: a file is made with CREATE.`)
  }
  return flags.includes('OVERWRITE')
}

export interface WebUser {
  readonly user: string
  /** Who really calls, for somebody else; '' when nobody does. */
  readonly realUser: string
}

/** HDFS (hadoop.http.staticuser.user): whoever does not say who it is. */
const anonymous = 'dr.who'
const userPattern = '^[A-Za-z_][A-Za-z0-9._-]*[$]?$'
const userForm = new RegExp(userPattern)
const userLengthMax = 255

/** Who calls; whether the one may act for the other is the namenode's to say. Throws ILLEGAL_ARGUMENT for what is no name. */
export function userOf(query: Query): WebUser {
  const caller = named(query, 'user.name') ?? anonymous
  const other = named(query, 'doas')
  return other === undefined || other === caller ? { user: caller, realUser: '' } : { user: other, realUser: caller }
}

function named(query: Query, parameter: string): string | undefined {
  const name = query.first(parameter)
  if (name === undefined) return undefined
  if (name.length > userLengthMax || !userForm.test(name)) {
    throw invalidParameter(parameter, `Invalid value: "${name.slice(0, userLengthMax)}" does not belong to the domain ${userPattern}`)
  }
  return name
}
