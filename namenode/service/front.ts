// What every door of the namenode calls, whatever its wire: a context and a command in, one answer out. Commands of the namespace
// go to the engine; those about the cluster are answered here.
import type { Clock } from '../../common/env.ts'
import { QuarryError, toQuarryError } from '../../common/errors.ts'
import type { CallContext, Command, FsStatsReply, Method } from '../../proto/ports.ts'
import { mutations } from '../../proto/ports.ts'
import type { BlockManager } from '../core/cluster/block-manager.ts'
import type { Done, Engine } from '../core/engine.ts'
import type { NamespaceView } from '../core/model.ts'
import { callerOf } from '../core/plan.ts'
import { requireSuper } from '../core/permissions.ts'
import { authorizeProxy, parseProxyUsers } from '../core/proxy-users.ts'
import type { ProxyUsers } from '../core/proxy-users.ts'
import type { EngineSettings } from '../core/plan.ts'
import { Admission } from './admission.ts'
import type { Patron } from './admission.ts'
import { CallCounters } from './call-counters.ts'
import { clusterCalls, fsStatsOf } from './cluster-calls.ts'
import type { Groups } from './groups.ts'
import type { OperatorFiles } from './operator-files.ts'
import type { ServiceCalls } from './service-call.ts'

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
  readonly clock: Clock
  /** Files and programs that operators keep. */
  readonly outside?: OperatorFiles
  /** Calls that are neither the namespace's nor about the cluster, such as backups. */
  readonly calls?: ServiceCalls
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
  readonly admission: Admission
  readonly clusterId: string
  readonly poolId: string
  readonly #engine: Engine
  readonly #cluster: BlockManager
  readonly #view: NamespaceView
  readonly #settings: EngineSettings
  readonly #calls: ServiceCalls
  readonly #proxies: ProxyUsers
  #draining = false

  constructor(deps: FrontDeps) {
    this.#engine = deps.engine
    this.#cluster = deps.cluster
    this.#view = deps.view
    this.#settings = deps.settings
    this.groups = deps.groups
    this.#proxies = parseProxyUsers(deps.settings.settings['proxy.users'])
    this.clusterId = deps.clusterId
    this.poolId = deps.settings.poolId
    this.admission = new Admission({
      clock: deps.clock,
      view: deps.view,
      run: (context, command, done) => this.#carryOut(context, command, done),
    })
    this.#calls = { ...clusterCalls(deps), ...deps.calls }
  }

  /** From now on nothing new begins: queries go on, and what it takes to close a file that is open. */
  drain(): void {
    this.#draining = true
  }

  get draining(): boolean {
    return this.#draining
  }

  /**
   * The callback runs once. For `patron`, a connection of a client, the call waits its turn; without one it is carried out now: in
   * this tick for a query, after the commit for a change.
   */
  call(context: CallContext, command: Command, done: Done, patron?: Patron): void {
    this.counters.started(command.method)
    const finish = this.#finisher(command.method, done)
    if (this.#draining && mutations.has(command.method) && !finishing.has(command.method)) {
      return finish(new QuarryError('RETRY_LATER', 'The namenode is stopping. Try again when it is back.'), {})
    }
    if (patron === undefined) this.#carryOut(context, command, finish)
    else this.admission.submit(patron, context, command, finish)
  }

  #carryOut(context: CallContext, command: Command, done: Done): void {
    const handle = this.#calls[command.method]
    if (handle === undefined) return this.#engine.submitCallback(context, command, done)
    let reply: object | Promise<object>
    try {
      reply = handle({ context, caller: callerOf(context, this.#settings) }, command.request as never)
    } catch (error) {
      return done(toQuarryError(error), {})
    }
    if (!(reply instanceof Promise)) return done(undefined, reply)
    void reply.then(
      (value) => done(undefined, value),
      (error: unknown) => done(toQuarryError(error), {}),
    )
  }

  /** Why one more client cannot be served; asked when it is counted already. Each holds buffers and a file descriptor. */
  crowded(): QuarryError | undefined {
    const max = this.#settings.settings['connections.max']
    if (this.counters.sessions <= max) return undefined
    return new QuarryError(
      'OVERLOADED',
      `The namenode serves ${max} clients at a time (connections.max), and as many are connected. Try again later, or have it restarted with -D connections.max=N.`,
      { max },
    )
  }

  /** What must be known before calls of a user can be decided; undefined when it is. The superuser passes every check anyway. */
  prepare(user: string): Promise<unknown> | undefined {
    return user === this.#settings.superuser ? undefined : this.groups.prepare(user)
  }

  /**
   * Throws NOT_AUTHORIZED unless `realUser` may act for `user` from this numeric address. For doors, once `prepare(user)` is done;
   * a caller in its own name gives '' as `realUser`.
   */
  authorize(realUser: string, user: string, address: string): void {
    if (realUser !== '' && realUser !== user) authorizeProxy(this.#proxies, realUser, user, this.groups.current(user), address)
  }

  /** Throws PERMISSION_DENIED unless the caller is a superuser: for operations of doors that are no commands. */
  requireSuper(context: CallContext, operation: string): void {
    requireSuper(callerOf(context, this.#settings), operation)
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
    return fsStatsOf(this.#cluster, this.#view)
  }
}
