// WebHDFS at the namenode: operations of the namespace are carried out here, those about bytes send the client to a datanode.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { QuarryError } from '../../../common/errors.ts'
import { failure, nothing, send } from '../../../proto/webhdfs/answer.ts'
import type { Answer } from '../../../proto/webhdfs/answer.ts'
import type { Origins } from '../../../proto/webhdfs/origins.ts'
import { userOf } from '../../../proto/webhdfs/parameters.ts'
import { opOf, parseTarget, unknownOp, verbs, webhdfsPrefix } from '../../../proto/webhdfs/request.ts'
import type { Verb } from '../../../proto/webhdfs/request.ts'
import { absentByDelete, absentByGet, absentByPost, absentByPut } from './absent.ts'
import { attributesByGet, attributesByPost, attributesByPut } from './attributes.ts'
import { append, create, fileChecksum, open } from './bytes.ts'
import { WebCallers } from './callers.ts'
import { changingByDelete, changingByPost, changingByPut } from './changing.ts'
import { looking } from './looking.ts'
import type { OperationTable, WebHdfsDeps } from './operation.ts'

const operations: OperationTable = {
  GET: { OPEN: open, GETFILECHECKSUM: fileChecksum, ...looking, ...attributesByGet, ...absentByGet },
  PUT: { CREATE: create, ...changingByPut, ...attributesByPut, ...absentByPut },
  POST: { APPEND: append, ...changingByPost, ...attributesByPost, ...absentByPost },
  DELETE: { ...changingByDelete, ...absentByDelete },
}

const allowed = 'GET, HEAD, PUT, POST, DELETE, OPTIONS'

export class WebHdfsDoor {
  readonly #deps: WebHdfsDeps
  readonly #origins: Origins
  readonly #callers: WebCallers

  constructor(deps: WebHdfsDeps, origins: Origins) {
    this.#deps = deps
    this.#origins = origins
    this.#callers = new WebCallers(deps.front)
  }

  /** False when the address is not one of WebHDFS; otherwise the request is answered, whatever becomes of it. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    // Also for addresses such as http://host/webhdfs/v1, which proxies send.
    if (!request.url?.includes(webhdfsPrefix)) return false
    let target: ReturnType<typeof parseTarget>
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
      (error: unknown) => send(request, response, failure(error), headers),
    )
    return true
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    target: NonNullable<ReturnType<typeof parseTarget>>,
    headers: Readonly<Record<string, string>>,
  ): Promise<Answer | undefined> {
    if (request.method === 'OPTIONS') return { ...nothing, headers: { allow: allowed } }
    const verb = (request.method === 'HEAD' ? 'GET' : request.method) as Verb
    if (!verbs.includes(verb)) return { status: 405, headers: { allow: allowed } }
    const op = opOf(target.query)
    const table = operations[verb]
    const run = Object.hasOwn(table, op) ? table[op] : undefined
    if (run === undefined) throw unknownOp(op.slice(0, 100), verb)
    const { remoteAddress } = request.socket
    if (remoteAddress === undefined) throw new QuarryError('CANCELLED', 'The connection of the caller is gone.')
    return this.#callers.run(userOf(target.query), remoteAddress.replace(/^::ffff:/, ''), (caller) =>
      run({ deps: this.#deps, caller, target, op, response, headers }),
    )
  }
}
