// Builds a datanode from its parts and stops it in order.
import { lookup } from 'node:dns/promises'
import net from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { Closer } from '../common/closer.ts'
import { isLoopback, parseNamenodeUri } from '../common/config.ts'
import type { Env } from '../common/env.ts'
import { QuarryError } from '../common/errors.ts'
import { hostId } from '../common/host-id.ts'
import type { Settings } from '../common/options.ts'
import type { serviceDefinition } from '../proto/codec.ts'
import type { Init, DatanodeId, LocalReplicas } from '../proto/ports.ts'
import { DatanodeClients } from '../proto/transport/datanode-client.ts'
import { createGrpcServer } from '../proto/transport/server.ts'
import { assembleDatanode, softwareVersion } from './assembly.ts'
import { datanodePages } from './service/http-pages/pages.ts'
import { serveHttp } from './service/http.ts'
import type { HttpExtension } from './service/http.ts'
import { openIpcDoor } from './service/ipc/door.ts'
import { CheckedReplicas } from './service/local-replicas.ts'
import { metricsText } from './service/metrics.ts'
import { openTransferDoor } from './service/transfer/door.ts'
import { Neighbours } from './service/transfer/neighbours.ts'
import { RealDisk } from './store/real-disk.ts'
import { ReplicaStore } from './store/replica-store.ts'
import { markOpenReplicas } from './store/restart-marker.ts'
import type { DirectoryReport } from './workers/directory-scanner.ts'
import type { NamenodeSession } from './workers/namenode-session.ts'

export { verifyMetaFile } from './store/verify-meta.ts'

/** A service of another part of the program that is served beside the blocks. */
export interface ExtraService {
  readonly definition: ReturnType<typeof serviceDefinition>
  readonly handlers: Record<string, unknown>
  close(): Promise<void>
}

export interface DatanodeOptions {
  readonly settings: Settings
  readonly env: Env
  readonly services?: (local: LocalReplicas) => ExtraService[]
  /** What else the HTTP port serves. Closed with the node. */
  readonly web?: readonly HttpExtension[]
  /** The namenode refused this node while it ran. Without it the error is thrown where nobody catches it: the process ends. */
  readonly onRefused?: (error: QuarryError) => void
  /** More disks failed than failed.volumes.tolerated allows, and the node has stopped. Without it, as onRefused. */
  readonly onFailed?: (error: QuarryError) => void
}

export interface RunningDatanode {
  readonly uuid: string
  readonly grpc: string
  readonly http: string
  /** Port of Hadoop's data transfer, and of Hadoop's calls; 0 when closed. */
  readonly transferPort: number
  readonly ipcPort: number
  readonly dirs: readonly string[]
  /** Compares all block files with what is known, and sends full reports. */
  rescan(): Promise<DirectoryReport>
  /** Takes no new streams, lets the open ones finish within drain.timeout, tells the namenode, and closes. */
  drain(): Promise<void>
  /** Stops at once. Idempotent. */
  close(): Promise<void>
}

/** startDatanode waits this long for the first answer of the namenode; after that the node runs and keeps trying. */
const firstAnswerMs = 3_000
/** What was written to the namenode, or to writers, last has this long to leave before the node closes. */
const farewellMs = 200
/** Streams are looked at this often while draining. */
const drainPollMs = 20

