// Looks blocks up in ascending order, as sorted reports name them: by pages where the ids lie close together, one by one where a
// datanode holds only a few of many blocks. Valid only until the next change of the namespace.
import type { BlockRecord, NamespaceView } from '../model.ts'

const pageSize = 500
/** A page that served fewer look-ups than this cost more than it saved. */
const pageUsesMin = 50
/** Single look-ups after a page that did not pay, before the next page is tried. */
const singlesAfterMiss = 500

export class BlockCursor {
  readonly #view: NamespaceView
  #page: readonly BlockRecord[] = []
  #at = 0
  #uses = pageUsesMin
  #singles = 0

  constructor(view: NamespaceView) {
    this.#view = view
  }

  /** The block with this id. Ids must ascend from call to call for pages to help; any order gives right answers. */
  seek(blockId: number): BlockRecord | undefined {
    if (this.#singles > 0) {
      this.#singles--
      return this.#view.block(blockId)
    }
    if (!this.#covers(blockId)) {
      if (this.#uses < pageUsesMin) {
        this.#uses = pageUsesMin
        this.#page = []
        this.#singles = singlesAfterMiss
        return this.#view.block(blockId)
      }
      this.#page = this.#view.blocksFrom(blockId, pageSize)
      this.#at = 0
      this.#uses = 0
      if (this.#page.length === 0) return undefined
    }
    this.#uses++
    while (this.#at < this.#page.length && this.#page[this.#at]!.blockId < blockId) this.#at++
    const found = this.#page[this.#at]
    return found?.blockId === blockId ? found : undefined
  }

  #covers(blockId: number): boolean {
    const last = this.#page.at(-1)
    const next = this.#page[this.#at]
    return (
      last !== undefined &&
      next !== undefined &&
      blockId <= last.blockId &&
      (this.#at === 0 ? blockId >= next.blockId : blockId > this.#page[this.#at - 1]!.blockId)
    )
  }
}
