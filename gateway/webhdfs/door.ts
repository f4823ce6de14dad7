// WebHDFS at a datanode: the operations that the namenode sends clients here for.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FileSystem } from '../../client/index.ts'
import type { Env } from '../../common/env.ts'
import { toQuarryError } from '../../common/errors.ts'
import { failure, json, nothing, send } from '../../proto/webhdfs/answer.ts'
import type { Answer } from '../../proto/webhdfs/answer.ts'
import type { Origins } from '../../proto/webhdfs/origins.ts'
import { required, userOf } from '../../proto/webhdfs/parameters.ts'
import { opOf, parseTarget, unknownOp, verbs, webhdfsPrefix } from '../../proto/webhdfs/request.ts'
import type { Verb, WebHdfsTarget } from '../../proto/webhdfs/request.ts'
import type { UserFileSystems } from '../users.ts'
import { download } from './download.ts'
import { append, create } from './upload.ts'

export interface BytesExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly target: WebHdfsTarget
  readonly fs: FileSystem
  readonly env: Env
  /** To be sent along with the answer. */
  readonly headers: Readonly<Record<string, string>>
}

/** Undefined when it has answered by itself. */
type BytesOperation = (exchange: BytesExchange) => Promise<Answer | undefined>

const operations: Readonly<Record<Verb, Readonly<Record<string, BytesOperation>>>> = {
  GET: { OPEN: download, GETFILECHECKSUM: checksum },
  PUT: { CREATE: create },
  POST: { APPEND: append },
  DELETE: {},
}

const allowed = 'GET, HEAD, PUT, POST, OPTIONS'

export class BytesDoor {
  readonly #users: UserFileSystems
  readonly #origins: Origins
  readonly #env: Env

  constructor(users: UserFileSystems, origins: Origins, env: Env) {
    this.#users = users
    this.#origins = origins
    this.#env = env
  }

  /** False when the address is not one of WebHDFS; otherwise the request is answered, whatever becomes of it. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    if (!request.url?.includes(webhdfsPrefix)) return false
    let target: WebHdfsTarget | undefined
    let headers: Readonly<Record<string, string>> = {}
    try {
      target = parseTarget(request.url)
      if (target === undefined) return false
      headers = this.#origins.admit(request)
    } catch (error) {
      send(request, response, failure(error))
      return true
    }
    this.#answer(request, response, target, headers).then(
      (answer) => answer && send(request, response, answer, headers),
      (error: unknown) => {
        const { code, message } = toQuarryError(error)
        this.#env.log.debug('webhdfs.failed', { path: target.path, code, message })
        // In the middle of an answer the only way to say that it failed is to end the connection.
        if (response.headersSent) response.destroy()
        else send(request, response, failure(error), headers)
      },
    )
    return true
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    target: WebHdfsTarget,
    headers: Readonly<Record<string, string>>,
  ): Promise<Answer | undefined> {
    if (request.method === 'OPTIONS') return { ...nothing, headers: { allow: allowed } }
    const verb = (request.method === 'HEAD' ? 'GET' : request.method) as Verb
    if (!verbs.includes(verb)) return { status: 405, headers: { allow: allowed } }
    const op = opOf(target.query)
    const table = operations[verb]
    const run = Object.hasOwn(table, op) ? table[op] : undefined
    if (run === undefined) throw unknownOp(op.slice(0, 100), verb)
    // The namenode's redirect has it; what comes without has made up its own address, which HDFS refuses too.
    required(target.query, 'namenoderpcaddress', op)
    return this.#users.use(userOf(target.query), (fs) => run({ request, response, target, fs, env: this.#env, headers }))
  }
}

async function checksum({ fs, target }: BytesExchange): Promise<Answer> {
  const { algorithm, bytes, hex } = await fs.checksum(target.path)
  // HDFS sends the 32 bytes of its buffer, of which `length` count; clients compare the text.
  return json({ FileChecksum: { algorithm, bytes: `${hex}00000000`, length: bytes.length } })
}
