// Extended attributes: HDFS's namespaces, limits, rights and texts (FSDirXAttrOp, XAttrPermissionFilter).
//
// USER attributes belong to who may write or read the path; TRUSTED ones to superusers. SECURITY, SYSTEM and RAW ones cannot be
// reached from outside, but for the one that keeps superusers from reading a file.
import { assert } from '../../../common/assert.ts'
import { QuarryError } from '../../../common/errors.ts'
import { xattrBytesMax, xattrsPerInodeMax } from '../../../common/limits.ts'
import { utf8Length } from '../../../common/path.ts'
import type { Init, Request, XAttr, XAttrsReply } from '../../../proto/ports.ts'
import { XAttrNamespace } from '../../../proto/ports.ts'
import { extrasOf } from '../extras.ts'
import type { Inode, NamespaceView, XAttrRecord } from '../model.ts'
import { checkPath, checkTraverse, READ, requireOwner, WRITE } from '../permissions.ts'
import type { Caller } from '../permissions.ts'
import { emptyReply, refuseInSafeMode } from '../plan.ts'
import type { PlanContext, Planned } from '../plan.ts'
import { resolve } from '../resolve.ts'
import type { Resolved } from '../resolve.ts'

const { XATTR_USER: USER, XATTR_TRUSTED: TRUSTED, XATTR_SECURITY: SECURITY } = XAttrNamespace
const namespaceNames = ['user', 'trusted', 'security', 'system', 'raw'] as const

/** On a file: superusers may not read it. Has no value, and stays for good. */
const UNREADABLE = 'hdfs.unreadable.by.superuser'

/** XAttrSetFlag. */
const CREATE = 1
const REPLACE = 2

type Name = Pick<XAttrRecord, 'namespace' | 'name'>

const fullName = ({ namespace, name }: Name): string => `${namespaceNames[namespace] ?? namespace}.${name}`
const isUnreadable = ({ namespace, name }: Name): boolean => namespace === SECURITY && name === UNREADABLE
const isSame = (a: Name, b: Name): boolean => a.namespace === b.namespace && a.name === b.name
const isVisible = (caller: Caller, one: Name): boolean =>
  one.namespace === USER || (one.namespace === TRUSTED && caller.isSuper) || isUnreadable(one)

export function setXAttr(context: PlanContext, request: Request<'setXAttr'>): Planned {
  const { caller, view } = context
  const at = resolve(view, request.path)
  refuseInSafeMode(context, `Cannot set XAttr on ${at.path}`)
  const xattr = named(request.xattr)
  const bytes = utf8Length(xattr.name) + xattr.value.length
  if (bytes > xattrBytesMax) {
    throw new QuarryError(
      'INVALID_ARGUMENT',
      `The XAttr is too big. The maximum combined size of the name and value is ${xattrBytesMax}, but the total size is ${bytes}`,
      { bytes },
    )
  }
  checkReach(caller, xattr, xattr.value.length > 0)
  const inode = writable(context, at, xattr)
  const { xattrs } = extrasOf(view, inode)
  const exists = xattrs.some((one) => isSame(one, xattr))
  if ((request.flag & (CREATE | REPLACE)) === 0) throw new QuarryError('INVALID_ARGUMENT', 'A flag must be specified.')
  if (exists && (request.flag & REPLACE) === 0) throw flagMissing(xattr, 'already exists', 'REPLACE')
  if (!exists && (request.flag & CREATE) === 0) throw flagMissing(xattr, 'does not exist', 'CREATE')
  const counted = xattrs.filter((one) => one.namespace === USER || one.namespace === TRUSTED).length
  if (!exists && !isUnreadable(xattr) && counted >= xattrsPerInodeMax)
    throw new QuarryError('REFUSED', `Cannot add additional XAttr to inode, would exceed limit of ${xattrsPerInodeMax}`)
  if (inode.kind !== 'file' && isUnreadable(xattr)) throw new QuarryError('REFUSED', `Can only set '${fullName(xattr)}' on a file.`)
  const { namespace, name, value } = xattr
  return {
    reply: emptyReply,
    edit: { op: 'setXAttr', path: at.path, id: inode.id, xattr: { namespace, name, value: toHex(value) } },
  }
}

