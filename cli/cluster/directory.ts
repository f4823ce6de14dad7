// The directory of an embedded cluster:
//
//   DIR/cluster.json            what stays: layout version, ports of the namenode, number of datanodes
//   DIR/running.json            who runs it now; gone when nobody does
//   DIR/namenode/               database of the namenode, and its settings file role.conf
//   DIR/datanode-1/ …           identity and blocks of a datanode, and its role.conf
//   DIR/logs/namenode.log …     one file a role, JSON lines
//
// running.json is the lock: it is linked into place complete or not at all, and names the processes with their start times, so that
// what a crash left behind is recognised and a directory in use is refused with the pid.
import { existsSync, linkSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { QuarryError } from '../../common/errors.ts'
import { identityOf, isAlive, type ProcessIdentity } from './process-identity.ts'

/** Changes when an older program could not use the directory any more. */
export const layoutVersion = 1

/** cluster.json */
export interface ClusterRecord {
  readonly layout: number
  /** Native port of the namenode: the URI stays the same over restarts. */
  readonly port: number
  /** Of Hadoop clients and of HTTP; missing in directories of programs that did not keep them. */
  readonly hdfsPort?: number
  readonly httpPort?: number
  readonly datanodes: number
  /** Copies of new files, where the user asked for a number; else min(3, datanodes). */
  readonly replication?: number
}

export interface RunningRole extends ProcessIdentity {
  /** namenode, datanode-1, … */
  readonly name: string
  readonly grpc: string
  readonly http: string
  /** Of a datanode: its uuid. */
  readonly uuid?: string
  /** How often it died and was started again since the cluster was started. */
  readonly restarts?: number
  readonly restartedAtMs?: number
  readonly dir: string
}

/** running.json */
export interface RunningRecord {
  /** The `quarry up` that started it; gone after --detach. */
  readonly supervisor: ProcessIdentity
  readonly detached: boolean
  readonly ready: boolean
  readonly startedAtMs: number
  readonly uri: string
  /** hdfs://host:port; missing when that door is closed. */
  readonly hdfs?: string
  /** http://host:port */
  readonly webhdfs?: string
  /** How long a role may take to stop. */
  readonly drainMs: number
  readonly roles: readonly RunningRole[]
}

/** --dir, else QUARRY_DIR, else ~/.quarry. */
export function clusterDir(dir?: string): string {
  return path.resolve(dir ?? (process.env['QUARRY_DIR'] || path.join(homedir(), '.quarry')))
}

export const datanodeName = (number: number) => `datanode-${number}`
export const logFileOf = (dir: string, role: string) => path.join(dir, 'logs', `${role}.log`)

/** What the directory remembers; undefined for a new one. Throws VERSION for another layout, CONFIG for a directory of other things. */
export function readCluster(dir: string): ClusterRecord | undefined {
  const record = readJson<ClusterRecord>(path.join(dir, 'cluster.json'))
  if (record === undefined) {
    const others = existsSync(dir) ? listing(dir).filter((name) => name !== 'logs' && !/^(running|cluster)\.json/.test(name)) : []
    if (others.length > 0) {
      throw new QuarryError(
        'CONFIG',
        `${dir} is not empty and holds no Quarry cluster (found ${others.slice(0, 3).join(', ')}); give an empty or a new directory with --dir`,
      )
    }
    return undefined
  }
  if (record.layout !== layoutVersion) {
    throw new QuarryError(
      'VERSION',
      `${dir} was written in layout ${record.layout}, and this program reads layout ${layoutVersion}; use the version of Quarry that wrote it, or another --dir`,
    )
  }
  return record
}

export function writeCluster(dir: string, record: ClusterRecord): void {
  writeJson(path.join(dir, 'cluster.json'), record)
}

/** Who runs the cluster of a directory now; undefined when nobody does, whatever a crash left behind. */
export function readRunning(dir: string): RunningRecord | undefined {
  const record = readRecord(dir)
  return record !== undefined && livingProcess(record) !== undefined ? record : undefined
}

/** running.json as it stands. Throws CONFIG when it is not what `quarry up` writes. */
function readRecord(dir: string): RunningRecord | undefined {
  const file = path.join(dir, 'running.json')
  const record = readJson<RunningRecord>(file)
  if (record === undefined) return undefined
  const processes = [record.supervisor, ...(Array.isArray(record.roles) ? record.roles : [undefined])] as (ProcessIdentity | undefined)[]
  if (processes.every((one) => typeof one?.pid === 'number' && typeof one.started === 'string')) return record
  throw new QuarryError(
    'CONFIG',
    `${file} is damaged: it does not say which processes have the directory. Make sure that none of this cluster runs, then delete that file`,
  )
}

/** Throws IN_USE with the pid of a process that has the directory. */
export function refuseInUse(dir: string): void {
  const record = readRunning(dir)
  const living = record && livingProcess(record)
  if (living !== undefined) throw inUse(dir, living)
}

/** Takes the directory for this process. Throws IN_USE with the pid that has it. */
export function takeDirectory(dir: string, record: RunningRecord): void {
  const lock = path.join(dir, 'running.json')
  const mine = `${lock}.${process.pid}`
  writeFileSync(mine, JSON.stringify(record))
  try {
    // Once for what is free, once more after clearing what a crash left.
    for (let attempt = 0; attempt < 2; attempt++) {
      if (linkIfAbsent(mine, lock)) return
      const holder = readJson<RunningRecord>(lock)
      const living = holder && livingProcess(holder)
      if (living !== undefined) throw inUse(dir, living)
      clearStale(lock)
    }
    throw new QuarryError('IN_USE', `${dir} is being taken by another quarry up; try again`)
  } finally {
    rmSync(mine, { force: true })
  }
}

export function writeRunning(dir: string, record: RunningRecord): void {
  writeJson(path.join(dir, 'running.json'), record)
}

export function releaseDirectory(dir: string): void {
  rmSync(path.join(dir, 'running.json'), { force: true })
}

export function makeDirectories(dir: string): void {
  try {
    mkdirSync(path.join(dir, 'logs'), { recursive: true })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new QuarryError(
      'CONFIG',
      `cannot make the directory ${dir}: ${code ?? String(error)}; give one you may write to with --dir`,
      {},
      { cause: error },
    )
  }
}

/** This process, as others may check it later. */
export function ownIdentity(): ProcessIdentity {
  return identityOf(process.pid) ?? { pid: process.pid, started: '' }
}

function inUse(dir: string, holder: ProcessIdentity & { name: string }): QuarryError {
  return new QuarryError('IN_USE', `${dir} is in use by process ${holder.pid} (${holder.name}); stop it with: quarry down --dir ${dir}`, {
    pid: holder.pid,
  })
}

function livingProcess(record: RunningRecord): (ProcessIdentity & { name: string }) | undefined {
  if (isAlive(record.supervisor)) return { ...record.supervisor, name: 'quarry up' }
  return record.roles.find((role) => isAlive(role))
}

function linkIfAbsent(source: string, target: string): boolean {
  try {
    linkSync(source, target)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Moves a dead lock away; puts it back when another `up` replaced it in between, so that one of two never removes the other's. */
function clearStale(lock: string): void {
  const aside = `${lock}.stale.${process.pid}`
  try {
    renameSync(lock, aside)
  } catch {
    return
  }
  const moved = readJson<RunningRecord>(aside)
  if (moved !== undefined && livingProcess(moved) !== undefined) linkIfAbsent(aside, lock)
  rmSync(aside, { force: true })
}

function listing(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch (error) {
    throw new QuarryError(
      'CONFIG',
      `${dir} cannot be used as a directory: ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
      {},
      { cause: error },
    )
  }
}

function readJson<T>(file: string): T | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new QuarryError('CONFIG', `cannot read ${file}: ${code ?? String(error)}`, {}, { cause: error })
  }
  try {
    const value = JSON.parse(text) as T
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch (error) {
    throw new QuarryError('CONFIG', `${file} is damaged: ${(error as Error).message}`, {}, { cause: error })
  }
  throw new QuarryError('CONFIG', `${file} is damaged: it holds no object`)
}

/** Complete or not at all: readers never see half a file. */
function writeJson(file: string, value: unknown): void {
  const temporary = `${file}.${process.pid}.tmp`
  writeFileSync(temporary, `${JSON.stringify(value, undefined, 2)}\n`)
  renameSync(temporary, file)
}
