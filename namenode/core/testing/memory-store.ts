// A namespace store in memory, for tests: plain maps, and an undo list for rollback.
import { assert } from '../../../common/assert.ts'
import { firstBlockId, firstGenstamp, rootInodeId } from '../../../common/limits.ts'
import { compareNames } from '../../../common/path.ts'
import type { ListingReply } from '../../../proto/ports.ts'
import type { EditRecord } from '../edits.ts'
import { listingOf } from '../listing.ts'
import type { BlockRecord, Counters, Extras, FileInode, Inode, NamespaceStore, NamespaceTx } from '../model.ts'

export class MemoryStore implements NamespaceStore, NamespaceTx {
  #inodes = new Map<number, Inode>()
  #entries = new Map<number, Map<string, number>>()
  #blocks = new Map<number, BlockRecord>()
  #extras = new Map<number, Extras>()
  #counters: Counters = {
    nextInodeId: rootInodeId,
    nextBlockId: firstBlockId,
    nextGenstamp: firstGenstamp,
    lastTxid: 0,
    files: 0,
    directories: 0,
    blocks: 0,
  }
  #edits: EditRecord[] = []
  #meta = new Map<string, string>()
  #undo: (() => void)[] = []
  /** Set by a test: the next commit fails with it. */
  failNextCommit: Error | undefined

  get tx(): NamespaceTx {
    return this
  }

  inode(id: number): Inode | undefined {
    return this.#inodes.get(id)
  }

  child(parentId: number, name: string): Inode | undefined {
    const id = this.#entries.get(parentId)?.get(name)
    return id === undefined ? undefined : this.#inodes.get(id)
  }

  children(parentId: number, after: string, limit: number): Inode[] {
    const names = [...(this.#entries.get(parentId)?.keys() ?? [])].sort(compareNames)
    const from = after === '' ? names : names.filter((name) => compareNames(name, after) > 0)
    return from.slice(0, limit).map((name) => this.child(parentId, name)!)
  }

  listing(parentId: number, after: string, limit: number): Readonly<ListingReply> {
    const found = this.children(parentId, after, limit + 1)
    return listingOf(this, found.slice(0, limit), found.length > limit)
  }

  blocks(fileId: number): BlockRecord[] {
    return [...this.#blocks.values()].filter((block) => block.fileId === fileId).sort((a, b) => a.index - b.index)
  }

  block(blockId: number): BlockRecord | undefined {
    return this.#blocks.get(blockId)
  }

  blocksFrom(fromId: number, limit: number): BlockRecord[] {
    return [...this.#blocks.values()]
      .filter((block) => block.blockId >= fromId)
      .sort((a, b) => a.blockId - b.blockId)
      .slice(0, limit)
  }

  openFiles(afterId: number, limit: number): FileInode[] {
    const open = [...this.#inodes.values()].filter(
      (inode): inode is FileInode => inode.kind === 'file' && inode.holder !== '' && inode.id > afterId,
    )
    return open.sort((a, b) => a.id - b.id).slice(0, limit)
  }

  extras(id: number): Extras | undefined {
    return this.#extras.get(id)
  }

  hasPolicies(): boolean {
    return [...this.#extras.values()].some((extras) => extras.storagePolicy !== 0)
  }

  hasTypeQuotas(): boolean {
    return [...this.#extras.values()].some((extras) => extras.typeQuotas.length > 0)
  }

  counters(): Counters {
    return this.#counters
  }

  putInode(inode: Inode): void {
    const before = this.#inodes.get(inode.id)
    if (before !== undefined) this.#unlink(before)
    this.#inodes.set(inode.id, inode)
    this.#link(inode)
    this.#undo.push(() => {
      this.#unlink(inode)
      if (before === undefined) this.#inodes.delete(inode.id)
      else {
        this.#inodes.set(inode.id, before)
        this.#link(before)
      }
    })
  }

  deleteInode(id: number): void {
    const before = this.#inodes.get(id)
    assert(before !== undefined, () => `deletes inode ${id}, which does not exist`)
    this.#unlink(before)
    this.#inodes.delete(id)
    this.#undo.push(() => {
      this.#inodes.set(id, before)
      this.#link(before)
    })
  }

  #link(inode: Inode): void {
    let entries = this.#entries.get(inode.parentId)
    if (entries === undefined) {
      entries = new Map()
      this.#entries.set(inode.parentId, entries)
    }
    entries.set(inode.name, inode.id)
  }

  #unlink(inode: Inode): void {
    const entries = this.#entries.get(inode.parentId)
    if (entries?.get(inode.name) === inode.id) entries.delete(inode.name)
  }

  putBlock(block: BlockRecord): void {
    const before = this.#blocks.get(block.blockId)
    this.#blocks.set(block.blockId, block)
    this.#undo.push(() => void (before === undefined ? this.#blocks.delete(block.blockId) : this.#blocks.set(block.blockId, before)))
  }

  deleteBlock(blockId: number): void {
    const before = this.#blocks.get(blockId)
    assert(before !== undefined, () => `deletes block ${blockId}, which does not exist`)
    this.#blocks.delete(blockId)
    this.#undo.push(() => void this.#blocks.set(blockId, before))
  }

  putExtras(id: number, extras: Extras | undefined): void {
    const before = this.#extras.get(id)
    const put = (value: Extras | undefined): void => void (value === undefined ? this.#extras.delete(id) : this.#extras.set(id, value))
    put(extras)
    this.#undo.push(() => put(before))
  }

  setCounters(counters: Partial<Counters>): void {
    const before = this.#counters
    this.#counters = { ...before, ...counters }
    this.#undo.push(() => void (this.#counters = before))
  }

  commit(edits: readonly EditRecord[]): void {
    const failure = this.failNextCommit
    if (failure !== undefined) {
      this.failNextCommit = undefined
      throw failure
    }
    const last = edits.at(-1)
    if (last !== undefined) this.#counters = { ...this.#counters, lastTxid: last.txid }
    this.#edits.push(...edits)
    this.#undo = []
  }

  rollback(): void {
    for (const undo of this.#undo.reverse()) undo()
    this.#undo = []
  }

  editsAfter(txid: number, limit: number): EditRecord[] {
    return this.#edits.filter((record) => record.txid > txid).slice(0, limit)
  }

  firstKeptTxid(): number {
    return this.#edits[0]?.txid ?? this.#counters.lastTxid + 1
  }

  trimEdits(keep: number): void {
    if (keep > 0) this.#edits = this.#edits.filter((record) => record.txid > this.#counters.lastTxid - keep)
  }

  meta(key: string): string | undefined {
    return this.#meta.get(key)
  }

  setMeta(key: string, value: string): void {
    this.#meta.set(key, value)
  }

  explain(error: unknown): unknown {
    return error
  }

  close(): void {}
}
