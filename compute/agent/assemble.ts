// Puts the bytes that a fragment needs where its executor can see them: in its jail.
//
// A file that is one block and lies here is hard-linked: no copy, and deleting or moving the block cannot hurt the running
// fragment. Any other file becomes a sparse file of the same length that holds the magic, the footer and the column chunks the
// fragment reads, so that every offset in the footer stays true. A chunk that is missing altogether makes DuckDB fail; a chunk
// that is there in part could be read as zeros. So ranges are copied whole, the bytes are counted, and a short count is an error.
import { open, type FileHandle } from 'node:fs/promises'
import { assert, must } from '../../common/assert.ts'
import { QuarryError, toQuarryError } from '../../common/errors.ts'
import type { Block, FragmentRequest, LocalReplicas } from '../../proto/ports.ts'
import type { RemoteBlocks } from './remote-blocks.ts'

export type Split = FragmentRequest['splits'][number]
type SplitBlock = Split['blocks'][number]

export interface Assembled {
  /** Bytes of the ranges that came from this node's own blocks, and from other nodes. */
  readonly bytesLocal: number
  readonly bytesRemote: number
  /** Microseconds spent on checking and copying. */
  readonly verifyUs: number
}

export interface AssembleContext {
  readonly local: LocalReplicas
  readonly remote: RemoteBlocks
  readonly poolId: string
  readonly signal: AbortSignal
  readonly monotonicMs: () => number
}

/** Makes `target` hold what the split needs. */
export async function assembleSplit(split: Split, target: string, context: AssembleContext): Promise<Assembled> {
  const startedMs = context.monotonicMs()
  const only = split.blocks.length === 1 ? split.blocks[0]! : undefined
  if (only !== undefined && liesHere(only, context) && only.fileOffset === 0 && must(only.block).length === split.fileLength) {
    const linked = await tryLink(must(only.block), target, split, context)
    if (linked !== undefined) return linked
  }
  const count = { local: 0, remote: 0 }
  const file = await open(target, 'wx')
  try {
    await file.truncate(split.fileLength)
    for (const range of split.ranges) {
      const before = count.local + count.remote
      for (const block of split.blocks) await copyOverlap(file, block, range.start, range.length, count, context)
      const copied = count.local + count.remote - before
      if (copied !== range.length)
        throw new QuarryError('BLOCK_MISSING', `${split.path}: ${copied} of ${range.length} bytes from ${range.start} could be read.`, {
          path: split.path,
        })
    }
  } finally {
    await file.close()
  }
  return { bytesLocal: count.local, bytesRemote: count.remote, verifyUs: Math.round((context.monotonicMs() - startedMs) * 1000) }
}

const liesHere = (block: SplitBlock, context: AssembleContext): boolean =>
  block.locations.some((one) => one.datanode?.uuid === context.local.datanodeUuid)

async function tryLink(block: Block, target: string, split: Split, context: AssembleContext): Promise<Assembled | undefined> {
  try {
    const { length, verifyUs } = await context.local.link(block, target)
    assert(length === split.fileLength, () => `block ${block.blockId} has ${length} bytes, the file ${split.fileLength}`)
    return { bytesLocal: split.ranges.reduce((bytes, range) => bytes + range.length, 0), bytesRemote: 0, verifyUs }
  } catch (error) {
    // Gone or bad here: other nodes may have it.
    if (toQuarryError(error).advice !== 'other-replica') throw error
    return undefined
  }
}

async function copyOverlap(
  file: FileHandle,
  block: SplitBlock,
  start: number,
  length: number,
  count: { local: number; remote: number },
  context: AssembleContext,
): Promise<void> {
  const stored = must(block.block, 'a split names its blocks')
  const from = Math.max(start, block.fileOffset)
  const end = Math.min(start + length, block.fileOffset + stored.length)
  if (end <= from) return
  const failures: string[] = []
  if (liesHere(block, context)) {
    try {
      await copy(file, from, end - from, context.local.read(stored, from - block.fileOffset, end - from))
      count.local += end - from
      return
    } catch (error) {
      context.signal.throwIfAborted()
      failures.push(`here: ${toQuarryError(error).message}`)
    }
  }
  for (const { datanode } of block.locations) {
    if (datanode === null || datanode.uuid === context.local.datanodeUuid) continue
    try {
      await copy(
        file,
        from,
        end - from,
        context.remote.read(datanode, context.poolId, stored, from - block.fileOffset, end - from, context.signal),
      )
      count.remote += end - from
      return
    } catch (error) {
      context.signal.throwIfAborted()
      failures.push(`${datanode.hostname}:${datanode.grpcPort}: ${toQuarryError(error).message}`)
    }
  }
  throw new QuarryError('BLOCK_MISSING', `Block ${stored.blockId} cannot be read: ${failures.join('; ') || 'no datanode has it'}.`, {
    blockId: stored.blockId,
  })
}

async function copy(file: FileHandle, position: number, length: number, source: AsyncIterable<Uint8Array>): Promise<void> {
  let done = 0
  for await (const bytes of source) {
    if (done + bytes.length > length) throw new QuarryError('REPLICA_STATE', 'More bytes arrived than were asked for.')
    await file.write(bytes, 0, bytes.length, position + done)
    done += bytes.length
  }
  if (done !== length) throw new QuarryError('REPLICA_STATE', `${done} of ${length} bytes arrived.`)
}
