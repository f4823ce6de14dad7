// When is a cluster ready? Every role has said so, every datanode is live, and safe mode is over.
import path from 'node:path'
import { QuarryError } from '../../common/errors.ts'
import type { RunningRole } from './directory.ts'
import { askNamenode } from './namenode-status.ts'
import type { RoleReady } from './role-messages.ts'
import type { RoleProcess } from './role-process.ts'

const readyWithinMs = 60_000
const pollMs = 15
const askWithinMs = 10_000

export interface ReadyRole {
  readonly ready: RoleReady
  readonly running: RunningRole
}

/** What is known of a role before it is ready. */
export function rolePlaceholder(dir: string, process: RoleProcess): RunningRole {
  return { ...process.identity, name: process.name, grpc: '', http: '', dir: path.join(dir, process.name) }
}

/** Every role has said that it is ready; the first failure of one is thrown. */
export async function allReady(dir: string, processes: readonly RoleProcess[], signal: AbortSignal | undefined): Promise<ReadyRole[]> {
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
export async function clusterReady(
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
