// The calls of Hadoop's clients to a datanode (ClientDatanodeProtocol): a reader asks how much of an open block it may see, and
// `hdfs dfsadmin` asks after the node. What would change settings, delete, or stop the node is refused: nothing here authenticates
// callers, and a datanode of ours is stopped by a signal.
import type { Clock, Logger } from '../../../common/env.ts'
import { QuarryError } from '../../../common/errors.ts'
import type { HadoopMessage } from '../../../proto/hadoop/codec.ts'
import { openRpcServer } from '../../../proto/hadoop/rpc-server.ts'
import type { RpcServer } from '../../../proto/hadoop/rpc-server.ts'
import { rpcMethod } from '../../../proto/hadoop/rpc-service.ts'
import type { RpcMethod, RpcMethods } from '../../../proto/hadoop/rpc-service.ts'
import type { ReplicaStore } from '../../store/replica-store.ts'
import type { Transfers } from '../../workers/transfers.ts'
import type { BlockStreams } from '../block-streams.ts'

export interface IpcContext {
  readonly clock: Clock
  readonly log: Logger
  readonly store: ReplicaStore
  readonly streams: BlockStreams
  readonly transfers: Transfers
  readonly softwareVersion: string
  /** Sends full reports of all storages to the namenode. */
  reportNow(): void
}

const protocol = 'org.apache.hadoop.hdfs.protocol.ClientDatanodeProtocol'
/** Readers of open files and operators; each keeps a connection for a few seconds. */
const connectionsMax = 1000

export function openIpcDoor(context: IpcContext, at: { readonly host: string; readonly port: number }): Promise<RpcServer> {
  return openRpcServer(
    {
      service: { protocols: { [protocol]: { methods: methodsOf(context) } }, open: () => null },
      log: context.log,
      clock: context.clock,
      connectionsMax,
      setting: 'ipc.port',
    },
    at,
  )
}

function methodsOf(context: IpcContext): RpcMethods<null> {
  const { clock, store, streams, transfers } = context
  const startedMs = clock.monotonicMs()
  const refused = (request: HadoopMessage, reason: string): RpcMethod<null> =>
    rpcMethod(request, 'DatanodeReply', () => {
      throw new QuarryError('UNSUPPORTED', reason)
    })
  return {
    getReplicaVisibleLength: rpcMethod('ReplicaVisibleLengthRequest', 'ReplicaVisibleLengthReply', (_call, { block }) => {
      streams.checkPool(block.poolId)
      // A stamp of 0 asks for whichever replica is there.
      return { length: store.find({ blockId: block.blockId, genstamp: block.generationStamp }).visible }
    }),
    getDatanodeInfo: rpcMethod('DatanodeRequest', 'DatanodeInfoReply', () => ({
      info: {
        softwareVersion: context.softwareVersion,
        configVersion: 'quarry',
        uptime: Math.floor((clock.monotonicMs() - startedMs) / 1000),
      },
    })),
    getVolumeReport: rpcMethod('DatanodeRequest', 'VolumeReportReply', () => ({
      volumes: store.storages
        .filter((storage) => !storage.failed)
        .map((storage) => ({
          path: storage.paths.root,
          storageType: storage.type,
          usedSpace: storage.used,
          freeSpace: storage.space().remaining,
          reservedSpace: storage.reserved,
          reservedSpaceForReplicas: 0,
          blocks: storage.finalized,
        })),
    })),
    triggerBlockReport: rpcMethod('TriggerBlockReportRequest', 'DatanodeReply', () => {
      // Changes are reported as they happen, so an incremental report has nothing to add; a full one says everything.
      context.reportNow()
      return {}
    }),
    getBalancerBandwidth: rpcMethod('DatanodeRequest', 'BalancerBandwidthReply', () => ({ bandwidth: transfers.balancingBandwidth })),
    evictWriters: rpcMethod('DatanodeRequest', 'DatanodeReply', async () => {
      context.log.warn('writers.evicted', { count: await store.evictWriters() })
      return {}
    }),
    // The one namenode of a datanode is a setting.
    refreshNamenodes: rpcMethod('DatanodeRequest', 'DatanodeReply', () => ({})),
    getReconfigurationStatus: rpcMethod('DatanodeRequest', 'ReconfigurationStatusReply', () => ({ startTime: 0 })),
    listReconfigurableProperties: rpcMethod('DatanodeRequest', 'ReconfigurablePropertiesReply', () => ({ name: [] })),
    startReconfiguration: refused('DatanodeRequest', 'The settings of a datanode are read when it starts: restart it.'),
    deleteBlockPool: refused('DeleteBlockPoolRequest', 'A datanode keeps the blocks of one cluster only, and they are in use.'),
    getBlockLocalPathInfo: refused('BlockLocalPathRequest', 'Block files of this datanode are not handed out to other programs.'),
    shutdownDatanode: refused(
      'ShutdownDatanodeRequest',
      'A datanode is not stopped by a call: send SIGTERM to its process, or use `quarry down`.',
    ),
  }
}
