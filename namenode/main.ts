// Puts a namenode together: store, block layer, engine, doors, workers; and takes it apart in reverse.
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import os from 'node:os'
import { Closer } from '../common/closer.ts'
import { checkSettings } from '../common/config.ts'
import type { Env } from '../common/env.ts'
import { QuarryError } from '../common/errors.ts'
import type { Settings } from '../common/options.ts'
import type { RpcServer } from '../proto/hadoop/rpc-server.ts'
import { callWindowBytes, createGrpcServer } from '../proto/transport/server.ts'
import { assembleNamenode } from './assembly.ts'
import { DiskGuard } from './core/disk-guard.ts'
import type { NamespaceStore } from './core/model.ts'
import { backupCalls } from './service/backup-calls.ts'
import { Groups } from './service/groups.ts'
import { openHadoopDoor } from './service/hadoop/hadoop-door.ts'
import { namenodePages } from './service/http/pages.ts'
import { openHttpDoor } from './service/http-door.ts'
import { Metrics } from './service/metrics.ts'
import { Backups } from './store/backup.ts'
import { inspectAside } from './store/inspector.ts'
import { operatorFiles } from './service/operator-files.ts'
import { explain } from './store/sqlite-errors.ts'
import { SqliteStore } from './store/sqlite-store.ts'
import { StoreUpkeep } from './workers/store-upkeep.ts'

export interface RunningNamenode {
  /** quarry://host:port */
  readonly uri: string
  /** host:port */
  readonly grpc: string
  readonly http: string
  /** hdfs://host:port; undefined when that door is closed. */
  readonly hdfs: string | undefined
  readonly clusterId: string
  readonly poolId: string
  /** No new changes; resolves when open calls are answered, or after drain.timeout. */
  drain(): Promise<void>
  /** Ends every connection and closes the store. Idempotent. */
  close(): Promise<void>
}

/** How often a drain looks whether open calls are answered, in ms. */
const drainPollMs = 10
/**
 * A drain waits this long for open files to be closed, in ms: a writer whose last block has just been sealed has no call under way
 * until it asks to close the file. One that goes on writing outlasts the restart anyway.
 */
const drainOpenFilesMs = 3_000

/** A client of this namenode, for what it cannot do by itself. */
export interface OwnClient {
  /** Cuts a file inside a block, for a user. */
  truncate(who: { readonly user: string; readonly realUser: string }, path: string, newLength: number): Promise<boolean>
  /** Answers requests of the HTTP port that only a client can; false when it is none of them. */
  readonly page?: (request: IncomingMessage, response: ServerResponse) => boolean
  close(): Promise<void>
}

export interface NamenodeOptions {
  readonly settings: Settings
  readonly env: Env
  /** Makes the client that works for this namenode, at its own address. Without it truncating inside a block is refused over HTTP. */
  readonly gateway?: (uri: string, env: Env) => OwnClient
  /**
   * The engine stopped for good, after a bug or because its disk failed. All that was acknowledged is on disk; the process should
   * end, so that a new one starts from there.
   */
  readonly onFailure?: (error: QuarryError) => void
}

export async function startNamenode(options: NamenodeOptions): Promise<RunningNamenode> {
  const { settings } = options
  checkSettings(settings)
  if (settings['dir'] === '') throw new QuarryError('CONFIG', 'dir is not set: the namenode needs a directory for its database.')
  const closer = new Closer()
  try {
    return await assemble(options, closer)
  } catch (error) {
    await closer.close()
    // What is wrong with the database may show only when its blocks are read.
    throw explain(error)
  }
}

