// Where the blocks of a file that is open for reading lie: fetched a page at a time, fetched again when replicas fail.
import { must } from '../../common/assert.ts'
import { backoffMs } from '../../common/backoff.ts'
import type { Env } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'
import { locatedBlocksPrefetch } from '../../common/limits.ts'
import type { LocatedBlock, LocatedBlocks, NamenodePort } from '../../proto/ports.ts'
import type { DatanodeSource } from '../../proto/transport/datanode-client.ts'
import { fileInfoOf } from '../file-info.ts'
import type { FileInfo } from '../types.ts'
import { visibleLength } from './visible-length.ts'

export class LocatedFile {
  readonly info: FileInfo
  readonly poolId: string
  readonly #namenode: NamenodePort
  /** Blocks known so far by their offset. */
  readonly #blocks = new Map<number, LocatedBlock>()
  /** The last block of an open file, with the length that readers may see. */
  readonly #openBlock: LocatedBlock | undefined

  private constructor(namenode: NamenodePort, info: FileInfo, first: LocatedBlocks, openBlock: LocatedBlock | undefined) {
    this.#namenode = namenode
    this.poolId = first.poolId || namenode.poolId
    this.#openBlock = openBlock
    this.info = info
    this.#keep(first)
  }

  static async open(
    deps: { readonly namenode: NamenodePort; readonly datanodes: DatanodeSource; readonly env: Env },
    path: string,
    signal?: AbortSignal,
  ): Promise<LocatedFile> {
    const { namenode, datanodes, env } = deps
    for (let attempt = 0; ; attempt++) {
      const { blocks, file } = await namenode.call('getBlockLocations', { path, offset: 0, length: firstPageBytes }, { signal })
      if (!file) throw new QuarryError('NOT_FOUND', `File does not exist: ${path}`, { path })
      if (!blocks) throw new QuarryError('IS_A_DIRECTORY', `Path is not a file: ${path}`, { path })
      const info = fileInfoOf(path, file)
      const last = blocks.lastBlock
      if (!blocks.underConstruction || blocks.lastBlockComplete || !last)
        return new LocatedFile(namenode, { ...info, length: blocks.fileLength }, blocks, undefined)
      const visible = await visibleLength(datanodes, env, blocks.poolId || namenode.poolId, last, signal)
      if (visible !== undefined) {
        const openBlock = { ...last, offset: blocks.fileLength, block: { ...must(last.block), length: visible } }
        return new LocatedFile(namenode, { ...info, length: blocks.fileLength + visible }, blocks, openBlock)
      }
      if (attempt + 1 >= openAttemptsMax)
        throw new QuarryError(
          'BLOCK_MISSING',
          `The visible length of block ${last.block?.blockId ?? 0} of ${path}, which is being written, cannot be learnt from any datanode.`,
          { path },
        )
      // An append that sets up its pipeline, a recovery, a namenode that waits for reports: all of them pass.
      await env.clock.sleep(backoffMs(attempt, openBackoff, env.random), signal)
    }
  }

  get length(): number {
    return this.info.length
  }

  /** The block that holds the byte at `position`, which is below `length`. */
  async at(position: number, signal?: AbortSignal): Promise<LocatedBlock> {
    const open = this.#openBlock
    if (open && position >= open.offset) return open
    return this.#find(position) ?? this.#fetch(position, signal)
  }

  /** The same block with the locations of this moment. */
  async refresh(located: LocatedBlock, signal?: AbortSignal): Promise<LocatedBlock> {
    const blockId = located.block?.blockId
    if (blockId !== undefined && blockId === this.#openBlock?.block?.blockId) {
      // Closed meanwhile, or recovered under a new stamp: the bytes that were visible still are.
      const { blocks } = await this.#namenode.call(
        'getBlockLocations',
        { path: this.info.path, offset: located.offset, length: 1 },
        { signal },
      )
      const now = [...(blocks?.blocks ?? []), blocks?.lastBlock].find((one) => one?.block?.blockId === blockId)
      if (!now?.block) return located
      return { ...now, offset: located.offset, block: { ...now.block, length: must(located.block).length } }
    }
    return this.#fetch(located.offset, signal)
  }

  #find(position: number): LocatedBlock | undefined {
    const { blockSize } = this.info
    // Blocks are full but the last, unless the file was joined from others: then the search decides.
    const guess = blockSize > 0 ? this.#blocks.get(position - (position % blockSize)) : undefined
    if (guess && covers(guess, position)) return guess
    for (const located of this.#blocks.values()) if (covers(located, position)) return located
    return undefined
  }

  async #fetch(position: number, signal?: AbortSignal): Promise<LocatedBlock> {
    const { path, fileId, blockSize } = this.info
    const { blocks, file } = await this.#namenode.call(
      'getBlockLocations',
      { path, offset: position, length: Math.max(1, blockSize) * locatedBlocksPrefetch },
      { signal },
    )
    if (file && file.fileId !== fileId)
      throw new QuarryError('CLOSED', `${path} was replaced while it was being read. Open it again.`, { path })
    if (blocks) this.#keep(blocks)
    const found = this.#find(position)
    if (!found)
      throw new QuarryError('CLOSED', `${path} became shorter than ${position} bytes while it was being read. Open it again.`, {
        path,
        position,
      })
    return found
  }

  #keep(page: LocatedBlocks): void {
    for (const located of page.blocks) {
      if (located.block && located.block.blockId !== this.#openBlock?.block?.blockId) this.#blocks.set(located.offset, located)
    }
  }
}

/** The first request does not know the block size yet: ten blocks of the usual size. */
const firstPageBytes = locatedBlocksPrefetch * 128 * 1024 * 1024

const covers = (located: LocatedBlock, position: number): boolean =>
  position >= located.offset && position < located.offset + must(located.block).length

/** Tries to learn the length of a block being written, about six seconds together (HDFS: three, four seconds apart). */
const openAttemptsMax = 7
const openBackoff = { baseMs: 100, maxMs: 2_000 }
