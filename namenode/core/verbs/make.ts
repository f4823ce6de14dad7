// mkdirs and create: new entries.
import { QuarryError } from '../../../common/errors.ts'
import { replicationMax } from '../../../common/limits.ts'
import type { AclEntry, Request } from '../../../proto/ports.ts'
import { FileKind } from '../../../proto/ports.ts'
import { inheritAcl } from '../acl.ts'
import type { NewDirectories } from '../edits.ts'
import { extrasOf, HAS_ACL } from '../extras.ts'
import type { DirectoryInode, Inode, NamespaceView } from '../model.ts'
import { checkAncestorWrite, checkPath, checkTraverse, WRITE } from '../permissions.ts'
import { no, refuseInSafeMode, yes } from '../plan.ts'
import type { PlanContext, Planned } from '../plan.ts'
import { parentDirectory, resolve } from '../resolve.ts'
import type { Resolved } from '../resolve.ts'
import { policyInForce, policyOfId, policyOfName } from '../storage-policies.ts'
import { checkQuota, fileSpace } from '../totals.ts'
import { checkTypeQuotas, gainOf, typeSpaceOf } from '../type-quotas.ts'
import { requireFree } from './lease.ts'

const PERMISSION_BITS = 0o1777
/** Directories made on the way stay usable for the one who makes what is below. */
const OWNER_WRITE_EXECUTE = 0o300

export function mkdirs(context: PlanContext, request: Request<'mkdirs'>): Planned<{ value: boolean }> {
  const { view, caller } = context
  const at = resolve(view, request.path)
  refuseInSafeMode(context, `Cannot create directory ${at.path}`)
  checkTraverse(caller, at, true)
  if (at.last !== undefined) {
    if (at.last.kind === 'file') throw new QuarryError('ALREADY_EXISTS', `Path is not a directory: ${at.path}`, { path: at.path })
    return { reply: yes }
  }
  checkAncestorWrite(caller, at)
  if (!request.createParent) requireParent(at)
  refuseReservedNames(at)
  const above = at.nodes.at(-1)!
  const unmasked = request.hasUnmasked ? request.unmasked : undefined
  const { permission, acl } = inherit(view, above, request.permission & PERMISSION_BITS, unmasked, true)
  const counters = view.counters()
  const parents = newParents(at, counters.nextInodeId, request.permission | OWNER_WRITE_EXECUTE, unmasked)
  checkRoom(context, at, at.names.length - at.nodes.length + 1)
  return {
    reply: yes,
    edit: {
      op: 'mkdirs',
      path: at.path,
      parent: above.id,
      owner: caller.user,
      permission,
      name: at.names.at(-1)!,
      id: counters.nextInodeId + (parents?.names.length ?? 0),
      ...(parents === undefined ? {} : { parents }),
      ...(acl === undefined ? {} : { acl }),
    },
  }
}

export function create(context: PlanContext, request: Request<'create'>): Planned {
  const { view, caller, settings } = context
  const at = resolve(view, request.path)
  refuseInSafeMode(context, `Cannot create file${at.path}`)
  checkTraverse(caller, at, true)
  // Before anything is said of what stands there.
  checkAncestorWrite(caller, at)
  const existing = at.last
  if (existing?.kind === 'directory') throw new QuarryError('ALREADY_EXISTS', `${at.path} already exists as a directory`, { path: at.path })
  if (request.holder === '') throw new QuarryError('INVALID_ARGUMENT', 'create needs the name of a lease holder.')
  const replication = checkReplication(context, request.replication === 0 ? settings.replication : request.replication, at.path)
  const blockSize = request.blockSize === 0 ? settings['block.size'] : request.blockSize
  const smallest = settings['min.block.size']
  if (blockSize < smallest) {
    throw new QuarryError(
      'INVALID_ARGUMENT',
      `Specified block size is less than configured minimum value (min.block.size): ${blockSize} < ${smallest}`,
      { blockSize, smallest },
    )
  }
  if (blockSize % 512 !== 0)
    throw new QuarryError('INVALID_ARGUMENT', `Block size ${blockSize} is not a multiple of 512, the bytes of a checksum.`, { blockSize })
  if (existing !== undefined && request.overwrite) checkPath(caller, at, WRITE)
  if (existing === undefined && !request.createParent) requireParent(at)
  if (existing !== undefined && !request.overwrite) {
    const pending = requireFree(context, existing, at.path, request.holder, 'CREATE_FILE')
    if (pending !== undefined) return pending
    throw new QuarryError('ALREADY_EXISTS', `${at.path} for client ${caller.address} already exists`, { path: at.path })
  }
  if (existing === undefined) refuseReservedNames(at)
  const counters = view.counters()
  const above = at.nodes.at(-1)!
  const parents = existing === undefined ? newParents(at, counters.nextInodeId, above.permission | OWNER_WRITE_EXECUTE) : undefined
  if (existing === undefined) checkRoom(context, at, at.names.length - at.nodes.length + 1)
  const parent = existing === undefined ? above : parentDirectory(at)!
  const id = counters.nextInodeId + (parents?.names.length ?? 0)
  const unmasked = request.hasUnmasked ? request.unmasked & 0o777 : undefined
  const { permission, acl } = inherit(view, parent, request.permission & 0o777, unmasked, false)
  const storagePolicy = policyOfNewFile(view, parent, request.storagePolicy)
  return {
    reply: {
      file: {
        kind: FileKind.KIND_FILE,
        name: '',
        length: 0,
        permission,
        owner: caller.user,
        group: parent.group,
        mtimeMs: context.atMs,
        atimeMs: context.atMs,
        replication,
        blockSize,
        fileId: id,
        children: 0,
        storagePolicy: storagePolicy || policyInForce(view, parent),
        underConstruction: true,
        locations: null,
        flags: acl === undefined ? 0 : HAS_ACL,
      },
    },
    edit: {
      op: 'create',
      path: at.path,
      parent: parent.id,
      owner: caller.user,
      permission,
      name: at.names.at(-1)!,
      id,
      ...(parents === undefined ? {} : { parents }),
      replication,
      blockSize,
      holder: request.holder,
      ...(existing === undefined ? {} : { replaces: existing.id }),
      ...(acl === undefined ? {} : { acl }),
      ...(storagePolicy === 0 ? {} : { storagePolicy }),
    },
  }
}

