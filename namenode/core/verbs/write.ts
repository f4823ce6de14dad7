// The verbs of a writer: append, blocks, pipeline changes, fsync, complete.
import { QuarryError } from '../../../common/errors.ts'
import type { Block, Request } from '../../../proto/ports.ts'
import type { BlockCommit } from '../edits.ts'
import type { BlockRecord, DirectoryInode, FileInode, Placement } from '../model.ts'
import { checkPath, checkTraverse, WRITE } from '../permissions.ts'
import { emptyReply, no, refuseInSafeMode, yes } from '../plan.ts'
import type { PlanContext, Planned } from '../plan.ts'
import { resolve } from '../resolve.ts'
import { fileStatus, isComplete, locatedBlock } from '../status.ts'
import { checkQuota } from '../totals.ts'
import { checkTypeQuotas, typeSpaceOf } from '../type-quotas.ts'
import { makeBlock } from '../records.ts'
import { livingInode, refuseUnderRecovery, requireFree, writersFile } from './lease.ts'

export function append(context: PlanContext, request: Request<'append'>): Planned {
  const { view, caller, cluster } = context
  const at = resolve(view, request.path)
  refuseInSafeMode(context, `Cannot append to file${at.path}`)
  checkTraverse(caller, at)
  const file = at.last
  if (file?.kind === 'directory')
    throw new QuarryError('IS_A_DIRECTORY', `Cannot append to directory ${at.path}; already exists as a directory.`, { path: at.path })
  if (file === undefined)
    throw new QuarryError('NOT_FOUND', `Failed to append to non-existent file ${at.path} for client ${caller.address}`, { path: at.path })
  if (request.holder === '') throw new QuarryError('INVALID_ARGUMENT', 'append needs the name of a lease holder.')
  checkPath(caller, at, WRITE)
  const pending = requireFree(context, file, at.path, request.holder, 'APPEND_FILE')
  if (pending !== undefined) return pending
  const last = view.blocks(file.id).at(-1)
  if (last !== undefined && !isComplete(context, last)) {
    throw new QuarryError('RETRY_LATER', `append: lastBlock=${blockText(last)} of src=${at.path} is not sufficiently replicated yet.`, {
      path: at.path,
    })
  }
  const status = { ...fileStatus(view, file, ''), underConstruction: true }
  if (last === undefined || request.newBlock || last.length >= file.blockSize) {
    return { reply: { lastBlock: null, file: status }, edit: { op: 'append', path: at.path, id: file.id, holder: request.holder } }
  }
  checkSpace(context, file, (file.blockSize - last.length) * file.replication)
  const locations = cluster.locations(last, caller.address)
  const reopened = makeBlock(last.blockId, file.id, last.index, last.genstamp, last.length, 'under-construction')
  return {
    reply: { lastBlock: locatedBlock(last, file.length - last.length, locations, false), file: status },
    edit: { op: 'append', path: at.path, id: file.id, holder: request.holder, reopens: last.blockId },
    effects: [{ kind: 'pipeline-updated', block: reopened, replication: file.replication, targets: locations, reopened: true }],
  }
}

