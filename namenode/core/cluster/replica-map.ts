// Which storage holds which replica, for every block of the cluster: the one structure of the namenode that grows with the
// data and lives in memory only. Rebuilt from block reports.
//
// Objects would cost ten times the bytes and keep the garbage collector busy, so everything is a column of a typed array:
//
//   index     open-addressed hash of block ids (linear probing, at most 1/2 full)  -> entry
//   entries   block id (8 B), first slot (4 B)                                     one a block; stable numbers, reused when freed
//   slots     genstamp (8 B), length (8 B), next slot (4 B), storage and flags (4 B)   one a replica: 24 bytes
//
// Entries and slots keep their numbers when the arrays grow, so a scan over the entries may be interrupted and resumed.
import { assert } from '../../../common/assert.ts'
import type { ReplicaState } from '../../../proto/ports.ts'

const FREE = -1
const END = -1
/** Low bits of a slot's place: 3 for the state, a flag each for corrupt and excess, 3 for the epoch; the storage's number is above. */
const STATE_MASK = 0b111
const CORRUPT = 1 << 3
const EXCESS = 1 << 4
const EPOCH_SHIFT = 5
const STORAGE_SHIFT = 8
/**
 * Full reports mark the replicas they name with the storage's epoch; what is not marked in the end is gone. Eight values, so that
 * marks of reports that broke off half-way are told from the current one's.
 */
export const epochs = 8
/** 2^23 storages: 23 bits above the flags, the sign bit stays free. */
export const storagesMax = 1 << 23

export class ReplicaMap {
  #index = new Int32Array(1024)
  #indexMask = 1023

  #blockIds = new Float64Array(512)
  #firstSlots = new Int32Array(512)
  #entryCount = 0
  #freeEntry = END
  #blocks = 0

  #genstamps = new Float64Array(1024)
  #lengths = new Float64Array(1024)
  #nextSlots = new Int32Array(1024)
  #places = new Int32Array(1024)
  #slotCount = 0
  #freeSlot = END
  #replicas = 0

  /** Blocks with at least one replica. */
  get blocks(): number {
    return this.#blocks
  }

  get replicas(): number {
    return this.#replicas
  }

  /** Entries that a scan goes over, free ones among them. */
  get entries(): number {
    return this.#entryCount
  }

  /** The number of a block's entry, or -1. */
  entryOf(blockId: number): number {
    const at = this.#find(blockId)
    return at < 0 ? END : this.#index[at]! - 1
  }

  /** Bytes of the columns. */
  get memoryBytes(): number {
    return (
      this.#index.byteLength +
      this.#blockIds.byteLength +
      this.#firstSlots.byteLength +
      this.#genstamps.byteLength +
      this.#lengths.byteLength +
      this.#nextSlots.byteLength +
      this.#places.byteLength
    )
  }

  /** The first replica slot of a block, or -1. Go on with `next`. */
  first(blockId: number): number {
    const at = this.#find(blockId)
    return at < 0 ? END : this.#firstSlots[this.#index[at]! - 1]!
  }

  /** The slot after `slot` of the same block, or -1. */
  next(slot: number): number {
    return this.#nextSlots[slot]!
  }

