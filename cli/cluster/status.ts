// What an embedded cluster is doing: who runs it, which datanodes are live, what it holds.
import { describeRunning, type ClusterDescription } from './description.ts'
import { logFileOf, readCluster, readRunning, type RunningRecord } from './directory.ts'
import { askNamenode, type NamenodeStatus } from './namenode-status.ts'
import { isAlive } from './process-identity.ts'
import { lastLogLines } from './role-process.ts'

export type ClusterState = 'ready' | 'degraded' | 'starting' | 'stopped'

export interface RoleStatus {
  readonly name: string
  readonly pid: number
  /** Where others reach it: the name that `quarry admin nodes` shows. */
  readonly address?: string
  /** The process runs. */
  readonly alive: boolean
  /** The namenode hears from it; of the namenode itself: it answers. */
  readonly live: boolean
  /** How often it died and was started again since the cluster was started. */
  readonly restarts?: number
  readonly restartedAtMs?: number
  readonly blocks?: number
  readonly used?: number
  readonly remaining?: number
  /** The end of its log, where the process is gone. */
  readonly lastLog?: readonly string[]
}

export type ClusterContents = NamenodeStatus['namespace'] &
  NamenodeStatus['capacity'] & { readonly safeMode: boolean; readonly safeModeReason: string }

export interface ClusterStatus extends Partial<ClusterDescription> {
  readonly state: ClusterState
  readonly dir: string
  readonly startedAtMs?: number
  /** A `quarry up` is with it and starts roles again that die. */
  readonly attended?: boolean
  readonly roles: readonly RoleStatus[]
  readonly fs?: ClusterContents
}

/** One question must not hang on a namenode that is gone. */
const askWithinMs = 3_000

/** Looks at a directory and asks its namenode. Throws VERSION or CONFIG for a directory that is not ours. */
export async function clusterStatus(dir: string): Promise<ClusterStatus> {
  readCluster(dir)
  const running = readRunning(dir)
  if (running === undefined) return { state: 'stopped', dir, roles: [] }
  const description = describeRunning(dir, running)
  const base = { ...description, startedAtMs: running.startedAtMs, attended: isAttended(running) }
  if (!running.ready) return { ...base, state: 'starting', roles: rolesOf(dir, running, new Map()) }
  try {
    return await askCluster(dir, running, askWithinMs)
  } catch {
    return { ...base, state: 'degraded', roles: rolesOf(dir, running, new Map()) }
  }
}

/** Of a cluster that was ready. Rejects when its namenode does not answer. */
export async function askCluster(dir: string, running: RunningRecord, withinMs: number): Promise<ClusterStatus> {
  const { datanodes, namespace, capacity, safeMode } = await askNamenode(running.roles[0]?.http ?? '', withinMs)
  const live = new Map(
    datanodes.map(({ uuid, state, blocks, used, remaining }) => [uuid ?? '', { live: state === 'live', blocks, used, remaining }]),
  )
  const roles = rolesOf(dir, running, live, true)
  const holds: ClusterContents = { ...namespace, ...capacity, safeMode: safeMode.on, safeModeReason: safeMode.reason }
  const whole = roles.every((role) => role.live) && !holds.safeMode && holds.missingBlocks === 0
  const { startedAtMs } = running
  const state = whole ? 'ready' : 'degraded'
  return { ...describeRunning(dir, running), startedAtMs, attended: isAttended(running), state, roles, fs: holds }
}

const isAttended = ({ detached, supervisor }: RunningRecord): boolean => !detached && isAlive(supervisor)

function rolesOf(
  dir: string,
  running: RunningRecord,
  live: ReadonlyMap<string, Omit<RoleStatus, 'name' | 'pid' | 'address' | 'alive' | 'restarts' | 'restartedAtMs'>>,
  namenodeAnswers = false,
): RoleStatus[] {
  return running.roles.map((role) => {
    const alive = isAlive(role)
    const known = role.uuid === undefined ? { live: namenodeAnswers } : (live.get(role.uuid) ?? { live: false })
    return {
      name: role.name,
      pid: role.pid,
      address: role.grpc,
      alive,
      ...known,
      ...(role.restarts !== undefined && { restarts: role.restarts }),
      ...(role.restartedAtMs !== undefined && { restartedAtMs: role.restartedAtMs }),
      ...(!alive && !known.live && { lastLog: lastLogLines(logFileOf(dir, role.name), 5) }),
    }
  })
}

/** For people. */
export function statusText(status: ClusterStatus, nowMs: number): string[] {
  if (status.state === 'stopped') return [`No cluster is running in ${status.dir}. Start one with: quarry up --dir ${status.dir}`]
  const lines = [
    `Cluster     ${status.uri}  ${status.state}${status.startedAtMs === undefined ? '' : `, up ${durationText(nowMs - status.startedAtMs)}`}`,
    ...(status.hdfs === undefined ? [] : [`Hadoop      ${status.hdfs}`]),
    ...(status.webhdfs === undefined ? [] : [`WebHDFS     ${status.webhdfs}`]),
    `Directory   ${status.dir}`,
  ]
  for (const role of status.roles) {
    const state = !role.alive && !role.live ? 'GONE' : role.live ? 'live' : role.name === 'namenode' ? 'does not answer' : 'silent'
    const holds =
      role.blocks === undefined || !role.live
        ? ''
        : `  ${role.blocks} blocks, ${sizeText(role.used ?? 0)} used, ${sizeText(role.remaining ?? 0)} free`
    const address = role.address === undefined || role.name === 'namenode' ? '' : `  ${role.address}`
    lines.push(`${role.name.padEnd(11)} pid ${role.pid}${address}  ${state}${holds}${restartsText(role, nowMs)}`)
    for (const line of role.lastLog ?? []) lines.push(`              ${line}`)
  }
  if (status.fs !== undefined) lines.push(`Holds       ${contentsText(status.fs)}`)
  if (status.fs?.safeMode) lines.push(`Safe mode   ${status.fs.safeModeReason.replaceAll('\n', ' ')}`)
  const gone = status.roles.some((role) => !role.alive && !role.live)
  if (gone && status.state === 'degraded' && status.attended === false)
    lines.push(
      `Next step   nothing starts roles of a detached cluster again; all at once: quarry down --dir ${status.dir} && quarry up --detach --dir ${status.dir}`,
    )
  return lines
}

function restartsText({ restarts, restartedAtMs }: RoleStatus, nowMs: number): string {
  if (restarts === undefined || restarts === 0) return ''
  const last = restartedAtMs === undefined ? '' : `, last ${durationText(nowMs - restartedAtMs)} ago`
  return `  restarted ${restarts === 1 ? 'once' : `${restarts} times`}${last}`
}

/** One line: files, blocks and what is wrong with them. */
export function contentsText(stats: ClusterContents): string {
  const parts = [`${stats.files} files`, `${stats.blocks} blocks`, `${sizeText(stats.used)} used`, `${sizeText(stats.remaining)} free`]
  if (stats.underReplicated > 0) parts.push(`${stats.underReplicated} blocks short of copies`)
  if (stats.missingBlocks > 0) parts.push(`${stats.missingBlocks} blocks MISSING`)
  if (stats.corruptBlocks > 0) parts.push(`${stats.corruptBlocks} blocks with a corrupt copy`)
  if (stats.safeMode) parts.push('safe mode')
  return parts.join(', ')
}

export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return parts[0] === 0
    ? `${parts[1]}:${String(parts[2]).padStart(2, '0')}`
    : `${parts[0]}:${String(parts[1]).padStart(2, '0')}:${String(parts[2]).padStart(2, '0')}`
}
