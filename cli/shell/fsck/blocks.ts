// What fsck knows of a file's blocks: where the namenode says they can be read, and, for the superuser, every replica with its state.
import type { FileInfo, FileSystem } from '../../../client/index.ts'
import { isQuarryError } from '../../../common/errors.ts'

type Details = Awaited<ReturnType<FileSystem['admin']['replicas']>>[number]
type Located = Awaited<ReturnType<typeof locationsOf>>
type LocatedBlock = NonNullable<Located['blocks']>['blocks'][number]
type Location = LocatedBlock['locations'][number]

/** Blocks that one call may name (namenode.proto). */
const blocksPerCall = 1000

/** HDFS's words; a replica on a dead node is none. */
export type FsckReplicaState =
  | 'LIVE'
  | 'STALE_NODE'
  | 'STALE_BLOCK_CONTENT'
  | 'DECOMMISSIONING'
  | 'DECOMMISSIONED'
  | 'ENTERING_MAINTENANCE'
  | 'IN_MAINTENANCE'
  | 'CORRUPT'
  | 'EXCESS'

export interface FsckReplica {
  readonly state: FsckReplicaState
  /** ip:port */
  readonly address: string
  readonly hostname: string
  readonly rack: string
  readonly storageUuid: string
  readonly storageType: string
  readonly genstamp: number
  readonly length: number
}

export interface FsckBlock {
  readonly blockId: number
  readonly genstamp: number
  readonly length: number
  /** In the file. */
  readonly offset: number
  /** There are replicas, and all of them are corrupt. */
  readonly corrupt: boolean
  readonly replicas: readonly FsckReplica[]
  /** Racks that the placement policy wants in addition. */
  readonly racksMissing: number
  readonly misplaced: boolean
  readonly queued: boolean
}

export interface FsckFile {
  readonly info: FileInfo
  readonly isOpen: boolean
  readonly blocks: readonly FsckBlock[]
  /** The block that a writer fills. */
  readonly growing: FsckBlock | undefined
}

const locationsOf = (fs: FileSystem, path: string, signal: AbortSignal) =>
  fs.namenode.call('getBlockLocations', { path, offset: 0, length: Number.MAX_SAFE_INTEGER }, { signal })

/** Loads files in groups: their locations at the same time, the details of all their blocks in as few calls as can be. */
export class BlockLoader {
  readonly #fs: FileSystem
  readonly #signal: AbortSignal
  /** Only the superuser gets them; others see what they may read. */
  #details = true

  constructor(fs: FileSystem, signal: AbortSignal) {
    this.#fs = fs
    this.#signal = signal
  }

  /** A file deleted meanwhile is undefined; other failures are thrown. */
  async load(files: readonly FileInfo[]): Promise<(FsckFile | undefined)[]> {
    const settled = await Promise.allSettled(files.map((info) => locationsOf(this.#fs, info.path, this.#signal)))
    const located = settled.map((outcome) => {
      if (outcome.status === 'fulfilled') return outcome.value
      if (isQuarryError(outcome.reason, 'NOT_FOUND')) return undefined
      throw outcome.reason
    })
    const ids = located.flatMap((one) => (one ? blocksOf(one).map((block) => block.block?.blockId ?? 0) : []))
    const details = await this.#detailsOf(ids)
    return located.map((one, index) => one && fileOf(files[index] as FileInfo, one, details))
  }

  async #detailsOf(ids: readonly number[]): Promise<ReadonlyMap<number, Details>> {
    const known = new Map<number, Details>()
    try {
      for (let at = 0; this.#details && at < ids.length; at += blocksPerCall) {
        const blocks = await this.#fs.admin.replicas(ids.slice(at, at + blocksPerCall), { signal: this.#signal })
        for (const one of blocks) known.set(one.block?.blockId ?? 0, one)
      }
    } catch (error) {
      if (!isQuarryError(error, 'PERMISSION_DENIED')) throw error
      this.#details = false
    }
    return known
  }
}

/** All blocks of a file, with the one that is being written. */
function blocksOf({ blocks }: Located): readonly LocatedBlock[] {
  const closed = blocks?.blocks ?? []
  const growing = growingOf(blocks)
  return growing && !closed.some((block) => block.block?.blockId === growing.block?.blockId) ? [...closed, growing] : closed
}

function growingOf(blocks: Located['blocks']): LocatedBlock | undefined {
  return blocks?.underConstruction && !blocks.lastBlockComplete ? (blocks.lastBlock ?? undefined) : undefined
}

function fileOf(info: FileInfo, located: Located, details: ReadonlyMap<number, Details>): FsckFile {
  const growing = growingOf(located.blocks)
  const blocks = blocksOf(located).map((block) => blockOf(block, details.get(block.block?.blockId ?? 0)))
  return {
    info,
    isOpen: located.blocks?.underConstruction ?? false,
    blocks: blocks.filter((block) => block.blockId !== growing?.block?.blockId),
    growing: blocks.find((block) => block.blockId === growing?.block?.blockId),
  }
}

function blockOf(located: LocatedBlock, details: Details | undefined): FsckBlock {
  const { blockId = 0, genstamp = 0, length = 0 } = located.block ?? {}
  const replicas = details
    ? replicasOf(details)
    : located.locations.map((location) => replicaOf(location, located.corrupt ? 'CORRUPT' : 'LIVE', genstamp, length))
  return {
    blockId,
    genstamp,
    length,
    offset: located.offset,
    corrupt: located.corrupt,
    replicas,
    misplaced: details?.misplaced ?? false,
    racksMissing: details?.racksMissing ?? 0,
    queued: details?.queued ?? false,
  }
}

/** Replicas as fsck counts them: those of dead nodes are gone, those of an open block are live. */
export function replicasOf(details: Details): FsckReplica[] {
  return details.replicas.flatMap(({ location, state, genstamp, length }) => {
    if (!location || state === 'DEAD') return []
    return replicaOf(location, state === 'UNDER_CONSTRUCTION' ? 'LIVE' : (state as FsckReplicaState), genstamp, length)
  })
}

const storageTypes = ['DISK', 'DISK', 'SSD', 'ARCHIVE', 'RAM_DISK']

function replicaOf(location: Location, state: FsckReplicaState, genstamp: number, length: number): FsckReplica {
  const node = location.datanode
  return {
    state,
    address: `${node?.ip ?? ''}:${node?.transferPort || node?.grpcPort || 0}`,
    hostname: node?.hostname ?? '',
    rack: node?.rack ?? '',
    storageUuid: location.storageUuid,
    storageType: storageTypes[location.storageType] ?? 'DISK',
    genstamp,
    length,
  }
}
