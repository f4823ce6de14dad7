// Replicas of one datanode that may be moved, a page at a time. The namenode begins each pass at a random place, so passes are
// repeated until one brings nothing new.
import type { FileSystem } from '../../client/index.ts'
import type { MovableBlock } from './choose.ts'

/** Bytes of replicas asked for at once; HDFS: dfs.balancer.getBlocks.size, 2 GB. */
const pageBytes = 2 * 1024 ** 3
/** Replicas that are remembered as seen: about 60 bytes each. */
const seenMax = 200_000
/** Passes over a node in one iteration. */
const passesMax = 8

export class Candidates {
  readonly #fs: FileSystem
  readonly #uuid: string
  readonly #minBlockBytes: number
  readonly #seen = new Set<number>()
  #page: MovableBlock[] = []
  #after = 0
  #passes = 0
  #fresh = 0

  constructor(fs: FileSystem, uuid: string, minBlockBytes: number) {
    this.#fs = fs
    this.#uuid = uuid
    this.#minBlockBytes = minBlockBytes
  }

  /** Puts one back that could not be ordered just now. */
  putBack(block: MovableBlock): void {
    this.#page.push(block)
  }

  /** The next one; undefined when there is no other. */
  async next(signal: AbortSignal): Promise<MovableBlock | undefined> {
    while (this.#page.length === 0) {
      if (this.#passes >= passesMax || this.#seen.size >= seenMax) return undefined
      await this.#fetch(signal)
    }
    return this.#page.pop()
  }

  async #fetch(signal: AbortSignal): Promise<void> {
    const { blocks, lastBlockId, more } = await this.#fs.admin.nodeBlocks(this.#uuid, {
      bytes: pageBytes,
      minBlockBytes: this.#minBlockBytes,
      afterBlockId: this.#after,
      signal,
    })
    for (const { block, locations } of blocks) {
      if (!block || this.#seen.has(block.blockId)) continue
      this.#seen.add(block.blockId)
      this.#fresh++
      this.#page.push({
        ...block,
        locations: locations.map(({ datanode }) => ({ uuid: datanode?.uuid ?? '', rack: datanode?.rack ?? '' })),
      })
    }
    if (more && lastBlockId !== this.#after) {
      this.#after = lastBlockId
      return
    }
    this.#passes = this.#fresh === 0 && this.#passes > 0 ? passesMax : this.#passes + 1
    this.#after = 0
    this.#fresh = 0
  }
}
