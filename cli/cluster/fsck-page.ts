// /fsck of a namenode: what Hadoop's `hdfs fsck` asks over HTTP, answered by the same check as `quarry fsck`, as a client of the namenode
// in the name of whoever asks. Plain text; the last line says how it ended, and clients take their exit code from it.
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { FileSystem } from '../../client/index.ts'
import { toQuarryError } from '../../common/errors.ts'
import type { Output } from '../output/output.ts'
import type { FsckCommand, FsckFlag } from '../shell/fsck/arguments.ts'
import { writeReport } from '../shell/fsck/report.ts'

/** Checks at a time: each walks a part of the namespace. */
const checksMax = 4
/** A client that takes nothing for this long is let go, in ms. */
const stuckMs = 120_000
const userForm = /^[A-Za-z_][A-Za-z0-9._-]{0,254}[$]?$/

/** Parameters by the switches of the command that they stand for. */
const flags: Readonly<Record<string, FsckFlag>> = {
  move: 'move',
  delete: 'delete',
  files: 'files',
  openforwrite: 'openforwrite',
  blocks: 'blocks',
  locations: 'locations',
  racks: 'racks',
  replicadetails: 'replicaDetails',
  upgradedomains: 'upgradedomains',
  storagepolicies: 'storagepolicies',
  maintenance: 'maintenance',
  showprogress: 'showprogress',
  includesnapshots: 'includeSnapshots',
  replicate: 'replicate',
}
const changing: readonly FsckFlag[] = ['move', 'delete', 'replicate']

/** `uri` of the namenode. False when the request is not for the page. */
export function fsckPage(uri: string): (request: IncomingMessage, response: ServerResponse) => boolean {
  let checks = 0
  return (request, response) => {
    const [path, query = ''] = (request.url ?? '').split('?', 2)
    if (path !== '/fsck') return false
    const command = parse(new URLSearchParams(query))
    const refusal = refusalOf(request, command, checks)
    if (refusal) {
      response.writeHead(refusal.status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${refusal.text}\n`)
      return true
    }
    checks++
    answer(uri, command, request, response)
      .catch(() => response.destroy())
      .finally(() => checks--)
    return true
  }
}

interface Asked extends FsckCommand {
  readonly user: string
  readonly corruptOnly: boolean
  /** Files that the client has been told of already. */
  readonly told: number
}

function parse(query: URLSearchParams): Asked {
  const given = new Map<string, string>()
  for (const [name, value] of query) if (!given.has(name.toLowerCase())) given.set(name.toLowerCase(), value)
  const blockIds = given.get('blockid')
  return {
    user: given.get('ugi') ?? given.get('user.name') ?? 'dr.who',
    path: given.get('path') ?? '/',
    flags: new Set(Object.keys(flags).flatMap((name) => (given.has(name) ? [flags[name]!] : []))),
    ...(blockIds !== undefined && { blockIds: blockIds.split(/[\s+]+/).filter((id) => id !== '') }),
    corruptOnly: given.has('listcorruptfileblocks'),
    told: Number(given.get('startblockafter') ?? 0) || 0,
  }
}

function refusalOf(request: IncomingMessage, asked: Asked, checks: number): { status: number; text: string } | undefined {
  if (request.method !== 'GET') return { status: 405, text: 'Only GET is understood here.' }
  if (!userForm.test(asked.user)) return { status: 400, text: 'ugi is not the name of a user.' }
  // Whatever page somebody looks at could have his browser ask for this.
  const isBrowser = request.headers.origin !== undefined || /^mozilla/i.test(request.headers['user-agent'] ?? '')
  if (isBrowser && changing.some((flag) => asked.flags.has(flag)))
    return { status: 403, text: 'Browsers may look; what changes files is for hdfs fsck.' }
  if (checks >= checksMax) return { status: 503, text: `${checksMax} checks are under way already. Try again later.` }
  return undefined
}

async function answer(uri: string, asked: Asked, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
  const out = new ResponseOutput(response, gone.signal)
  try {
    await using fs = await FileSystem.connect(uri, { user: asked.user })
    if (asked.corruptOnly) await listCorrupt(fs, asked, out, gone.signal)
    else {
      const root = await fs.stat(asked.path, { signal: gone.signal })
      const caller = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
      await writeReport(fs, root, asked, { out, err: out, signal: gone.signal, caller })
    }
  } catch (error) {
    const { code, message } = toQuarryError(error)
    if (code === 'NOT_FOUND') await out.write(`\n\nPath '${asked.path}' does not exist\n`)
    else await out.write(`${message.split('\n', 1)[0]}\n\n\nFsck on path '${asked.path}' FAILED\n`)
  }
  response.end()
}

/** The client asks again with the number that it got until it hears that there are no more. */
async function listCorrupt(fs: FileSystem, asked: Asked, out: Output, signal: AbortSignal): Promise<void> {
  const lines: string[] = []
  if (asked.told === 0)
    for await (const { blockId, path } of fs.admin.corruptFiles(asked.path, { signal })) lines.push(`blk_${blockId}\t${path}\n`)
  if (lines.length > 0)
    await out.write(
      `Cookie:\t${lines.length}\n${lines.join('')}\n\nThe filesystem under path '${asked.path}' has ${lines.length} CORRUPT files\n`,
    )
  else await out.write(`\n\nThe filesystem under path '${asked.path}' has no ${asked.told > 0 ? 'more ' : ''}CORRUPT files\n`)
}

class ResponseOutput implements Output {
  readonly #response: ServerResponse
  readonly #signal: AbortSignal

  constructor(response: ServerResponse, signal: AbortSignal) {
    this.#response = response
    this.#signal = signal
  }

  async write(data: string | Uint8Array): Promise<void> {
    if (data.length === 0 || this.#response.write(data)) return
    await once(this.#response, 'drain', { signal: AbortSignal.any([this.#signal, AbortSignal.timeout(stuckMs)]) })
  }

  async flush(): Promise<void> {}
}
