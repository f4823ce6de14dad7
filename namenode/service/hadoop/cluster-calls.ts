// ClientProtocol: the cluster as a whole, and what administrators do with it.
import { QuarryError } from '../../../common/errors.ts'
import type { HadoopInit } from '../../../proto/hadoop/codec.ts'
import type { MessageTypes } from '../../../proto/hadoop/gen/messages.ts'
import { rpcMethod } from '../../../proto/hadoop/rpc-service.ts'
import { DatanodeFilter, SafeModeAction, StorageType } from '../../../proto/ports.ts'
import type { DatanodeReport, StorageReport } from '../../../proto/ports.ts'
import { noReply, viaCore } from './session.ts'
import type { HadoopCall, HadoopMethods } from './session.ts'
import { rackOf } from './statuses.ts'

/** HDFS default dfs.client-write-packet-size: what clients cut their packets by that have no setting of their own. */
const packetBytes = 65_536
/** DatanodeReportTypeProto begins at 1. */
const filters: readonly (DatanodeFilter | undefined)[] = [
  undefined,
  DatanodeFilter.DATANODES_ALL,
  DatanodeFilter.DATANODES_LIVE,
  DatanodeFilter.DATANODES_DEAD,
  DatanodeFilter.DATANODES_DECOMMISSIONING,
  DatanodeFilter.DATANODES_ENTERING_MAINTENANCE,
  DatanodeFilter.DATANODES_IN_MAINTENANCE,
]
/** SafeModeActionProto begins at 1, and with leaving. */
const safeModeActions: readonly (SafeModeAction | undefined)[] = [
  undefined,
  SafeModeAction.SAFE_MODE_LEAVE,
  SafeModeAction.SAFE_MODE_ENTER,
  SafeModeAction.SAFE_MODE_GET,
  SafeModeAction.SAFE_MODE_FORCE_EXIT,
]
const adminStates: Readonly<Record<string, number>> = {
  'In Service': 0,
  'Decommission In Progress': 1,
  'Decommissioned': 2,
  'Entering Maintenance': 3,
  'In Maintenance': 4,
}
/** HOT: replicas on disks. */
const defaultPolicyId = 7
/** OpenFilesTypeProto. */
const ALL_OPEN_FILES = 1
const BLOCKING_DECOMMISSION = 2
const ROLLING_UPGRADE_QUERY = 1
const HA_ACTIVE = 1

function chosen<T>(list: readonly (T | undefined)[], index: number, what: string): T {
  const value = list[index]
  if (value === undefined) throw new QuarryError('INVALID_ARGUMENT', `Unknown ${what}: ${index}`)
  return value
}

function nodeInfo(report: DatanodeReport): HadoopInit<MessageTypes['DatanodeInfo']> {
  const id = report.datanode!
  return {
    id: {
      ipAddr: id.ip,
      hostName: id.hostname,
      datanodeUuid: id.uuid,
      xferPort: id.transferPort || id.grpcPort,
      infoPort: id.httpPort,
      ipcPort: id.ipcPort,
      infoSecurePort: 0,
    },
    capacity: report.capacity,
    dfsUsed: report.dfsUsed,
    remaining: report.remaining,
    blockPoolUsed: report.dfsUsed,
    lastUpdate: report.lastContactMs,
    xceiverCount: report.xceivers,
    location: rackOf(id),
    nonDfsUsed: report.nonDfsUsed,
    adminState: adminStates[report.adminState] ?? 0,
    cacheCapacity: 0,
    cacheUsed: 0,
    lastUpdateMonotonic: report.lastContactMs,
    lastBlockReportTime: report.lastBlockReportMs,
    lastBlockReportMonotonic: report.lastBlockReportMs,
    numBlocks: report.blocks,
  }
}

const storageInfo = (storage: StorageReport): HadoopInit<MessageTypes['HdfsStorageReport']> => ({
  storageUuid: storage.storageUuid,
  failed: storage.failed,
  capacity: storage.capacity,
  dfsUsed: storage.dfsUsed,
  remaining: storage.remaining,
  blockPoolUsed: storage.dfsUsed,
  storage: { storageUuid: storage.storageUuid, state: 0, type: storage.type || StorageType.STORAGE_DISK },
  nonDfsUsed: Math.max(0, storage.capacity - storage.dfsUsed - storage.remaining),
})

const lastTxid = (call: HadoopCall): number => call.session.front.fsStats().lastTxid

