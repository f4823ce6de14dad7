// The parts of a namenode that know neither sockets nor SQLite, put together: block layer, engine, doors, workers. `main.ts` gives
// them a server and a database; the simulation gives them its own.
import type { Env } from '../common/env.ts'
import type { QuarryError } from '../common/errors.ts'
import type { Settings } from '../common/options.ts'
import type { CallContext } from '../proto/ports.ts'
import { BlockManager } from './core/cluster/block-manager.ts'
import type { ClusterSettings } from './core/cluster/block-layer.ts'
import { LostStamps, lostStampsKey } from './core/cluster/lost-stamps.ts'
import { Engine } from './core/engine.ts'
import type { NamespaceStore } from './core/model.ts'
import type { EngineSettings } from './core/plan.ts'
import { clientDoor } from './service/client-door.ts'
import type { Door } from './service/client-door.ts'
import { Front } from './service/front.ts'
import type { OperatorFiles } from './service/operator-files.ts'
import type { Groups } from './service/groups.ts'
import type { ServiceCalls } from './service/service-call.ts'
import { sessionDoor } from './service/session-door.ts'
import { startClusterWorkers } from './workers/cluster-workers.ts'
import type { Periodic } from './workers/periodic.ts'
import { TrashEmptier } from './workers/trash-emptier.ts'

/** Where the store keeps what operators set about datanodes. */
const nodesKey = 'nodes'

export interface NamenodeParts {
  readonly settings: Settings
  readonly env: Env
  readonly store: NamespaceStore
  readonly groups: Groups
  readonly superuser: string
  readonly clusterId: string
  readonly poolId: string
  readonly onFailure?: ((error: QuarryError) => void) | undefined
  /** What to answer to changes for which the disk has no room. */
  readonly diskFull?: ((cause: QuarryError) => QuarryError) | undefined
  /** Calls about what only the caller has, such as the database. */
  readonly calls?: ServiceCalls | undefined
  /** Files and programs that operators keep; without them there are none. */
  readonly outside?: OperatorFiles
}

export interface NamenodeCore {
  readonly cluster: BlockManager
  readonly engine: Engine
  readonly front: Front
  readonly doors: readonly Door[]
  /** The background work; the caller stops it. */
  startWorkers(): Periodic[]
}

export function assembleNamenode(parts: NamenodeParts): NamenodeCore {
  const { settings, env, store, groups, superuser, clusterId, poolId, onFailure, diskFull, calls, outside } = parts
  const engineSettings: EngineSettings = { settings, superuser, poolId }
  const records = { load: () => store.meta(nodesKey), save: (text: string) => store.setMeta(nodesKey, text) }
  const lost = new LostStamps({ load: () => store.meta(lostStampsKey), save: (text) => store.setMeta(lostStampsKey, text) })
  const cluster = new BlockManager({ env, view: store.tx, settings: clusterSettings(settings), defer: setImmediate, records, lost })
  const engine = new Engine({
    store,
    cluster,
    env,
    settings: engineSettings,
    defer: setImmediate,
    ...(onFailure && { onFailure }),
    ...(diskFull && { diskFull }),
  })
  cluster.onReplicaArrived((blockId) => engine.blockReported(blockId))
  cluster.onRecoveryFailed((failed) => engine.recoveryFailed(failed))
  void groups.prepare(superuser)
  const front = new Front({
    engine,
    cluster,
    view: store.tx,
    settings: engineSettings,
    groups,
    clusterId,
    clock: env.clock,
    ...(calls && { calls }),
    ...(outside && { outside }),
  })
  const session = sessionDoor({
    cluster,
    clusterId,
    poolId,
    heartbeatIntervalMs: settings['heartbeat.interval'],
    syncOnClose: settings['sync.on.close'],
    clock: env.clock,
    log: env.log,
    ...(outside && { rackOf: (datanode) => outside.rackOf(datanode) }),
    recovered: (recovery) => engine.blockRecovered(recovery),
    recoveryFailed: (failed) => engine.recoveryFailed(failed),
  })
  return {
    cluster,
    engine,
    front,
    doors: [clientDoor(front, env.log), session],
    startWorkers() {
      const emptier = new TrashEmptier({
        env,
        call: (method, request) => engine.submit(contextOf(superuser), method, request),
        settings: { intervalMin: settings['trash.interval'], checkpointMin: settings['trash.checkpoint.interval'] },
      }).start()
      return [...startClusterWorkers({ env, settings, cluster, engine }), ...(emptier ? [emptier] : [])]
    },
  }
}

const contextOf = (superuser: string): CallContext => ({
  user: superuser,
  realUser: '',
  groups: [],
  remoteAddress: '',
  clientId: '',
  callId: 0,
  retryCount: 0,
  callerContext: 'trash',
})

function clusterSettings(settings: Settings): ClusterSettings {
  return {
    replicationMin: settings['replication.min'],
    replicationDefault: settings['replication'],
    maintenanceMin: settings['maintenance.replication.min'],
    streamsMax: settings['redundancy.streams.max'],
    copyTimeoutMs: settings['redundancy.timeout'],
    staleAfterMs: settings['stale.after'],
    deadAfterMs: settings['dead.after'],
    goneAfterMs: settings['gone.after'],
    balancerBandwidth: settings['balancer.bandwidth'],
    avoidSlow: settings['avoid.slow.datanodes'],
    safeMode: {
      threshold: Number(settings['safemode.threshold']),
      datanodesMin: settings['safemode.min.datanodes'],
      extensionMs: settings['safemode.extension'],
    },
  }
}
