// Permission, owner, times and quotas of what exists.
import { QuarryError } from '../../../common/errors.ts'
import { rootInodeId } from '../../../common/limits.ts'
import { storageTypeNames } from '../../../common/storage-types.ts'
import type { Request } from '../../../proto/ports.ts'
import { StorageType } from '../../../proto/ports.ts'
import { extrasOf } from '../extras.ts'
import type { DirectoryInode, Inode } from '../model.ts'
import { checkPath, checkTraverse, requireOwner, requireSuper, WRITE } from '../permissions.ts'
import { emptyReply, refuseInSafeMode } from '../plan.ts'
import type { PlanContext, Planned } from '../plan.ts'
import { nothingToOwn, resolve } from '../resolve.ts'
import type { Resolved } from '../resolve.ts'
import { hasTypeQuota } from '../type-quotas.ts'
import { notADirectory } from './absent.ts'

/** What the caller may change the attributes of, as its owner. */
function owned(context: PlanContext, at: Resolved): Inode {
  checkTraverse(context.caller, at)
  if (at.last === undefined) throw nothingToOwn(at.path)
  requireOwner(context.caller, at.last, at.path)
  return at.last
}

export function setPermission(context: PlanContext, request: Request<'setPermission'>): Planned {
  const at = resolve(context.view, request.path)
  refuseInSafeMode(context, `Cannot set permission for ${at.path}`)
  const inode = owned(context, at)
  // The sticky bit means something on directories only; HDFS keeps it on files too, and so do we.
  const permission = request.permission & 0o1777
  if (permission === inode.permission) return { reply: emptyReply }
  return { reply: emptyReply, edit: { op: 'setPermission', path: at.path, id: inode.id, permission } }
}

export function setOwner(context: PlanContext, request: Request<'setOwner'>): Planned {
  const { caller } = context
  const at = resolve(context.view, request.path)
  refuseInSafeMode(context, `Cannot set owner for ${at.path}`)
  const inode = owned(context, at)
  const { owner, group } = request
  if (!caller.isSuper) {
    if (owner !== '' && owner !== caller.user) {
      throw new QuarryError('PERMISSION_DENIED', `User ${caller.user} is not a super user (non-super user cannot change owner).`, {
        user: caller.user,
      })
    }
    if (group !== '' && !caller.groups.includes(group)) {
      throw new QuarryError('PERMISSION_DENIED', `User ${caller.user} does not belong to ${group}`, { user: caller.user, group })
    }
  }
  if ((owner === '' || owner === inode.owner) && (group === '' || group === inode.group)) return { reply: emptyReply }
  return { reply: emptyReply, edit: { op: 'setOwner', path: at.path, id: inode.id, owner, group } }
}

export function setTimes(context: PlanContext, request: Request<'setTimes'>): Planned {
  const { caller, settings } = context
  const { mtimeMs, atimeMs } = request
  const at = resolve(context.view, request.path)
  refuseInSafeMode(context, `Cannot set times ${at.path}`)
  if (atimeMs !== -1 && settings['access.time.precision'] === 0) {
    throw new QuarryError('UNSUPPORTED', 'Access times are turned off on this cluster. Set access.time.precision to turn them on.')
  }
  if (mtimeMs < -1 || atimeMs < -1) throw new QuarryError('INVALID_ARGUMENT', `Times before 1970 cannot be stored: ${mtimeMs}, ${atimeMs}`)
  checkTraverse(caller, at)
  checkPath(caller, at, WRITE)
  const inode = at.last
  if (inode === undefined) throw new QuarryError('NOT_FOUND', `File/Directory ${at.path} does not exist.`, { path: at.path })
  if ((mtimeMs === -1 || mtimeMs === inode.mtimeMs) && (atimeMs === -1 || atimeMs === inode.atimeMs)) return { reply: emptyReply }
  return { reply: emptyReply, edit: { op: 'setTimes', path: at.path, id: inode.id, mtimeMs, atimeMs } }
}

const KEEP = -2
const NONE = -1

/** HDFS's name for what is asked (FSNamesystem.getQuotaCommand). */
function quotaOperation(names: number, space: number): string {
  if (names === KEEP && space === NONE) return 'clearSpaceQuota'
  if (space !== KEEP) return 'setSpaceQuota'
  return names === NONE ? 'clearQuota' : 'setQuota'
}

export function setQuota(context: PlanContext, request: Request<'setQuota'>): Planned {
  const { names, space, type } = request
  const at = resolve(context.view, request.path)
  refuseInSafeMode(context, `Cannot set quota on ${at.path}`)
  requireSuper(context.caller, quotaOperation(names, space))
  checkTraverse(context.caller, at)
  if (names < KEEP || names === 0 || space < KEEP) {
    throw new QuarryError('ILLEGAL_ARGUMENT', `Illegal value for nsQuota or ssQuota : ${names} and ${space}`, { names, space })
  }
  const inode = at.last
  if (inode === undefined) throw new QuarryError('NOT_FOUND', `Directory does not exist: ${at.path}`, { path: at.path })
  if (inode.kind !== 'directory') throw notADirectory(at.path)
  if (type !== StorageType.STORAGE_UNSPECIFIED) return setTypeQuota(context, at, inode, request)
  if (inode.id === rootInodeId && names === NONE) throw new QuarryError('ILLEGAL_ARGUMENT', 'Cannot clear namespace quota on root.')
  if ((names === KEEP || names === inode.nameQuota) && (space === KEEP || space === inode.spaceQuota)) return { reply: emptyReply }
  return { reply: emptyReply, edit: { op: 'setQuota', path: at.path, id: inode.id, names, space } }
}

function setTypeQuota(context: PlanContext, at: Resolved, inode: DirectoryInode, request: Request<'setQuota'>): Planned {
  const { type, space: quota, names } = request
  if (names !== KEEP) {
    const why = `Failed to set quota by storage type because nsQuota value is illegal ${names}`
    throw new QuarryError('REFUSED', why, { names })
  }
  if (!hasTypeQuota(type))
    throw new QuarryError('ILLEGAL_ARGUMENT', `Don't support Quota for storage type : ${storageTypeNames[type] ?? type}`, { type })
  const before = extrasOf(context.view, inode).typeQuotas.find((one) => one.type === type)?.quota ?? NONE
  if (quota === KEEP || quota === before) return { reply: emptyReply }
  return { reply: emptyReply, edit: { op: 'setTypeQuota', path: at.path, id: inode.id, type, quota } }
}
