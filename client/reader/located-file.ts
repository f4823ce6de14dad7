// Where the blocks of a file that is open for reading lie: fetched a page at a time, fetched again when replicas fail.
import { must } from '../../common/assert.ts'
import { QuarryError, isQuarryError } from '../../common/errors.ts'
import { locatedBlocksPrefetch } from '../../common/limits.ts'
import type { LocatedBlock, LocatedBlocks, NamenodePort } from '../../proto/ports.ts'
import type { DatanodeSource } from '../../proto/transport/datanode-client.ts'
import { fileInfoOf } from '../file-info.ts'
import type { FileInfo } from '../types.ts'

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

  static async open(namenode: NamenodePort, datanodes: DatanodeSource, path: string, signal?: AbortSignal): Promise<LocatedFile> {
    const { blocks, file } = await namenode.call('getBlockLocations', { path, offset: 0, length: firstPageBytes }, { signal })
    if (!file) throw new QuarryError('NOT_FOUND', `File does not exist: ${path}`, { path })
    if (!blocks) throw new QuarryError('IS_A_DIRECTORY', `Path is not a file: ${path}`, { path })
    const info = fileInfoOf(path, file)
    if (!blocks.underConstruction || blocks.lastBlockComplete || !blocks.lastBlock)
      return new LocatedFile(namenode, { ...info, length: blocks.fileLength }, blocks, undefined)
    const visible = await visibleLength(datanodes, blocks.poolId || namenode.poolId, blocks.lastBlock, signal)
    const openBlock = { ...blocks.lastBlock, offset: blocks.fileLength, block: { ...must(blocks.lastBlock.block), length: visible } }
    return new LocatedFile(namenode, { ...info, length: blocks.fileLength + visible }, blocks, openBlock)
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
    if (located === this.#openBlock) {
      // Closed meanwhile, or recovered under a new stamp: the bytes that were visible still are.
      const { blocks } = await this.#namenode.call(
        'getBlockLocations',
        { path: this.info.path, offset: located.offset, length: 1 },
        { signal },
      )
      const last = blocks?.lastBlock
      if (!last?.block || last.block.blockId !== located.block?.blockId) return located
      return { ...last, offset: located.offset, block: { ...last.block, length: located.block.length } }
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

/** Bytes of a block under construction that any reader may see: what a datanode of its pipeline has acknowledged. */
async function visibleLength(datanodes: DatanodeSource, poolId: string, last: LocatedBlock, signal?: AbortSignal): Promise<number> {
  let failure: unknown
  let missing = 0
  for (const location of last.locations) {
    try {
      const info = await datanodes
        .get(must(location.datanode))
        .replicaInfo({ poolId, block: last.block }, { signal, deadlineMs: visibleLengthDeadlineMs })
      return info.block?.length ?? 0
    } catch (error) {
      if (signal?.aborted) throw error
      if (isQuarryError(error, 'REPLICA_NOT_FOUND')) missing++
      failure = error
    }
  }
  // Placed but never written to: nothing is visible. A datanode that cannot be asked may hold bytes that were promised.
  if (missing === last.locations.length) return 0
  throw new QuarryError(
    'BLOCK_MISSING',
    `The visible length of block ${last.block?.blockId ?? 0}, which is being written, cannot be learnt from any datanode.`,
    {},
    { cause: failure },
  )
}

const visibleLengthDeadlineMs = 10_000
