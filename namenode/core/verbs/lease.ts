// Leases: who may write, and how a file whose writer is gone gets closed without losing what was made durable.
//
// A file is closed at once when all its blocks are committed, or when its last block never received a byte. When every replica of
// the last block is final and they agree, theirs is its length. Otherwise the datanodes must agree first (effect `recover-block`):
// the shortest of the replicas that were being written holds every byte that all of them acknowledged; they are made equal and
// final under a new generation stamp, and Engine.blockRecovered closes the file.
//
// From the moment a recovery begins the file has no writer: every call of the old one fails, also one that waited for replicas,
// so that no length but the recovery's is ever committed. Attempts repeat until one succeeds (core/recovery-attempts.ts).
import { QuarryError } from '../../../common/errors.ts'
import { rootInodeId } from '../../../common/limits.ts'
import type { Request } from '../../../proto/ports.ts'
import type { BlockCommit, Edit } from '../edits.ts'
import type { BlockRecord, Effect, FileInode, Inode, NamespaceView, ReportedReplica } from '../model.ts'
import { checkPath, checkTraverse, WRITE } from '../permissions.ts'
import { emptyReply, refuseInSafeMode, yes } from '../plan.ts'
import type { PlanContext, Planned } from '../plan.ts'
import { notFound, resolve } from '../resolve.ts'
import { pathOf } from '../totals.ts'

export type LeaseOp = 'CREATE_FILE' | 'APPEND_FILE' | 'TRUNCATE_FILE' | 'RECOVER_LEASE'

const describe = (path: string, fileId: number, holder: string): string =>
  `${path} (inode ${fileId}) Holder ${holder} does not have any open files.`

/** The record, unless it belongs to a tree that is deleted and only waits to be removed. */
export function livingInode(view: NamespaceView, id: number): Inode | undefined {
  const inode = view.inode(id)
  let top = inode
  while (top !== undefined && top.parentId !== 0) top = view.inode(top.parentId)
  return top?.id === rootInodeId ? inode : undefined
}

/** The open file that `holder` writes; by id where one is given, since it may have been renamed. */
export function writersFile(context: PlanContext, path: string, fileId: number, holder: string): FileInode {
  const inode = fileId === 0 ? resolve(context.view, path).last : livingInode(context.view, fileId)
  if (inode === undefined) throw new QuarryError('NOT_FOUND', `File does not exist: ${describe(path, fileId, holder)}`, { path })
  if (inode.kind !== 'file')
    throw new QuarryError('LEASE_EXPIRED', `INode is not a regular file: ${describe(path, inode.id, holder)}`, { path })
  if (inode.holder === '')
    throw new QuarryError('LEASE_EXPIRED', `File is not open for writing: ${describe(path, inode.id, holder)}`, { path })
  if (inode.holder !== holder) {
    throw new QuarryError(
      'LEASE_EXPIRED',
      `Client (=${holder}) is not the lease owner (=${inode.holder}: ${describe(path, inode.id, holder)}`,
      { path },
    )
  }
  context.leases.renew(holder, context.caller.address)
  return inode
}

/** A writer must not go on with a block that is being recovered, nor close or extend the file behind it. */
export function refuseUnderRecovery(last: BlockRecord | undefined, path: string): void {
  if (last?.state !== 'under-recovery') return
  throw new QuarryError(
    'LEASE_EXPIRED',
    `The lease on ${path} was taken away and its last block blk_${last.blockId} is being recovered: its writer is taken for dead.`,
    { path },
  )
}

/**
 * Nobody else may be writing the file. Throws LEASE_CONFLICT while the writer lives, RECOVERY_IN_PROGRESS while its last block is
 * being recovered; answers the edit that closes the file when its writer is gone (the caller then asks again), or undefined when
 * the file is closed already.
 */
export function requireFree(context: PlanContext, file: Inode, path: string, holder: string, op: LeaseOp): Planned | undefined {
  if (file.kind !== 'file' || file.holder === '') return undefined
  const { view, leases, settings, caller } = context
  const refuse = (code: 'LEASE_CONFLICT' | 'RECOVERY_IN_PROGRESS', why: string): never => {
    throw new QuarryError(code, `Failed to ${op} ${path} for ${holder} on ${caller.address} because ${why}`, { path, holder: file.holder })
  }
  const recovering = view.blocks(file.id).at(-1)?.state === 'under-recovery'
  if (file.holder === holder && !recovering) refuse('LEASE_CONFLICT', `${holder} is already the current lease holder.`)
  if (leases.silentMs(file.holder) < settings['lease.soft']) {
    const host = leases.hostOf(file.holder)
    const owner = host === '' ? file.holder : `${file.holder} on ${host}`
    if (recovering) refuse('RECOVERY_IN_PROGRESS', `another recovery is in progress by ${owner}`)
    refuse('LEASE_CONFLICT', `this file lease is currently owned by ${owner}`)
  }
  const release = releaseLease(context, file, path)
  if (release.edit?.op === 'close') return { reply: emptyReply, edit: release.edit, effects: release.effects, again: true }
  return {
    reply: emptyReply,
    ...(release.edit === undefined ? {} : { edit: release.edit }),
    effects: release.effects,
    refuse: new QuarryError(
      'RECOVERY_IN_PROGRESS',
      `Failed to ${op} ${path} for ${holder} on ${caller.address} because lease recovery is in progress. Try again later.`,
      { path },
    ),
  }
}