export function addBlock(context: PlanContext, request: Request<'addBlock'>): Planned {
  const { view, cluster, settings, caller } = context
  refuseInSafeMode(context, `Cannot add block to ${request.path}`)
  const file = writersFile(context, request.path, request.fileId, request.holder)
  const blocks = view.blocks(file.id)
  const last = blocks.at(-1)
  refuseUnderRecovery(last, request.path)
  const previous = request.previous
  let commits: BlockCommit | undefined
  if (same(previous, last)) {
    if (previous !== null && last!.state !== 'committed') {
      commits = commitOf(last!, file, previous)
      if (commits.length === 0)
        throw new QuarryError(
          'INVALID_ARGUMENT',
          `Cannot add a block to ${request.path} after an empty one: abandon ${blockText(last!)} first`,
          { path: request.path },
        )
    }
  } else if (previous === null && last!.state === 'committed') {
    // Append at a block boundary, or into a new block.
  } else if (previous === null ? blocks.length === 1 : same(previous, blocks.at(-2))) {
    if (last!.length !== 0 || last!.state !== 'under-construction') {
      throw new QuarryError(
        'INVALID_ARGUMENT',
        `Request looked like a retry to allocate block ${blockText(last!)} but it already contains ${last!.length} bytes`,
        { path: request.path },
      )
    }
    return { reply: { block: locatedBlock(last!, file.length, cluster.locations(last!, caller.address), false), poolId: context.poolId } }
  } else {
    throw new QuarryError(
      'INVALID_ARGUMENT',
      `Cannot allocate block in ${request.path}: passed 'previous' block ${blockText(previous)} does not match actual last block in file ${last === undefined ? 'null' : blockText(last)}`,
      { path: request.path },
    )
  }
  const most = settings['blocks.per.file.max']
  if (blocks.length >= most) {
    throw new QuarryError(
      'TOO_MANY_BLOCKS',
      `File has reached the limit on maximum number of blocks (blocks.per.file.max): ${blocks.length} >= ${most}`,
      { path: request.path },
    )
  }
  const committedLast: BlockRecord | undefined = commits === undefined ? last : { ...last!, length: commits.length, state: 'committed' }
  if (committedLast !== undefined && !isComplete(context, committedLast)) {
    return {
      wait: committedLast.blockId,
      reply: emptyReply,
      refuse: new QuarryError('NOT_REPLICATED_YET', `Not replicated yet: ${request.path}`, { path: request.path }),
    }
  }
  // The block before was charged in full; what it did not use is free by now.
  const freed = commits === undefined || last === undefined ? 0 : file.blockSize - commits.length
  checkSpace(context, file, (file.blockSize - freed) * file.replication)
  const placement = cluster.chooseTargets({
    caller: caller.address,
    wanted: file.replication,
    existing: [],
    excluded: request.excluded,
    favored: request.favored,
    blockSize: file.blockSize,
  })
  if (placement.targets.length < settings['replication.min'])
    throw noTargets(request.path, placement, settings['replication.min'], request.excluded.length)
  const counters = view.counters()
  const block = makeBlock(counters.nextBlockId, file.id, blocks.length, counters.nextGenstamp, 0, 'under-construction')
  const offset = file.length + (commits === undefined ? 0 : commits.length - last!.length)
  return {
    reply: { block: locatedBlock(block, offset, placement.targets, false), poolId: context.poolId },
    edit: {
      op: 'addBlock',
      path: request.path,
      id: file.id,
      blockId: block.blockId,
      genstamp: block.genstamp,
      ...(commits === undefined ? {} : { commits }),
    },
    effects: [{ kind: 'block-allocated', block, replication: file.replication, targets: placement.targets }],
  }
}

function noTargets(path: string, placement: Placement, wanted: number, excluded: number): QuarryError {
  const { targets, refused } = placement
  const reasons =
    refused.length === 0
      ? 'no datanode is registered: start one with `quarry datanode`'
      : refused.map((one) => `${one.node}: ${one.reason}`).join('; ')
  const nodes = placement.running ?? refused.length + targets.length
  return new QuarryError(
    'NO_TARGETS',
    `File ${path} could only be written to ${targets.length} of the ${wanted} minReplication nodes. There are ${nodes} datanode(s) running and ${excluded} node(s) are excluded in this operation. ${reasons}`,
    { path, refused },
  )
}

export function abandonBlock(context: PlanContext, request: Request<'abandonBlock'>): Planned {
  refuseInSafeMode(context, `Cannot abandon block for file${request.path}`)
  const file = writersFile(context, request.path, request.fileId, request.holder)
  const last = context.view.blocks(file.id).at(-1)
  refuseUnderRecovery(last, request.path)
  if (last === undefined || last.blockId !== request.block?.blockId || last.state !== 'under-construction') return { reply: emptyReply }
  return { reply: emptyReply, edit: { op: 'abandonBlock', path: request.path, id: file.id, blockId: last.blockId } }
}

