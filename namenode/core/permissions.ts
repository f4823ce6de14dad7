// Who may do what: the rules and texts of HDFS (FSPermissionChecker).
//
// Every ancestor must be executable. What a verb asks for beyond that: access to the parent, to the nearest existing ancestor, to
// the record itself, or to every directory below it. A sticky directory lets only owners take entries away.
import { QuarryError } from '../../common/errors.ts'
import { AclEntryType, AclScope } from '../../proto/ports.ts'
import type { AclEntry } from '../../proto/ports.ts'
import { extrasOf, HAS_ACL } from './extras.ts'
import type { DirectoryInode, Inode, NamespaceView } from './model.ts'
import { fileInTheWay, pathOfNode } from './resolve.ts'
import type { Resolved } from './resolve.ts'

export interface Caller {
  readonly user: string
  readonly groups: readonly string[]
  /** Passes every check: the user that runs the namenode, members of the supergroup, or anybody when checks are off. */
  readonly isSuper: boolean
  readonly address: string
}

export const READ = 4
export const WRITE = 2
export const EXECUTE = 1

const ACTION_NAMES = ['NONE', 'EXECUTE', 'WRITE', 'WRITE_EXECUTE', 'READ', 'READ_EXECUTE', 'READ_WRITE', 'ALL'] as const

export function permits(view: NamespaceView, caller: Caller, inode: Inode, access: number): boolean {
  if (caller.isSuper) return true
  if ((inode.flags & HAS_ACL) !== 0) {
    const { acl } = extrasOf(view, inode)
    if (acl[0]?.scope === AclScope.ACL_ACCESS) return permitsByAcl(caller, inode, acl, access)
  }
  const bits =
    inode.owner === caller.user ? inode.permission >> 6 : caller.groups.includes(inode.group) ? inode.permission >> 3 : inode.permission
  return (bits & access) === access
}

/** The first class that the caller belongs to decides; of groups, any that he belongs to. The group bits are the mask. */
function permitsByAcl(caller: Caller, inode: Inode, acl: readonly AclEntry[], access: number): boolean {
  if (inode.owner === caller.user) return ((inode.permission >> 6) & access) === access
  let belongs = false
  for (const { scope, type, name, permission } of acl) {
    if (scope !== AclScope.ACL_ACCESS) break
    const isUser = type === AclEntryType.ACL_USER
    if (isUser ? name !== caller.user : !caller.groups.includes(name === '' ? inode.group : name)) continue
    if ((permission & (inode.permission >> 3) & access) === access) return true
    if (isUser) return false
    belongs = true
  }
  return !belongs && (inode.permission & access) === access
}

/** `rwxr-xr-t`, as `ls` prints it. */
export function permissionText(permission: number): string {
  let text = ''
  for (let bit = 8; bit >= 0; bit--) text += permission & (1 << bit) ? 'xwr'[bit % 3]! : '-'
  if (permission & 0o1000) text = text.slice(0, 8) + (permission & 1 ? 't' : 'T')
  return text
}

const describe = (path: string, inode: Inode): string =>
  `"${path}":${inode.owner}:${inode.group}:${inode.kind === 'directory' ? 'd' : '-'}${permissionText(inode.permission)}`

function denied(caller: Caller, access: number, path: string, inode: Inode): QuarryError {
  return new QuarryError(
    'PERMISSION_DENIED',
    `Permission denied: user=${caller.user}, access=${ACTION_NAMES[access]}, inode=${describe(path, inode)}`,
    { user: caller.user, path },
  )
}

export function requireAccess(view: NamespaceView, caller: Caller, inode: Inode, access: number, path: string): void {
  if (!permits(view, caller, inode, access)) throw denied(caller, access, path, inode)
}

/**
 * All ancestors must be directories that the caller may pass through. `creates`: only verbs that make new entries say "not a
 * directory"; the others say "denied", as HDFS does.
 */
