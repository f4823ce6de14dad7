// mkdirs and create: new entries.
import { QuarryError } from '../../../common/errors.ts'
import { replicationMax } from '../../../common/limits.ts'
import type { Request } from '../../../proto/ports.ts'
import { FileKind } from '../../../proto/ports.ts'
import type { NewDirectories } from '../edits.ts'
import type { DirectoryInode } from '../model.ts'
import { checkAncestorWrite, checkPath, checkTraverse, WRITE } from '../permissions.ts'
import { no, refuseInSafeMode, yes } from '../plan.ts'
import type { PlanContext, Planned } from '../plan.ts'
import { parentDirectory, resolve } from '../resolve.ts'
import type { Resolved } from '../resolve.ts'
import { checkQuota, fileSpace } from '../totals.ts'
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
  const permission = request.permission & PERMISSION_BITS
  const counters = view.counters()
  const parents = newParents(at, counters.nextInodeId, permission | OWNER_WRITE_EXECUTE)
  checkRoom(context, at, at.names.length - at.nodes.length + 1)
  return {
    reply: yes,
    edit: {
      op: 'mkdirs',
      path: at.path,
      parent: at.nodes.at(-1)!.id,
      owner: caller.user,
      permission,
      name: at.names.at(-1)!,
      id: counters.nextInodeId + (parents?.names.length ?? 0),
      ...(parents === undefined ? {} : { parents }),
    },
  }
}

export function create(context: PlanContext, request: Request<'create'>): Planned {
  const { view, caller, settings } = context
  const at = resolve(view, request.path)
  refuseInSafeMode(context, `Cannot create file${at.path}`)
  checkTraverse(caller, at, true)
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
  checkAncestorWrite(caller, at)
  if (existing === undefined && !request.createParent) requireParent(at)
  if (existing !== undefined && !request.overwrite) {
    const pending = requireFree(context, existing, at.path, request.holder, 'CREATE_FILE')
    if (pending !== undefined) return pending
    throw new QuarryError('ALREADY_EXISTS', `${at.path} for client ${caller.address} already exists`, { path: at.path })
  }
  const counters = view.counters()
  const above = at.nodes.at(-1)!
  const parents = existing === undefined ? newParents(at, counters.nextInodeId, above.permission | OWNER_WRITE_EXECUTE) : undefined
  if (existing === undefined) checkRoom(context, at, at.names.length - at.nodes.length + 1)
  const parent = existing === undefined ? above : parentDirectory(at)!
  const id = counters.nextInodeId + (parents?.names.length ?? 0)
  const permission = request.permission & 0o777
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
        storagePolicy: 0,
        underConstruction: true,
        locations: null,
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
  checkTraverse(caller, at)
  checkPath(caller, at, WRITE)
  checkReplication(context, request.replication, at.path)
  const file = at.last
  if (file?.kind !== 'file') return { reply: no }
  if (file.replication === request.replication) return { reply: yes }
  const space = fileSpace(view, file)
  checkQuota(view, parentDirectory(at)!, 0, (space / file.replication) * (request.replication - file.replication))
  return { reply: yes, edit: { op: 'setReplication', path: at.path, id: file.id, replication: request.replication } }
}

function requireParent(at: Resolved): void {
  const missing = at.names.length - at.nodes.length
  if (missing <= 0) return
  const parent = `/${at.names.slice(0, -1).join('/')}`
  throw new QuarryError('NOT_FOUND', `Parent directory doesn't exist: ${parent}`, { path: parent })
}

/** The directories missing above the last component. */
function newParents(at: Resolved, firstId: number, permission: number): NewDirectories | undefined {
  const names = at.names.slice(at.nodes.length - 1, -1)
  return names.length === 0 ? undefined : { names, firstId, permission: permission & PERMISSION_BITS }
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