export function complete(context: PlanContext, request: Request<'complete'>): Planned<{ value: boolean }> {
  const { view } = context
  refuseInSafeMode(context, `Cannot complete file ${request.path}`)
  const inode = request.fileId === 0 ? resolve(view, request.path).last : livingInode(view, request.fileId)
  if (inode?.kind === 'file' && inode.holder === '') {
    // A retry whose first answer was lost: the file is closed as the caller wants it.
    if (same(request.last, view.blocks(inode.id).at(-1))) return { reply: yes }
  }
  const file = writersFile(context, request.path, request.fileId, request.holder)
  const blocks = view.blocks(file.id)
  const last = blocks.at(-1)
  if (last === undefined) {
    if (request.last !== null) throw mismatch(undefined, request.last)
    return { reply: yes, edit: { op: 'close', path: request.path, id: file.id } }
  }
  refuseUnderRecovery(last, request.path)
  let commits: BlockCommit | undefined
  if (last.state !== 'committed') {
    if (request.last === null || request.last.blockId !== last.blockId) throw mismatch(last, request.last)
    commits = commitOf(last, file, request.last)
    if (commits.length === 0) return { reply: yes, edit: { op: 'close', path: request.path, id: file.id, drops: last.blockId } }
  }
  const committed: BlockRecord = commits === undefined ? last : { ...last, length: commits.length, state: 'committed' }
  if (!isComplete(context, committed)) return { wait: committed.blockId, reply: no }
  return { reply: yes, edit: { op: 'close', path: request.path, id: file.id, ...(commits === undefined ? {} : { commits }) } }
}

export function fsync(context: PlanContext, request: Request<'fsync'>): Planned {
  refuseInSafeMode(context, `Cannot fsync file ${request.path}`)
  const file = writersFile(context, request.path, request.fileId, request.holder)
  const last = context.view.blocks(file.id).at(-1)
  refuseUnderRecovery(last, request.path)
  if (last?.state !== 'under-construction' || request.lastBlockLength <= last.length) return { reply: emptyReply }
  if (request.lastBlockLength > file.blockSize)
    throw new QuarryError('INVALID_ARGUMENT', `fsync of ${request.lastBlockLength} bytes in a block of at most ${file.blockSize}`, {
      path: request.path,
    })
  return {
    reply: emptyReply,
    edit: { op: 'fsync', path: request.path, id: file.id, blockId: last.blockId, length: request.lastBlockLength },
  }
}

export function updateBlockForPipeline(context: PlanContext, request: Request<'updateBlockForPipeline'>): Planned {
  const { view, cluster, caller } = context
  refuseInSafeMode(context, `Cannot get a new generation stamp for ${blockText(request.block)}`)
  const { block, file } = openBlock(context, request.block, request.holder)
  const genstamp = view.counters().nextGenstamp
  const located = locatedBlock({ ...block, genstamp }, file.length - block.length, cluster.locations(block, caller.address), false)
  return { reply: { block: located, poolId: context.poolId }, edit: { op: 'nextGenstamp', genstamp, blockId: block.blockId } }
}

export function updatePipeline(context: PlanContext, request: Request<'updatePipeline'>): Planned {
  const { cluster } = context
  refuseInSafeMode(context, `Cannot update the pipeline of ${blockText(request.oldBlock)}`)
  const { block, file } = openBlock(context, request.oldBlock, request.holder)
  const next = request.newBlock
  if (
    next === null ||
    next.blockId !== block.blockId ||
    next.genstamp <= block.genstamp ||
    next.genstamp >= context.view.counters().nextGenstamp ||
    next.length < block.length ||
    next.length > file.blockSize
  ) {
    throw new QuarryError(
      'INVALID_ARGUMENT',
      `Update ${blockText(request.oldBlock)} (stored ${blockText(block)}) but the new block ${blockText(next)} does not have a larger generation stamp and length`,
      { blockId: block.blockId },
    )
  }
  // A datanode that the writer reaches may be dead to us (its session is cut off, or we have just restarted). The writer goes on with
  // it; its replica counts as soon as it registers and reports it.
  const targets = request.datanodes.flatMap((uuid, i) => cluster.location(uuid, request.storages[i] ?? '') ?? [])
  if (targets.length === 0) {
    throw new QuarryError(
      'RETRY_LATER',
      `None of the ${request.datanodes.length} datanodes of the new pipeline of ${blockText(request.oldBlock)} is live now: try again when one is.`,
      { blockId: block.blockId },
    )
  }
  const updated = makeBlock(block.blockId, block.fileId, block.index, next.genstamp, next.length, 'under-construction')
  return {
    reply: emptyReply,
    edit: { op: 'updatePipeline', id: file.id, blockId: block.blockId, genstamp: next.genstamp, length: next.length },
    effects: [{ kind: 'pipeline-updated', block: updated, replication: file.replication, targets }],
  }
}

