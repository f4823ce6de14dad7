// CREATE and APPEND: the body of a request becomes a file, or the end of one. Bytes are taken from the client no faster than the
// pipeline takes them, and the answer leaves when the file is closed and everybody sees it.
//
// A client that goes away in the middle must not leave what looks like a whole file: one that was being made is removed again; one that
// was being extended is closed with the bytes that arrived, all of which the writer had sent.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FileSystem, FileWriter } from '../../client/index.ts'
import type { Env } from '../../common/env.ts'
import { QuarryError, toQuarryError } from '../../common/errors.ts'
import { nothing } from '../../proto/webhdfs/answer.ts'
import type { Answer } from '../../proto/webhdfs/answer.ts'
import { createParameters, integer } from '../../proto/webhdfs/parameters.ts'
import { encodePath } from '../../proto/webhdfs/request.ts'
import type { BytesExchange } from './door.ts'

/** A client that sends nothing for this long is given up, in ms. */
const silentMs = 120_000
/** Closing what was given up is tried so often: the last block may still be settling. */
const recoveriesMax = 20
const recoveryPauseMs = 500

export async function create({ request, response, target, fs, env }: BytesExchange): Promise<Answer> {
  const { path, query } = target
  const parameters = createParameters(query)
  const writer = await fs.create(path, parameters)
  await fill(request, response, writer, async (error) => {
    env.log.warn('webhdfs.upload.failed', { path, code: error.code, message: error.message })
    await fs.delete(path)
  })
  const rpcAddress = query.first('namenoderpcaddress')
  const host = rpcAddress !== undefined && /^[\w.:[\]-]{1,300}$/.test(rpcAddress) ? rpcAddress : new URL(fs.uri).host
  return { status: 201, headers: { location: `hdfs://${host}${encodePath(path)}` }, body: '' }
}

export async function append({ request, response, target, fs, env }: BytesExchange): Promise<Answer> {
  const { path, query } = target
  integer(query, 'buffersize', 1, 'integer')
  const writer = await fs.append(path)
  await fill(request, response, writer, async (error) => {
    env.log.warn('webhdfs.append.failed', { path, code: error.code, message: error.message })
    await recover(fs, path, env)
  })
  return nothing
}

/** `clean` mends what a failed upload leaves behind; the failure is thrown all the same. */
async function fill(
  request: IncomingMessage,
  response: ServerResponse,
  writer: FileWriter,
  clean: (error: QuarryError) => Promise<void>,
): Promise<void> {
  try {
    if (request.headers.expect !== undefined) response.writeContinue()
    await pump(request, writer)
    await writer.close()
  } catch (cause) {
    const error = toQuarryError(cause)
    await writer.abort(error)
    await clean(error).catch(() => {})
    throw error
  }
}

async function pump(request: IncomingMessage, writer: FileWriter): Promise<void> {
  let isWaiting = true
  const silence = setTimeout(() => {
    if (isWaiting) request.destroy()
    else silence.refresh()
  }, silentMs)
  silence.unref()
  try {
    // A failed write must not end the connection: the client is to hear of it.
    for await (const part of request.iterator({ destroyOnReturn: false })) {
      isWaiting = false
      await writer.write(part as Buffer)
      isWaiting = true
      silence.refresh()
    }
  } catch (error) {
    if (request.destroyed && !request.complete) throw truncated(writer, error)
    throw error
  } finally {
    clearTimeout(silence)
  }
  if (!request.complete) throw truncated(writer)
}

function truncated(writer: FileWriter, cause?: unknown): QuarryError {
  return new QuarryError(
    'CANCELLED',
    `The client went away after ${writer.position} bytes of ${writer.path}.`,
    { path: writer.path, bytes: writer.position },
    { cause },
  )
}

async function recover(fs: FileSystem, path: string, env: Env): Promise<void> {
  for (let attempt = 0; attempt < recoveriesMax; attempt++) {
    if (await fs.recoverLease(path)) return
    await env.clock.sleep(recoveryPauseMs)
  }
}
