// Directory entries in memory: (directory, name) -> inode, or null for "known not to be there". A map a directory, bounded in all.
import type { Inode } from '../core/model.ts'

type Entries = Map<string, Inode | null>

export class NameCache {
  #young = new Map<number, Entries>()
  #old = new Map<number, Entries>()
  #count = 0
  readonly #half: number

  constructor(entriesMax: number) {
    this.#half = Math.max(1, Math.floor(entriesMax / 2))
  }

  get(parentId: number, name: string): Inode | null | undefined {
    const young = this.#young.get(parentId)?.get(name)
    if (young !== undefined) return young
    const old = this.#old.get(parentId)?.get(name)
    if (old !== undefined) this.set(parentId, name, old)
    return old
  }

  set(parentId: number, name: string, inode: Inode | null): void {
    let entries = this.#young.get(parentId)
    if (entries === undefined) {
      entries = new Map()
      this.#young.set(parentId, entries)
    }
    const before = entries.size
    entries.set(name, inode)
    this.#count += entries.size - before
  }

  /** See Generations.age. */
  age(): void {
    if (this.#count < this.#half) return
    this.#old = this.#young
    this.#young = new Map()
    this.#count = 0
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
    this.#count = 0
  }
}
