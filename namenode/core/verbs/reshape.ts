// truncate and concat: files made of other files' blocks, or of fewer of their own.
//
// Blocks never shrink in place: their checksums and their copies elsewhere would no longer match. A truncate at a block boundary
// drops blocks. One inside a block is copy-on-truncate: the client writes the kept part of that block as a file of one block
// beside it (the tail) and names it here; then the old blocks go and the tail's block comes in one edit. The tail names the block
// that it was copied from, so that a file which changed meanwhile refuses it.
import { QuarryError } from '../../../common/errors.ts'
import type { Request, StorageType } from '../../../proto/ports.ts'
import type { DirectoryInode, FileInode } from '../model.ts'
import { checkParentWrite, checkPath, checkTraverse, READ, WRITE } from '../permissions.ts'
import { emptyReply, refuseInSafeMode, yes } from '../plan.ts'
import type { PlanContext, Planned } from '../plan.ts'
import { notFound, parentDirectory, resolve } from '../resolve.ts'
import { isComplete } from '../status.ts'
import { checkQuota } from '../totals.ts'
import { checkTypeQuotas, gainOf, typeSpaceOf } from '../type-quotas.ts'
import { requireFree } from './lease.ts'

export function truncate(context: PlanContext, request: Request<'truncate'>): Planned<{ value: boolean }> {
  const { view, caller } = context
  const at = resolve(view, request.path)
  refuseInSafeMode(context, `Cannot truncate for ${at.path}`)
  checkTraverse(caller, at)
  const file = at.last
  if (file === undefined) throw notFound(at.path)
  checkPath(caller, at, WRITE)
  if (file.kind !== 'file') throw new QuarryError('NOT_A_FILE', `Path is not a file: ${at.path}`, { path: at.path })
  const { newLength } = request
  if (newLength < 0) throw new QuarryError('INVALID_ARGUMENT', `Cannot truncate to a negative file size: ${newLength}.`)
  const pending = requireFree(context, file, at.path, request.holder, 'TRUNCATE_FILE')
  if (pending !== undefined) return pending as Planned<{ value: boolean }>
  if (newLength === file.length) return { reply: yes }
  if (newLength > file.length) {
    throw new QuarryError(
      'INVALID_ARGUMENT',
      `Cannot truncate to a larger file size. Current size: ${file.length}, truncate size: ${newLength}.`,
      { length: file.length },
    )
  }
  let start = 0
  const cut = view.blocks(file.id).find((block) => {
    if (start + block.length > newLength) return true
    start += block.length
    return false
  })!
  if (start === newLength) return { reply: yes, edit: { op: 'truncate', path: at.path, id: file.id, length: newLength } }
  if (request.tailPath === '') {
    throw new QuarryError(
      'UNSUPPORTED',
      `Cannot truncate ${at.path} to ${newLength}: that is inside a block. Write its kept part, bytes ${start} to ${newLength}, as a file in the same directory and name it as the tail.`,
      { blockId: cut.blockId, start },
    )
  }
  const tail = donor(context, request.tailPath, parentDirectory(at)!)
  const blocks = view.blocks(tail.id)
  if (request.tailOfBlock !== cut.blockId) {
    throw new QuarryError(
      'RETRY_LATER',
      `${at.path} has changed since its tail was copied: block ${cut.blockId} is to be cut, not ${request.tailOfBlock}. Copy it again.`,
      { path: at.path },
    )
  }
  if (tail.id === file.id || blocks.length !== 1 || tail.length !== newLength - start) {
    throw new QuarryError(
      'INVALID_ARGUMENT',
      `The tail ${request.tailPath} must be one block of ${newLength - start} bytes; it has ${blocks.length} of ${tail.length} bytes.`,
      { path: at.path },
    )
  }
  checkQuota(view, parentDirectory(at)!, 0, tail.length * (file.replication - tail.replication))
  checkTypes(context, parentDirectory(at)!, file, newLength, [file, tail])
  return { reply: yes, edit: { op: 'truncate', path: at.path, id: file.id, length: newLength, tail: tail.id } }
}

