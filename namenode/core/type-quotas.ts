// Quotas by type of storage: how many bytes of each type the replicas of a file take under its storage policy, and what directories
// with such a quota carry of it.
//
// Files without a policy, own or inherited, take of no type, as in HDFS. Only directories with a quota keep sums, so that a
// namespace without such quotas pays one look at a flag; a directory that gets one is summed up once. Unlike in HDFS the sums stay
// true when a policy changes above files that exist.
import { QuarryError } from '../../common/errors.ts'
import { storageTypeNames } from '../../common/storage-types.ts'
import { StorageType } from '../../proto/ports.ts'
import type { TypeQuota } from '../../proto/ports.ts'
import type { Edit } from './edits.ts'
import { extrasOf, HAS_TYPE_QUOTAS, patchExtras } from './extras.ts'
import type { FileInode, Inode, NamespaceTx, NamespaceView } from './model.ts'
import { ownPolicy, policyInForce, policyOfId } from './storage-policies.ts'
import { binaryPrefix, fileSpace, pathOf } from './totals.ts'

/** Bytes of all replicas, by type of storage. */
export type TypeSpace = Map<StorageType, number>

/** Usage of memory is not counted: HDFS does not support quotas for it. */
export const hasTypeQuota = (type: StorageType): boolean => type in storageTypeNames && type !== StorageType.STORAGE_RAM_DISK

/** Adds what `space` bytes, of all replicas together, are by type under a policy; 0 = without one. */
function addTypeSpace(into: TypeSpace, policyId: number, replication: number, space: number): void {
  if (policyId === 0 || space === 0) return
  const { types } = policyOfId(policyId)
  const each = space / replication
  let left = replication
  for (const [i, type] of types.entries()) {
    if (left === 0) return
    if (!hasTypeQuota(type)) continue
    const replicas = i === types.length - 1 ? left : 1
    into.set(type, (into.get(type) ?? 0) + each * replicas)
    left -= replicas
  }
}

/** What `space` bytes of a file, of all replicas together, are by type under the policy in force for it. */
export function typeSpaceOf(view: NamespaceView, file: FileInode, space: number): TypeSpace {
  const byType: TypeSpace = new Map()
  addTypeSpace(byType, policyInForce(view, file), file.replication, space)
  return byType
}

const PAGE = 1000

/** Of an inode and everything below it. `above`: the policy in force for its directory. */
function sumBelow(view: NamespaceView, inode: Inode, above: number, into: TypeSpace): void {
  const policy = ownPolicy(view, inode) || above
  if (inode.kind === 'file') addTypeSpace(into, policy, inode.replication, fileSpace(view, inode))
  else if (inode.totals.space > 0) forEachChild(view, inode.id, (child) => sumBelow(view, child, policy, into))
}

function forEachChild(view: NamespaceView, id: number, visit: (child: Inode) => void): void {
  for (let after = ''; ;) {
    const page = view.children(id, after, PAGE)
    for (const child of page) visit(child)
    if (page.length < PAGE) return
    after = page.at(-1)!.name
  }
}

const policyAbove = (view: NamespaceView, inode: Inode): number => {
  const parent = inode.parentId === 0 ? undefined : view.inode(inode.parentId)
  return parent === undefined ? 0 : policyInForce(view, parent)
}

/** Of an inode where it is, and everything below it: walks the tree. */
export function typeSpaceBelow(view: NamespaceView, inode: Inode): TypeSpace {
  const space: TypeSpace = new Map()
  sumBelow(view, inode, policyAbove(view, inode), space)
  return space
}

/** What it would take in another directory, whose policy it inherits there. */
export function typeSpaceIn(view: NamespaceView, inode: Inode, directory: Inode): TypeSpace {
  const space: TypeSpace = new Map()
  sumBelow(view, inode, policyInForce(view, directory), space)
  return space
}

/** What comes in addition; types of which less is used are left out. */
export function gainOf(after: TypeSpace, before: TypeSpace): TypeSpace {
  const gain: TypeSpace = new Map()
  for (const [type, bytes] of after) if (bytes > (before.get(type) ?? 0)) gain.set(type, bytes - (before.get(type) ?? 0))
  return gain
}

/** For replies: the quotas of a directory with what is used of them; of a file what it uses. */
export function typeQuotasOf(view: NamespaceView, inode: Inode): TypeQuota[] {
  if (inode.kind === 'file')
    return [...typeSpaceOf(view, inode, fileSpace(view, inode))].map(([type, consumed]) => ({ type, quota: -1, consumed }))
  return extrasOf(view, inode).typeQuotas.map(({ type, quota, consumed }) => ({ type, quota, consumed }))
}

