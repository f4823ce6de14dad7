// OPEN: a file, or a range of it, as the body of the answer. What the client has not taken yet is a packet or two.
import { once } from 'node:events'
import { QuarryError } from '../../common/errors.ts'
import { commonHeaders } from '../../proto/webhdfs/answer.ts'
import { integer } from '../../proto/webhdfs/parameters.ts'
import type { BytesExchange } from './door.ts'

/** A client that takes nothing for this long is let go, in ms. */
const stuckMs = 10 * 60_000

/** Fails with NOT_FOUND and the like before anything is written; after that the connection must end with the failure. */
export async function download({ request, response, target, fs, headers }: BytesExchange): Promise<undefined> {
  const { query, path } = target
  const offset = integer(query, 'offset', 0) ?? 0
  const asked = integer(query, 'length', 0)
  await using reader = await fs.open(path)
  if (offset > reader.length) {
    throw new QuarryError('REFUSED', `Offset=${offset} out of the range [0, ${reader.length}); OPEN, path=${path}`, { path, offset })
  }
  const length = Math.min(asked ?? Number.MAX_SAFE_INTEGER, reader.length - offset)
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const head = { ...commonHeaders, 'content-type': 'application/octet-stream', 'content-length': length, ...headers }
  if (request.method === 'HEAD' || length === 0) {
    response.writeHead(200, head).end()
    return
  }
  // The first bytes are at hand before the answer begins: what cannot be read at all is told as an error.
  const parts = reader.stream({ start: offset, end: offset + length, signal: gone.signal })[Symbol.asyncIterator]()
  let part = await parts.next()
  response.writeHead(200, head)
  let sent = 0
  for (; !part.done; part = await parts.next()) {
    sent += part.value.length
    if (response.write(part.value) || response.destroyed) continue
    await once(response, 'drain', { signal: AbortSignal.any([gone.signal, AbortSignal.timeout(stuckMs)]) })
  }
  if (sent !== length) throw new QuarryError('REFUSED', `${path} became shorter while it was read.`, { path })
  response.end()
}
