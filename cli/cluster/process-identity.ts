// Is the process that a file speaks of still the same one? A pid alone does not tell: after a crash or a restart of the machine the
// number belongs to somebody else, and stopping "our" namenode would end a stranger's program. So a process is remembered by its pid
// and the moment it started, as the operating system tells it.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

export interface ProcessIdentity {
  readonly pid: number
  /** Opaque; differs between two processes that had the same pid. */
  readonly started: string
}

export function identityOf(pid: number): ProcessIdentity | undefined {
  const started = process.platform === 'linux' ? startedLinux(pid) : startedByPs(pid)
  return started === undefined ? undefined : { pid, started }
}

/** The same process, not a zombie, not another one with its number. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identityOf(identity.pid)?.started === identity.started
}

/** Sends a signal, unless the process is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false
  try {
    return process.kill(identity.pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

/** Resolves true once the process is gone, false when `withinMs` are over. */
export async function waitForExit(identity: ProcessIdentity, withinMs: number): Promise<boolean> {
  const startedMs = performance.now()
  while (isAlive(identity)) {
    if (performance.now() - startedMs > withinMs) return false
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return true
}

function startedLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // "pid (name) state …": the name may hold spaces and brackets. Field 3 is the state, field 22 the start in ticks since boot.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    return `${bootId()}/${fields[19]}`
  } catch {
    return undefined
  }
}

let cachedBootId: string | undefined

function bootId(): string {
  cachedBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim().slice(0, 8)
  return cachedBootId
}

function startedByPs(pid: number): string | undefined {
  const { stdout, status } = spawnSync('ps', ['-o', 'lstart=,state=', '-p', String(pid)], { encoding: 'utf8' })
  const line = stdout?.trim() ?? ''
  return status !== 0 || line === '' || /\sZ\S*$/.test(line) ? undefined : line.replace(/\s+\S+$/, '')
}