/** As checkQuota of totals.ts: throws TYPE_QUOTA. */
export function checkTypeQuotas(view: NamespaceView, directory: Inode, adds: TypeSpace, untilId = 0): void {
  for (let at: Inode | undefined = directory; at !== undefined && at.id !== untilId;) {
    if ((at.flags & HAS_TYPE_QUOTAS) !== 0) {
      for (const { type, quota, consumed } of extrasOf(view, at).typeQuotas) {
        const more = adds.get(type) ?? 0
        if (more > 0 && consumed + more > quota) throw exceeded(pathOf(view, at), type, quota, consumed + more)
      }
    }
    at = at.parentId === 0 ? undefined : view.inode(at.parentId)
  }
}

function exceeded(path: string, type: StorageType, quota: number, count: number): QuarryError {
  return new QuarryError(
    'TYPE_QUOTA',
    `Quota by storage type : ${storageTypeNames[type]} on path : ${path} is exceeded. quota = ${binaryPrefix(quota)} but space consumed = ${binaryPrefix(count)}`,
    { path, type: storageTypeNames[type], quota, count },
  )
}

// --- keeping the sums -------------------------------------------------------------------------------------------------------

/**
 * Before an edit is applied: takes what it touches out of the sums above. The function that comes back puts in what is there
 * afterwards. Undefined when no sum can change.
 */
export function watchTypes(tx: NamespaceTx, edit: Edit): (() => void) | undefined {
  const ids = touchedBy(edit)
  if (ids.length === 0) return undefined
  for (const id of ids) charge(tx, id, -1)
  return () => {
    // A tree that moved, or under a directory whose policy changed, has directories inside whose own sums changed.
    if (edit.op === 'rename' || edit.op === 'setStoragePolicy') {
      const top = tx.inode(edit.id)
      if (top !== undefined) recount(tx, top, policyAbove(tx, top))
    }
    for (const id of ids) charge(tx, id, 1)
  }
}

/** Inodes whose bytes by type may change. */
function touchedBy(edit: Edit): readonly number[] {
  switch (edit.op) {
    case 'append':
    case 'addBlock':
    case 'abandonBlock':
    case 'close':
    case 'fsync':
    case 'updatePipeline':
    case 'setReplication':
    case 'setStoragePolicy':
    case 'delete':
      return [edit.id]
    case 'create':
      return edit.replaces === undefined ? [] : [edit.replaces]
    case 'truncate':
      return edit.tail === undefined ? [edit.id] : [edit.id, edit.tail]
    case 'concat':
      return [edit.id, ...edit.sources]
    case 'rename':
      return edit.replaces === undefined ? [edit.id] : [edit.id, edit.replaces]
    default:
      return []
  }
}

/** Adds an inode's bytes to, or takes them out of, the sums of the directories above it. */
function charge(tx: NamespaceTx, id: number, sign: 1 | -1): void {
  const inode = tx.inode(id)
  if (inode === undefined) return
  let space: TypeSpace | undefined
  for (let at = tx.inode(inode.parentId); at !== undefined; at = tx.inode(at.parentId)) {
    if ((at.flags & HAS_TYPE_QUOTAS) === 0) continue
    space ??= typeSpaceBelow(tx, inode)
    const by = space
    patchExtras(tx, at, {
      typeQuotas: extrasOf(tx, at).typeQuotas.map((one) => ({ ...one, consumed: one.consumed + sign * (by.get(one.type) ?? 0) })),
    })
  }
}

/** Sums up anew what directories with quotas at and below an inode carry; the bytes of all of it. */
export function recount(tx: NamespaceTx, inode: Inode, above: number): TypeSpace {
  const sums: TypeSpace = new Map()
  const policy = ownPolicy(tx, inode) || above
  if (inode.kind === 'file') {
    addTypeSpace(sums, policy, inode.replication, fileSpace(tx, inode))
    return sums
  }
  if (inode.children > 0)
    forEachChild(tx, inode.id, (child) => {
      for (const [type, bytes] of recount(tx, child, policy)) sums.set(type, (sums.get(type) ?? 0) + bytes)
    })
  if ((inode.flags & HAS_TYPE_QUOTAS) !== 0) {
    patchExtras(tx, inode, { typeQuotas: extrasOf(tx, inode).typeQuotas.map((one) => ({ ...one, consumed: sums.get(one.type) ?? 0 })) })
  }
  return sums
}
