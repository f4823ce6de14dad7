// A namenode or a datanode of the cluster under test: the built program, with a settings file and a log of its own. It hangs on a
// channel to this process, so that it stops when the run is killed.
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { FromRole, RoleReady, ToRole } from '../../cli/cluster/role-messages.ts'
import { must } from '../../common/assert.ts'

export interface RoleSpec {
  readonly kind: 'namenode' | 'datanode'
  readonly name: string
  readonly dir: string
  readonly program: string
  readonly settings: Readonly<Record<string, string | number | boolean>>
  /** It ended, and nobody here had asked for that. */
  readonly onDeath: (name: string, how: string) => void
}

const readyWithinMs = 60_000

export class Role {
  readonly name: string
  readonly logFile: string
  starts = 0
  readonly #spec: RoleSpec
  #child: ChildProcess | undefined
  #exited: Promise<void> = Promise.resolve()
  #expected = true

  constructor(spec: RoleSpec) {
    this.#spec = spec
    this.name = spec.name
    this.logFile = path.join(spec.dir, '..', 'logs', `${spec.name}.log`)
  }

  get running(): boolean {
    return this.#child !== undefined
  }

  get pid(): number {
    return must(this.#child?.pid, `${this.name} runs`)
  }

  /** Starts it with its settings and `own` ones over them; resolves when it says that it is ready. */
  async start(own: Readonly<Record<string, string | number>> = {}): Promise<RoleReady> {
    const { kind, dir, program, settings } = this.#spec
    const config = path.join(dir, 'role.conf')
    const lines = Object.entries({ ...settings, ...own }).map(([name, value]) => `${name} = ${value}\n`)
    writeFileSync(config, lines.join(''))
    const log = openSync(this.logFile, 'a')
    const child = spawn(process.execPath, [program, kind, '--config', config], { stdio: ['ignore', log, log, 'ipc'], env: environment() })
    closeSync(log)
    this.#child = child
    this.#expected = false
    this.starts++
    let lastWord = ''
    child.on('message', (message: FromRole) => {
      if (message.kind === 'failed') lastWord = `, ${message.message}`
    })
    this.#exited = new Promise((resolve) =>
      child.once('exit', (code, signal) => {
        if (this.#child === child) this.#child = undefined
        if (!this.#expected) this.#spec.onDeath(this.name, (signal === null ? `exit code ${code}` : `killed by ${signal}`) + lastWord)
        resolve()
      }),
    )
    const ready = await this.#ready(child)
    return ready
  }

  #ready(child: ChildProcess): Promise<RoleReady> {
    return new Promise((resolve, reject) => {
      const overdue = setTimeout(() => reject(new Error(`${this.name} is not ready after ${readyWithinMs / 1000} s`)), readyWithinMs)
      child.once('exit', () => {
        clearTimeout(overdue)
        reject(new Error(`${this.name} ended while starting`))
      })
      child.on('message', (message: FromRole) => {
        clearTimeout(overdue)
        if (message.kind === 'ready') resolve(message)
        else reject(new Error(`${this.name}: ${message.message}`))
      })
      child.send({ kind: 'go' } satisfies ToRole, () => {})
    })
  }

  async kill(): Promise<void> {
    this.#expected = true
    this.#child?.kill('SIGKILL')
    await this.#exited
  }

  /** SIGTERM, and SIGKILL when it does not end. */
  async stop(withinMs: number): Promise<void> {
    this.#expected = true
    this.#child?.kill('SIGTERM')
    const overdue = setTimeout(() => this.#child?.kill('SIGKILL'), withinMs)
    await this.#exited
    clearTimeout(overdue)
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal)
  }
}

/** Nothing of the settings of whoever runs this. */
export function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('QUARRY_') && !name.startsWith('HADOOP_')))
}
