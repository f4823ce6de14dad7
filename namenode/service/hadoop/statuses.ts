// Status, listings and block locations as Hadoop's clients want them, straight from what the core answers.
//
// Rules that bite (each breaks some client): a location begins with '/', storage ids and types are one a location, addresses are
// numeric, a listing with locations has them for every file, also an empty one, and for no directory. A datanode without a transfer
// port is no location: such a client could not talk to it.
import { FileKind, StorageType } from '../../../proto/ports.ts'
import type { DatanodeId, FileStatus, Init, ListingReply, LocatedBlock, LocatedBlocks, ReplicaLocation } from '../../../proto/ports.ts'
import { MessageWriter } from './message-writer.ts'

/** What a location needs of a message: number << 3 for a number, | 2 for what has a length. */
const field = (number: number): number => number << 3
const sized = (number: number): number => (number << 3) | 2

const STATUS = {
  type: field(1),
  path: sized(2),
  length: field(3),
  permission: sized(4),
  owner: sized(5),
  group: sized(6),
  mtime: field(7),
  atime: field(8),
  replication: field(10),
  blockSize: field(11),
  locations: sized(12),
  fileId: field(13),
  children: field(14),
  policy: field(16),
  flags: field(18),
} as const
const BLOCK = {
  block: sized(1),
  offset: field(2),
  location: sized(3),
  corrupt: field(4),
  token: sized(5),
  type: field(7),
  storage: sized(8),
} as const
const EXTENDED = { pool: sized(1), id: field(2), genstamp: field(3), length: field(4) } as const
const BLOCKS = { length: field(1), block: sized(2), open: field(3), last: sized(4), lastComplete: field(5) } as const
const NODE = { id: sized(1), location: sized(8) } as const
const NODE_ID = { ip: sized(1), host: sized(2), uuid: sized(3), xfer: field(4), info: field(5), ipc: field(6) } as const
const LISTING = { entry: sized(1), remaining: field(2) } as const
const NUMBER = field(1)
/** The one field of most answers, a message. */
const FIRST = sized(1)
const SECOND = sized(2)

const DIRECTORY = 1
const FILE = 2
const HAS_ACL = 1
/** identifier, password, kind, service: all there, all empty. */
const emptyToken = Buffer.from([0x0a, 0, 0x12, 0, 0x1a, 0, 0x22, 0])
/** Of kindPermission in a listing; see namenode.proto. */
const KIND_SHIFT = 16
const ACL_BIT = 1 << 14
const PERMISSION_BITS = 0o1777

/** One for all answers: each is copied into its frame before the next is written. */
const scratch = new MessageWriter()

/** A message whose first field is a status, or an empty one where there is none. */
export function statusResponse(file: FileStatus | null | undefined): Uint8Array {
  scratch.reset()
  if (file !== null && file !== undefined) putStatus(scratch, FIRST, file)
  return scratch.written()
}

export function appendResponse(poolId: string, block: LocatedBlock | null | undefined, file: FileStatus | null | undefined): Uint8Array {
  scratch.reset()
  if (block !== null && block !== undefined) putBlock(scratch, FIRST, poolId, block)
  if (file !== null && file !== undefined) putStatus(scratch, SECOND, file)
  return scratch.written()
}

export function locationsResponse(blocks: Init<LocatedBlocks>): Uint8Array {
  putBlocks(scratch.reset(), FIRST, blocks)
  return scratch.written()
}

export function blockResponse(poolId: string, block: LocatedBlock): Uint8Array {
  putBlock(scratch.reset(), FIRST, poolId, block)
  return scratch.written()
}

/** Pages that the store hands out again unchanged are encoded once: their bytes are kept beside the object. */
const encodedListings = new WeakMap<object, Uint8Array>()

export function listingResponse(page: ListingReply, withLocations: boolean): Uint8Array {
  if (!page.exists) return scratch.reset().written()
  let bytes = withLocations ? undefined : encodedListings.get(page)
  if (bytes === undefined) {
    const begun = scratch.reset().begin(FIRST)
    putEntries(scratch, LISTING.entry, page, withLocations)
    // Clients only ask whether there is more.
    scratch.number(LISTING.remaining, page.more ? 1 : 0).end(begun)
    bytes = scratch.written()
    if (!withLocations) {
      bytes = scratch.taken()
      encodedListings.set(page, bytes)
    }
  }
  return bytes
}

