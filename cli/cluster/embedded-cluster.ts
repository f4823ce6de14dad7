// The embedded cluster: one namenode and some datanodes, each its own process on this machine, in one directory.
//
// start() takes the directory, writes a settings file for each role, starts all of them at the same time (a datanode loads its code
// and begins when the namenode answers), and is done when every datanode is live and safe mode is over. stop() drains the datanodes while the
// namenode still answers, so that open files can be finished, and the namenode last.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { defaultSettings, formatSettings, loadSettings } from '../../common/config.ts'
import { QuarryError } from '../../common/errors.ts'
import type { OptionName, Settings } from '../../common/options.ts'
import {
  datanodeName,
  layoutVersion,
  logFileOf,
  makeDirectories,
  ownIdentity,
  readCluster,
  readRunning,
  releaseDirectory,
  takeDirectory,
  writeCluster,
  writeRunning,
  type ClusterRecord,
  type RunningRecord,
  type RunningRole,
} from './directory.ts'
import { askNamenode } from './namenode-status.ts'
import { probePort } from './ports.ts'
import { RoleProcess } from './role-process.ts'
import type { RoleName, RoleReady } from './role-messages.ts'

export interface ClusterOptions {
  readonly dir: string
  /** Default: as many as before, else 3. */
  readonly datanodes?: number | undefined
  /** Copies of new files. Default: as before, else min(3, datanodes). */
  readonly replication?: number | undefined
  /** Native port of the namenode. Default: as before, else a free one. */
  readonly port?: number | undefined
  /** Options for all roles, as given by -D. */
  readonly flags?: Readonly<Record<string, string>>
  readonly env?: NodeJS.ProcessEnv
  readonly detached?: boolean
  readonly signal?: AbortSignal
  /** Remarks for the user that are no errors. */
  readonly onNote?: (text: string) => void
}

/** The shape of `quarry up --json`. */
export interface ClusterDescription {
  readonly uri: string
  readonly dir: string
  readonly namenode: { readonly pid: number; readonly grpc: string; readonly http: string }
  readonly datanodes: readonly {
    readonly id: string
    readonly name: string
    readonly pid: number
    readonly grpc: string
    readonly http: string
    readonly dir: string
  }[]
}

const datanodesMax = 64
const readyWithinMs = 60_000
const pollMs = 15
const askWithinMs = 10_000
/** Beyond drain.timeout: what a role may take to close its files before it is killed. */
const stopGraceMs = 5_000
/** Options that `up` decides for each role by itself. */
const ownOptions: readonly OptionName[] = ['dir', 'data.dirs', 'namenode', 'advertise']

export class EmbeddedCluster {
  readonly dir: string
  readonly uri: string
  readonly startedInMs: number
  readonly #processes: readonly RoleProcess[]
  readonly #record: RunningRecord
  #stopping: Promise<void> | undefined

  private constructor(dir: string, record: RunningRecord, processes: readonly RoleProcess[], startedInMs: number) {
    this.dir = dir
    this.uri = record.uri
    this.#record = record
    this.#processes = processes
    this.startedInMs = startedInMs
  }

  /** Starts a cluster, or the one that the directory holds. Rejects with a QuarryError and leaves nothing running. */
  static async start(options: ClusterOptions): Promise<EmbeddedCluster> {
    const startedMs = performance.now()
    const { dir } = options
    const before = readCluster(dir)
    const running = readRunning(dir)
    if (running !== undefined) {
      const holder = running.detached ? (running.roles[0] ?? running.supervisor) : running.supervisor
      throw new QuarryError('IN_USE', `${dir} is in use by process ${holder.pid}; stop it with: quarry down --dir ${dir}`, {
        pid: holder.pid,
      })
    }
    const plan = await planCluster(options, before)
    makeDirectories(dir)
    const record: RunningRecord = {
      supervisor: ownIdentity(),
      detached: options.detached ?? false,
      ready: false,
      startedAtMs: Date.now(),
      uri: plan.uri,
      drainMs: plan.settings['drain.timeout'],
      roles: [],
    }
    takeDirectory(dir, record)
    const processes: RoleProcess[] = []
    try {
      writeCluster(dir, plan.record)
      for (const role of plan.roles) processes.push(startRole(dir, role))
      writeRunning(dir, { ...record, roles: processes.map((process) => rolePlaceholder(dir, process)) })
      const roles = await allReady(dir, processes, options.signal)
      const uri = roles[0]?.ready.uri ?? plan.uri
      await clusterReady(
        roles[0]?.ready.http ?? '',
        roles.slice(1).map((role) => role.ready.uuid as string),
        processes,
        options.signal,
      )
      const ready = { ...record, ready: true, uri, roles: roles.map((role) => role.running) }
      writeRunning(dir, ready)
      return new EmbeddedCluster(dir, ready, processes, performance.now() - startedMs)
    } catch (error) {
      await stopProcesses(processes, plan.settings['drain.timeout'])
      releaseDirectory(dir)
      throw error
    }
  }

