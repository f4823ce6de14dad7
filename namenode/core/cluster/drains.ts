// How far the nodes that are on their way out have come: for each, the blocks that still need copies elsewhere. HDFS:
// DatanodeAdminManager (isSufficient), which looks every 30 s; here every change of a block is judged when it happens.
//
// A scan over the node's replicas finds what is there when it begins; from then on `judge` hears of every change. When nothing is left a
// second scan confirms it before the node leaves: it must not go because of a change that nobody told.
import type { Datanode } from './datanode.ts'

interface Drain {
  readonly waiting: Set<number>
  /** Where its scan is in the replica map; undefined when it is through. */
  scanAt: number | undefined
  /** The scan that has just ended, and all since, found nothing. */
  clean: boolean
}

export class Drains {
  readonly #drains = new Map<Datanode, Drain>()

  get size(): number {
    return this.#drains.size
  }

  nodes(): Datanode[] {
    return [...this.#drains.keys()]
  }

  start(node: Datanode): void {
    this.#drains.set(node, { waiting: new Set(), scanAt: 0, clean: true })
  }

  stop(node: Datanode): void {
    this.#drains.delete(node)
  }

  /** Blocks that keep a node from leaving, as far as is known. */
  waiting(node: Datanode): ReadonlySet<number> {
    return this.#drains.get(node)?.waiting ?? new Set()
  }

  /** Takes in what a block looks like now. `leaving` = nodes on their way out that hold a good copy of it, or are to write it. */
  judge(blockId: number, leaving: ReadonlySet<Datanode>, sufficient: (node: Datanode) => boolean): void {
    for (const [node, drain] of this.#drains) {
      if (leaving.has(node) && !sufficient(node)) {
        drain.waiting.add(blockId)
        drain.clean = false
      } else drain.waiting.delete(blockId)
    }
  }

  forget(blockId: number): void {
    for (const drain of this.#drains.values()) drain.waiting.delete(blockId)
  }

  /** The node whose replicas are to be scanned next, and from where, of those that are `ready`. */
  nextScan(ready: (node: Datanode) => boolean): { readonly node: Datanode; readonly from: number } | undefined {
    for (const [node, { scanAt }] of this.#drains) if (scanAt !== undefined && ready(node)) return { node, from: scanAt }
    return undefined
  }

  /** The scan has come to `next`; -1 at its end. */
  scanned(node: Datanode, next: number): void {
    const drain = this.#drains.get(node)
    if (drain) drain.scanAt = next === -1 ? undefined : next
  }

  /** Whether nothing keeps the node. Starts the scan that confirms it where that is still to be done. */
  isThrough(node: Datanode): boolean {
    const drain = this.#drains.get(node)
    if (!drain || drain.scanAt !== undefined || drain.waiting.size > 0) return false
    if (drain.clean) return true
    drain.clean = true
    drain.scanAt = 0
    return false
  }
}
