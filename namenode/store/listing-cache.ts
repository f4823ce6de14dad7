// Pages of listings, kept until an entry of their directory changes.
import type { ListingReply } from '../../proto/ports.ts'
import type { Inode } from '../core/model.ts'

/** Entries of all cached pages: at some 100 bytes each, 20 MB. */
const cachedEntriesMax = 200_000

export class ListingCache {
  #pages = new Map<number, Map<string, Readonly<ListingReply>>>()
  #entries = 0

  get(directoryId: number, after: string, limit: number): Readonly<ListingReply> | undefined {
    return this.#pages.get(directoryId)?.get(`${limit}:${after}`)
  }

  set(directoryId: number, after: string, limit: number, page: Readonly<ListingReply>): void {
    if (this.#entries + page.entries > cachedEntriesMax) this.clear()
    let pages = this.#pages.get(directoryId)
    if (pages === undefined) {
      pages = new Map()
      this.#pages.set(directoryId, pages)
    }
    pages.set(`${limit}:${after}`, page)
    this.#entries += page.entries + 1
  }

  /** An entry came, went, or changed in what a listing shows. */
  changed(before: Inode | undefined, after: Inode | undefined): void {
    if (this.#pages.size === 0 || (before !== undefined && after !== undefined && looksSame(before, after))) return
    if (before !== undefined) this.drop(before.parentId)
    if (after !== undefined) this.drop(after.parentId)
  }

  /** Forgets the pages of a directory. */
  drop(directoryId: number): void {
    const pages = this.#pages.get(directoryId)
    if (pages === undefined) return
    for (const page of pages.values()) this.#entries -= page.entries + 1
    this.#pages.delete(directoryId)
  }

  clear(): void {
    this.#pages.clear()
    this.#entries = 0
  }
}

/** Totals and quotas of a directory are not part of its row in a listing, and they change most. */
function looksSame(a: Inode, b: Inode): boolean {
  if (
    a.parentId !== b.parentId ||
    a.name !== b.name ||
    a.permission !== b.permission ||
    a.owner !== b.owner ||
    a.group !== b.group ||
    a.mtimeMs !== b.mtimeMs ||
    a.flags !== b.flags ||
    a.atimeMs !== b.atimeMs
  )
    return false
  if (a.kind === 'directory') return b.kind === 'directory' && a.children === b.children
  return (
    b.kind === 'file' &&
    a.length === b.length &&
    a.holder === b.holder &&
    a.replication === b.replication &&
    a.storagePolicy === b.storagePolicy
  )
}
