// ACLs: reading and changing them. Who may: anybody who reaches the path reads, its owner changes.
import { isQuarryError, QuarryError } from '../../../common/errors.ts'
import { AclEntryType } from '../../../proto/ports.ts'
import type { AclEntry, AclStatusReply, Request } from '../../../proto/ports.ts'
import { filterAcl, logicalAcl, mergeAcl, replaceAcl, storedAcl, withoutDefaults } from '../acl.ts'
import { extrasOf } from '../extras.ts'
import type { Inode } from '../model.ts'
import { checkTraverse, requireOwner } from '../permissions.ts'
import { emptyReply, refuseInSafeMode } from '../plan.ts'
import type { PlanContext, Planned } from '../plan.ts'
import { nothingToOwn, resolve } from '../resolve.ts'
import type { Resolved } from '../resolve.ts'

export function getAclStatus(context: PlanContext, request: Request<'getAclStatus'>): Planned<AclStatusReply> {
  const at = resolve(context.view, request.path)
  checkTraverse(context.caller, at)
  const inode = requireInode(at)
  const { owner, group, permission } = inode
  const entries = [...extrasOf(context.view, inode).acl]
  return { reply: { owner, group, permission, sticky: (permission & 0o1000) !== 0, entries } }
}

export function setAcl(context: PlanContext, request: Request<'setAcl'>): Planned {
  if (request.entries.length === 0) return change(context, request.path, 'set ACL', (existing) => withoutExtended(existing))
  return change(context, request.path, 'set ACL', (existing) => replaceAcl(existing, request.entries))
}

export function modifyAclEntries(context: PlanContext, request: Request<'modifyAclEntries'>): Planned {
  return change(context, request.path, 'modify ACL entries', (existing) => mergeAcl(existing, request.entries))
}

export function removeAclEntries(context: PlanContext, request: Request<'removeAclEntries'>): Planned {
  return change(context, request.path, 'remove ACL entries', (existing) => filterAcl(existing, request.entries))
}

export function removeDefaultAcl(context: PlanContext, request: Request<'removeDefaultAcl'>): Planned {
  return change(context, request.path, 'remove default ACL entries', withoutDefaults)
}

export function removeAcl(context: PlanContext, request: Request<'removeAcl'>): Planned {
  return change(context, request.path, 'remove ACL', withoutExtended)
}

/** Owner, owning group and other: what the permission alone can say. */
const withoutExtended = (existing: readonly AclEntry[]): AclEntry[] =>
  withoutDefaults(existing.filter((one) => one.type !== AclEntryType.ACL_MASK && one.name === ''))

function change(
  context: PlanContext,
  path: string,
  doing: string,
  transform: (existing: readonly AclEntry[]) => readonly AclEntry[],
): Planned {
  const at = resolve(context.view, path)
  refuseInSafeMode(context, `Cannot ${doing} on ${at.path}`)
  checkTraverse(context.caller, at)
  const inode = at.last
  if (inode === undefined) throw nothingToOwn(at.path)
  requireOwner(context.caller, inode, at.path)
  const { permission } = inode
  const { acl } = extrasOf(context.view, inode)
  try {
    const next = storedAcl(transform(logicalAcl({ permission, acl })), permission, inode.kind === 'directory')
    if (next.permission === permission && sameEntries(next.acl, acl)) return { reply: emptyReply }
    return { reply: emptyReply, edit: { op: 'setAcl', path: at.path, id: inode.id, permission: next.permission, acl: next.acl } }
  } catch (error) {
    // HDFS names the path twice when it is the kind of inode that does not fit.
    if (isQuarryError(error, 'ACL')) {
      const twice = error.message.includes('only directories') ? ` Path: ${at.path}` : ''
      throw new QuarryError('ACL', `${error.message}${twice} Path: ${at.path}`, { path: at.path })
    }
    throw error
  }
}

function sameEntries(a: readonly AclEntry[], b: readonly AclEntry[]): boolean {
  return (
    a.length === b.length &&
    a.every((one, i) => {
      const other = b[i]!
      return one.scope === other.scope && one.type === other.type && one.name === other.name && one.permission === other.permission
    })
  )
}

function requireInode(at: Resolved): Inode {
  if (at.last === undefined) throw new QuarryError('NOT_FOUND', `cannot find ${at.path}`, { path: at.path })
  return at.last
}
