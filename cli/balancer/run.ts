// The balancer: looks how full the datanodes are, moves replicas from the full ones to the empty ones, and looks again, until every
// datanode is within the threshold of the average.
import { setTimeout as sleep } from 'node:timers/promises'
import type { FileSystem } from '../../client/index.ts'
import { describeFailure } from '../shell/errors.ts'
import type { ShellStreams } from '../shell/shell.ts'
import { nodeName, nodeState } from '../nodes/node.ts'
import type { Datanode } from '../nodes/node.ts'
import type { BalancerOptions } from './arguments.ts'
import { dispatch, MoveCounters } from './dispatch.ts'
import { BalancerLock } from './lock.ts'
import { planIteration } from './plan.ts'
import type { NodeUsage, Plan } from './plan.ts'
import { header, progressText, rowText, tookText } from './texts.ts'

/** HDFS's ExitStatus; a process shows the last eight bits. */
export const balancerExit = {
  balanced: 0,
  alreadyRunning: 255,
  noMoveBlock: 254,
  noMoveProgress: 253,
  ioError: 252,
  interrupted: 130,
} as const

type Status = keyof typeof balancerExit

export interface BalancerTuning {
  /** Bytes that one datanode gives or takes in one iteration; HDFS's dfs.balancer.max-size-to-move. */
  readonly perNodeMax: number
  /** Between two looks at moves under way. */
  readonly pollMs: number
  /** How long to wait, at most, for heartbeats with the figures after an iteration. */
  readonly settleMaxMs: number
}

const defaultTuning: BalancerTuning = { perNodeMax: 10 * 1024 ** 3, pollMs: 200, settleMaxMs: 30_000 }

const closing: Readonly<Record<Status, string>> = {
  balanced: 'The cluster is balanced. Exiting...',
  alreadyRunning: 'Another Balancer is running, or one was killed within the last minute.  Exiting ...',
  noMoveBlock: 'No block can be moved. Exiting...',
  noMoveProgress: 'No block has been moved for {idle} iterations. Exiting...',
  ioError: '',
  interrupted: '',
}

export async function runBalancer(
  connect: () => Promise<FileSystem>,
  options: BalancerOptions,
  streams: ShellStreams,
  tuning: Partial<BalancerTuning> = {},
): Promise<number> {
  const startedMs = Date.now()
  const counters = new MoveCounters()
  const status = await guarded(connect, options, streams, counters, { ...defaultTuning, ...tuning })
  const text = closing[status].replace('{idle}', String(options.idleIterations))
  const { movedBytes, movedBlocks } = counters.progress
  const tookMs = Date.now() - startedMs
  const exit = balancerExit[status]
  if (options.json) await streams.out.write(`${JSON.stringify({ status, exit, movedBytes, movedBlocks, tookMs })}\n`)
  else await streams.out.write(`${text === '' ? '' : `${text}\n`}${tookText(Date.now(), tookMs)}`)
  return exit
}

async function guarded(
  connect: () => Promise<FileSystem>,
  options: BalancerOptions,
  streams: ShellStreams,
  counters: MoveCounters,
  tuning: BalancerTuning,
): Promise<Status> {
  const { err, signal } = streams
  try {
    await using fs = await connect()
    await using lock = await BalancerLock.take(fs, signal)
    if (!lock) return 'alreadyRunning'
    if (options.bandwidth !== undefined) await fs.admin.setBalancerBandwidth(options.bandwidth, { signal })
    return await new Balancer(fs, options, streams, counters, tuning).run()
  } catch (error) {
    if (signal.aborted) {
      const { pending } = counters.progress
      await err.write(
        `balancer: interrupted. ${pending === 0 ? 'No move was under way.' : `${pending} moves under way end by themselves; no replica goes before its copy stands.`} Run it again to go on.\n`,
      )
      return 'interrupted'
    }
    await err.write(`balancer: ${describeFailure(error).message}.  Exiting ...\n`)
    return 'ioError'
  }
}

class Balancer {
  readonly #fs: FileSystem
  readonly #options: BalancerOptions
  readonly #streams: ShellStreams
  readonly #counters: MoveCounters
  readonly #tuning: BalancerTuning

  constructor(fs: FileSystem, options: BalancerOptions, streams: ShellStreams, counters: MoveCounters, tuning: BalancerTuning) {
    this.#fs = fs
    this.#options = options
    this.#streams = streams
    this.#counters = counters
    this.#tuning = tuning
  }

