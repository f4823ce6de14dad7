// The parts of a datanode that know no sockets, put together: transfers, deletions, the service, the session with the namenode.
// `main.ts` gives them a server and real disks; the simulation gives them its own.
import type { Env } from '../common/env.ts'
import { toQuarryError } from '../common/errors.ts'
import type { QuarryError } from '../common/errors.ts'
import type { Settings } from '../common/options.ts'
import type { Block, DatanodeId, Init } from '../proto/ports.ts'
import type { DatanodeClients } from '../proto/transport/datanode-client.ts'
import type { NodeChannel } from '../proto/transport/node-session.ts'
import { release } from '../proto/version.ts'
import { BlockStreams } from './service/block-streams.ts'
import { DatanodeService } from './service/datanode-service.ts'
import { DatanodeMetrics } from './service/metrics.ts'
import type { ReplicaStore } from './store/replica-store.ts'
import { recoverBlock } from './workers/block-recovery.ts'
import { Deletions } from './workers/deletions.ts'
import { NamenodeSession } from './workers/namenode-session.ts'
import { Transfers } from './workers/transfers.ts'
import { Upkeep } from './workers/upkeep.ts'

export const softwareVersion = release

export interface DatanodeParts {
  readonly settings: Settings
  readonly env: Env
  readonly store: ReplicaStore
  readonly clients: DatanodeClients
  /** So many disks have failed that the node must stop. */
  readonly onFailed?: ((error: QuarryError) => void) | undefined
}

export interface DatanodeCore {
  readonly metrics: DatanodeMetrics
  readonly deletions: Deletions
  readonly streams: BlockStreams
  readonly transfers: Transfers
  readonly service: DatanodeService
  /** What is done for the disks; the caller starts and closes it. */
  readonly upkeep: Upkeep
  /** Undefined until startSession: nothing is reported before the ports are known. */
  readonly session: NamenodeSession | undefined
  reportBad(block: Block, storageUuid: string, reason: string): void
  /** `namenode` is host:port. The caller closes it. */
  startSession(parts: { readonly datanode: Init<DatanodeId>; readonly namenode: string; readonly channel?: NodeChannel }): NamenodeSession
}

export function assembleDatanode({ settings, env, store, clients, onFailed }: DatanodeParts): DatanodeCore {
  let session: NamenodeSession | undefined
  const metrics = new DatanodeMetrics()
  const reportBad: DatanodeCore['reportBad'] = (...bad) => session?.reportBad(...bad)
  const transfers = new Transfers({ env, store, clients, metrics, balancingBandwidth: settings['balancer.bandwidth'], reportBad })
  const deletions = new Deletions({ env, store, metrics })
  const upkeep = new Upkeep({
    env,
    settings,
    store,
    metrics,
    reportBad,
    heartbeatNow: () => session?.heartbeatNow(),
    reportNow: () => session?.reportNow(),
    onTooManyFailed: (error) => onFailed?.(error),
  })
  const streams = new BlockStreams({ env, store, clients, metrics, streamsMax: settings['datanode.streams.max'] })
  const service = new DatanodeService({ store, streams, transfers, metrics, localReads: settings['local.reads'] })
  return {
    metrics,
    deletions,
    streams,
    transfers,
    service,
    upkeep,
    reportBad,
    get session() {
      return session
    },
    startSession({ datanode, namenode, channel }) {
      session = new NamenodeSession({
        env,
        store,
        metrics,
        slowPeers: () => streams.slowPeers(),
        softwareVersion,
        namenode,
        channel,
        datanode,
        heartbeatMs: settings['heartbeat.interval'],
        reportMs: settings['block.report.interval'],
        commands: {
          replicate: (command) => {
            const block = command.block!
            transfers
              .copy(block, command.targets, command.balancing ? 'balancing' : 'safety')
              .catch((error: unknown) =>
                env.log.warn('replicate.failed', { blockId: block.blockId, message: toQuarryError(error).message }),
              )
          },
          bandwidth: (bytesPerSecond) => transfers.setBalancingBandwidth(bytesPerSecond),
          invalidate: (blocks) => deletions.add(blocks),
          recover: (command) =>
            void recoverBlock({ env, clients, poolId: () => store.poolId, send: (message) => session?.send(message) }, command),
        },
      })
      session.start()
      return session
    },
  }
}
