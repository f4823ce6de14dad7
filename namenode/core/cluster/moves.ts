// Moves of replicas for the balancer: a copy is ordered on the target, and when it stands the source's copy is the one too many. The
// balancer may stop at any moment: what does not finish is forgotten, and then a copy that comes late is surplus like any other.
import type { Block } from '../../../proto/ports.ts'
import type { Datanode } from './datanode.ts'

/** Moves that one datanode may have under way, as source or target. HDFS (dfs.datanode.balance.max.concurrent.moves): 50, later 100. */
export const movesPerNodeMax = 50

export interface Move {
  readonly block: Block
  readonly source: Datanode
  readonly target: Datanode
  readonly sinceMs: number
  /** Given up then. Monotonic. */
  readonly untilMs: number
  arrived: boolean
}

export class Moves {
  readonly #byBlock = new Map<number, Move>()
  readonly #perNode = new Map<Datanode, number>()
  movedBlocks = 0
  movedBytes = 0
  failed = 0

  get size(): number {
    return this.#byBlock.size
  }

  has(blockId: number): boolean {
    return this.#byBlock.has(blockId)
  }

  /** Moves under way from or to a node. */
  countOf(node: Datanode): number {
    return this.#perNode.get(node) ?? 0
  }

  /** Bytes that a node still has to send in moves. */
  bytesFrom(node: Datanode): number {
    let bytes = 0
    for (const move of this.#byBlock.values()) if (move.source === node && !move.arrived) bytes += move.block.length
    return bytes
  }

  /** Where the block is being moved to. */
  target(blockId: number): Datanode | undefined {
    return this.#byBlock.get(blockId)?.target
  }

  /** The node whose copy is the one too many, now that the moved copy stands. */
  hint(blockId: number): Datanode | undefined {
    const move = this.#byBlock.get(blockId)
    return move?.arrived ? move.source : undefined
  }

  add(move: Move): void {
    this.#byBlock.set(move.block.blockId, move)
    for (const node of [move.source, move.target]) this.#perNode.set(node, this.countOf(node) + 1)
  }

  /** A finalised replica came to a node. */
  arrived(blockId: number, node: Datanode): void {
    const move = this.#byBlock.get(blockId)
    if (move?.target === node) move.arrived = true
  }

  /** The copy of a node was told to go. */
  discarded(blockId: number, node: Datanode): void {
    const move = this.#byBlock.get(blockId)
    if (!move?.arrived) return
    this.#end(move)
    if (move.source === node) {
      this.movedBlocks++
      this.movedBytes += move.block.length
    } else this.failed++
  }

  forget(blockId: number): void {
    const move = this.#byBlock.get(blockId)
    if (move) this.#fail(move)
  }

  dropNode(node: Datanode): void {
    for (const move of [...this.#byBlock.values()]) if (move.source === node || move.target === node) this.#fail(move)
  }

  /** The source sends nothing: what it was told before `beforeMs` and has not arrived has failed. */
  giveUpFrom(source: Datanode, beforeMs: number): void {
    if (this.countOf(source) === 0) return
    for (const move of [...this.#byBlock.values()]) if (move.source === source && !move.arrived && move.sinceMs < beforeMs) this.#fail(move)
  }

  expire(nowMs: number): void {
    for (const move of [...this.#byBlock.values()]) if (nowMs >= move.untilMs) this.#fail(move)
  }

  #fail(move: Move): void {
    this.failed++
    this.#end(move)
  }

  #end(move: Move): void {
    this.#byBlock.delete(move.block.blockId)
    for (const node of [move.source, move.target]) {
      const left = this.countOf(node) - 1
      if (left <= 0) this.#perNode.delete(node)
      else this.#perNode.set(node, left)
    }
  }
}
