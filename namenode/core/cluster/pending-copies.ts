// Copies that are under way: ordered from a datanode, or expected from a writer's pipeline that has just committed a block.
// What does not arrive in time, or whose source or target dies, is looked at again.
import type { Datanode } from './datanode.ts'

interface PendingCopy {
  readonly target: Datanode
  /** Undefined when a writer's pipeline is to bring it. */
  readonly source: Datanode | undefined
}

interface PendingBlock {
  readonly copies: PendingCopy[]
  readonly sinceMs: number
}

export class PendingCopies {
  /** Oldest first: an entry that gains a copy moves to the end. */
  readonly #blocks = new Map<number, PendingBlock>()

  get size(): number {
    return this.#blocks.size
  }

  /** Blocks for which a copy was ordered, other than those that `elsewhere` says are counted already. */
  ordered(elsewhere: (blockId: number) => boolean): number {
    let blocks = 0
    for (const [blockId, { copies }] of this.#blocks) if (!elsewhere(blockId) && copies.some((copy) => copy.source)) blocks++
    return blocks
  }

  /** Blocks with copies under way, oldest first, at most `limit`. */
  list(limit: number): { blockId: number; sinceMs: number; copies: number }[] {
    const out: { blockId: number; sinceMs: number; copies: number }[] = []
    for (const [blockId, { sinceMs, copies }] of this.#blocks) {
      if (out.length >= limit) break
      out.push({ blockId, sinceMs, copies: copies.length })
    }
    return out
  }

  count(blockId: number): number {
    return this.#blocks.get(blockId)?.copies.length ?? 0
  }

  /** Uuids of the nodes that will hold a copy. */
  targets(blockId: number): string[] {
    return this.#blocks.get(blockId)?.copies.map((copy) => copy.target.id.uuid) ?? []
  }

  add(blockId: number, copies: readonly PendingCopy[], nowMs: number): void {
    if (copies.length === 0) return
    const known = this.#blocks.get(blockId)?.copies ?? []
    this.#blocks.delete(blockId)
    this.#blocks.set(blockId, { copies: [...known, ...copies], sinceMs: nowMs })
    for (const copy of copies) if (copy.source) copy.source.outgoing++
  }

  /** A copy arrived, or will not: whether it was waited for. */
  settle(blockId: number, target: Datanode): boolean {
    const block = this.#blocks.get(blockId)
    const at = block?.copies.findIndex((copy) => copy.target === target) ?? -1
    if (!block || at < 0) return false
    const [copy] = block.copies.splice(at, 1)
    release(copy)
    if (block.copies.length === 0) this.#blocks.delete(blockId)
    return true
  }

  forget(blockId: number): void {
    for (const copy of this.#blocks.get(blockId)?.copies ?? []) release(copy)
    this.#blocks.delete(blockId)
  }

  /** Gives up the copies of a block that this node was to send. */
  forgetFrom(blockId: number, source: Datanode): void {
    for (const copy of [...(this.#blocks.get(blockId)?.copies ?? [])]) if (copy.source === source) this.settle(blockId, copy.target)
  }

  /** Drops the copies a dead node was to send or take, and returns the blocks concerned. */
  dropNode(node: Datanode): number[] {
    const concerned: number[] = []
    for (const [blockId, block] of this.#blocks) {
      const kept = block.copies.filter((copy) => copy.target !== node && copy.source !== node)
      if (kept.length === block.copies.length) continue
      concerned.push(blockId)
      for (const copy of block.copies) if (!kept.includes(copy)) release(copy)
      if (kept.length === 0) this.#blocks.delete(blockId)
      else this.#blocks.set(blockId, { copies: kept, sinceMs: block.sinceMs })
    }
    return concerned
  }

  /** Gives up what this node was told to send before `beforeMs`: it says that it is sending nothing. Returns the blocks concerned. */
  giveUpFrom(source: Datanode, beforeMs: number): number[] {
    const concerned: number[] = []
    for (const [blockId, block] of [...this.#blocks]) {
      if (block.sinceMs >= beforeMs) break
      if (!block.copies.some((copy) => copy.source === source)) continue
      this.forgetFrom(blockId, source)
      concerned.push(blockId)
    }
    return concerned
  }

  /** Gives up what was ordered before `beforeMs` and returns the blocks concerned. */
  expire(beforeMs: number): number[] {
    const late: number[] = []
    for (const [blockId, block] of this.#blocks) {
      if (block.sinceMs >= beforeMs) break
      late.push(blockId)
    }
    for (const blockId of late) this.forget(blockId)
    return late
  }
}

function release(copy: PendingCopy | undefined): void {
  if (copy?.source && copy.source.outgoing > 0) copy.source.outgoing--
}
