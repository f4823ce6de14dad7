// A role process seen from the `quarry up` that starts it: spawn, wait for its ready message, notice its end.
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { withoutOptionVariables } from '../../common/config.ts'
import { QuarryError } from '../../common/errors.ts'
import { identityOf, type ProcessIdentity } from './process-identity.ts'
import { logBytesMax, logFileVariable } from './role-log.ts'
import type { FromRole, RoleName, RoleReady, ToRole } from './role-messages.ts'

export interface RoleExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly atMs: number
}

/**
 * The bytes of a block on its way through a datanode count as garbage of its small heap, which without this is collected as a whole
 * for every 13 MiB that arrive: a third of all the processor time of a write. 256 MiB make that a sixth as often; resident memory grew
 * by 8 % under load, and not at all without.
 */
function engineFlagsOf(role: RoleName): readonly string[] {
  return role === 'datanode' ? ['--initial-old-space-size=256'] : []
}

export class RoleProcess {
  readonly name: string
  readonly identity: ProcessIdentity
  readonly logFile: string
  /** Rejects with the role's own error, or with its last log lines, when it ends before it is ready. */
  readonly ready: Promise<RoleReady>
  readonly exited: Promise<RoleExit>
  readonly #child: ChildProcess
  #exit: RoleExit | undefined
  #refusal: string | undefined

  constructor(role: RoleName, name: string, configFile: string, logFile: string) {
    this.name = name
    this.logFile = logFile
    setLargeLogAside(logFile)
    const log = openSync(logFile, 'a')
    try {
      // Its own session: Ctrl-C reaches `quarry up` alone, which then stops the roles in the right order.
      this.#child = spawn(
        process.execPath,
        [...process.execArgv, ...engineFlagsOf(role), process.argv[1] as string, role, '--config', configFile],
        {
          detached: true,
          stdio: ['ignore', log, log, 'ipc'],
          env: {
            ...withoutOptionVariables(process.env),
            UV_THREADPOOL_SIZE: process.env['UV_THREADPOOL_SIZE'] ?? String(threadsOf(role)),
            [logFileVariable]: logFile,
          },
        },
      )
    } finally {
      closeSync(log)
    }
    this.exited = new Promise((resolve) => {
      // 'close' comes after the channel has delivered what was sent: a refusal is known by then.
      this.#child.once('close', (code: number | null, signal: NodeJS.Signals | null) => {
        this.#exit = { code, signal, atMs: Date.now() }
        resolve(this.#exit)
      })
    })
    this.ready = this.#firstMessage()
    // Whoever waits for it sees the failure; nobody waiting must not end this process.
    this.ready.catch(() => {})
    this.identity = (this.#child.pid !== undefined && identityOf(this.#child.pid)) || { pid: this.#child.pid ?? 0, started: '' }
  }

  /** How it ended; undefined while it runs. */
  get exit(): RoleExit | undefined {
    return this.#exit
  }

  /** Why it cannot run, in its own words; undefined while it runs, and when it ended without a word. */
  get refusal(): string | undefined {
    return this.#refusal
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#exit === undefined) this.#child.kill(signal)
  }

  /** Tells a datanode that its namenode answers. */
  go(): void {
    if (this.#child.connected) this.#child.send({ kind: 'go' } satisfies ToRole, () => {})
  }

  /** Lets the role go on without this process. */
  async release(): Promise<void> {
    if (this.#exit !== undefined || !this.#child.connected) return
    await new Promise<void>((resolve, reject) =>
      this.#child.send({ kind: 'stay' } satisfies ToRole, (error) => (error === null ? resolve() : reject(error))),
    )
    this.#child.disconnect()
    this.#child.unref()
  }

  /** The last lines of its log, for people. */
  lastLines(count = 5): string[] {
    return lastLogLines(this.logFile, count)
  }

  #firstMessage(): Promise<RoleReady> {
    return new Promise((resolve, reject) => {
      this.#child.once('error', (error) =>
        reject(new QuarryError('INTERNAL', `cannot start the process of ${this.name}: ${error.message}`, {}, { cause: error })),
      )
      this.#child.on('message', (message: FromRole) => {
        if (message.kind === 'ready') return resolve(message)
        this.#refusal = message.message
        reject(new QuarryError(message.code, `${this.name}: ${message.message}`))
      })
      // 'close' comes after the channel has delivered what was sent.
      this.#child.once('close', () =>
        reject(
          new QuarryError(
            'INTERNAL',
            [
              `${this.name} ended while starting (${describeExit(this.#exit)}); its log ${this.logFile} ends with:`,
              ...this.lastLines(),
            ].join('\n'),
          ),
        ),
      )
    })
  }
}

export function describeExit(exit: RoleExit | undefined): string {
  if (exit === undefined) return 'running'
  return exit.signal === null ? `exit code ${exit.code}` : `killed by ${exit.signal}`
}

/** Reads the end of a log file; JSON lines of a role become `level event {fields}`. */
export function lastLogLines(file: string, count: number): string[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8').slice(-64 * 1024)
  } catch {
    return []
  }
  return text.trimEnd().split('\n').slice(-count).map(readableLogLine)
}

const levelNames: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }

function readableLogLine(line: string): string {
  try {
    const {
      level,
      time,
      msg,
      pid: _pid,
      role: _role,
      ...fields
    } = JSON.parse(line) as { level: number; time: number; msg: string; pid: number; role: string }
    const rest = JSON.stringify(fields)
    return `${new Date(time).toISOString().slice(11, 23)} ${levelNames[level] ?? level} ${msg}${rest === '{}' ? '' : ` ${rest.slice(0, 400)}`}`
  } catch {
    return line.slice(0, 400)
  }
}

/** File calls of libuv: a namenode commits in one thread; a datanode reads and syncs several blocks at once. */
function threadsOf(role: RoleName): number {
  return role === 'namenode' ? 2 : Math.max(4, Math.min(16, 2 * availableParallelism()))
}

function setLargeLogAside(file: string): void {
  try {
    if (statSync(file).size > logBytesMax) renameSync(file, `${file}.1`)
  } catch {
    // There is no log yet.
  }
}
