// What every door of the namenode calls, whatever its wire: a context and a command in, one answer out. Commands of the namespace
// go to the engine; those about the cluster are answered here.
import { QuarryError, toQuarryError } from '../../common/errors.ts'
import type { CallContext, Command, FsStatsReply, Init, Method, Request } from '../../proto/ports.ts'
import { mutations, SafeModeAction } from '../../proto/ports.ts'
import type { BlockManager } from '../core/cluster/block-manager.ts'
import type { Done, Engine } from '../core/engine.ts'
import type { NamespaceView } from '../core/model.ts'
import { requireSuper } from '../core/permissions.ts'
import { callerOf } from '../core/plan.ts'
import type { EngineSettings } from '../core/plan.ts'
import { CallCounters } from './call-counters.ts'
import type { Groups } from './groups.ts'

/** Bad blocks that one call may name. */
const badBlocksMax = 10_000

/**
 * Calls of a writer in the middle of a file. A namenode that has just started refuses them until datanodes have reported; the
 * writer is told to ask again, so that a file being written survives the restart (HDFS answers RetriableException).
 */
const writerCalls: ReadonlySet<Method> = new Set<Method>([
  'addBlock',
  'abandonBlock',
  'complete',
  'fsync',
  'updateBlockForPipeline',
  'updatePipeline',
  'additionalDatanode',
])

export interface FrontDeps {
  readonly engine: Engine
  readonly cluster: BlockManager
  readonly view: NamespaceView
  readonly settings: EngineSettings
  readonly groups: Groups
  readonly clusterId: string
}

/** Calls by which a writer ends what it has begun; a drain still takes them. */
const finishing: ReadonlySet<Method> = new Set<Method>([
  'complete',
  'fsync',
  'renewLease',
  'abandonBlock',
  'updateBlockForPipeline',
  'updatePipeline',
])

export class Front {
  readonly counters = new CallCounters()
  readonly groups: Groups
  readonly clusterId: string
  readonly poolId: string
  readonly #engine: Engine
  readonly #cluster: BlockManager
  readonly #view: NamespaceView
  readonly #settings: EngineSettings
  #draining = false

  constructor(deps: FrontDeps) {
    this.#engine = deps.engine
    this.#cluster = deps.cluster
    this.#view = deps.view
    this.#settings = deps.settings
    this.groups = deps.groups
    this.clusterId = deps.clusterId
    this.poolId = deps.settings.poolId
  }

  /** From now on nothing new begins: queries go on, and what it takes to close a file that is open. */
  drain(): void {
    this.#draining = true
  }

  get draining(): boolean {
    return this.#draining
  }

  /** The callback runs once: in this tick for a query, after the commit for a change. */
  call(context: CallContext, command: Command, done: Done): void {
    this.counters.started(command.method)
    const finish = this.#finisher(command.method, done)
    if (this.#draining && mutations.has(command.method) && !finishing.has(command.method)) {
      return finish(new QuarryError('RETRY_LATER', 'The namenode is stopping. Try again when it is back.'), {})
    }
    switch (command.method) {
      case 'getFsStats':
      case 'getDatanodeReport':
      case 'setSafeMode':
      case 'reportBadBlocks': {
        let reply: object
        try {
          reply = this.#clusterCall(context, command)
        } catch (error) {
          return finish(toQuarryError(error), {})
        }
        return finish(undefined, reply)
      }
      default:
        this.#engine.submitCallback(context, command, finish)
    }
  }

  /** What must be known before calls of a user can be decided; undefined when it is. The superuser passes every check anyway. */
  prepare(user: string): Promise<unknown> | undefined {
    return user === this.#settings.superuser ? undefined : this.groups.prepare(user)
  }

  #finisher(method: Method, done: Done): Done {
    return (error, reply) => {
      this.counters.finished(error?.code)
      if (error?.code === 'SAFE_MODE' && this.#cluster.starting && writerCalls.has(method)) {
        done(new QuarryError('RETRY_LATER', error.message, error.details), reply)
      } else done(error, reply)
    }
  }

  fsStats(): FsStatsReply {
    const counts = this.#cluster.counts()
    const records = this.#view.counters()
    const safeMode = this.#cluster.safeMode()
    return {
      ...this.#cluster.capacity(),
      underReplicated: counts.underReplicated,
      corruptBlocks: counts.corruptBlocks,
      missingBlocks: counts.missingBlocks,
      missingBlocksOneReplica: counts.missingSingle,
      pendingDeletion: counts.pendingDeletion,
      highestPriorityLowRedundancy: counts.mostUrgent,
      files: records.files,
      directories: records.directories,
      blocks: records.blocks,
      safeMode: safeMode.on,
      safeModeReason: safeMode.reason,
      lastTxid: records.lastTxid,
    }
  }

  #clusterCall(
    context: CallContext,
    command: Extract<Command, { method: 'getFsStats' | 'getDatanodeReport' | 'setSafeMode' | 'reportBadBlocks' }>,
  ): object {
    switch (command.method) {
      case 'getFsStats':
        return this.fsStats()
      case 'getDatanodeReport':
        return { datanodes: this.#cluster.datanodes(command.request.filter) }
      case 'setSafeMode':
        return this.#setSafeMode(context, command.request)
      case 'reportBadBlocks':
        return this.#reportBadBlocks(command.request)
      default:
        return command satisfies never
    }
  }

  #setSafeMode(context: CallContext, request: Request<'setSafeMode'>): Init<{ on: boolean; reason: string }> {
    if (request.action !== SafeModeAction.SAFE_MODE_GET) requireSuper(callerOf(context, this.#settings))
    return this.#cluster.setSafeMode(request.action)
  }

  #reportBadBlocks(request: Request<'reportBadBlocks'>): object {
    if (request.blocks.length > badBlocksMax)
      throw new QuarryError('INVALID_ARGUMENT', `One call may report at most ${badBlocksMax} bad blocks, not ${request.blocks.length}.`)
    for (const { block, datanodeUuid, storageUuid } of request.blocks) {
      if (block) this.#cluster.reportBad(datanodeUuid, storageUuid, block)
    }
    return {}
  }
}
