// `quarry down`: stops the cluster of a directory, whoever started it. Datanodes first, while the namenode still answers.
import { clusterDir, readCluster, readRunning, releaseDirectory, type RunningRecord } from './directory.ts'
import { isAlive, signalProcess, waitForExit, type ProcessIdentity } from './process-identity.ts'

/** Beyond drain.timeout: what a role may take to close its files before it is killed. */
const stopGraceMs = 5_000

export interface DownResult {
  readonly dir: string
  readonly stopped: readonly number[]
  /** Had to be ended with SIGKILL. Nothing acknowledged is lost by that. */
  readonly killed: readonly number[]
}

export async function stopCluster(dir?: string): Promise<DownResult> {
  const own = clusterDir(dir)
  readCluster(own)
  const running = readRunning(own)
  if (running === undefined) {
    releaseDirectory(own)
    return { dir: own, stopped: [], killed: [] }
  }
  const killed: number[] = []
  const stopped = running.roles.filter((role) => isAlive(role)).map((role) => role.pid)
  const withinMs = running.drainMs + stopGraceMs
  // A supervisor in the foreground stops its roles itself; it needs time for datanodes and then the namenode.
  if (isAlive(running.supervisor) && running.supervisor.pid !== process.pid) await stopOne(running.supervisor, 2 * withinMs, killed)
  await stopRoles(running, withinMs, killed)
  releaseDirectory(own)
  return { dir: own, stopped, killed }
}

async function stopRoles(running: RunningRecord, withinMs: number, killed: number[]): Promise<void> {
  const [namenode, ...datanodes] = running.roles
  await Promise.all(datanodes.map((role) => stopOne(role, withinMs, killed)))
  if (namenode !== undefined) await stopOne(namenode, withinMs, killed)
}

async function stopOne(target: ProcessIdentity, withinMs: number, killed: number[]): Promise<void> {
  if (!signalProcess(target, 'SIGTERM') || (await waitForExit(target, withinMs))) return
  killed.push(target.pid)
  signalProcess(target, 'SIGKILL')
  await waitForExit(target, stopGraceMs)
}