export function removeXAttr(context: PlanContext, request: Request<'removeXAttr'>): Planned {
  const { caller, view } = context
  const at = resolve(view, request.path)
  refuseInSafeMode(context, `Cannot remove XAttr entry on ${at.path}`)
  const xattr = named(request.xattr)
  checkReach(caller, xattr, false)
  const inode = writable(context, at, xattr)
  if (isUnreadable(xattr)) throw new QuarryError('PERMISSION_DENIED', `The xattr '${fullName(xattr)}' can not be deleted.`)
  if (!extrasOf(view, inode).xattrs.some((one) => isSame(one, xattr)))
    throw new QuarryError('REFUSED', 'No matching attributes found for remove operation')
  const { namespace, name } = xattr
  return { reply: emptyReply, edit: { op: 'removeXAttr', path: at.path, id: inode.id, namespace, name } }
}

export function getXAttrs(context: PlanContext, request: Request<'getXAttrs'>): Planned<XAttrsReply> {
  const { caller, view } = context
  const at = resolve(view, request.path)
  for (const one of request.xattrs) checkReach(caller, one, false)
  const visible = extrasOf(view, readable(context, at)).xattrs.filter((one) => isVisible(caller, one))
  if (request.xattrs.length === 0) return { reply: { xattrs: visible.map(withValue) } }
  const found = request.xattrs.map((wanted) => {
    const one = visible.find((other) => isSame(other, wanted))
    if (one === undefined) throw new QuarryError('XATTR_NOT_FOUND', 'At least one of the attributes provided was not found.')
    return withValue(one)
  })
  return { reply: { xattrs: found } }
}

export function listXAttrs(context: PlanContext, request: Request<'listXAttrs'>): Planned<XAttrsReply> {
  const { caller, view } = context
  const at = resolve(view, request.path)
  const visible = extrasOf(view, readable(context, at)).xattrs.filter((one) => isVisible(caller, one))
  return { reply: { xattrs: visible.map(({ namespace, name }) => ({ namespace, name, value: noValue })) } }
}

/** Throws PERMISSION_DENIED for a file that superusers may not read. */
export function refuseUnreadable(view: NamespaceView, caller: Caller, inode: Inode): void {
  if (!caller.isSuper || inode.flags === 0 || !extrasOf(view, inode).xattrs.some(isUnreadable)) return
  throw new QuarryError(
    'PERMISSION_DENIED',
    `Access is denied for ${caller.user} since the superuser is not allowed to perform this operation.`,
    { user: caller.user },
  )
}

// --- shared -----------------------------------------------------------------------------------------------------------------

function named(xattr: XAttr | null): XAttr {
  if (xattr === null || xattr.name === '') throw new QuarryError('INVALID_ARGUMENT', 'XAttr name cannot be empty.')
  return xattr
}

/** May callers name this attribute at all? */
function checkReach(caller: Caller, one: Name, hasValue: boolean): void {
  if (one.namespace === USER || (one.namespace === TRUSTED && caller.isSuper)) return
  if (!isUnreadable(one)) throw new QuarryError('PERMISSION_DENIED', `User doesn't have permission for xattr: ${fullName(one)}`)
  if (hasValue) {
    throw new QuarryError('PERMISSION_DENIED', `Attempt to set a value for '${fullName(one)}'. Values are not allowed for this xattr.`)
  }
}

/** In a sticky directory only the owner changes USER attributes; elsewhere who may write. */
function writable({ caller }: PlanContext, at: Resolved, xattr: XAttr): Inode {
  checkTraverse(caller, at)
  const inode = at.last
  if (xattr.namespace === USER && inode !== undefined) {
    if (inode.kind === 'directory' && (inode.permission & 0o1000) !== 0) requireOwner(caller, inode, at.path)
    else checkPath(caller, at, WRITE)
  }
  return existing(at)
}

function readable({ caller }: PlanContext, at: Resolved): Inode {
  checkTraverse(caller, at)
  checkPath(caller, at, READ)
  return existing(at)
}

function existing(at: Resolved): Inode {
  if (at.last === undefined) throw new QuarryError('NOT_FOUND', `cannot find ${at.path}`, { path: at.path })
  return at.last
}

const flagMissing = ({ name }: Name, state: string, flag: string): QuarryError =>
  new QuarryError('REFUSED', `XAttr: ${name} ${state}. The ${flag} flag must be specified.`, { name })

const noValue = new Uint8Array(0)

const withValue = ({ namespace, name, value }: XAttrRecord): Init<XAttr> => ({ namespace, name, value: fromHex(value) })

const toHex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

function fromHex(text: string): Uint8Array {
  assert(text.length % 2 === 0, 'the value of an attribute is half a byte too long')
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16))
}