export const clusterCalls: HadoopMethods = {
  getServerDefaults: viaCore(
    'Nothing',
    'ServerDefaultsResponse',
    'getServerDefaults',
    () => ({}),
    (reply) => ({
      defaults: {
        blockSize: reply.blockSize,
        bytesPerChecksum: reply.bytesPerChecksum,
        writePacketSize: packetBytes,
        replication: reply.replication,
        fileBufferSize: reply.fileBufferSize,
        encryptDataTransfer: false,
        trashInterval: reply.trashIntervalMinutes,
        checksumType: reply.checksumType,
        keyProviderUri: '',
        policyId: defaultPolicyId,
        snapshotTrashRoot: false,
      },
    }),
  ),
  getFsStats: viaCore(
    'Nothing',
    'HdfsStatsResponse',
    'getFsStats',
    () => ({}),
    (stats) => ({
      capacity: stats.capacity,
      used: stats.used,
      remaining: stats.remaining,
      underReplicated: stats.underReplicated,
      corruptBlocks: stats.corruptBlocks,
      missingBlocks: stats.missingBlocks,
      missingOneReplica: stats.missingBlocksOneReplica,
      blocksInFuture: 0,
      pendingDeletion: stats.pendingDeletion,
    }),
  ),
  getFsReplicatedBlockStats: viaCore(
    'Nothing',
    'ReplicatedBlockStatsResponse',
    'getFsStats',
    () => ({}),
    (stats) => ({
      lowRedundancy: stats.underReplicated,
      corruptBlocks: stats.corruptBlocks,
      missingBlocks: stats.missingBlocks,
      missingOneReplica: stats.missingBlocksOneReplica,
      blocksInFuture: 0,
      pendingDeletion: stats.pendingDeletion,
      mostUrgent: stats.highestPriorityLowRedundancy,
    }),
  ),
  getFsECBlockGroupStats: rpcMethod('Nothing', 'EcBlockStatsResponse', () => ({ mostUrgent: 0 })),
  getDatanodeReport: viaCore(
    'HdfsDatanodeReportRequest',
    'HdfsDatanodeReportResponse',
    'getDatanodeReport',
    ({ type }) => ({ filter: chosen(filters, type, 'kind of datanode report') }),
    ({ datanodes }) => ({ datanodes: datanodes.map(nodeInfo) }),
  ),
  getDatanodeStorageReport: viaCore(
    'HdfsDatanodeReportRequest',
    'DatanodeStorageReportResponse',
    'getDatanodeReport',
    ({ type }) => ({ filter: chosen(filters, type, 'kind of datanode report') }),
    ({ datanodes }) => ({
      reports: datanodes.map((report) => ({ datanode: nodeInfo(report), storages: report.storages.map(storageInfo) })),
    }),
  ),
  getSlowDatanodeReport: viaCore(
    'Nothing',
    'HdfsDatanodeReportResponse',
    'getDatanodeReport',
    () => ({ filter: DatanodeFilter.DATANODES_LIVE }),
    ({ datanodes }) => ({ datanodes: datanodes.filter(({ slow }) => slow).map(nodeInfo) }),
  ),
  setSafeMode: viaCore(
    'HdfsSafeModeRequest',
    'BoolResult',
    'setSafeMode',
    ({ action }) => ({ action: chosen(safeModeActions, action, 'action of safe mode') }),
    ({ on }) => ({ result: on }),
  ),
  refreshNodes: viaCore('Nothing', 'Nothing', 'refreshNodes', () => ({}), noReply),
  metaSave: viaCore('PathRequest', 'Nothing', 'metasave', ({ path }) => ({ filename: path }), noReply),
  setBalancerBandwidth: viaCore(
    'BandwidthRequest',
    'Nothing',
    'setBalancerBandwidth',
    ({ bandwidth }) => ({ bytesPerSecond: bandwidth }),
    noReply,
  ),
  listCorruptFileBlocks: viaCore(
    'CorruptBlocksRequest',
    'CorruptBlocksResponse',
    'listCorruptFiles',
    ({ path, cookie }) => ({ path, afterBlockId: Number(cookie ?? 0) || 0 }),
    ({ files, lastBlockId }) => ({ corrupt: { files: files.map(({ path }) => path), cookie: String(lastBlockId) } }),
  ),
  listOpenFiles: viaCore(
    'HdfsOpenFilesRequest',
    'HdfsOpenFilesResponse',
    'listOpenFiles',
    ({ afterId, types, path }) => ({
      afterFileId: afterId,
      path: path === undefined || path === '/' ? '' : path,
      blockingDecommission: types.includes(BLOCKING_DECOMMISSION) && !types.includes(ALL_OPEN_FILES),
      limit: 0,
    }),
    ({ files, more }, { types }) => ({
      entries: files.map(({ fileId, path, holder, client }) => ({ id: fileId, path, clientName: holder, clientMachine: client })),
      hasMore: more,
      types,
    }),
  ),
  rollEdits: rpcMethod('Nothing', 'TxidResponse', (call: HadoopCall) => {
    call.session.requireSuper(call, 'rollEdits')
    return { txid: lastTxid(call) + 1 }
  }),
  getCurrentEditLogTxid: rpcMethod('Nothing', 'TxidResponse', (call: HadoopCall) => ({ txid: lastTxid(call) })),
  // The namespace is on disk with every reply: there is nothing to save, but the conditions are HDFS's.
  saveNamespace: rpcMethod('Nothing', 'SaveNamespaceResponse', (call: HadoopCall) => {
    call.session.requireSuper(call, 'saveNamespace')
    if (!call.session.cluster.safeMode().on)
      throw new QuarryError('REFUSED', 'Safe mode should be turned ON in order to create namespace image.')
    return { saved: true }
  }),
  restoreFailedStorage: rpcMethod('PathRequest', 'BoolResult', (call: HadoopCall) => {
    call.session.requireSuper(call, 'restoreFailedStorage')
    return { result: false }
  }),
  finalizeUpgrade: rpcMethod('Nothing', 'Nothing', (call: HadoopCall) => {
    call.session.requireSuper(call, 'finalizeUpgrade')
    return {}
  }),
  upgradeStatus: rpcMethod('Nothing', 'BoolResult', () => ({ result: true })),
  rollingUpgrade: rpcMethod('RollingUpgradeRequest', 'RollingUpgradeResponse', (call: HadoopCall, { action }) => {
    call.session.requireSuper(call, 'queryRollingUpgrade')
    if (action === ROLLING_UPGRADE_QUERY) return {}
    throw new QuarryError('UNSUPPORTED', 'A namenode of Quarry needs no rolling upgrade: stop it and start the new release.')
  }),
  msync: rpcMethod('Nothing', 'Nothing', () => ({})),
  getHAServiceState: rpcMethod('Nothing', 'HaStateResponse', () => ({ state: HA_ACTIVE })),
}
