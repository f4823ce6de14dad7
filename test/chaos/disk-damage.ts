// Damage to what datanodes have on their disks: a flipped bit, or a block file that is gone. The budget: of the copies of a block at
// most replication - 1 = 2 are ever damaged, and only while three whole ones are there at that moment, so that a good copy is always
// left to heal from.
import { openSync, closeSync, existsSync, readdirSync, readSync, rmSync, statSync, writeSync } from 'node:fs'
import path from 'node:path'
import { parseName } from '../../datanode/store/layout.ts'
import { must } from '../../common/assert.ts'

export const replication = 3

export interface ReplicaFiles {
  readonly node: number
  readonly blockId: number
  readonly genstamp: number
  readonly data: string
  readonly checksums: string
  readonly length: number
}

interface Damage {
  readonly replica: ReplicaFiles
  readonly what: 'flipped' | 'deleted'
  /** Of a flipped bit: where, and what stands there now. */
  readonly at: number
  readonly value: number
  readonly inode: number
}

export class DiskDamage {
  readonly #dataDirs: readonly string[]
  readonly #damages: Damage[] = []

  constructor(dataDirs: readonly string[]) {
    this.#dataDirs = dataDirs
  }

  get count(): number {
    return this.#damages.length
  }

  /** Flips a bit of a finalised replica of the node; answers what was hit, or undefined when nothing there may be. */
  flip(node: number, draw: number): string | undefined {
    const replica = this.#candidate(node, draw)
    if (replica === undefined) return undefined
    const at = draw % replica.length
    const file = openSync(replica.data, 'r+')
    try {
      const byte = Buffer.alloc(1)
      readSync(file, byte, 0, 1, at)
      byte[0] = byte[0]! ^ (1 << (draw % 8))
      writeSync(file, byte, 0, 1, at)
      this.#damages.push({ replica, what: 'flipped', at, value: byte[0], inode: statSync(replica.data).ino })
    } finally {
      closeSync(file)
    }
    return `bit ${draw % 8} of byte ${at} of block ${replica.blockId} (${replica.length} bytes)`
  }

  /** Deletes the data file, the checksum file, or both. */
  delete(node: number, draw: number): string | undefined {
    const replica = this.#candidate(node, draw)
    if (replica === undefined) return undefined
    const which = draw % 3
    const inode = statSync(replica.data).ino
    if (which !== 1) rmSync(replica.data)
    if (which !== 0) rmSync(replica.checksums)
    this.#damages.push({ replica, what: 'deleted', at: -1, value: 0, inode })
    return `${['the data file', 'the checksum file', 'both files'][which]} of block ${replica.blockId}`
  }

  /** Damage that is still there: replicas that were not removed or replaced since. */
  remaining(): string[] {
    return this.#damages
      .filter((damage) => this.#isThere(damage))
      .map(({ replica, what }) => `block ${replica.blockId} ${what} on datanode-${replica.node + 1}`)
  }

  #isThere({ replica, what, at, value, inode }: Damage): boolean {
    const { data, checksums, blockId } = replica
    // Of a lost file the other one alone must not stay; a copy that was made since has another inode, or another stamp.
    if (what === 'deleted') {
      const left = statSync(data, { throwIfNoEntry: false })
      if (left === undefined) return existsSync(checksums)
      return left.ino === inode && !hasChecksums(data, blockId)
    }
    if (!existsSync(data) || statSync(data).ino !== inode || at >= statSync(data).size) return false
    const file = openSync(data, 'r')
    try {
      const byte = Buffer.alloc(1)
      readSync(file, byte, 0, 1, at)
      return byte[0] === value
    } finally {
      closeSync(file)
    }
  }

  #candidate(node: number, draw: number): ReplicaFiles | undefined {
    const candidates: ReplicaFiles[] = []
    for (const copies of replicasByBlock(this.#dataDirs).values()) {
      const newest = Math.max(...copies.map((copy) => copy.genstamp))
      const same = copies.filter((copy) => copy.genstamp === newest)
      const whole = same.filter(
        (copy) => copy.length === must(same[0]).length && !this.#damages.some((damage) => damage.replica.data === copy.data),
      )
      const hits = this.#damages.filter((damage) => damage.replica.blockId === copies[0]?.blockId).length
      const mine = whole.find((copy) => copy.node === node)
      if (mine !== undefined && mine.length > 0 && hits < replication - 1 && whole.length >= replication - hits) candidates.push(mine)
    }
    return candidates.length === 0 ? undefined : candidates[draw % candidates.length]
  }
}

/** Finalised replicas of all datanodes. */
export function replicasByBlock(dataDirs: readonly string[]): Map<number, ReplicaFiles[]> {
  const found = new Map<number, ReplicaFiles[]>()
  for (const replica of dataDirs.flatMap((dir, node) => finalizedReplicas(dir, node))) {
    const copies = found.get(replica.blockId)
    if (copies === undefined) found.set(replica.blockId, [replica])
    else copies.push(replica)
  }
  return found
}

/** Finalised replicas below a storage directory; of a block in motion, none. */
export function finalizedReplicas(dataDir: string, node: number): ReplicaFiles[] {
  const root = path.join(dataDir, 'current/finalized')
  const found = new Map<number, { data?: string; checksums?: string; genstamp: number }>()
  for (const file of listFiles(root)) {
    const name = parseName(path.basename(file))
    if (name === undefined) continue
    const entry = found.get(name.blockId) ?? { genstamp: 0 }
    if (name.kind === 'data') entry.data = file
    else {
      entry.checksums = file
      entry.genstamp = name.genstamp
    }
    found.set(name.blockId, entry)
  }
  return [...found].flatMap(([blockId, { data, checksums, genstamp }]) => {
    if (data === undefined || checksums === undefined) return []
    const length = statSync(data, { throwIfNoEntry: false })?.size
    return length === undefined ? [] : [{ node, blockId, genstamp, data, checksums, length }]
  })
}

/** Whether a checksum file of any stamp stands beside a data file. */
function hasChecksums(data: string, blockId: number): boolean {
  return listFiles(path.dirname(data)).some((file) => {
    const name = parseName(path.basename(file))
    return name?.kind === 'checksums' && name.blockId === blockId
  })
}

/** Files come and go while they are listed: a directory that is gone is empty. */
function listFiles(root: string): string[] {
  try {
    return readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name))
  } catch {
    return []
  }
}
