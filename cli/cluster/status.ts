// What an embedded cluster is doing: who runs it, which datanodes are live, what it holds.
import { FileSystem } from '../../client/index.ts'
import type { FileSystemStats } from '../../client/types.ts'
import { describeRunning, type ClusterDescription } from './embedded-cluster.ts'
import { logFileOf, readCluster, readRunning, type RunningRecord } from './directory.ts'
import { isAlive } from './process-identity.ts'
import { lastLogLines } from './role-process.ts'

export type ClusterState = 'ready' | 'degraded' | 'starting' | 'stopped'

export interface RoleStatus {
  readonly name: string
  readonly pid: number
  /** The process runs. */
  readonly alive: boolean
  /** The namenode hears from it; of the namenode itself: it answers. */
  readonly live: boolean
  readonly blocks?: number
  readonly used?: number
  readonly remaining?: number
  /** The end of its log, where the process is gone. */
  readonly lastLog?: readonly string[]
}

export interface ClusterStatus extends Partial<ClusterDescription> {
  readonly state: ClusterState
  readonly dir: string
  readonly startedAtMs?: number
  readonly roles: readonly RoleStatus[]
  readonly fs?: FileSystemStats
}

/** One question must not hang on a namenode that is gone. */
const askWithinMs = 3_000

/** Looks at a directory and asks its namenode. Throws VERSION or CONFIG for a directory that is not ours. */
export async function clusterStatus(dir: string): Promise<ClusterStatus> {
  readCluster(dir)
  const running = readRunning(dir)
  if (running === undefined) return { state: 'stopped', dir, roles: [] }
  const description = describeRunning(dir, running)
  const base = { ...description, startedAtMs: running.startedAtMs }
  if (!running.ready) return { ...base, state: 'starting', roles: rolesOf(dir, running, new Map()) }
  try {
    await using fs = await FileSystem.connect(running.uri, { connectTimeoutMs: askWithinMs, callTimeoutMs: askWithinMs })
    return await askCluster(fs, dir, running)
  } catch {
    return { ...base, state: 'degraded', roles: rolesOf(dir, running, new Map()) }
  }
}

/** The same over a connection that is already there. Rejects when the namenode does not answer. */
export async function askCluster(fs: FileSystem, dir: string, running: RunningRecord): Promise<ClusterStatus> {
  const [report, stats] = await Promise.all([fs.datanodes('all'), fs.stats()])
  const live = new Map(
    report.map((node) => [
      node.datanode?.uuid ?? '',
      { live: node.live && !node.stale, blocks: node.blocks, used: node.dfsUsed, remaining: node.remaining },
    ]),
  )
  const roles = rolesOf(dir, running, live, true)
  const whole = roles.every((role) => role.alive && role.live) && !stats.safeMode && stats.missingBlocks === 0
  return { ...describeRunning(dir, running), startedAtMs: running.startedAtMs, state: whole ? 'ready' : 'degraded', roles, fs: stats }
}

function rolesOf(
  dir: string,
  running: RunningRecord,
  live: ReadonlyMap<string, Omit<RoleStatus, 'name' | 'pid' | 'alive'>>,
  namenodeAnswers = false,
): RoleStatus[] {
  return running.roles.map((role) => {
    const alive = isAlive(role)
    const known = role.uuid === undefined ? { live: namenodeAnswers } : (live.get(role.uuid) ?? { live: false })
    return { name: role.name, pid: role.pid, alive, ...known, ...(!alive && { lastLog: lastLogLines(logFileOf(dir, role.name), 5) }) }
  })
}

/** For people. */
export function statusText(status: ClusterStatus, nowMs: number): string[] {
  if (status.state === 'stopped') return [`No cluster is running in ${status.dir}. Start one with: quarry up --dir ${status.dir}`]
  const lines = [
    `Cluster     ${status.uri}  ${status.state}${status.startedAtMs === undefined ? '' : `, up ${durationText(nowMs - status.startedAtMs)}`}`,
    `Directory   ${status.dir}`,
  ]
  for (const role of status.roles) {
    const state = !role.alive ? 'GONE' : role.live ? 'live' : role.name === 'namenode' ? 'does not answer' : 'silent'
    const holds =
      role.blocks === undefined ? '' : `  ${role.blocks} blocks, ${sizeText(role.used ?? 0)} used, ${sizeText(role.remaining ?? 0)} free`
    lines.push(`${role.name.padEnd(11)} pid ${role.pid}  ${state}${holds}`)
    for (const line of role.lastLog ?? []) lines.push(`              ${line}`)
  }
  if (status.fs !== undefined) lines.push(`Holds       ${contentsText(status.fs)}`)
  return lines
}

/** One line: files, blocks and what is wrong with them. */
export function contentsText(stats: FileSystemStats): string {
  const parts = [`${stats.files} files`, `${stats.blocks} blocks`, `${sizeText(stats.used)} used`, `${sizeText(stats.remaining)} free`]
  if (stats.underReplicated > 0) parts.push(`${stats.underReplicated} blocks short of copies`)
  if (stats.missingBlocks > 0) parts.push(`${stats.missingBlocks} blocks MISSING`)
  if (stats.corruptBlocks > 0) parts.push(`${stats.corruptBlocks} blocks CORRUPT`)
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
