// delete and the two renames.
import { QuarryError } from '../../../common/errors.ts'
import { graveyardInodeId } from '../../../common/limits.ts'
import type { Request, StorageType } from '../../../proto/ports.ts'
import type { DirectoryInode, Inode, NamespaceView } from '../model.ts'
import { checkAncestorWrite, checkParentWrite, checkSubtree, checkTraverse } from '../permissions.ts'
import { emptyReply, no, refuseInSafeMode, yes } from '../plan.ts'
import type { PlanContext, Planned } from '../plan.ts'
import { fileInTheWay, pathOfNode, resolve } from '../resolve.ts'
import type { Resolved } from '../resolve.ts'
import { checkQuota, subtreeTotals } from '../totals.ts'
import { checkTypeQuotas, gainOf, typeSpaceBelow, typeSpaceIn } from '../type-quotas.ts'
import { checkEntries, refuseReservedNames } from './make.ts'

const ALL = 7

export function remove(context: PlanContext, request: Request<'delete'>): Planned<{ value: boolean }> {
  const { view, caller } = context
  const at = resolve(view, request.path)
  refuseInSafeMode(context, `Cannot delete ${at.path}`)
  checkTraverse(caller, at)
  checkParentWrite(caller, at)
  const inode = at.last
  if (inode?.kind === 'directory') {
    checkSubtree(view, caller, inode, at.path, ALL, true)
    if (inode.children > 0 && !request.recursive)
      throw new QuarryError('NOT_EMPTY', `\`${at.path} is non empty': Directory is not empty`, { path: at.path })
  }
  if (inode === undefined || at.names.length === 0) return { reply: no }
  const later = inode.kind === 'directory' && inode.totals.files + inode.totals.directories > context.removeAtOnceMax
  return { reply: yes, edit: { op: 'delete', path: at.path, id: inode.id, ...(later ? { later } : {}) } }
}

/** For the engine: the next part of the trees that were deleted and are not yet removed. */
export function reap(context: PlanContext): Planned {
  const graveyard = context.view.inode(graveyardInodeId)
  if (graveyard?.kind !== 'directory' || graveyard.children === 0) return { reply: emptyReply }
  return { reply: emptyReply, edit: { op: 'reap', records: context.removeAtOnceMax } }
}

/** Hadoop's first rename: an existing directory as target means "into it", and ordinary failures are `false`. */
export function rename(context: PlanContext, request: Request<'rename'>): Planned<{ value: boolean }> {
  const { view, caller } = context
  const source = resolve(view, request.source)
  let target = resolve(view, request.target)
  refuseInSafeMode(context, `Cannot rename ${source.path}`)
  checkTraverse(caller, source)
  checkTraverse(caller, target, true)
  if (target.last?.kind === 'directory' && source.names.length > 0) {
    target = resolve(view, `${target.path === '/' ? '' : target.path}/${source.names.at(-1)!}`)
  }
  checkParentWrite(caller, source)
  checkAncestorWrite(caller, target)
  const inode = source.last
  if (inode === undefined || source.names.length === 0) return { reply: no }
  if (target.path === source.path) return { reply: yes }
  if (isBelow(target, source) || target.last !== undefined) return { reply: no }
  const parent = target.nodes[target.names.length - 1]
  if (parent?.kind !== 'directory') return { reply: no }
  refuseReservedNames(target)
  checkMove(context, inode, parent, target, undefined)
  return {
    reply: yes,
    edit: { op: 'rename', source: source.path, target: target.path, id: inode.id, parent: parent.id, name: target.names.at(-1)! },
  }
}

