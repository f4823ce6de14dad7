// The embedded cluster: one namenode and some datanodes, each its own process on this machine, in one directory.
//
// start() takes the directory, writes a settings file for each role, starts all of them at the same time (a datanode loads its code
// and begins when the namenode answers), and is done when every datanode is live and safe mode is over. stop() drains the
// datanodes while the namenode still answers, so that open files can be finished, and the namenode last.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { must } from '../../common/assert.ts'
import { formatSettings } from '../../common/config.ts'
import {
  logFileOf,
  makeDirectories,
  ownIdentity,
  readCluster,
  refuseInUse,
  releaseDirectory,
  takeDirectory,
  writeCluster,
  writeRunning,
  type RunningRecord,
  type RunningRole,
} from './directory.ts'
import { describeRunning, type ClusterDescription } from './description.ts'
import { planCluster, type ClusterOptions, type RolePlan } from './plan.ts'
import { allReady, clusterReady, rolePlaceholder } from './readiness.ts'
import type { RoleName } from './role-messages.ts'
import { RoleProcess } from './role-process.ts'

/** Beyond drain.timeout: what a role may take to close its files before it is killed. */
const stopGraceMs = 5_000

export class EmbeddedCluster {
  readonly dir: string
  readonly uri: string
  readonly startedInMs: number
  readonly #processes: RoleProcess[]
  #record: RunningRecord
  #stopping: Promise<void> | undefined

  private constructor(dir: string, record: RunningRecord, processes: RoleProcess[], startedInMs: number) {
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
    refuseInUse(dir)
    const plan = await planCluster(options, before)
    makeDirectories(dir)
    const record: RunningRecord = {
      supervisor: ownIdentity(),
      detached: options.detached ?? false,
      ready: false,
      startedAtMs: Date.now(),
      uri: plan.uri,
      ...(plan.hdfs !== undefined && { hdfs: plan.hdfs }),
      webhdfs: plan.webhdfs,
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
      const held = await clusterReady(
        roles[0]?.ready.http ?? '',
        roles.slice(1).map((role) => role.ready.uuid as string),
        processes,
        options.signal,
      )
      if (held !== undefined)
        options.onNote?.(
          `Nothing can be changed yet, files can be read. ${held.replace(/\.?$/, '.')} Where datanodes are missing, start it with all that it had; quarry dfsadmin -safemode leave goes on without them.`,
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

  /** Starts a role that has ended again, with the settings it had. Rejects when it does not come up. */
  async restart(index: number): Promise<void> {
    const { name } = must(this.#processes[index])
    const process = new RoleProcess(roleOf(name), name, path.join(this.dir, name, 'role.conf'), logFileOf(this.dir, name))
    this.#processes[index] = process
    const restarts = (this.#record.roles[index]?.restarts ?? 0) + 1
    const known = { ...rolePlaceholder(this.dir, process), restarts, restartedAtMs: Date.now() }
    this.#keep(index, { ...this.#record.roles[index], ...known })
    process.go()
    const { grpc, http, uuid } = await process.ready
    this.#keep(index, { ...known, grpc, http, ...(uuid !== undefined && { uuid }) })
  }

  #keep(index: number, role: RunningRole): void {
    this.#record = { ...this.#record, roles: this.#record.roles.map((old, at) => (at === index ? role : old)) }
    if (this.#stopping === undefined) writeRunning(this.dir, this.#record)
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

const roleOf = (name: string): RoleName => (name === 'namenode' ? 'namenode' : 'datanode')

function startRole(dir: string, plan: RolePlan): RoleProcess {
  const own = path.join(dir, plan.name)
  mkdirSync(own, { recursive: true })
  const config = path.join(own, 'role.conf')
  const head = `# Written by quarry up at each start; what is not here has its default (docs/settings.md).\n`
  writeFileSync(config, head + formatSettings(plan.settings))
  return new RoleProcess(plan.role, plan.name, config, logFileOf(dir, plan.name))
}

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
