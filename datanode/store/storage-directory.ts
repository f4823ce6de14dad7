// One storage directory: whose it is, who has it open, and how much room it has.
import { mkdirSync, openSync, closeSync, fsyncSync, readFileSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { QuarryError } from '../../common/errors.ts'
import { StorageType } from '../../proto/ports.ts'
import { identityFile, lockFile, storagePaths } from './layout.ts'
import type { StoragePaths } from './layout.ts'

/** Layout of a storage directory. 1: two plain files a replica, 32 by 32 directories. */
export const layoutVersion = 1

export interface StorageIdentity {
  readonly layout: number
  readonly datanodeUuid: string
  readonly storageUuid: string
  /** Empty until the first registration. */
  readonly clusterId: string
  readonly poolId: string
}

export interface StorageLimits {
  /** Bytes of the disk to leave free. */
  readonly reserved: number
  /** Upper bound for our bytes; 0 = what the disk has. */
  readonly capacity: number
}

/** Directories that this very process has open: the pid in the lock file cannot tell two owners in one process apart. */
const openHere = new Set<string>()

export class StorageDirectory {
  readonly paths: StoragePaths
  readonly type = StorageType.STORAGE_DISK
  readonly #limits: StorageLimits
  #identity: StorageIdentity
  /** Bytes in data and checksum files. */
  used = 0
  /** Finalised replicas. */
  finalized = 0
  failed = false

  private constructor(paths: StoragePaths, identity: StorageIdentity, limits: StorageLimits) {
    this.paths = paths
    this.#identity = identity
    this.#limits = limits
  }

  /** Opens or makes a storage directory. Throws IN_USE, VERSION, or CONFIG with what to do. */
  static open(
    root: string,
    limits: StorageLimits,
    fresh: () => { readonly datanodeUuid: string; readonly storageUuid: string },
  ): StorageDirectory {
    const paths = storagePaths(resolve(root))
    try {
      for (const path of [paths.finalized, paths.rbw, paths.tmp, paths.scratch]) mkdirSync(path, { recursive: true })
    } catch (error) {
      throw new QuarryError(
        'CONFIG',
        `The storage directory ${paths.root} cannot be used: ${(error as Error).message}`,
        { dir: paths.root },
        { cause: error },
      )
    }
    lock(paths.root)
    try {
      const known = readIdentity(paths.root)
      const directory = new StorageDirectory(paths, known ?? { layout: layoutVersion, ...fresh(), clusterId: '', poolId: '' }, limits)
      if (known === undefined) directory.#save()
      return directory
    } catch (error) {
      unlock(paths.root)
      throw error
    }
  }

  get identity(): StorageIdentity {
    return this.#identity
  }

  get uuid(): string {
    return this.#identity.storageUuid
  }

  /** Binds a fresh directory to its cluster, or checks that it belongs to it. Throws WRONG_CLUSTER. */
  bind(clusterId: string, poolId: string): void {
    const { clusterId: own, poolId: ownPool } = this.#identity
    if (own === clusterId && ownPool === poolId) return
    if (own !== '') {
      throw new QuarryError(
        'WRONG_CLUSTER',
        `The storage directory ${this.paths.root} belongs to cluster ${own}, but the namenode serves cluster ${clusterId}. Point the datanode at its own namenode, or give it an empty directory.`,
        { dir: this.paths.root, own, namenode: clusterId },
      )
    }
    this.#identity = { ...this.#identity, clusterId, poolId }
    this.#save()
  }

  /** Bytes that we may hold in all, and may still write. */
  space(): { readonly capacity: number; readonly remaining: number; readonly nonDfsUsed: number } {
    const disk = statfsSync(this.paths.root)
    const total = Math.max(0, disk.blocks * disk.bsize - this.#limits.reserved)
    const capacity = this.#limits.capacity > 0 ? Math.min(total, this.#limits.capacity) : total
    const free = Math.max(0, disk.bavail * disk.bsize - this.#limits.reserved)
    const remaining = this.failed ? 0 : Math.max(0, Math.min(capacity - this.used, free))
    return { capacity, remaining, nonDfsUsed: Math.max(0, (disk.blocks - disk.bfree) * disk.bsize - this.used) }
  }

  /** Idempotent. */
  close(): void {
    unlock(this.paths.root)
  }

  #save(): void {
    const target = join(this.paths.root, identityFile)
    const temporary = `${target}.new`
    const fd = openSync(temporary, 'w')
    try {
      writeFileSync(fd, `${JSON.stringify(this.#identity, null, 2)}\n`)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, target)
    const directory = openSync(this.paths.root, 'r')
    try {
      fsyncSync(directory)
    } finally {
      closeSync(directory)
    }
  }
}

function readIdentity(root: string): StorageIdentity | undefined {
  const path = join(root, identityFile)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  let parsed: Partial<StorageIdentity>
  try {
    parsed = JSON.parse(text) as Partial<StorageIdentity>
  } catch (error) {
    throw new QuarryError(
      'CONFIG',
      `${path} is damaged and does not say whose blocks these are: ${(error as Error).message}. Restore it, or give the datanode an empty directory.`,
      { path },
    )
  }
  if (typeof parsed.layout !== 'number' || typeof parsed.datanodeUuid !== 'string' || typeof parsed.storageUuid !== 'string') {
    throw new QuarryError('CONFIG', `${path} does not say whose blocks these are. Restore it, or give the datanode an empty directory.`, {
      path,
    })
  }
  if (parsed.layout > layoutVersion) {
    throw new QuarryError(
      'VERSION',
      `The storage directory ${root} has layout ${parsed.layout}, made by a newer program; this one knows layouts up to ${layoutVersion}. Start the newer program.`,
      { dir: root, layout: parsed.layout },
    )
  }
  return {
    layout: parsed.layout,
    datanodeUuid: parsed.datanodeUuid,
    storageUuid: parsed.storageUuid,
    clusterId: parsed.clusterId ?? '',
    poolId: parsed.poolId ?? '',
  }
}

/**
 * Start time of a process in clock ticks since boot, which tells a pid that was used again; '' where /proc is absent. A process that
 * was killed and that nobody has waited for yet has none: it holds nothing any more.
 */
function startTime(pid: number): string {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '')
  } catch {
    return ''
  }
}

function lock(root: string): void {
  const path = join(root, lockFile)
  if (openHere.has(root))
    throw new QuarryError('IN_USE', `The storage directory ${root} is in use by another datanode of this process (pid ${process.pid}).`, {
      dir: root,
      pid: process.pid,
    })
  let owner: { pid?: number; started?: string } = {}
  try {
    owner = JSON.parse(readFileSync(path, 'utf8')) as typeof owner
  } catch {
    // No lock, or one torn by a crash: nobody holds it.
  }
  if (owner.pid !== undefined && owner.pid !== process.pid && isAlive(owner.pid) && startTime(owner.pid) === (owner.started ?? '')) {
    throw new QuarryError(
      'IN_USE',
      `The storage directory ${root} is in use by the datanode with pid ${owner.pid}. Stop it first, or give this one another directory.`,
      { dir: root, pid: owner.pid },
    )
  }
  writeFileSync(path, JSON.stringify({ pid: process.pid, started: startTime(process.pid) }))
  openHere.add(root)
}

function unlock(root: string): void {
  if (!openHere.delete(root)) return
  rmSync(join(root, lockFile), { force: true })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
