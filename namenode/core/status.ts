// File status and located blocks: what every door tells of a record.
import type { Init, FileStatus, LocatedBlock, LocatedBlocks, ReplicaLocation } from '../../proto/ports.ts'
import { FileKind } from '../../proto/ports.ts'
import { HAS_ACL } from './extras.ts'
import type { BlockRecord, ClusterPort, FileInode, Inode, NamespaceView } from './model.ts'
import { policyInForce } from './storage-policies.ts'

/** What is needed to say where blocks are. */
export interface Locator {
  readonly view: NamespaceView
  readonly cluster: ClusterPort
  readonly poolId: string
  readonly settings: { readonly 'replication.min': number }
  /** Address of the caller: near replicas come first. */
  readonly caller: { readonly address: string }
}

export function fileStatus(view: NamespaceView, inode: Inode, name: string): FileStatus {
  if (inode.kind === 'directory') {
    return {
      kind: FileKind.KIND_DIRECTORY,
      name,
      length: 0,
      permission: inode.permission,
      owner: inode.owner,
      group: inode.group,
      mtimeMs: inode.mtimeMs,
      atimeMs: inode.atimeMs,
      replication: 0,
      blockSize: 0,
      fileId: inode.id,
      children: inode.children,
      storagePolicy: policyInForce(view, inode),
      underConstruction: false,
      locations: null,
      flags: inode.flags & HAS_ACL,
    }
  }
  return {
    kind: FileKind.KIND_FILE,
    name,
    length: inode.length,
    permission: inode.permission,
    owner: inode.owner,
    group: inode.group,
    mtimeMs: inode.mtimeMs,
    atimeMs: inode.atimeMs,
    replication: inode.replication,
    blockSize: inode.blockSize,
    fileId: inode.id,
    children: 0,
    storagePolicy: policyInForce(view, inode),
    underConstruction: inode.holder !== '',
    locations: null,
    flags: inode.flags & HAS_ACL,
  }
}

const noToken = new Uint8Array(0)

export function locatedBlock(block: BlockRecord, offset: number, locations: readonly ReplicaLocation[], corrupt: boolean): LocatedBlock {
  return {
    block: { blockId: block.blockId, genstamp: block.genstamp, length: block.length },
    offset,
    locations: locations as ReplicaLocation[],
    corrupt,
    token: noToken,
    leaseFileId: block.fileId,
  }
}

/** Has the block its final length and enough replicas of it? */
export function isComplete(at: Pick<Locator, 'cluster' | 'settings'>, block: BlockRecord): boolean {
  return block.state === 'committed' && at.cluster.liveReplicas(block) >= at.settings['replication.min']
}

/** The blocks that overlap [offset, offset + length), with where they can be read. */
export function locatedBlocks(at: Locator, file: FileInode, offset: number, length: number): Init<LocatedBlocks> {
  const { poolId } = at
  const isOpen = file.holder !== ''
  const all = file.length === 0 && !isOpen ? [] : at.view.blocks(file.id)
  const last = all.at(-1)
  if (last === undefined) {
    return { poolId, fileLength: 0, blocks: [], underConstruction: isOpen, lastBlock: null, lastBlockComplete: false }
  }
  const locate = (block: BlockRecord, start: number): LocatedBlock =>
    locatedBlock(block, start, at.cluster.locations(block, at.caller.address), at.cluster.isCorrupt(block.blockId))
  const lastOpen = isOpen && last.state !== 'committed'
  const fileLength = lastOpen ? file.length - last.length : file.length
  const end = offset + length
  const blocks: LocatedBlock[] = []
  let start = 0
  for (const block of all) {
    if (start >= end) break
    const stop = start + block.length
    if (stop > offset && !(lastOpen && block === last)) blocks.push(locate(block, start))
    start = stop
  }
  const lastStart = file.length - last.length
  const listed = blocks.at(-1)
  const lastBlock = listed?.block?.blockId === last.blockId ? listed : locate(last, lastStart)
  return { poolId, fileLength, blocks, underConstruction: isOpen, lastBlock, lastBlockComplete: !lastOpen }
}