export function additionalDatanode(context: PlanContext, request: Request<'additionalDatanode'>): Planned {
  const { view, cluster, caller } = context
  refuseInSafeMode(context, `Cannot add datanode for ${blockText(request.block)}`)
  const file = writersFile(context, request.path, request.fileId, request.holder)
  const block = view.blocks(file.id).at(-1)
  refuseUnderRecovery(block, request.path)
  if (block === undefined || block.blockId !== request.block?.blockId) throw mismatch(block, request.block)
  const known = cluster.locations(block, caller.address)
  const kept = request.existing.flatMap((uuid) => {
    const location = known.find((one) => one.datanode?.uuid === uuid) ?? cluster.location(uuid, '')
    return location === undefined ? [] : [location]
  })
  const placement = cluster.chooseTargets({
    caller: caller.address,
    wanted: request.wanted,
    existing: request.existing,
    excluded: request.excluded,
    favored: [],
    blockSize: file.blockSize,
  })
  if (placement.targets.length === 0) throw noTargets(request.path, placement, request.wanted, request.excluded.length)
  return {
    reply: { block: locatedBlock(block, file.length - block.length, [...kept, ...placement.targets], false), poolId: context.poolId },
  }
}

// --- shared -----------------------------------------------------------------------------------------------------------------

function same(block: Block | null | undefined, record: BlockRecord | undefined): boolean {
  if (block === null || block === undefined) return record === undefined
  return record !== undefined && block.blockId === record.blockId && block.genstamp === record.genstamp
}

function blockText(block: { readonly blockId: number; readonly genstamp: number; readonly length: number } | null): string {
  return block === null ? 'null' : `blk_${block.blockId}_${block.genstamp} (${block.length} bytes)`
}

function mismatch(record: BlockRecord | undefined, block: Block | null): QuarryError {
  return new QuarryError(
    'STALE_GENERATION',
    `The last block of the file is ${record === undefined ? 'null' : blockText(record)}, the client says ${blockText(block)}`,
    {},
  )
}

/** The final length of a block as its writer gives it. */
function commitOf(record: BlockRecord, file: FileInode, block: Block): BlockCommit {
  if (block.genstamp !== record.genstamp) {
    throw new QuarryError(
      'STALE_GENERATION',
      `Commit block with mismatching GS. NN has ${blockText(record)}, client submits ${blockText(block)}`,
      { blockId: record.blockId },
    )
  }
  if (block.length < record.length) {
    throw new QuarryError(
      'INVALID_ARGUMENT',
      `Commit block ${blockText(block)} is shorter than what was made durable before: ${record.length} bytes`,
      { blockId: record.blockId },
    )
  }
  if (block.length > file.blockSize) {
    throw new QuarryError('INVALID_ARGUMENT', `Commit block ${blockText(block)} is longer than the file's block size ${file.blockSize}`, {
      blockId: record.blockId,
    })
  }
  return { blockId: record.blockId, genstamp: record.genstamp, length: block.length }
}

/** The block that `holder` is writing. */
function openBlock(context: PlanContext, block: Block | null, holder: string): { block: BlockRecord; file: FileInode } {
  const record = block === null ? undefined : context.view.block(block.blockId)
  if (record === undefined) throw new QuarryError('INVALID_ARGUMENT', `${blockText(block)} does not exist or is not under construction`)
  const file = livingInode(context.view, record.fileId)
  if (file?.kind !== 'file' || file.holder === '')
    throw new QuarryError('LEASE_EXPIRED', `The file ${blockText(record)} belonged to does not exist or it is not under construction.`)
  if (file.holder !== holder)
    throw new QuarryError('LEASE_EXPIRED', `Lease mismatch: ${blockText(record)} is accessed by a non lease holder ${holder}`)
  if (record.state === 'committed')
    throw new QuarryError('INVALID_ARGUMENT', `Unexpected state: ${blockText(record)} is committed but not under construction`)
  if (record.state === 'under-recovery')
    throw new QuarryError('LEASE_EXPIRED', `${blockText(record)} is being recovered: its writer is taken for dead`)
  context.leases.renew(holder, context.caller.address)
  return { block: record, file }
}

function checkSpace(context: PlanContext, file: FileInode, space: number): void {
  if (space <= 0) return
  const parent = context.view.inode(file.parentId)
  if (parent?.kind !== 'directory') return
  checkQuota(context.view, parent satisfies DirectoryInode, 0, space)
  if (context.view.hasTypeQuotas()) checkTypeQuotas(context.view, parent, typeSpaceOf(context.view, file, space))
}
