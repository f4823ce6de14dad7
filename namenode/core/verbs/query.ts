// The verbs that change nothing.
import { QuarryError } from '../../../common/errors.ts'
import { listingLocationsMax, listingPageMax, packetBytesMax, chunkBytes } from '../../../common/limits.ts'
import type {
  ContentSummaryReply,
  Init,
  ListingReply,
  LocatedBlocks,
  OpenFile,
  OpenFilesReply,
  QuotaUsageReply,
  Request,
  ServerDefaultsReply,
} from '../../../proto/ports.ts'
import { ChecksumType } from '../../../proto/ports.ts'
import { emptyListing, listingOf } from '../listing.ts'
import { checkPath, checkSubtree, checkTraverse, EXECUTE, READ, requireSuper } from '../permissions.ts'
import { emptyReply } from '../plan.ts'
import type { PlanContext, Planned } from '../plan.ts'
import { notFound, pathOfNode, resolve } from '../resolve.ts'
import type { Resolved } from '../resolve.ts'
import { fileStatus, locatedBlocks } from '../status.ts'
import { fileSpace, pathOf } from '../totals.ts'
import type { FileInode, Inode, NamespaceView } from '../model.ts'
import { policyInForce } from '../storage-policies.ts'
import { typeQuotasOf } from '../type-quotas.ts'
import { refuseUnreadable } from './xattrs.ts'
import { notSnapshottable } from './absent.ts'
import { livingInode } from './lease.ts'

const noFile = { file: null } as const

export function getFileInfo(context: PlanContext, request: Request<'getFileInfo'>): Planned {
  const at = resolve(context.view, request.path)
  const { last } = at
  // A path through a file is "not there" for the superuser and "denied" for others: so HDFS, and its contract tests.
  if (last === undefined && context.caller.isSuper) return { reply: noFile }
  checkTraverse(context.caller, at)
  if (last === undefined) return { reply: noFile }
  const file: Init<ReturnType<typeof fileStatus>> = fileStatus(context.view, last, '')
  if (request.needLocations && last.kind === 'file') file.locations = locatedBlocks(context, last, 0, Infinity)
  return { reply: { file } }
}

export function getListing(context: PlanContext, request: Request<'getListing'>): Planned {
  const { view, caller } = context
  const at = resolve(view, request.path)
  const inode = at.last
  checkTraverse(caller, at)
  if (inode === undefined) {
    if (at.names.at(-1) === '.snapshot' && at.nodes.length === at.names.length) throw notSnapshottable(pathOfNode(at, at.nodes.length - 1))
    return { reply: emptyListing(false) }
  }
  if (inode.kind === 'file') {
    if (request.startAfter !== '') return { reply: { ...emptyListing(true), isFile: true } }
    const page = inherited(view, inode, listingOf(view, [inode], false, ''))
    return {
      reply: { ...page, isFile: true, ...(request.needLocations ? { locations: [locatedBlocks(context, inode, 0, Infinity)] } : {}) },
    }
  }
  checkPath(caller, at, READ | EXECUTE)
  const limit = request.limit === 0 ? listingPageMax : Math.min(request.limit, listingPageMax)
  const page = request.needLocations
    ? listingWithLocations(context, inode.id, request.startAfter, limit)
    : view.listing(inode.id, request.startAfter, limit)
  return { reply: inherited(view, inode, page) }
}

/** Entries without a storage policy of their own show the one that is in force for them. */
function inherited<P extends Init<ListingReply>>(view: NamespaceView, directory: Inode, page: P): P {
  const policy = view.hasPolicies() ? policyInForce(view, directory) : 0
  if (policy === 0) return page
  return { ...page, storagePolicy: Array.from({ length: page.entries ?? 0 }, (_, i) => page.storagePolicy?.[i] || policy) }
}

/** A page with locations ends early when its files have very many blocks. */
function listingWithLocations(context: PlanContext, directoryId: number, after: string, limit: number): Init<ListingReply> {
  const found = context.view.children(directoryId, after, limit + 1)
  const locations: Init<LocatedBlocks>[] = []
  let blocks = 0
  let taken = 0
  while (taken < Math.min(found.length, limit) && blocks < listingLocationsMax) {
    const inode = found[taken++]!
    if (inode.kind !== 'file') continue
    const located = locatedBlocks(context, inode, 0, Infinity)
    locations.push(located)
    blocks += located.blocks?.length ?? 0
  }
  return { ...listingOf(context.view, found.slice(0, taken), found.length > taken), locations }
}

export function getBlockLocations(context: PlanContext, request: Request<'getBlockLocations'>): Planned {
  const at = resolve(context.view, request.path)
  checkTraverse(context.caller, at)
  const file = requireFile(at)
  checkPath(context.caller, at, READ)
  refuseUnreadable(context.view, context.caller, file)
  if (request.offset < 0 || request.length < 0)
    throw new QuarryError('INVALID_ARGUMENT', `Negative offset or length: ${request.offset}, ${request.length}`)
  const blocks = locatedBlocks(context, file, request.offset, request.length)
  const mode = context.cluster.safeMode()
  if (mode.on && blocks.blocks?.some((block) => (block?.locations?.length ?? 0) === 0)) {
    throw new QuarryError('SAFE_MODE', `Zero blocklocations for ${at.path}. Name node is in safe mode.\n${mode.reason}`, {
      reason: mode.reason,
    })
  }
  const reply = { blocks, file: fileStatus(context.view, file, '') }
  const precision = context.settings['access.time.precision']
  if (precision > 0 && !mode.on && context.atMs > file.atimeMs + precision) {
    return { reply, touches: { op: 'setTimes', path: at.path, id: file.id, mtimeMs: -1, atimeMs: context.atMs } }
  }
  return { reply }
}

