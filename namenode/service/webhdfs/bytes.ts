// Operations about the bytes of files: the client is sent to a datanode.
import { QuarryError, isQuarryError } from '../../../common/errors.ts'
import type { LocatedBlocks } from '../../../proto/ports.ts'
import { redirect } from '../../../proto/webhdfs/answer.ts'
import type { Answer } from '../../../proto/webhdfs/answer.ts'
import { boolean, createParameters, integer } from '../../../proto/webhdfs/parameters.ts'
import type { Exchange, Operation } from './operation.ts'
import { locationAt, nodeForReading, nodeForWriting } from './redirect.ts'

export const create: Operation = async (exchange) => {
  const { deps, caller, target } = exchange
  const { blockSize = deps.defaults.blockSize } = createParameters(target.query)
  const excluded = target.query.first('excludedatanodes') ?? ''
  return sentTo(exchange, nodeForWriting(deps.cluster, { address: caller.address, blockSize, excluded }))
}

/** To where the last block is: it will be in the pipeline. */
export const append: Operation = async (exchange) => {
  integer(exchange.target.query, 'buffersize', 1, 'integer')
  const file = await existing(exchange)
  return readFrom(exchange, file, Math.max(0, (file?.length ?? 0) - 1))
}

/** To where the bytes at the offset are. */
export const open: Operation = async (exchange) => {
  const { query, path } = exchange.target
  integer(query, 'length', 0)
  integer(query, 'buffersize', 1, 'integer')
  const offset = integer(query, 'offset', 0) ?? 0
  const file = await existing(exchange)
  if (file !== undefined && file.length > 0 && offset >= file.length) {
    throw new QuarryError('REFUSED', `Offset=${offset} out of the range [0, ${file.length}); OPEN, path=${path}`, { path, offset })
  }
  return readFrom(exchange, file, offset)
}

export const fileChecksum: Operation = async (exchange) => readFrom(exchange, await existing(exchange), 0)

interface Existing {
  /** With what is being written. */
  readonly length: number
}

/** Undefined for a directory: the datanode says what is wrong with it. Throws NOT_FOUND. */
async function existing({ caller, target }: Exchange): Promise<Existing | undefined> {
  const { path } = target
  const { file } = await caller.call('getFileInfo', { path, needLocations: false })
  if (file === null) throw new QuarryError('NOT_FOUND', `File ${path} not found.`, { path })
  return file.blockSize > 0 ? { length: file.length } : undefined
}

async function readFrom(exchange: Exchange, file: Existing | undefined, offset: number): Promise<Answer> {
  const { deps, target } = exchange
  let blocks: LocatedBlocks | null = null
  if (file !== undefined && file.length > 0)
    ({ blocks } = await exchange.caller.call('getBlockLocations', { path: target.path, offset, length: 1 }))
  return sentTo(exchange, nodeForReading(deps.cluster, blocks, target.query.first('excludedatanodes') ?? ''))
}

function sentTo({ deps, target }: Exchange, node: ReturnType<typeof nodeForReading>): Answer {
  return redirect(locationAt(node, target, deps.rpcAddress), boolean(target.query, 'noredirect', false))
}

/** Cuts a file; inside a block bytes have to move, which a client does. */
export const truncate = async ({ deps, caller, target }: Exchange, newLength: number): Promise<boolean> => {
  const holder = `webhdfs_${caller.user}`
  const request = { path: target.path, newLength, holder, tailPath: '', tailOfBlock: 0 }
  try {
    return (await caller.call('truncate', request)).value
  } catch (error) {
    if (deps.cut === undefined || !isQuarryError(error, 'UNSUPPORTED')) throw error
    return deps.cut(target.path, newLength)
  }
}