  async run(): Promise<Status> {
    const { json, idleIterations } = this.#options
    if (!json) await this.#streams.out.write(header)
    this.#counters.note(await this.#fs.admin.moveReplicas([], { signal: this.#streams.signal }))
    let idle = 0
    for (let iteration = 0; ; iteration++) {
      const plan = await this.#plan()
      await this.#row(iteration, plan)
      if (plan.bytesLeft === 0) return 'balanced'
      if (plan.transfers.length === 0) return 'noMoveBlock'
      const before = this.#counters.progress.movedBlocks
      await this.#dispatch(plan)
      idle = this.#counters.progress.movedBlocks === before ? idle + 1 : 0
      if (idleIterations >= 0 && idle >= Math.max(1, idleIterations)) return 'noMoveProgress'
      await this.#settle()
    }
  }

  async #plan(): Promise<Plan> {
    const nodes = await this.#fs.datanodes('live', { signal: this.#streams.signal })
    const { include, exclude, source, threshold } = this.#options
    const named = (node: Datanode, hosts: ReadonlySet<string>): boolean => namesOf(node).some((name) => hosts.has(name))
    const taking = nodes.filter(
      (node) => nodeState(node) === 'in-service' && !named(node, exclude) && (include.size === 0 || named(node, include)),
    )
    const sources = new Set(taking.filter((node) => source.size === 0 || named(node, source)).map((node) => node.datanode?.uuid))
    return planIteration(taking.map(usageOf), {
      threshold,
      perNodeMax: this.#tuning.perNodeMax,
      isSource: (node) => sources.has(node.uuid),
    })
  }

  async #row(iteration: number, plan: Plan): Promise<void> {
    const { movedBytes, movedBlocks } = this.#counters.progress
    const moving = plan.transfers.reduce((sum, transfer) => sum + transfer.bytes, 0)
    const { bytesLeft } = plan
    await this.#streams.out.write(
      this.#options.json
        ? `${JSON.stringify({ iteration, movedBytes, movedBlocks, leftBytes: bytesLeft, plannedBytes: moving, averagePercent: plan.average })}\n`
        : rowText({ atMs: Date.now(), iteration, moved: movedBytes, left: bytesLeft, moving, blocksMoved: movedBlocks, uri: this.#fs.uri }),
    )
    await this.#streams.out.flush()
  }

  async #dispatch(plan: Plan): Promise<void> {
    const { progress, signal } = this.#streams
    const startedMs = Date.now()
    const before = this.#counters.progress.movedBytes
    const planned = plan.transfers.reduce((sum, transfer) => sum + transfer.bytes, 0)
    try {
      await dispatch(plan.transfers, {
        fs: this.#fs,
        counters: this.#counters,
        signal,
        pollMs: this.#tuning.pollMs,
        onProgress: async () => {
          const moved = this.#counters.progress.movedBytes - before
          await progress?.write(`\r\u001b[K${progressText(moved, planned, Date.now() - startedMs, this.#options.bandwidth)}`)
          await progress?.flush()
        },
      })
    } finally {
      await progress?.write('\r\u001b[K')
      await progress?.flush()
    }
  }

  /** The next plan needs figures from after the moves: two heartbeats of each datanode, for replicas are deleted between them. */
  async #settle(): Promise<void> {
    const { signal } = this.#streams
    const endMs = Date.now() + this.#tuning.settleMaxMs
    const beats = new Map<string, { contactMs: number; heard: number }>()
    while (Date.now() < endMs) {
      for (const node of await this.#fs.datanodes('live', { signal })) {
        const uuid = node.datanode?.uuid ?? ''
        const last = beats.get(uuid)
        if (!last) beats.set(uuid, { contactMs: node.lastContactMs, heard: 0 })
        else if (node.lastContactMs > last.contactMs) beats.set(uuid, { contactMs: node.lastContactMs, heard: last.heard + 1 })
      }
      if ([...beats.values()].every(({ heard }) => heard >= 2)) return
      await sleep(this.#tuning.pollMs, undefined, { signal })
    }
  }
}

function namesOf(node: Datanode): string[] {
  const id = node.datanode
  return [id?.uuid ?? '', id?.hostname ?? '', id?.ip ?? '', nodeName(node), `${id?.hostname}:${nodeName(node).split(':')[1]}`]
}

function usageOf(node: Datanode): NodeUsage {
  return {
    uuid: node.datanode?.uuid ?? '',
    name: nodeName(node),
    rack: node.datanode?.rack ?? '',
    capacity: node.capacity,
    used: node.dfsUsed,
    remaining: node.remaining,
  }
}
