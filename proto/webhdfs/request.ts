// A WebHDFS request line taken apart: /webhdfs/v1/<path>?op=…&name=value. Both ends of the protocol, namenode and datanode, read it.
//
// Names of parameters, op and words such as true are in any case; what is not known is ignored; of a parameter given twice the first
// counts (clients repeat user.name when they follow a redirect). A '+' is a plus in the path and a space in a value, as for HDFS.
import { QuarryError } from '../../common/errors.ts'

/** What the addresses of WebHDFS begin with. */
export const webhdfsPrefix = '/webhdfs/v1'

export const verbs = ['GET', 'PUT', 'POST', 'DELETE'] as const
export type Verb = (typeof verbs)[number]

/** More than any client sends; the length is bounded by the HTTP server. */
const parametersMax = 256

export class Query {
  readonly #values = new Map<string, string[]>()

  /** What follows the question mark. Throws ILLEGAL_ARGUMENT for escapes that are no UTF-8. */
  constructor(raw: string) {
    if (raw === '') return
    const parts = raw.split('&')
    if (parts.length > parametersMax) throw new QuarryError('ILLEGAL_ARGUMENT', `A request has at most ${parametersMax} parameters.`)
    for (const part of parts) {
      if (part === '') continue
      const equals = part.indexOf('=')
      const name = decode((equals < 0 ? part : part.slice(0, equals)).replaceAll('+', ' ')).toLowerCase()
      const value = equals < 0 ? '' : decode(part.slice(equals + 1).replaceAll('+', ' '))
      const known = this.#values.get(name)
      if (known === undefined) this.#values.set(name, [value])
      else known.push(value)
    }
  }

  /** Undefined where the parameter is left out or empty. `name` is in lower case. */
  first(name: string): string | undefined {
    const value = this.#values.get(name)?.[0]
    return value === '' ? undefined : value
  }

  /** All values of a parameter that may be repeated. */
  all(name: string): readonly string[] {
    return this.#values.get(name)?.filter((value) => value !== '') ?? []
  }
}

export interface WebHdfsTarget {
  /** Absolute; repeated slashes and one at the end are dropped. */
  readonly path: string
  readonly query: Query
  /** The query as it came. */
  readonly rawQuery: string
}

/** Undefined when the address is not one of WebHDFS. Throws INVALID_PATH and ILLEGAL_ARGUMENT. */
export function parseTarget(url: string): WebHdfsTarget | undefined {
  const at = originForm(url)
  const mark = at.indexOf('?')
  const rawPath = mark < 0 ? at : at.slice(0, mark)
  if (!rawPath.startsWith(webhdfsPrefix)) return undefined
  const rest = rawPath.slice(webhdfsPrefix.length)
  if (rest !== '' && rest.charCodeAt(0) !== 0x2f) return undefined
  const rawQuery = mark < 0 ? '' : at.slice(mark + 1)
  return { path: pathOf(rest), query: new Query(rawQuery), rawQuery }
}

/** The path as it stands in an address. */
export function encodePath(path: string): string {
  return path === '/' ? '/' : path.split('/').map(encodeURIComponent).join('/')
}

/** The op in capitals. Throws UNSUPPORTED when there is none, as HDFS does. */
export function opOf(query: Query): string {
  const op = query.first('op')
  if (op === undefined) throw new QuarryError('UNSUPPORTED', 'op=NULL is not supported')
  return op.toUpperCase()
}

/** What to answer to an op that does not exist for the verb. */
export function unknownOp(op: string, verb: Verb): QuarryError {
  return new QuarryError('ILLEGAL_ARGUMENT', `Invalid value for webhdfs parameter "op": ${op} is not a valid ${verb} operation.`, { op })
}

/** Proxies send the whole address; what is behind the host is meant. */
function originForm(url: string): string {
  const whole = /^https?:\/\/[^/?]*(.*)$/i.exec(url)
  if (!whole) return url
  return whole[1]!.startsWith('/') ? whole[1]! : `/${whole[1]!}`
}

function pathOf(raw: string): string {
  let path = raw.includes('%') ? decodePath(raw) : raw
  if (path.includes('\0')) throw invalidPath(raw)
  if (path.includes('//')) path = path.replace(/\/{2,}/g, '/')
  if (path.length > 1 && path.endsWith('/')) path = path.slice(0, -1)
  return path === '' ? '/' : path
}

function decodePath(raw: string): string {
  try {
    return decodeURIComponent(raw)
  } catch {
    throw invalidPath(raw)
  }
}

const invalidPath = (raw: string): QuarryError =>
  new QuarryError('INVALID_PATH', `Invalid path name: ${raw} is not valid UTF-8`, { path: raw })

function decode(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    throw new QuarryError('ILLEGAL_ARGUMENT', `The parameter ${text} is not valid UTF-8.`)
  }
}