function putEntries(writer: MessageWriter, tag: number, page: ListingReply, withLocations: boolean): void {
  const { names } = page
  const principals = page.principals.map((name) => Buffer.from(name))
  let nameStart = 0
  let located = 0
  for (let i = 0; i < page.entries; i++) {
    const nameEnd = nameStart + page.nameLengths[i]!
    const bits = page.kindPermission[i]!
    const isDirectory = bits >>> KIND_SHIFT === FileKind.KIND_DIRECTORY
    const begun = writer.begin(tag)
    writer.number(STATUS.type, isDirectory ? DIRECTORY : FILE)
    writer.bytes(STATUS.path, names, nameStart, nameEnd)
    writer.number(STATUS.length, page.length[i]!)
    putNumber(writer, STATUS.permission, bits & PERMISSION_BITS)
    writer.bytes(STATUS.owner, principals[page.owner[i]!]!)
    writer.bytes(STATUS.group, principals[page.group[i]!]!)
    writer.number(STATUS.mtime, page.mtimeMs[i]!)
    writer.number(STATUS.atime, page.atimeMs[i]!)
    writer.number(STATUS.replication, page.replication[i]!)
    writer.number(STATUS.blockSize, page.blockSize[i]!)
    if (withLocations && !isDirectory) putBlocks(writer, STATUS.locations, page.locations[located++]!)
    writer.number(STATUS.fileId, page.fileId[i]!)
    writer.number(STATUS.children, page.children[i]!)
    writer.number(STATUS.policy, page.storagePolicy[i] ?? 0)
    writer.number(STATUS.flags, (bits & ACL_BIT) === 0 ? 0 : HAS_ACL)
    writer.end(begun)
    nameStart = nameEnd
  }
}

function putStatus(writer: MessageWriter, tag: number, file: FileStatus): void {
  const begun = writer.begin(tag)
  writer.number(STATUS.type, file.kind === FileKind.KIND_DIRECTORY ? DIRECTORY : FILE)
  writer.text(STATUS.path, file.name)
  writer.number(STATUS.length, file.length)
  putNumber(writer, STATUS.permission, file.permission & PERMISSION_BITS)
  writer.text(STATUS.owner, file.owner)
  writer.text(STATUS.group, file.group)
  writer.number(STATUS.mtime, file.mtimeMs)
  writer.number(STATUS.atime, file.atimeMs)
  writer.number(STATUS.replication, file.replication)
  writer.number(STATUS.blockSize, file.blockSize)
  if (file.locations !== null && file.locations !== undefined) putBlocks(writer, STATUS.locations, file.locations)
  writer.number(STATUS.fileId, file.fileId)
  writer.number(STATUS.children, file.children)
  writer.number(STATUS.policy, file.storagePolicy)
  writer.number(STATUS.flags, file.flags & HAS_ACL)
  writer.end(begun)
}

/** A message with one number in it. */
function putNumber(writer: MessageWriter, tag: number, value: number): void {
  const begun = writer.begin(tag)
  writer.number(NUMBER, value).end(begun)
}

function putBlocks(writer: MessageWriter, tag: number, located: Init<LocatedBlocks>): void {
  const poolId = located.poolId ?? ''
  const begun = writer.begin(tag)
  writer.number(BLOCKS.length, located.fileLength ?? 0)
  for (const block of located.blocks ?? []) putBlock(writer, BLOCKS.block, poolId, block as LocatedBlock)
  writer.number(BLOCKS.open, located.underConstruction === true ? 1 : 0)
  const last = located.lastBlock
  if (last !== null && last !== undefined) putBlock(writer, BLOCKS.last, poolId, last as LocatedBlock)
  writer.number(BLOCKS.lastComplete, located.lastBlockComplete === true ? 1 : 0)
  writer.end(begun)
}

function putBlock(writer: MessageWriter, tag: number, poolId: string, located: LocatedBlock): void {
  const block = located.block!
  const begun = writer.begin(tag)
  const extended = writer.begin(BLOCK.block)
  writer.text(EXTENDED.pool, poolId)
  writer.number(EXTENDED.id, block.blockId)
  writer.number(EXTENDED.genstamp, block.genstamp)
  writer.number(EXTENDED.length, block.length).end(extended)
  writer.number(BLOCK.offset, located.offset)
  for (const location of located.locations) if (isReachable(location)) writer.bytes(BLOCK.location, nodeBytes(location.datanode!))
  writer.number(BLOCK.corrupt, located.corrupt ? 1 : 0)
  writer.bytes(BLOCK.token, emptyToken)
  for (const location of located.locations)
    if (isReachable(location)) writer.number(BLOCK.type, location.storageType || StorageType.STORAGE_DISK)
  for (const location of located.locations) if (isReachable(location)) writer.text(BLOCK.storage, location.storageUuid)
  writer.end(begun)
}

/** Can a Hadoop client read and write there? */
const isReachable = (location: ReplicaLocation): boolean => (location.datanode?.transferPort ?? 0) > 0

/** A registration makes a new object, so that what is encoded of one stays true. */
const encodedNodes = new WeakMap<DatanodeId, Uint8Array>()

function nodeBytes(id: DatanodeId): Uint8Array {
  let bytes = encodedNodes.get(id)
  if (bytes === undefined) {
    const writer = new MessageWriter()
    const begun = writer.begin(NODE.id)
    writer.text(NODE_ID.ip, id.ip).text(NODE_ID.host, id.hostname).text(NODE_ID.uuid, id.uuid)
    writer.number(NODE_ID.xfer, id.transferPort).number(NODE_ID.info, id.httpPort).number(NODE_ID.ipc, id.ipcPort).end(begun)
    writer.text(NODE.location, rackOf(id))
    bytes = writer.taken()
    encodedNodes.set(id, bytes)
  }
  return bytes
}

/** Java's conversion of block locations fails without one. */
export const rackOf = (id: DatanodeId): string => (id.rack.startsWith('/') ? id.rack : `/${id.rack || 'default-rack'}`)
