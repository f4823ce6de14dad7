// What every verb gets to decide with, and what it answers.
import type { CallContext, Init } from '../../proto/ports.ts'
import type { Settings } from '../../common/options.ts'
import { QuarryError } from '../../common/errors.ts'
import type { Edit } from './edits.ts'
import type { LeaseTable } from './lease-table.ts'
import type { ClusterPort, Effect, NamespaceView } from './model.ts'
import type { Caller } from './permissions.ts'

/** The settings that the core goes by, and who rules. */
export interface EngineSettings {
  readonly settings: Settings
  /** The user that runs the namenode. */
  readonly superuser: string
  readonly poolId: string
  /** See common/limits.ts; tests make it small. */
  readonly removeAtOnceMax?: number
}

export interface PlanContext {
  readonly view: NamespaceView
  readonly cluster: ClusterPort
  readonly leases: LeaseTable
  readonly settings: Settings
  readonly superuser: string
  readonly poolId: string
  readonly removeAtOnceMax: number
  readonly caller: Caller
  /** The time of the command. */
  readonly atMs: number
}

export interface Planned<R = object> {
  readonly reply: Init<R>
  /** Absent: nothing changes. */
  readonly edit?: Edit
  /** A change that need not be waited for: the access time of a file that was opened. */
  readonly touches?: Edit
  /** What the block layer hears after the commit, before what applying the edit adds. */
  readonly effects?: readonly Effect[]
  /** Not yet: plan again when a replica of this block is reported; when that takes too long, answer `refuse` or else `reply`. */
  readonly wait?: number
  /** The edit only clears the way (it closes a file whose writer is gone): plan the same command again after it. */
  readonly again?: boolean
  /** The edit is worth keeping, but the command fails with this. */
  readonly refuse?: QuarryError
}

export function callerOf(context: CallContext, engine: EngineSettings): Caller {
  const { user, groups } = context
  const isSuper = user === engine.superuser || !engine.settings.permissions || groups.includes(engine.settings['superuser.group'])
  return { user, groups, isSuper, address: context.remoteAddress }
}

/** Refuses changes in safe mode. `doing` reads like HDFS: `Cannot create file/a.` */
export function refuseInSafeMode(context: PlanContext, doing: string): void {
  const mode = context.cluster.safeMode()
  if (mode.on) throw new QuarryError('SAFE_MODE', `${doing}. Name node is in safe mode.\n${mode.reason}`, { reason: mode.reason })
}

export const emptyReply = {} as const
export const yes = { value: true } as const
export const no = { value: false } as const
