// When is a cluster ready? Every role has said so, every datanode is live, and safe mode is over, or lasts until an operator has done
// something: the cluster must run for that.
import path from 'node:path'
import { QuarryError } from '../../common/errors.ts'
import type { RunningRole } from './directory.ts'
import { askNamenode } from './namenode-status.ts'
import type { RoleReady } from './role-messages.ts'
import type { RoleProcess } from './role-process.ts'

const readyWithinMs = 60_000
/** All datanodes are live and none has reported another block for so long: safe mode does not end by waiting. */
const heldAfterMs = 10_000
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

/** Every datanode is live and safe mode is over. Returns why it is not, where that takes an operator. */
export async function clusterReady(
  namenodeHttp: string,
  uuids: readonly string[],
  processes: readonly RoleProcess[],
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const startedMs = performance.now()
  let reported = -1
  let reportedMs = startedMs
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
    const look = await Promise.race([lookAt(namenodeHttp, uuids), died])
    if (look.ready) return undefined
    signal?.throwIfAborted()
    const nowMs = performance.now()
    if (look.reported !== reported) [reported, reportedMs] = [look.reported, nowMs]
    if (look.safeMode && nowMs - reportedMs > heldAfterMs) return look.because
    if (nowMs - startedMs > readyWithinMs)
      throw new QuarryError('TIMEOUT', `the cluster was not ready within ${readyWithinMs / 1000} s: ${look.because}`)
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}

interface Look {
  readonly ready: boolean
  /** Nothing else is missing. */
  readonly safeMode: boolean
  readonly because: string
  /** Replicas that the datanodes have reported. */
  readonly reported: number
}

async function lookAt(namenodeHttp: string, uuids: readonly string[]): Promise<Look> {
  const status = await askNamenode(namenodeHttp, askWithinMs)
  const live = new Set(status.datanodes.filter((node) => node.state === 'live').map((node) => node.uuid))
  const missing = uuids.filter((uuid) => !live.has(uuid)).length
  const reported = status.datanodes.reduce((sum, node) => sum + node.blocks, 0)
  const because = missing > 0 ? `${missing} of ${uuids.length} datanodes are not live yet` : status.safeMode.reason
  return { ready: missing === 0 && !status.safeMode.on, safeMode: missing === 0 && status.safeMode.on, because, reported }
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