function requireFile(at: Resolved): FileInode {
  if (at.last === undefined) throw notFound(at.path)
  if (at.last.kind !== 'file') throw new QuarryError('NOT_A_FILE', `Path is not a file: ${at.path}`, { path: at.path })
  return at.last
}

export function getContentSummary(context: PlanContext, request: Request<'getContentSummary'>): Planned<ContentSummaryReply> {
  const { view, caller } = context
  const at = resolve(view, request.path)
  checkTraverse(caller, at)
  const inode = at.last
  if (inode === undefined) throw notFound(at.path)
  if (inode.kind === 'file') {
    return {
      reply: {
        length: inode.length,
        files: 1,
        directories: 0,
        spaceConsumed: fileSpace(view, inode),
        quota: -1,
        spaceQuota: -1,
        types: typeQuotasOf(view, inode),
        erasureCodingPolicy: 'Replicated',
      },
    }
  }
  checkSubtree(view, caller, inode, at.path, READ | EXECUTE, false)
  const { totals, nameQuota, spaceQuota } = inode
  return {
    reply: {
      length: totals.bytes,
      files: totals.files,
      directories: totals.directories,
      spaceConsumed: totals.space,
      quota: nameQuota,
      spaceQuota,
      types: typeQuotasOf(view, inode),
      erasureCodingPolicy: '',
    },
  }
}

export function getQuotaUsage(context: PlanContext, request: Request<'getQuotaUsage'>): Planned<QuotaUsageReply> {
  const { view, caller } = context
  const at = resolve(view, request.path)
  checkTraverse(caller, at)
  const inode = at.last
  if (inode === undefined) throw new QuarryError('NOT_FOUND', `File/Directory does not exist: ${at.path}`, { path: at.path })
  const types = typeQuotasOf(view, inode)
  if (inode.kind === 'file')
    return { reply: { fileAndDirectoryCount: 1, quota: -1, spaceConsumed: fileSpace(view, inode), spaceQuota: -1, types } }
  checkSubtree(view, caller, inode, at.path, READ | EXECUTE, false)
  const { totals, nameQuota, spaceQuota } = inode
  return {
    reply: { fileAndDirectoryCount: totals.files + totals.directories, quota: nameQuota, spaceConsumed: totals.space, spaceQuota, types },
  }
}

export function getServerDefaults(context: PlanContext): Planned<ServerDefaultsReply> {
  const { settings } = context
  return {
    reply: {
      blockSize: settings['block.size'],
      bytesPerChecksum: chunkBytes,
      writePacketSize: packetBytesMax,
      replication: settings.replication,
      fileBufferSize: 4096,
      trashIntervalMinutes: settings['trash.interval'],
      checksumType: ChecksumType.CHECKSUM_CRC32C,
      syncOnClose: settings['sync.on.close'],
      superuser: context.superuser,
      supergroup: settings['superuser.group'],
      softLeaseMs: settings['lease.soft'],
    },
  }
}

export function checkAccess(context: PlanContext, request: Request<'checkAccess'>): Planned {
  const at = resolve(context.view, request.path)
  checkTraverse(context.caller, at)
  if (at.last === undefined) throw notFound(at.path)
  checkPath(context.caller, at, request.mode & 7)
  return { reply: emptyReply }
}

/** Files open for writing, by inode id. Those below a path are found by looking at all: there are no more of them than writers. */
export function listOpenFiles(context: PlanContext, request: Request<'listOpenFiles'>): Planned<OpenFilesReply> {
  const { view, cluster, leases, caller } = context
  requireSuper(caller)
  if (request.blockingDecommission && cluster.keepsNodeFromLeaving === undefined)
    throw new QuarryError('UNSUPPORTED', 'This namenode does not know which open files keep a datanode from leaving.')
  const limit = request.limit === 0 ? listingPageMax : Math.min(request.limit, listingPageMax)
  const below = request.path === '' ? undefined : resolve(view, request.path)
  if (below !== undefined && below.last === undefined) throw notFound(below.path)
  const isWanted = (file: FileInode, path: string): boolean => {
    if (below !== undefined && below.path !== '/' && path !== below.path && !path.startsWith(`${below.path}/`)) return false
    if (!request.blockingDecommission) return true
    const last = view.blocks(file.id).at(-1)
    return last !== undefined && cluster.keepsNodeFromLeaving?.(last) === true
  }
  const files: OpenFile[] = []
  for (let after = request.afterFileId; ;) {
    const page = view.openFiles(after, listingPageMax)
    for (const found of page) {
      const file = livingInode(view, found.id)
      if (file?.kind !== 'file') continue
      const path = pathOf(view, file)
      if (!isWanted(file, path)) continue
      if (files.length >= limit) return { reply: { files, more: true } }
      const { holder } = file
      files.push({ fileId: file.id, path, holder, client: leases.hostOf(holder), renewedMs: context.atMs - leases.silentMs(holder) })
    }
    if (page.length < listingPageMax) return { reply: { files, more: false } }
    after = page.at(-1)!.id
  }
}

export function isFileClosed(context: PlanContext, request: Request<'isFileClosed'>): Planned<{ value: boolean }> {
  const at = resolve(context.view, request.path)
  checkTraverse(context.caller, at)
  return { reply: { value: requireFile(at).holder === '' } }
}
