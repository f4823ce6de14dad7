// One storage directory: whose it is, and how much room it has.
import { resolve } from 'node:path'
import type { Clock } from '../../common/env.ts'
import { isQuarryError, QuarryError } from '../../common/errors.ts'
import { StorageType } from '../../proto/ports.ts'
import { doubtsDisk } from './disk-errors.ts'
import type { Disk, DiskSpace } from './disk.ts'
import { readIdentity, writeIdentity } from './identity.ts'
import type { StorageIdentity } from './identity.ts'
import { storagePaths } from './layout.ts'
import type { StoragePaths } from './layout.ts'

export interface StorageLimits {
  /** Bytes of the disk to leave free. */
  readonly reserved: number
  /** Upper bound for our bytes; 0 = what the disk has. */
  readonly capacity: number
}

/** Free space of a disk is asked for at most this often. */
const spaceCacheMs = 500

export class StorageDirectory {
  readonly paths: StoragePaths
  readonly type = StorageType.STORAGE_DISK
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #limits: StorageLimits
  readonly #unlock: () => void
  #identity: StorageIdentity
  /** What the disk said last, when, and what we used then. */
  #space: DiskSpace
  #spaceMs: number
  #spaceUsed = 0
  #asking: Promise<void> | undefined
  /** Bytes in data and checksum files. */
  used = 0
  /** Finalised replicas. */
  finalized = 0
  failed = false
  /** Why it failed, for people. */
  failure = ''
  /** Called with an error that casts doubt on the disk. */
  onDoubt: (error: Error) => void = () => {}

  private constructor(
    at: { readonly disk: Disk; readonly clock: Clock; readonly limits: StorageLimits },
    paths: StoragePaths,
    opened: { readonly unlock: () => void; readonly identity: StorageIdentity; readonly space: DiskSpace },
  ) {
    this.#disk = at.disk
    this.#clock = at.clock
    this.#limits = at.limits
    this.paths = paths
    this.#unlock = opened.unlock
    this.#identity = opened.identity
    this.#space = opened.space
    this.#spaceMs = at.clock.monotonicMs()
  }

  /** Opens or makes a storage directory. Throws IN_USE, VERSION, or CONFIG with what to do. */
  static async open(
    root: string,
    at: { readonly disk: Disk; readonly clock: Clock; readonly limits: StorageLimits },
    fresh: () => { readonly datanodeUuid: string; readonly storageUuid: string },
  ): Promise<StorageDirectory> {
    const { disk } = at
    const paths = storagePaths(resolve(root))
    let unlock = () => {}
    try {
      for (const path of [paths.finalized, paths.rbw, paths.tmp, paths.scratch]) await disk.mkdir(path)
      unlock = await disk.lock(paths.root)
      const identity = (await readIdentity(disk, paths.root)) ?? (await writeIdentity(disk, paths.root, fresh()))
      return new StorageDirectory(at, paths, { unlock, identity, space: await disk.space(paths.root) })
    } catch (error) {
      unlock()
      if (isQuarryError(error)) throw error
      throw new QuarryError(
        'CONFIG',
        `The storage directory ${paths.root} cannot be used: ${(error as Error).message}`,
        { dir: paths.root },
        { cause: error },
      )
    }
  }

  get identity(): StorageIdentity {
    return this.#identity
  }

  get uuid(): string {
    return this.#identity.storageUuid
  }

  /** Binds a fresh directory to its cluster, or checks that it belongs to it. Throws WRONG_CLUSTER. */
  async bind(clusterId: string, poolId: string): Promise<void> {
    const { clusterId: own, poolId: ownPool } = this.#identity
    if (own === clusterId && ownPool === poolId) return
    if (own !== '') {
      throw new QuarryError(
        'WRONG_CLUSTER',
        `The storage directory ${this.paths.root} belongs to cluster ${own}, but the namenode serves cluster ${clusterId}. Point the datanode at its own namenode, or give it an empty directory.`,
        { dir: this.paths.root, own, namenode: clusterId },
      )
    }
    this.#identity = await writeIdentity(this.#disk, this.paths.root, { ...this.#identity, clusterId, poolId })
  }

  /** Bytes of the disk that are left free for others. */
  get reserved(): number {
    return this.#limits.reserved
  }

  /**
   * Bytes that we may hold in all, and may still write: what the disk said last, less what was written here since. An old answer is
   * asked for anew behind the caller's back.
   */
  space(): { readonly capacity: number; readonly remaining: number; readonly nonDfsUsed: number } {
    if (this.failed) return { capacity: 0, remaining: 0, nonDfsUsed: 0 }
    if (this.#clock.monotonicMs() - this.#spaceMs >= spaceCacheMs) void this.refreshSpace()
    const { total: bytes, free: left } = this.#space
    const total = Math.max(0, bytes - this.#limits.reserved)
    const capacity = this.#limits.capacity > 0 ? Math.min(total, this.#limits.capacity) : total
    return { capacity, remaining: this.remaining(), nonDfsUsed: Math.max(0, bytes - left - this.#spaceUsed) }
  }

  /** Bytes that may still be written, from what is known without asking the disk. */
  remaining(): number {
    if (this.failed) return 0
    const free = this.#space.free - this.#limits.reserved - (this.used - this.#spaceUsed)
    const total = Math.max(0, this.#space.total - this.#limits.reserved)
    const capacity = this.#limits.capacity > 0 ? Math.min(total, this.#limits.capacity) : total
    return Math.max(0, Math.min(capacity - this.used, free))
  }

  /** As remaining(), and the disk is asked anew behind the caller's back when its last answer is old. */
  freshRemaining(): number {
    if (this.#clock.monotonicMs() - this.#spaceMs >= spaceCacheMs) void this.refreshSpace()
    return this.remaining()
  }

  /** Asks the disk, unless its last answer is young. */
  async freshSpace(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#spaceMs >= spaceCacheMs) await this.refreshSpace()
  }

  /** Asks the disk now. Never rejects: a disk that does not answer is doubted, and what it said last stands. */
  refreshSpace(): Promise<void> {
    if (this.failed) return Promise.resolve()
    this.#asking ??= this.#disk
      .space(this.paths.root)
      .then(
        (space) => {
          this.#space = space
          this.#spaceUsed = this.used
        },
        (error: unknown) => this.doubt(error),
      )
      .finally(() => {
        this.#spaceMs = this.#clock.monotonicMs()
        this.#asking = undefined
      })
    return this.#asking
  }

  /** A file call here failed: has the disk to be looked at? */
  doubt(error: unknown): void {
    if (!this.failed && doubtsDisk(error)) this.onDoubt(error as Error)
  }

  /** Idempotent. */
  close(): void {
    this.#unlock()
  }
}