export interface Release {
  /** `close`: the file is closed by it. `recoverBlock`: the block layer has work first. Absent: nothing can be done yet. */
  readonly edit?: Edit
  readonly effects: readonly Effect[]
}

/** What it takes to close a file whose writer is gone. */
export function releaseLease(context: PlanContext, file: FileInode, path: string): Release {
  const { view, cluster, settings } = context
  const last = view.blocks(file.id).at(-1)
  const effects: Effect[] = []
  // Committed blocks have their length; should their replicas be away now, keeping the file open brings none back.
  if (last === undefined || last.state === 'committed') return { edit: { op: 'close', path, id: file.id }, effects }
  if (last.state === 'under-recovery' && context.leases.recoveries.waitMs(last.blockId) > 0) return { effects }
  const replicas = cluster.reportedReplicas(last.blockId).filter((replica) => replica.genstamp >= last.genstamp)
  const withBytes = replicas.filter((replica) => replica.length > 0)
  if (withBytes.length === 0) {
    // No live datanode has a byte of it. What an fsync made known must not be forgotten, and datanodes that have not reported since
    // the namenode started may hold more: such a block waits for them.
    const empty = last.length === 0 && !cluster.mayBeUnreported(last.blockId)
    return empty ? { edit: { op: 'close', path, id: file.id, drops: last.blockId }, effects } : { effects }
  }
  const commits = last.state === 'under-construction' ? agreedLength(last, replicas) : undefined
  if (commits !== undefined && cluster.liveReplicas({ ...last, ...commits, state: 'committed' }) >= settings['replication.min'])
    return { edit: { op: 'close', path, id: file.id, commits }, effects }
  const length = Math.min(...withBytes.map((replica) => replica.length))
  const genstamp = view.counters().nextGenstamp
  effects.push({ kind: 'recover-block', block: last, genstamp, length, replicas: withBytes })
  return { edit: { op: 'recoverBlock', path, id: file.id, blockId: last.blockId, genstamp }, effects }
}

/** What every known replica is final with; undefined when one is not, or two differ. Then recovery must make them equal. */
function agreedLength(last: BlockRecord, replicas: readonly ReportedReplica[]): BlockCommit | undefined {
  const { genstamp, length } = replicas[0]!
  if (length < last.length) return undefined
  const agree = replicas.every((replica) => replica.finalised && replica.genstamp === genstamp && replica.length === length)
  return agree ? { blockId: last.blockId, genstamp, length } : undefined
}

/** What the namenode does by itself about a file whose writer has been silent for the hard limit. */
export function expireLease(context: PlanContext, fileId: number, holder: string): Planned {
  const file = context.view.inode(fileId)
  if (file?.kind !== 'file' || file.holder !== holder) return { reply: emptyReply }
  const { edit, effects } = releaseLease(context, file, pathOf(context.view, file))
  return { reply: emptyReply, effects, ...(edit === undefined ? {} : { edit }) }
}

/** The next attempt at a recovery that failed, was interrupted by a restart, or of which nothing was heard. */
export function recoverAgain(context: PlanContext, blockId: number): Planned {
  const block = context.view.block(blockId)
  const file = block?.state === 'under-recovery' ? livingInode(context.view, block.fileId) : undefined
  if (file?.kind !== 'file' || file.holder === '') {
    context.leases.recoveries.end(blockId)
    return { reply: emptyReply }
  }
  return expireLease(context, file.id, file.holder)
}

export function renewLease(context: PlanContext, request: Request<'renewLease'>): Planned {
  context.leases.renew(request.holder, context.caller.address)
  return { reply: emptyReply }
}

export function recoverLease(context: PlanContext, request: Request<'recoverLease'>): Planned<{ value: boolean }> {
  const at = resolve(context.view, request.path)
  refuseInSafeMode(context, `Cannot recover the lease of ${at.path}`)
  checkTraverse(context.caller, at)
  if (at.last === undefined) throw notFound(at.path)
  if (at.last.kind !== 'file') throw new QuarryError('NOT_A_FILE', `Path is not a file: ${at.path}`, { path: at.path })
  checkPath(context.caller, at, WRITE)
  if (at.last.holder === '') return { reply: yes }
  const release = releaseLease(context, at.last, at.path)
  return {
    reply: { value: release.edit?.op === 'close' },
    ...(release.edit === undefined ? {} : { edit: release.edit }),
    effects: release.effects,
  }
}

/** The block layer has made the replicas of a block under recovery equal and final. */
export function blockRecovered(context: PlanContext, recovered: { blockId: number; genstamp: number; length: number }): Planned {
  const block = context.view.block(recovered.blockId)
  if (block === undefined || block.state !== 'under-recovery') return { reply: emptyReply }
  // The answer of an earlier attempt: the later one has given the replicas another stamp by now, or will. So too after a restart.
  if (!context.leases.recoveries.isCurrent(block.blockId, recovered.genstamp)) return { reply: emptyReply }
  const file = context.view.inode(block.fileId)
  if (file?.kind !== 'file' || file.holder === '') return { reply: emptyReply }
  const path = pathOf(context.view, file)
  if (recovered.length > 0) return { reply: emptyReply, edit: { op: 'close', path, id: file.id, commits: recovered } }
  if (block.length === 0) return { reply: emptyReply, edit: { op: 'close', path, id: file.id, drops: block.blockId } }
  // Nobody who answered has a byte, but some were durable: whoever has them is away.
  context.leases.recoveries.fail(block.blockId, recovered.genstamp)
  return { reply: emptyReply }
}