export function checkTraverse(caller: Caller, resolved: Resolved, creates = false): void {
  const { nodes, names } = resolved
  if (!caller.isSuper) {
    const end = Math.min(nodes.length, names.length)
    for (let i = 0; i < end; i++) {
      const inode = nodes[i]!
      if (inode.kind === 'directory' && !permits(resolved.view, caller, inode, EXECUTE))
        throw denied(caller, EXECUTE, pathOfNode(resolved, i), inode)
    }
  }
  const file = fileInTheWay(resolved)
  if (file >= 0) {
    const path = pathOfNode(resolved, file)
    throw new QuarryError(creates ? 'NOT_A_DIRECTORY' : 'PERMISSION_DENIED', `${path} (is not a directory)`, { path })
  }
}

/** Access to the record itself, if it exists. */
export function checkPath(caller: Caller, resolved: Resolved, access: number): void {
  if (!caller.isSuper && resolved.last !== undefined) requireAccess(resolved.view, caller, resolved.last, access, resolved.path)
}

/** Write access to the directory of the last component, with the sticky rule for what is there already. */
export function checkParentWrite(caller: Caller, resolved: Resolved): void {
  if (caller.isSuper || resolved.names.length === 0) return
  const index = resolved.names.length - 1
  const parent = resolved.nodes[index]
  if (parent === undefined) return
  checkSticky(caller, resolved)
  requireAccess(resolved.view, caller, parent, WRITE, pathOfNode(resolved, index))
}

/** Write access to the nearest ancestor that exists: where a new entry will appear. */
export function checkAncestorWrite(caller: Caller, resolved: Resolved): void {
  if (caller.isSuper) return
  const index = Math.max(0, Math.min(resolved.nodes.length, resolved.names.length) - 1)
  checkSticky(caller, resolved)
  requireAccess(resolved.view, caller, resolved.nodes[index]!, WRITE, pathOfNode(resolved, index))
}

function checkSticky(caller: Caller, resolved: Resolved): void {
  const { last, nodes, names } = resolved
  if (last === undefined || names.length === 0) return
  const parent = nodes[names.length - 1]!
  if ((parent.permission & 0o1000) === 0 || parent.owner === caller.user || last.owner === caller.user) return
  throw new QuarryError(
    'PERMISSION_DENIED',
    `Permission denied by sticky bit: user=${caller.user}, path=${describe(resolved.path, last)}, parent=${describe(pathOfNode(resolved, names.length - 1), parent)}`,
    { user: caller.user, path: resolved.path },
  )
}

export function requireOwner(caller: Caller, inode: Inode, path: string): void {
  if (caller.isSuper || inode.owner === caller.user) return
  throw new QuarryError('PERMISSION_DENIED', `Permission denied. user=${caller.user} is not the owner of inode=${path}`, {
    user: caller.user,
    path,
  })
}

/** `operation`: HDFS's name for what is denied, which its text ends with. */
export function requireSuper(caller: Caller, operation?: string): void {
  if (caller.isSuper) return
  const what = operation === undefined ? '' : ` for operation ${operation}`
  throw new QuarryError('PERMISSION_DENIED', `Access denied for user ${caller.user}. Superuser privilege is required${what}`, {
    user: caller.user,
  })
}

const WALK_PAGE = 1000

/** The same access to a directory and to every directory below it; `skipEmpty`: a directory without entries needs none. */
export function checkSubtree(
  view: NamespaceView,
  caller: Caller,
  top: DirectoryInode,
  path: string,
  access: number,
  skipEmpty: boolean,
): void {
  if (caller.isSuper) return
  const open: { directory: DirectoryInode; path: string }[] = [{ directory: top, path }]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const { directory } = at
    if (!(skipEmpty && directory.children === 0)) requireAccess(view, caller, directory, access, at.path)
    if (directory.totals.directories === 1) continue
    for (let after = ''; ;) {
      const page = view.children(directory.id, after, WALK_PAGE)
      for (const child of page) {
        if (child.kind === 'directory') open.push({ directory: child, path: `${at.path === '/' ? '' : at.path}/${child.name}` })
      }
      if (page.length < WALK_PAGE) break
      after = page.at(-1)!.name
    }
  }
}