/** Hadoop's second rename: strict, or replacing a file or an empty directory. */
export function rename2(context: PlanContext, request: Request<'rename2'>): Planned {
  const { view, caller } = context
  const source = resolve(view, request.source)
  const target = resolve(view, request.target)
  refuseInSafeMode(context, `Cannot rename ${source.path}`)
  checkTraverse(caller, source)
  const blocked = fileInTheWay(target)
  if (blocked >= 0 && blocked === target.names.length - 1) {
    throw new QuarryError('NOT_A_DIRECTORY', `rename destination parent ${target.path} is a file.`, { path: target.path })
  }
  checkTraverse(caller, target, true)
  checkParentWrite(caller, source)
  checkAncestorWrite(caller, target)
  const inode = source.last
  if (inode === undefined) throw new QuarryError('NOT_FOUND', `rename source ${source.path} is not found.`, { path: source.path })
  if (source.names.length === 0) throw new QuarryError('INVALID_ARGUMENT', 'rename source cannot be the root')
  if (target.path === source.path) {
    throw new QuarryError('ALREADY_EXISTS', `The source ${source.path} and destination ${target.path} are the same`, { path: target.path })
  }
  if (isBelow(target, source)) {
    throw new QuarryError('INVALID_ARGUMENT', `Rename destination ${target.path} is a directory or file under source ${source.path}`, {
      path: target.path,
    })
  }
  if (target.names.length === 0) throw new QuarryError('INVALID_ARGUMENT', 'rename destination cannot be the root')
  const replaced = target.last
  if (replaced !== undefined) checkOverwrite(source, target, inode, replaced, request.overwrite)
  const parent = target.nodes[target.names.length - 1]
  if (parent?.kind !== 'directory') {
    throw new QuarryError('NOT_FOUND', `rename destination parent ${target.path} not found.`, { path: target.path })
  }
  refuseReservedNames(target)
  checkMove(context, inode, parent, target, replaced)
  return {
    reply: emptyReply,
    edit: {
      op: 'rename',
      source: source.path,
      target: target.path,
      id: inode.id,
      parent: parent.id,
      name: target.names.at(-1)!,
      ...(replaced === undefined ? {} : { replaces: replaced.id }),
    },
  }
}

function checkOverwrite(source: Resolved, target: Resolved, inode: Inode, replaced: Inode, overwrite: boolean): void {
  if (inode.kind !== replaced.kind) {
    const code = replaced.kind === 'directory' ? 'IS_A_DIRECTORY' : 'NOT_A_DIRECTORY'
    throw new QuarryError(code, `Source ${source.path} and destination ${target.path} must both be directories or files`, {
      path: target.path,
    })
  }
  if (!overwrite) throw new QuarryError('ALREADY_EXISTS', `rename destination ${target.path} already exists`, { path: target.path })
  if (replaced.kind === 'directory' && replaced.children > 0) {
    throw new QuarryError('NOT_EMPTY', `rename destination directory is not empty: ${target.path}`, { path: target.path })
  }
}

function isBelow(target: Resolved, source: Resolved): boolean {
  return target.names.length > source.names.length && source.names.every((name, i) => target.names[i] === name)
}

/** Room and quota at the target; what lies above both ends is charged already. */
function checkMove(context: PlanContext, inode: Inode, parent: DirectoryInode, target: Resolved, replaced: Inode | undefined): void {
  const { view } = context
  if (parent.id === inode.parentId) return
  if (replaced === undefined) checkEntries(context, parent, () => pathOfNode(target, target.names.length - 1))
  const above = new Set<number>()
  for (let at = view.inode(inode.parentId); at !== undefined; at = at.parentId === 0 ? undefined : view.inode(at.parentId)) above.add(at.id)
  let common = 0
  for (const node of target.nodes) if (above.has(node.id)) common = node.id
  const gain = subtreeTotals(view, inode)
  const loss = replaced === undefined ? undefined : subtreeTotals(view, replaced)
  checkQuota(
    view,
    parent,
    gain.files + gain.directories - (loss === undefined ? 0 : loss.files + loss.directories),
    gain.space - (loss?.space ?? 0),
    common,
  )
  if (view.hasTypeQuotas()) checkTypesOfMove(view, inode, parent, replaced, common)
}

/** Above both ends nothing comes in addition but what another storage policy makes of the same bytes. */
function checkTypesOfMove(view: NamespaceView, inode: Inode, parent: DirectoryInode, replaced: Inode | undefined, commonId: number): void {
  const after = typeSpaceIn(view, inode, parent)
  const gone = replaced === undefined ? new Map<StorageType, number>() : typeSpaceIn(view, replaced, parent)
  checkTypeQuotas(view, parent, gainOf(after, gone), commonId)
  const common = view.inode(commonId)
  if (common === undefined) return
  for (const [type, bytes] of typeSpaceBelow(view, inode)) gone.set(type, (gone.get(type) ?? 0) + bytes)
  checkTypeQuotas(view, common, gainOf(after, gone))
}