export function concat(context: PlanContext, request: Request<'concat'>): Planned {
  const { view, caller, settings } = context
  const at = resolve(view, request.target)
  refuseInSafeMode(context, `Cannot concat ${at.path}`)
  if (request.sources.length === 0) throw new QuarryError('INVALID_ARGUMENT', 'No sources given')
  checkTraverse(caller, at)
  checkPath(caller, at, WRITE)
  const target = at.last
  if (target === undefined) throw notFound(at.path)
  if (target.kind !== 'file') throw new QuarryError('NOT_A_FILE', `Path is not a file: ${at.path}`, { path: at.path })
  if (target.holder !== '')
    throw new QuarryError('INVALID_ARGUMENT', `concat: target file ${at.path} is under construction`, { path: at.path })
  const parent = parentDirectory(at)!
  const sources = request.sources.map((path) => donor(context, path, parent))
  const seen = new Set<number>([target.id])
  let blocks = view.blocks(target.id).length
  let space = 0
  for (const [i, source] of sources.entries()) {
    const path = request.sources[i]!
    if (source.id === target.id)
      throw new QuarryError('INVALID_ARGUMENT', `concat: the src file ${path} is the same with the target file ${at.path}`, { path })
    if (seen.has(source.id)) throw new QuarryError('INVALID_ARGUMENT', 'concat: at least two of the source files are the same', { path })
    seen.add(source.id)
    if (source.length === 0)
      throw new QuarryError('INVALID_ARGUMENT', `concat: source file ${path} is invalid or empty or underConstruction`, { path })
    if (source.blockSize > target.blockSize) {
      throw new QuarryError(
        'INVALID_ARGUMENT',
        `concat: source file ${path} has preferred block size ${source.blockSize} which is greater than the target file's preferred block size ${target.blockSize}.`,
        { path },
      )
    }
    blocks += view.blocks(source.id).length
    space += source.length * (target.replication - source.replication)
  }
  if (blocks > settings['blocks.per.file.max']) {
    throw new QuarryError(
      'TOO_MANY_BLOCKS',
      `File would pass the limit on maximum number of blocks (blocks.per.file.max): ${blocks} > ${settings['blocks.per.file.max']}`,
      { path: at.path },
    )
  }
  checkQuota(view, parent, 0, space)
  checkTypes(
    context,
    parent,
    target,
    sources.reduce((sum, source) => sum + source.length, target.length),
    [target, ...sources],
  )
  return { reply: emptyReply, edit: { op: 'concat', path: at.path, id: target.id, sources: sources.map((source) => source.id) } }
}

/** Quotas by type: closed files of one directory become one of `length` bytes. */
function checkTypes(context: PlanContext, parent: DirectoryInode, target: FileInode, length: number, files: readonly FileInode[]): void {
  const { view } = context
  if (!view.hasTypeQuotas()) return
  const before = new Map<StorageType, number>()
  for (const file of files)
    for (const [type, bytes] of typeSpaceOf(view, file, file.length * file.replication)) before.set(type, (before.get(type) ?? 0) + bytes)
  checkTypeQuotas(view, parent, gainOf(typeSpaceOf(view, target, length * target.replication), before))
}

/** A closed file in the target's own directory that gives its blocks away and disappears. */
function donor(context: PlanContext, path: string, directory: DirectoryInode): FileInode {
  const { view, caller } = context
  const at = resolve(view, path)
  checkTraverse(caller, at)
  checkPath(caller, at, READ)
  checkParentWrite(caller, at)
  const file = at.last
  if (file === undefined) throw notFound(at.path)
  if (file.kind !== 'file') throw new QuarryError('NOT_A_FILE', `Path is not a file: ${at.path}`, { path: at.path })
  if (file.parentId !== directory.id)
    throw new QuarryError('INVALID_ARGUMENT', `Source file ${at.path} is not in the same directory with the target`, { path: at.path })
  if (file.holder !== '')
    throw new QuarryError('INVALID_ARGUMENT', `concat: source file ${at.path} is invalid or empty or underConstruction`, { path: at.path })
  const last = view.blocks(file.id).at(-1)
  if (last !== undefined && !isComplete(context, last))
    throw new QuarryError('RETRY_LATER', `${at.path} is not sufficiently replicated yet.`, { path: at.path })
  return file
}