  get processes(): readonly RoleProcess[] {
    return this.#processes
  }

  describe(): ClusterDescription {
    return describeRunning(this.dir, this.#record)
  }

  /** Leaves the roles running and lets this process end. */
  async detach(): Promise<void> {
    for (const process of this.#processes) await process.release()
  }

  /** Drains and stops every role. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= stopProcesses(this.#processes, this.#record.drainMs).finally(() => releaseDirectory(this.dir))
    return this.#stopping
  }

  /** Ends every role at once. */
  kill(): void {
    for (const process of this.#processes) process.signal('SIGKILL')
    releaseDirectory(this.dir)
  }
}

export function describeRunning(dir: string, record: RunningRecord): ClusterDescription {
  const [namenode, ...datanodes] = record.roles
  return {
    uri: record.uri,
    dir,
    namenode: { pid: namenode?.pid ?? 0, grpc: namenode?.grpc ?? '', http: namenode?.http ?? '' },
    datanodes: datanodes.map((role) => ({
      id: role.uuid ?? '',
      name: role.name,
      pid: role.pid,
      grpc: role.grpc,
      http: role.http,
      dir: role.dir,
    })),
  }
}

// --- what to start ----------------------------------------------------------------------------------------------------------

interface RolePlan {
  readonly role: RoleName
  readonly name: string
  readonly settings: Settings
}

interface ClusterPlan {
  readonly record: ClusterRecord
  readonly settings: Settings
  readonly uri: string
  readonly roles: readonly RolePlan[]
}

async function planCluster(options: ClusterOptions, before: ClusterRecord | undefined): Promise<ClusterPlan> {
  const flags = { ...options.flags }
  for (const name of ownOptions) {
    if (Object.hasOwn(flags, name))
      throw new QuarryError(
        'CONFIG',
        `-D ${name}: quarry up decides this for each role; start the roles alone to set it (quarry namenode --help)`,
      )
  }
  const { QUARRY_DIR: _dir, ...env } = options.env ?? {}
  const { replication, count } = copies(options, flags, env, before)
  const given = loadSettings({
    env,
    flags: { ...flags, replication: String(replication.value), ...(options.port !== undefined && { port: String(options.port) }) },
    role: 'client',
  })
  const port = await choosePort(options, given, before)
  // The namenode keeps its HTTP port, too, when it is started again by hand.
  const settings: Settings = { ...given, port, 'http.port': await probePort(given['bind'], given['http.port']) }
  const record: ClusterRecord = {
    layout: layoutVersion,
    port,
    datanodes: count,
    ...(replication.asked && { replication: replication.value }),
  }
  const { dir } = options
  const uri = `quarry://${settings['bind']}:${port}`
  const namenodeDir = path.join(dir, 'namenode')
  const roles: RolePlan[] = [{ role: 'namenode', name: 'namenode', settings: { ...settings, 'dir': namenodeDir, 'data.dirs': [] } }]
  for (let number = 1; number <= count; number++) {
    const own = path.join(dir, datanodeName(number))
    roles.push({
      role: 'datanode',
      name: datanodeName(number),
      settings: { ...settings, 'dir': own, 'data.dirs': [path.join(own, 'data')], 'namenode': uri, 'port': 0, 'http.port': 0 },
    })
  }
  return { record, settings, uri, roles }
}

/** How many datanodes, and how many copies of a new file. */
function copies(
  options: ClusterOptions,
  flags: Readonly<Record<string, string>>,
  env: NodeJS.ProcessEnv,
  before: ClusterRecord | undefined,
): { count: number; replication: { value: number; asked: boolean } } {
  const count = options.datanodes ?? before?.datanodes ?? 3
  if (!Number.isSafeInteger(count) || count < 1 || count > datanodesMax)
    throw new QuarryError('CONFIG', `--datanodes is ${count}; it must be from 1 to ${datanodesMax}`)
  if (before !== undefined && count < before.datanodes) {
    options.onNote?.(
      `${before.datanodes - count} of ${before.datanodes} datanodes stay off; their blocks are copied again from the others where copies exist, and are back with --datanodes ${before.datanodes}`,
    )
  }
  const configured = flags['replication'] ?? env['QUARRY_REPLICATION']
  const asked = options.replication ?? (configured === undefined ? undefined : loadSettings({ env, flags, role: 'client' })['replication'])
  if (asked !== undefined && asked > count)
    throw new QuarryError(
      'CONFIG',
      `replication ${asked} needs ${asked} datanodes, and this cluster has ${count}; raise --datanodes or lower --replication`,
    )
  const remembered = before?.replication
  const value = asked ?? Math.min(remembered ?? 3, count)
  return { count, replication: { value, asked: asked !== undefined || remembered !== undefined } }
}

async function choosePort(options: ClusterOptions, given: Settings, before: ClusterRecord | undefined): Promise<number> {
  if (given['port'] !== 0) return await probePort(given['bind'], given['port'])
  if (before === undefined || options.port === 0) return await probePort(given['bind'], 0)
  return await probePort(given['bind'], before.port)
}

function startRole(dir: string, plan: RolePlan): RoleProcess {
  const own = path.join(dir, plan.name)
  mkdirSync(own, { recursive: true })
  const config = path.join(own, 'role.conf')
  const head = `# Written by quarry up at each start; what is not here has its default (docs/settings.md).\n`
  writeFileSync(config, head + formatSettings({ ...defaultSettings(), ...plan.settings }))
  return new RoleProcess(plan.role, plan.name, config, logFileOf(dir, plan.name))
}

// --- until it is ready ------------------------------------------------------------------------------------------------------

interface ReadyRole {
  readonly ready: RoleReady
  readonly running: RunningRole
}

function rolePlaceholder(dir: string, process: RoleProcess): RunningRole {
  return { ...process.identity, name: process.name, grpc: '', http: '', dir: path.join(dir, process.name) }
}

/** Every role has said that it is ready; the first failure of one is thrown. */
async function allReady(dir: string, processes: readonly RoleProcess[], signal: AbortSignal | undefined): Promise<ReadyRole[]> {
  const [namenode, ...datanodes] = processes
  const messages = Promise.all(processes.map((process) => process.ready))
  void namenode?.ready.then(
    () => datanodes.forEach((process) => process.go()),
    () => {},
  )
  const ready = await within(
    messages,
    readyWithinMs,
    () => `the processes did not start within ${readyWithinMs / 1000} s; see ${path.join(dir, 'logs')}`,
    signal,
  )
  return ready.map((message, index) => {
    const process = processes[index] as RoleProcess
    return {
      ready: message,
      running: {
        ...rolePlaceholder(dir, process),
        grpc: message.grpc,
        http: message.http,
        ...(message.uuid !== undefined && { uuid: message.uuid }),
      },
    }
  })
}

/** Every datanode is live and safe mode is over. */
async function clusterReady(
  namenodeHttp: string,
  uuids: readonly string[],
  processes: readonly RoleProcess[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const startedMs = performance.now()
  const died = Promise.race(
    processes.map(async (process) => {
      await process.exited
      throw new QuarryError(
        'INTERNAL',
        [`${process.name} ended while the cluster was starting; its log ${process.logFile} ends with:`, ...process.lastLines()].join('\n'),
      )
    }),
  )
  died.catch(() => {})
  for (;;) {
    const missing = await Promise.race([notReadyBecause(namenodeHttp, uuids), died])
    if (missing === undefined) return
    signal?.throwIfAborted()
    if (performance.now() - startedMs > readyWithinMs)
      throw new QuarryError(
        'TIMEOUT',
        `the cluster was not ready within ${readyWithinMs / 1000} s: ${missing}. Start it with all the datanodes it had; or, to use what is there, with -D safemode.threshold=0`,
      )
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}

async function notReadyBecause(namenodeHttp: string, uuids: readonly string[]): Promise<string | undefined> {
  const status = await askNamenode(namenodeHttp, askWithinMs)
  const live = new Set(status.datanodes.filter((node) => node.state === 'live').map((node) => node.uuid))
  const missing = uuids.filter((uuid) => !live.has(uuid))
  if (missing.length > 0) return `${missing.length} of ${uuids.length} datanodes are not live yet`
  return status.safeMode.on ? `safe mode: ${status.safeMode.reason}` : undefined
}

async function within<T>(work: Promise<T>, ms: number, message: () => string, signal: AbortSignal | undefined): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  let onAbort: (() => void) | undefined
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new QuarryError('TIMEOUT', message())), ms)
        onAbort = () => reject(signal?.reason as Error)
        signal?.addEventListener('abort', onAbort, { once: true })
        if (signal?.aborted) onAbort()
      }),
    ])
  } finally {
    clearTimeout(timer)
    if (onAbort) signal?.removeEventListener('abort', onAbort)
  }
}

// --- stopping ---------------------------------------------------------------------------------------------------------------

async function stopProcesses(processes: readonly RoleProcess[], drainMs: number): Promise<void> {
  const [namenode, ...datanodes] = processes
  await Promise.all(datanodes.map((process) => stopProcess(process, drainMs + stopGraceMs)))
  if (namenode !== undefined) await stopProcess(namenode, drainMs + stopGraceMs)
}

async function stopProcess(process: RoleProcess, withinMs: number): Promise<void> {
  if (process.exit !== undefined) return
  process.signal('SIGTERM')
  const overdue = setTimeout(() => process.signal('SIGKILL'), withinMs)
  await process.exited
  clearTimeout(overdue)
}
