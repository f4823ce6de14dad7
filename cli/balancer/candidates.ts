// Replicas of one datanode that may be moved, a page at a time: one pass over the node, which begins at a random place and ends there.
import type { FileSystem } from '../../client/index.ts'
import type { MovableBlock } from './choose.ts'

/** Bytes of replicas asked for at once; HDFS: dfs.balancer.getBlocks.size, 2 GB. */
const pageBytes = 2 * 1024 ** 3
/** Replicas of one node that are looked at in one iteration; the next one begins elsewhere. */
const lookedAtMax = 200_000

export class Candidates {
  readonly #fs: FileSystem
  readonly #uuid: string
  readonly #minBlockBytes: number
  #page: MovableBlock[] = []
  #after = 0
  #lookedAt = 0
  #over = false

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
      if (this.#over || this.#lookedAt >= lookedAtMax) return undefined
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
      if (!block) continue
      this.#lookedAt++
      this.#page.push({
        ...block,
        locations: locations.map(({ datanode }) => ({ uuid: datanode?.uuid ?? '', rack: datanode?.rack ?? '' })),
      })
    }
    this.#after = lastBlockId
    this.#over = !more
  }
}