export function checkReplication(context: PlanContext, replication: number, path: string): number {
  const smallest = context.settings['replication.min']
  if (replication > replicationMax) {
    throw new QuarryError(
      'INVALID_ARGUMENT',
      `Requested replication factor of ${replication} exceeds maximum of ${replicationMax} for ${path}`,
      { replication },
    )
  }
  if (replication < smallest) {
    throw new QuarryError(
      'INVALID_ARGUMENT',
      `Requested replication factor of ${replication} is less than the required minimum of ${smallest} for ${path}`,
      { replication },
    )
  }
  return replication
}

export function setReplication(context: PlanContext, request: Request<'setReplication'>): Planned<{ value: boolean }> {
  const { view, caller } = context
  const at = resolve(view, request.path)
  refuseInSafeMode(context, `Cannot set replication for ${at.path}`)
  checkReplication(context, request.replication, at.path)
  checkTraverse(caller, at)
  checkPath(caller, at, WRITE)
  const file = at.last
  if (file?.kind !== 'file') return { reply: no }
  if (file.replication === request.replication) return { reply: yes }
  const space = fileSpace(view, file)
  const more = (space / file.replication) * (request.replication - file.replication)
  checkQuota(view, parentDirectory(at)!, 0, more)
  if (view.hasTypeQuotas()) {
    const after = typeSpaceOf(view, { ...file, replication: request.replication }, space + more)
    checkTypeQuotas(view, parentDirectory(at)!, gainOf(after, typeSpaceOf(view, file, space)))
  }
  return { reply: yes, edit: { op: 'setReplication', path: at.path, id: file.id, replication: request.replication } }
}

function requireParent(at: Resolved): void {
  const missing = at.names.length - at.nodes.length
  if (missing <= 0) return
  const parent = `/${at.names.slice(0, -1).join('/')}`
  throw new QuarryError('NOT_FOUND', `Parent directory doesn't exist: ${parent}`, { path: parent })
}

/** The directories missing above the last component. All of them inherit the same: default entries are handed down as they are. */
function newParents(at: Resolved, firstId: number, mode: number, unmasked?: number): NewDirectories | undefined {
  const names = at.names.slice(at.nodes.length - 1, -1)
  if (names.length === 0) return undefined
  const { permission, acl } = inherit(at.view, at.nodes.at(-1)!, mode & PERMISSION_BITS, unmasked, true)
  return { names, firstId, permission, ...(acl === undefined ? {} : { acl }) }
}

/** The permission of a new entry and what it inherits of its directory's default ACL, whose place in cutting it the umask has else. */
function inherit(
  view: NamespaceView,
  directory: Inode,
  masked: number,
  unmasked: number | undefined,
  isDirectory: boolean,
): { readonly permission: number; readonly acl?: readonly AclEntry[] } {
  if ((directory.flags & HAS_ACL) === 0) return { permission: masked }
  const stored = inheritAcl(extrasOf(view, directory).acl, (unmasked ?? masked) & PERMISSION_BITS, isDirectory)
  if (stored === undefined) return { permission: masked }
  return stored.acl.length === 0 ? { permission: stored.permission } : stored
}

/** 0 = the file follows its directory. One policy is copied, so that it stays when the directory's changes. */
function policyOfNewFile(view: NamespaceView, directory: Inode, name: string): number {
  if (name !== '') return policyOfName(name).id
  const inherited = view.hasPolicies() ? policyInForce(view, directory) : 0
  return inherited !== 0 && policyOfId(inherited).copyOnCreate ? inherited : 0
}

const SNAPSHOTS = '.snapshot'

/** Where HDFS shows snapshots; its clients take no entry of this name for a file. */
export function refuseReservedNames(at: Resolved): void {
  for (let i = at.nodes.length - 1; i < at.names.length; i++)
    if (at.names[i] === SNAPSHOTS) throw new QuarryError('INVALID_ARGUMENT', `"${SNAPSHOTS}" is a reserved name.`)
}

/** Room for one more entry in the directory where the first new record appears, and quota for all of them. */
function checkRoom(context: PlanContext, at: Resolved, names: number): void {
  const parent = at.nodes.at(-1) as DirectoryInode
  checkEntries(context, parent, () => `/${at.names.slice(0, at.nodes.length - 1).join('/')}`)
  checkQuota(context.view, parent, names, 0)
}

export function checkEntries(context: PlanContext, directory: DirectoryInode, path: () => string): void {
  const most = context.settings['directory.entries.max']
  if (directory.children < most) return
  throw new QuarryError(
    'DIRECTORY_FULL',
    `The directory item limit of ${path()} is exceeded: limit=${most} items=${directory.children + 1}`,
    { limit: most },
  )
}