export async function startDatanode(options: DatanodeOptions): Promise<RunningDatanode> {
  const { settings } = options
  const env: Env = { ...options.env, log: options.env.log.child({ role: 'datanode' }) }
  checkSettings(settings)
  const closer = new Closer()
  const startedMs = env.clock.nowMs()
  try {
    const dirs = settings['data.dirs'].length > 0 ? settings['data.dirs'] : [join(settings['dir'], 'data')]
    checkTolerance(settings['failed.volumes.tolerated'], dirs.length)
    const disk = new RealDisk()
    const store = await ReplicaStore.open({
      dirs,
      limits: { reserved: settings['reserved'], capacity: settings['capacity'] },
      env,
      sync: settings['sync.on.close'],
      disk,
      failedTolerated: settings['failed.volumes.tolerated'],
    })
    closer.use(store)
    const clients = closer.use(new DatanodeClients())
    const server = createGrpcServer()
    const stopFailed = async (error: QuarryError) => {
      env.log.error('datanode.failed', { message: error.message })
      // The heartbeat that says so leaves first.
      await env.clock.sleep(farewellMs)
      await closer.close().catch((failure: unknown) => env.log.warn('datanode.close.failed', { message: (failure as Error).message }))
      endWith(error, options.onFailed)
    }
    const core = assembleDatanode({ settings, env, store, clients, onFailed: (error) => void stopFailed(error) })
    const { metrics, deletions, service, streams, upkeep, reportBad } = core
    closer.use(deletions)
    closer.use(upkeep)
    service.addTo(server)
    for (const extra of options.services?.(new CheckedReplicas({ clock: env.clock, store, reportBad })) ?? []) {
      closer.use(extra)
      server.add(extra.definition, extra.handlers)
    }
    closer.use(server)
    const host = settings['bind']
    const port = await server.listen(host, settings['port'])
    const address = settings['advertise'] || host
    let self: Init<DatanodeId> = {
      uuid: store.datanodeUuid,
      ip: address,
      hostname: address === '127.0.0.1' ? 'localhost' : hostname(),
      grpcPort: settings['advertise.port'] || port,
      transferPort: 0,
      httpPort: 0,
      ipcPort: 0,
      rack: settings['rack'],
      hostId: hostId(),
      httpAddress: settings['http.advertise'],
    }
    const { clock, log } = env
    if (settings['transfer.port'] >= 0) {
      const { transfers } = core
      const context = { clock, log, store, streams, transfers, metrics, neighbours: new Neighbours(clock), self: () => self }
      const door = closer.use(await openTransferDoor(context, { host, port: settings['transfer.port'] }))
      self = { ...self, ...(await numericAddress(address)), transferPort: door.port }
    }
    if (settings['ipc.port'] >= 0) {
      const context = { clock, log, store, streams, transfers: core.transfers, softwareVersion, reportNow: () => core.session?.reportNow() }
      const door = closer.use(await openIpcDoor(context, { host, port: settings['ipc.port'] }))
      self = { ...self, ipcPort: door.port }
    }
    const http = await serveHttp(host, settings['http.port'], {
      health: () => ({
        ok: core.session?.state === 'registered',
        reason: `not registered with the namenode (${core.session?.state ?? 'starting'})`,
      }),
      status: () => ({
        uuid: store.datanodeUuid,
        clusterId: store.clusterId,
        poolId: store.poolId,
        namenode: settings['namenode'],
        session: core.session?.state ?? 'starting',
        grpc: `${address}:${port}`,
        transferPort: self.transferPort,
        ipcPort: self.ipcPort,
        rack: settings['rack'],
        blocks: store.size,
        ...metrics,
        deletionsWaiting: deletions.waiting,
        storages: store.storages.map((storage) => ({
          dir: storage.paths.root,
          uuid: storage.uuid,
          blocks: storage.finalized,
          used: storage.used,
          ...storage.space(),
        })),
        failedVolumes: store.failed,
        scanner: upkeep.scanner.progress,
        directoryScan: upkeep.directories.last ?? null,
      }),
      metrics: () => metricsText(metrics, store),
      extensions: options.web ?? [],
      hadoop: datanodePages({
        settings,
        log,
        store,
        metrics,
        hostname: self.hostname ?? address,
        dataPort: self.transferPort || port,
        ipcPort: self.ipcPort ?? 0,
        startedMs,
        namenode: settings['namenode'].replace(/^quarry:\/\//, '').replace(/\/$/, ''),
        httpPort: () => self.httpPort ?? 0,
        session: () => core.session?.state ?? 'starting',
        deletionsWaiting: () => deletions.waiting,
        lastDirectoryScanMs: () => upkeep.directories.last?.endedMs,
        nowMs: () => clock.nowMs(),
      }),
    })
    for (const extension of options.web ?? []) closer.use(extension)
    closer.use(http)
    self = { ...self, httpPort: http.port }
    const namenode = parseNamenodeUri(settings['namenode'])
    const session = closer.use(
      core.startSession({
        namenode: `${namenode.host.includes(':') ? `[${namenode.host}]` : namenode.host}:${namenode.port}`,
        datanode: self,
      }),
    )
    await firstAnswer(session, env)
    session.onRefused((error) => endWith(error, options.onRefused))
    upkeep.start()
    env.log.info('datanode.started', { uuid: store.datanodeUuid, grpc: `${address}:${port}`, dirs, blocks: store.size })
    return {
      uuid: store.datanodeUuid,
      grpc: `${address}:${port}`,
      http: `${address}:${http.port}`,
      transferPort: self.transferPort ?? 0,
      ipcPort: self.ipcPort ?? 0,
      dirs,
      rescan: () => upkeep.rescan(),
      async drain() {
        streams.drain()
        session.goodbye('the datanode stops')
        const until = env.clock.monotonicMs() + settings['drain.timeout']
        while (metrics.readers + metrics.writers + metrics.transfers > 0 && env.clock.monotonicMs() < until)
          await new Promise((resolve) => setTimeout(resolve, drainPollMs))
        // Whoever still writes is told to come back to the replica, which stays open for a while.
        if (metrics.writers > 0) {
          streams.restart()
          await env.clock.sleep(farewellMs)
        }
        // Without a mark the replicas wait to be recovered, as after a crash.
        await markOpenReplicas(store, disk, env.clock).catch((error: unknown) => env.log.warn('replica.mark.failed', { error }))
        await closer.close()
      },
      close: () => closer.close(),
    }
  } catch (error) {
    await closer.close()
    throw error
  }
}

/** Hands an error to whoever wants it, or ends the process with it. */
function endWith(error: QuarryError, callback: ((error: QuarryError) => void) | undefined): void {
  if (callback) callback(error)
  else
    setImmediate(() => {
      throw error
    })
}

function checkSettings(settings: Settings): void {
  if (!isLoopback(settings['bind']) && !settings['insecure']) {
    throw new QuarryError(
      'CONFIG',
      `Nothing authenticates callers yet, so a datanode listens on loopback only. Set bind to 127.0.0.1, or accept the risk with --insecure (bind is ${settings['bind']}).`,
    )
  }
  if (settings['data.dirs'].length === 0 && settings['dir'] === '')
    throw new QuarryError('CONFIG', 'A datanode needs a place for its blocks: set data.dirs or dir.')
  if (settings['namenode'] === '')
    throw new QuarryError('CONFIG', 'A datanode needs its namenode: set namenode, such as quarry://127.0.0.1:8021.')
}

/** As HDFS: a node that tolerates the failure of all its disks would run without any. */
function checkTolerance(tolerated: number, dirs: number): void {
  if (tolerated < dirs) return
  throw new QuarryError(
    'CONFIG',
    `failed.volumes.tolerated is ${tolerated}, but the datanode has only ${dirs} storage director${dirs === 1 ? 'y' : 'ies'}: set it to ${dirs - 1} or less.`,
  )
}

/** Hadoop's clients take a datanode's address apart: where they come, it must be a numeric one. A name stays the host's name. */
async function numericAddress(address: string): Promise<Pick<Init<DatanodeId>, 'ip' | 'hostname'> | undefined> {
  if (net.isIPv4(address)) return undefined
  const found = await lookup(address, { family: 4 }).catch(() => undefined)
  // A numeric address of another family is answered as it is.
  if (found !== undefined && net.isIPv4(found.address)) return { ip: found.address, hostname: address }
  throw new QuarryError(
    'CONFIG',
    `Hadoop clients need an IPv4 address of this datanode, and ${address} has none: set advertise to one, or close transfer.port.`,
  )
}

/** A refusal at the first registration fails the start; an absent namenode does not. */
async function firstAnswer(session: NamenodeSession, env: Env): Promise<void> {
  let stop = () => {}
  const late = new Promise<undefined>((resolve) => (stop = env.clock.after(firstAnswerMs, () => resolve(undefined))))
  const outcome = await Promise.race([session.outcome, late])
  stop()
  if (outcome?.kind === 'refused') throw outcome.error
}