async function assemble({ settings, env, gateway, onFailure }: NamenodeOptions, closer: Closer): Promise<RunningNamenode> {
  const startedMs = env.clock.nowMs()
  const store = closer.use(
    new SqliteStore({
      directory: settings['dir'],
      pageCacheBytes: settings['sqlite.cache'],
      cacheEntries: settings['cache.entries'],
      quickCheck: settings['check.at.start'],
    }),
  )
  const reservedBytes = settings['resource.reserved']
  const backups = closer.use(new Backups({ store, env, reservedBytes, inspect: inspectAside }))
  const metrics = closer.use(new Metrics())
  metrics.meter(store)
  const host = advertisedHost(settings)
  const { clusterId, poolId } = identity(store, env)
  const outside = operatorFiles(settings, env.log)
  const superuser = os.userInfo().username
  const core = assembleNamenode({
    settings,
    env,
    store,
    groups: new Groups(env.clock),
    superuser,
    clusterId,
    poolId,
    onFailure,
    diskFull: (cause) => upkeep.commitFailed(cause),
    calls: backupCalls(backups),
    outside,
  })
  const { cluster, engine, front } = core
  closer.use(engine)
  cluster.admin.setHostLists(await outside.hostLists())
  const guard = new DiskGuard({ directory: store.directory, reservedBytes }, (reason) => {
    cluster.diskReason = reason
  })
  const upkeep = new StoreUpkeep({
    env,
    disk: store,
    guard,
    intervalMs: settings['resource.check.interval'],
    failed: (error) => engine.stop(error),
  })
  upkeep.look()

  const server = closer.use(createGrpcServer({ windowBytes: callWindowBytes }))
  for (const door of core.doors) server.add(door.definition, door.handlers)
  const port = await server.listen(settings['bind'], settings['port'])
  const at = (option: 'http.port' | 'hdfs.port') => ({ host: settings['bind'], port: settings[option] })
  const client = gateway?.(`quarry://${ownHost(settings)}:${port}`, env)
  if (client) closer.use(client)
  // As in HDFS who may write a file may cut it, even in a directory that is not his: so the superuser makes the copy.
  const cut = client && ((path: string, newLength: number) => client.truncate({ user: superuser, realUser: '' }, path, newLength))
  const hadoop = await openHdfs()
  const hdfs = hadoop && `hdfs://${host}:${hadoop.port}`
  const pages = namenodePages({
    front,
    cluster,
    metrics,
    leases: engine.leases,
    hadoop,
    host,
    port,
    startedMs,
    settings,
    log: env.log,
    nowMs: () => env.clock.nowMs(),
  })
  const http = closer.use(
    await openHttpDoor(
      {
        front,
        cluster,
        metrics,
        startedMs,
        pages,
        clientPage: client?.page,
        hadoopConnections: () => hadoop?.connections ?? 0,
        webhdfs: {
          front,
          cluster,
          rpcAddress: hdfs?.slice('hdfs://'.length) ?? `${host}:${port}`,
          defaults: { replication: settings['replication'], blockSize: settings['block.size'] },
          cut,
        },
        origins: settings['cors.origins'],
        connectionsMax: settings['connections.max'],
      },
      at('http.port'),
    ),
  )

  async function openHdfs(): Promise<RpcServer | undefined> {
    if (settings['hdfs.port'] === -1) return undefined
    const parts = {
      front,
      cluster,
      clock: env.clock,
      log: env.log,
      connectionsMax: settings['connections.max'],
      cut,
    }
    return closer.use(await openHadoopDoor(parts, at('hdfs.port')))
  }

  for (const worker of [...core.startWorkers(), upkeep.start()]) closer.use(worker)

  env.log.info('namenode.started', {
    grpc: `${host}:${port}`,
    http: `${host}:${http.port}`,
    hdfs,
    clusterId,
    poolId,
    safeMode: cluster.safeMode().on,
  })
  return {
    uri: `quarry://${host}:${port}`,
    grpc: `${host}:${port}`,
    http: `${host}:${http.port}`,
    hdfs,
    clusterId,
    poolId,
    async drain() {
      front.drain()
      const beganMs = env.clock.monotonicMs()
      const isOpen = () => {
        const spentMs = env.clock.monotonicMs() - beganMs
        if (spentMs >= settings['drain.timeout']) return false
        return front.counters.inFlight > 0 || (engine.leases.size > 0 && spentMs < drainOpenFilesMs)
      }
      while (isOpen()) await new Promise((resolve) => setTimeout(resolve, drainPollMs))
    },
    close: () => closer.close(),
  }
}

/** Made at the first start, the same ever after. */
function identity(store: NamespaceStore, env: Env): { clusterId: string; poolId: string } {
  let clusterId = store.meta('cluster.id')
  let poolId = store.meta('pool.id')
  if (clusterId === undefined || poolId === undefined) {
    clusterId = `CID-${randomBytes(16).toString('hex')}`
    poolId = `BP-${randomBytes(4).readUInt32BE()}-${firstAddress()}-${env.clock.nowMs()}`
    store.setMeta('cluster.id', clusterId)
    store.setMeta('pool.id', poolId)
  }
  return { clusterId, poolId }
}

/** An address of this host for the pool's name: it only has to tell pools apart. */
function firstAddress(): string {
  const addresses = Object.values(os.networkInterfaces()).flatMap((list) => list ?? [])
  return addresses.find((address) => address.family === 'IPv4' && !address.internal)?.address ?? '127.0.0.1'
}

/** Where the namenode reaches itself. */
function ownHost(settings: Settings): string {
  const { bind } = settings
  if (bind === '0.0.0.0') return '127.0.0.1'
  if (bind === '::') return '[::1]'
  return bind.includes(':') ? `[${bind}]` : bind
}

function advertisedHost(settings: Settings): string {
  if (settings['advertise'] !== '') return settings['advertise']
  return settings['bind'] === '0.0.0.0' || settings['bind'] === '::' ? os.hostname() : settings['bind']
}