  /** The slot of a block's replica on a storage, or -1. */
  find(blockId: number, storage: number): number {
    for (let slot = this.first(blockId); slot !== END; slot = this.#nextSlots[slot]!) {
      if (this.#places[slot]! >>> STORAGE_SHIFT === storage) return slot
    }
    return END
  }

  storage(slot: number): number {
    return this.#places[slot]! >>> STORAGE_SHIFT
  }

  state(slot: number): ReplicaState {
    return (this.#places[slot]! & STATE_MASK) as ReplicaState
  }

  genstamp(slot: number): number {
    return this.#genstamps[slot]!
  }

  length(slot: number): number {
    return this.#lengths[slot]!
  }

  isCorrupt(slot: number): boolean {
    return (this.#places[slot]! & CORRUPT) !== 0
  }

  setCorrupt(slot: number): void {
    this.#places[slot]! |= CORRUPT
  }

  /** Excess: the namenode has decided to delete it and it must not be counted, though it may still be there. */
  isExcess(slot: number): boolean {
    return (this.#places[slot]! & EXCESS) !== 0
  }

  setExcess(slot: number): void {
    this.#places[slot]! |= EXCESS
  }

  /** The mark of the full report that last named this replica. */
  epoch(slot: number): number {
    return (this.#places[slot]! >>> EPOCH_SHIFT) & (epochs - 1)
  }

  /**
   * Inserts or updates a replica and returns its slot. The corrupt and excess flags survive an update with the same generation
   * stamp and length: such a report only says that the bad or unwanted copy is still there.
   */
  put(
    blockId: number,
    storage: number,
    replica: { readonly genstamp: number; readonly length: number; readonly state: ReplicaState; readonly epoch: number },
  ): number {
    assert(storage >= 0 && storage < storagesMax, 'storage number out of range')
    let slot = this.find(blockId, storage)
    let flags = replica.epoch << EPOCH_SHIFT
    if (slot === END) slot = this.#addSlot(blockId)
    else if (this.#genstamps[slot] === replica.genstamp && this.#lengths[slot] === replica.length)
      flags |= this.#places[slot]! & (CORRUPT | EXCESS)
    this.#genstamps[slot] = replica.genstamp
    this.#lengths[slot] = replica.length
    this.#places[slot] = (storage << STORAGE_SHIFT) | flags | replica.state
    return slot
  }

  /** Whether there was one. */
  remove(blockId: number, storage: number): boolean {
    const at = this.#find(blockId)
    if (at < 0) return false
    const entry = this.#index[at]! - 1
    let before = END
    for (let slot = this.#firstSlots[entry]!; slot !== END; before = slot, slot = this.#nextSlots[slot]!) {
      if (this.#places[slot]! >>> STORAGE_SHIFT !== storage) continue
      if (before === END) this.#firstSlots[entry] = this.#nextSlots[slot]!
      else this.#nextSlots[before] = this.#nextSlots[slot]!
      this.#releaseSlot(slot)
      if (this.#firstSlots[entry] === END) this.#releaseEntry(at, entry)
      return true
    }
    return false
  }

  /** Forgets all replicas of a block. */
  removeBlock(blockId: number): void {
    const at = this.#find(blockId)
    if (at < 0) return
    const entry = this.#index[at]! - 1
    for (let slot = this.#firstSlots[entry]!; slot !== END;) {
      const next = this.#nextSlots[slot]!
      this.#releaseSlot(slot)
      slot = next
    }
    this.#releaseEntry(at, entry)
  }

  /**
   * Visits the ids of `limit` entries from number `from` on and returns where to go on, or -1 at the end. The visitor may remove
   * replicas of the block it was given; blocks added meanwhile may or may not be seen.
   */
  scan(from: number, limit: number, visit: (blockId: number) => void): number {
    const until = Math.min(from + limit, this.#entryCount)
    for (let entry = from; entry < until; entry++) {
      const blockId = this.#blockIds[entry]!
      if (blockId !== FREE) visit(blockId)
    }
    return until >= this.#entryCount ? END : until
  }

  #find(blockId: number): number {
    const mask = this.#indexMask
    for (let at = hash(blockId) & mask; ; at = (at + 1) & mask) {
      const entry = this.#index[at]!
      if (entry === 0) return END
      if (this.#blockIds[entry - 1] === blockId) return at
    }
  }

  #addSlot(blockId: number): number {
    const entry = this.#makeEntry(blockId)
    let slot = this.#freeSlot
    if (slot !== END) this.#freeSlot = this.#nextSlots[slot]!
    else {
      slot = this.#slotCount++
      if (slot >= this.#places.length) this.#growSlots()
    }
    this.#nextSlots[slot] = this.#firstSlots[entry]!
    this.#firstSlots[entry] = slot
    this.#replicas++
    return slot
  }

  #makeEntry(blockId: number): number {
    const at = this.#find(blockId)
    if (at >= 0) return this.#index[at]! - 1
    if ((this.#blocks + 1) * 2 > this.#index.length) this.#growIndex()
    let entry = this.#freeEntry
    if (entry !== END) this.#freeEntry = this.#firstSlots[entry]!
    else {
      entry = this.#entryCount++
      if (entry >= this.#blockIds.length) this.#growEntries()
    }
    this.#blockIds[entry] = blockId
    this.#firstSlots[entry] = END
    this.#insertIndex(entry)
    this.#blocks++
    return entry
  }

  #insertIndex(entry: number): void {
    let at = hash(this.#blockIds[entry]!) & this.#indexMask
    while (this.#index[at] !== 0) at = (at + 1) & this.#indexMask
    this.#index[at] = entry + 1
  }

  #releaseSlot(slot: number): void {
    this.#nextSlots[slot] = this.#freeSlot
    this.#freeSlot = slot
    this.#replicas--
  }

  /** Frees an entry and closes the gap in the index: entries that probed past the gap move back, so no tombstones pile up. */
  #releaseEntry(at: number, entry: number): void {
    const mask = this.#indexMask
    this.#blockIds[entry] = FREE
    this.#firstSlots[entry] = this.#freeEntry
    this.#freeEntry = entry
    this.#blocks--
    let gap = at
    for (let probe = (at + 1) & mask; this.#index[probe] !== 0; probe = (probe + 1) & mask) {
      const home = hash(this.#blockIds[this.#index[probe]! - 1]!) & mask
      if (((probe - home) & mask) >= ((probe - gap) & mask)) {
        this.#index[gap] = this.#index[probe]!
        gap = probe
      }
    }
    this.#index[gap] = 0
  }

  #growIndex(): void {
    this.#index = new Int32Array(this.#index.length * 2)
    this.#indexMask = this.#index.length - 1
    for (let entry = 0; entry < this.#entryCount; entry++) {
      if (this.#blockIds[entry] !== FREE) this.#insertIndex(entry)
    }
  }

  #growEntries(): void {
    const size = grown(this.#blockIds.length)
    this.#blockIds = copied(new Float64Array(size), this.#blockIds)
    this.#firstSlots = copied(new Int32Array(size), this.#firstSlots)
  }

  #growSlots(): void {
    const size = grown(this.#places.length)
    this.#genstamps = copied(new Float64Array(size), this.#genstamps)
    this.#lengths = copied(new Float64Array(size), this.#lengths)
    this.#nextSlots = copied(new Int32Array(size), this.#nextSlots)
    this.#places = copied(new Int32Array(size), this.#places)
  }
}

/** Half as much again: doubling would leave up to half of the largest arrays unused. */
function grown(size: number): number {
  return size + (size >>> 1)
}

function copied<T extends Float64Array | Int32Array>(target: T, source: T): T {
  target.set(source)
  return target
}

/** Block ids are handed out one after another: the multiplication spreads neighbours, the shift brings high bits down. */
function hash(blockId: number): number {
  const mixed = Math.imul((blockId >>> 0) ^ Math.floor(blockId / 4294967296), 0x9e3779b1)
  return (mixed ^ (mixed >>> 15)) >>> 0
}
