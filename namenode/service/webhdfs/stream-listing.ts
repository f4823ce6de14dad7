// LISTSTATUS: a whole directory in one answer, made a page at a time. What a slow client has not taken yet is one page.
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { QuarryError } from '../../../common/errors.ts'
import type { ListingReply } from '../../../proto/ports.ts'
import { commonHeaders, jsonText, jsonType } from '../../../proto/webhdfs/answer.ts'
import type { Answer } from '../../../proto/webhdfs/answer.ts'
import type { WebCaller } from './callers.ts'
import { listingJson } from './status-json.ts'

/** A client that takes nothing for this long is let go, in ms. */
const stuckMs = 60_000
const head = '{"FileStatuses":{"FileStatus":[\n'
const tail = '\n]}}\n'

/** Throws NOT_FOUND. Undefined: the answer is written already. */
export async function streamListing(
  caller: WebCaller,
  path: string,
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
): Promise<Answer | undefined> {
  const first = await pageAfter(caller, path, '')
  if (!first.exists) throw listedNotFound(path)
  let { entries, last } = listingJson(first)
  if (!first.more) return jsonText(head + entries.join(',\n') + tail)
  response.writeHead(200, { ...commonHeaders, 'content-type': jsonType, ...headers })
  try {
    await write(response, head + entries.join(',\n'))
    for (let more = true; more;) {
      const page = await pageAfter(caller, path, last)
      ;({ entries, last } = listingJson(page))
      more = page.more && page.entries > 0
      if (entries.length > 0) await write(response, `,\n${entries.join(',\n')}`)
    }
    response.end(tail)
  } catch {
    // The client must not take a part for the whole.
    response.destroy()
  }
  return undefined
}

function pageAfter(caller: WebCaller, path: string, startAfter: string): Promise<ListingReply> {
  return caller.call('getListing', { path, startAfter, needLocations: false, limit: 0 })
}

async function write(response: ServerResponse, text: string): Promise<void> {
  if (response.write(text)) return
  await once(response, 'drain', { signal: AbortSignal.timeout(stuckMs) })
}

/** HDFS has two texts for what is not there; clients look for "does not exist" in this one. */
export const listedNotFound = (path: string): QuarryError => new QuarryError('NOT_FOUND', `File ${path} does not exist.`, { path })
