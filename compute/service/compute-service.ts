// The compute agent of a datanode as its gRPC server sees it: fragments come in, Parquet goes out in frames.
//
// A frame is sent when the one before has left, so a slow coordinator holds a file on disk, not megabytes of memory. The executor
// is free for the next fragment before the first frame goes out.
import { mkdir, open, rm } from 'node:fs/promises'
import path from 'node:path'
import type { ServerWritableStream } from '@grpc/grpc-js'
import type { Env } from '../../common/env.ts'
import { QuarryError, toQuarryError } from '../../common/errors.ts'
import type { Settings } from '../../common/options.ts'
import { serviceDefinition, type Init } from '../../proto/codec.ts'
import type { FragmentReply, FragmentRequest, LocalReplicas } from '../../proto/ports.ts'
import { DatanodeClients } from '../../proto/transport/datanode-client.ts'
import { statusOf } from '../../proto/transport/status.ts'
import { Outbox } from '../../proto/transport/streams.ts'
import { runFragment, type FragmentContext } from '../agent/fragment.ts'
import { ExecutorPool } from '../agent/pool.ts'
import { grpcRemoteBlocks } from '../agent/remote-blocks.ts'
import { ExecutorProcess } from '../executor/process.ts'
import { Gate } from '../gate.ts'

/** A service that a datanode offers beside its own. */
export interface ExtraService {
  readonly definition: ReturnType<typeof serviceDefinition>
  readonly handlers: Record<string, unknown>
  close(): Promise<void>
}

const frameBytes = 1024 * 1024
/** When the request names no deadline. */
const fragmentDeadlineMs = 10 * 60_000
/** Fragments that run, wait or are being sent; beyond it a caller is told to come later. */
const fragmentsMax = 512

/** The Compute service beside a datanode; nothing is started before the first fragment arrives. */
export function computeService(settings: Settings, env: Env, local: LocalReplicas): ExtraService {
  const log = env.log.child({ part: 'compute' })
  const dir = path.join(local.scratchDir, 'compute')
  const remote = grpcRemoteBlocks(new DatanodeClients())
  const running = new Set<AbortController>()
  let context: Promise<FragmentContext> | undefined
  let closed = false

  // What a process that was killed left behind holds disk space, maybe of blocks that are deleted by now.
  const swept = rm(dir, { recursive: true, force: true }).catch((error: unknown) =>
    log.warn('compute.sweep.failed', { message: String(error) }),
  )

  async function openContext(): Promise<FragmentContext> {
    await swept
    const pool = await ExecutorPool.open({
      dir,
      executors: settings['compute.executors'],
      threads: settings['compute.threads'],
      memoryLimit: settings['compute.memory'],
      start: (options) => ExecutorProcess.start(options),
      env: { ...env, log },
    })
    const outDir = path.join(dir, 'results')
    await mkdir(outDir)
    const gate = new Gate(settings['compute.executors'] + 1, fragmentsMax)
    return { pool, gate, local, remote, outDir, env: { ...env, log } }
  }

  /** Opened by the first fragment; a failure (a full disk) is not remembered. */
  function ready(): Promise<FragmentContext> {
    context ??= openContext().catch((error: unknown) => {
      context = undefined
      throw error
    })
    return context
  }

  async function serve(call: ServerWritableStream<FragmentRequest, Init<FragmentReply>>): Promise<void> {
    const outbox = new Outbox<Init<FragmentReply>>(call, 'the coordinator')
    const abort = new AbortController()
    call.once('cancelled', () => abort.abort(new QuarryError('CANCELLED', 'The fragment was cancelled.')))
    const { request } = call
    const deadlineMs = request.deadlineMs > 0 ? Math.min(request.deadlineMs, fragmentDeadlineMs) : fragmentDeadlineMs
    const stopTimer = env.clock.after(deadlineMs, () =>
      abort.abort(new QuarryError('TIMEOUT', `The fragment took longer than ${deadlineMs} ms.`)),
    )
    running.add(abort)
    const fields = { query: request.queryId, fragment: request.fragment, attempt: request.attempt }
    try {
      if (closed) throw new QuarryError('UNAVAILABLE', 'The datanode is stopping.')
      if (running.size > fragmentsMax)
        throw new QuarryError('OVERLOADED', `This datanode has ${fragmentsMax} fragments already; try again later.`)
      if (request.poolId !== local.poolId)
        throw new QuarryError('WRONG_CLUSTER', `This datanode belongs to block pool ${local.poolId}, not ${request.poolId}.`)
      const result = await runFragment(request, await ready(), abort.signal)
      try {
        await sendFile(result.file, outbox, abort.signal)
      } finally {
        await rm(result.file, { force: true })
      }
      const { rows, bytesLocal, bytesRemote, verifyUs, runUs } = result
      await outbox.send({ done: { rows, bytesLocal, bytesRemote, verifyUs, runUs, nodeUuid: local.datanodeUuid } })
      log.debug('compute.fragment.done', { ...fields, rows, bytesLocal, bytesRemote, runUs })
      outbox.end()
    } catch (thrown) {
      const error = toQuarryError(thrown)
      if (error.code !== 'CANCELLED') log.warn('compute.fragment.failed', { ...fields, code: error.code, message: error.message })
      if (call.cancelled) return
      await outbox.send({ error: { code: error.code, message: error.message } }).catch(() => call.emit('error', statusOf(error)))
      outbox.end()
    } finally {
      stopTimer()
      running.delete(abort)
    }
  }

  return {
    definition: serviceDefinition('Compute'),
    handlers: { runFragment: (call: ServerWritableStream<FragmentRequest, Init<FragmentReply>>) => void serve(call) },
    async close() {
      closed = true
      await swept
      for (const abort of running) abort.abort(new QuarryError('UNAVAILABLE', 'The datanode is stopping.'))
      await remote.close()
      await (await context?.catch(() => undefined))?.pool.close()
    },
  }
}

async function sendFile(name: string, outbox: Outbox<Init<FragmentReply>>, signal: AbortSignal): Promise<void> {
  const file = await open(name)
  try {
    for (;;) {
      signal.throwIfAborted()
      // A buffer of its own for each frame: the one before may still wait to be written.
      const buffer = Buffer.allocUnsafe(frameBytes)
      const { bytesRead } = await file.read(buffer, 0, frameBytes, null)
      if (bytesRead === 0) return
      await outbox.send({ parquet: buffer.subarray(0, bytesRead) })
    }
  } finally {
    await file.close()
  }
}
