// Calls about what Quarry does not have, answered as an HDFS answers them that has none of it: symbolic links, snapshots, encryption
// zones and mounts.
import { QuarryError } from '../../../common/errors.ts'
import type { PathReply, Request } from '../../../proto/ports.ts'
import { SnapshotOperation } from '../../../proto/ports.ts'
import { checkTraverse, requireOwner, requireSuper } from '../permissions.ts'
import { emptyReply } from '../plan.ts'
import type { PlanContext, Planned } from '../plan.ts'
import { notFound, resolve } from '../resolve.ts'

export function getLinkTarget(context: PlanContext, request: Request<'getLinkTarget'>): Planned<PathReply> {
  const at = resolve(context.view, request.path)
  checkTraverse(context.caller, at)
  if (at.last === undefined) throw notFound(at.path)
  throw new QuarryError('REFUSED', `Path ${at.path} is not a symbolic link`, { path: at.path })
}

export function createSymlink(): Planned {
  throw new QuarryError('UNSUPPORTED', 'Symlinks not supported')
}

/** The directory within which files can be renamed: all of the namespace. Does not ask whether the path exists. */
export function getEnclosingRoot(context: PlanContext, request: Request<'getEnclosingRoot'>): Planned<PathReply> {
  checkTraverse(context.caller, resolve(context.view, request.path))
  return { reply: { path: '/' } }
}

export function snapshot(context: PlanContext, request: Request<'snapshot'>): Planned {
  const { caller, view } = context
  const { operation } = request
  const at = resolve(view, request.path)
  const isAdministration = operation === SnapshotOperation.SNAPSHOT_ALLOW || operation === SnapshotOperation.SNAPSHOT_DISALLOW
  if (isAdministration) requireSuper(caller, operation === SnapshotOperation.SNAPSHOT_ALLOW ? 'allowSnapshot' : 'disallowSnapshot')
  checkTraverse(caller, at)
  const inode = at.last
  if (inode === undefined) {
    const what = isAdministration ? 'Directory does not exist:' : 'Directory/File does not exist'
    throw new QuarryError('NOT_FOUND', `${what} ${at.path}`, { path: at.path })
  }
  const isOwners = [SnapshotOperation.SNAPSHOT_CREATE, SnapshotOperation.SNAPSHOT_DELETE, SnapshotOperation.SNAPSHOT_RENAME]
  if (isOwners.some((one) => one === operation)) requireOwner(caller, inode, at.path)
  if (inode.kind !== 'directory') throw notADirectory(at.path)
  const { name } = request
  if (operation === SnapshotOperation.SNAPSHOT_CREATE && (/[:/]/.test(name) || name === '.' || name === '..'))
    throw new QuarryError('INVALID_PATH', `Invalid path name Invalid snapshot name: ${name}`, { name })
  switch (operation) {
    case SnapshotOperation.SNAPSHOT_DISALLOW:
      return { reply: emptyReply }
    case SnapshotOperation.SNAPSHOT_ALLOW:
      throw new QuarryError('SNAPSHOT', `This namenode has no snapshots: ${at.path} cannot be made snapshottable.`, { path: at.path })
    case SnapshotOperation.SNAPSHOT_DIFF:
      throw new QuarryError('SNAPSHOT', `The path ${at.path} is neither snapshottable nor under a snapshot root!`, { path: at.path })
    default:
      throw notSnapshottable(at.path)
  }
}

export const notSnapshottable = (path: string): QuarryError =>
  new QuarryError('SNAPSHOT', `Directory is not a snapshottable directory: ${path}`, { path })

export const notADirectory = (path: string): QuarryError =>
  new QuarryError('PATH_NOT_A_DIRECTORY', `\`${path}': Is not a directory`, { path })
