// A datanode's figures by the names of the beans that HDFS keeps them in.
import os from 'node:os'
import type { Attributes, Bean } from '../../../proto/hadoop-http/jmx-page.ts'
import { release } from '../../../proto/version.ts'
import type { ReplicaStore } from '../../store/replica-store.ts'
import type { DatanodeMetrics } from '../metrics.ts'

const dataNode = 'org.apache.hadoop.hdfs.server.datanode.DataNode'
const dataset = 'org.apache.hadoop.hdfs.server.datanode.fsdataset.impl.FsDatasetImpl'

export interface DatanodeFacts {
  readonly store: ReplicaStore
  readonly metrics: DatanodeMetrics
  readonly hostname: string
  /** Where blocks are read and written: Hadoop's transfer port, or the native one where that is closed. */
  readonly dataPort: number
  /** 0 when closed. */
  readonly ipcPort: number
  readonly startedMs: number
  /** host:port */
  readonly namenode: string
  httpPort(): number
  session(): string
  deletionsWaiting(): number
  /** Since the epoch; undefined before the first scan has ended. */
  lastDirectoryScanMs(): number | undefined
}

export function datanodeBeans(facts: DatanodeFacts): Bean[] {
  const { store, hostname, dataPort } = facts
  const activityName = `DataNodeActivity-${hostname}-${dataPort}`
  const bean = (name: string, modelerType: string, read: () => Attributes): Bean => ({
    name: `Hadoop:service=DataNode,name=${name}`,
    modelerType,
    read,
  })
  return [
    bean('DataNodeInfo', dataNode, () => info(facts)),
    bean(`FSDatasetState-${store.datanodeUuid}`, dataset, () => ({
      ...datasetState(facts),
      FailedStorageLocations: store.failed.map(({ dir }) => dir),
      StorageInfo: storageInfo(store),
      LastDirScannerFinishTime: facts.lastDirectoryScanMs() ?? 0,
    })),
    bean('FSDatasetState', 'FSDatasetState', () => ({
      'tag.Context': 'FSDatasetState',
      'tag.StorageInfo': storageInfo(store),
      'tag.Hostname': os.hostname(),
      ...datasetState(facts),
      'LastDirectoryScannerFinishTime': facts.lastDirectoryScanMs() ?? 0,
    })),
    bean(activityName, activityName, () => activity(facts)),
  ]
}

function info(facts: DatanodeFacts): Attributes {
  const { store, metrics, namenode } = facts
  const { host } = new URL(`tcp://${namenode}`)
  const volumes = store.storages
    .filter(({ failed }) => !failed)
    .map((storage) => [
      storage.paths.root,
      {
        numBlocks: storage.finalized,
        usedSpace: storage.used,
        freeSpace: storage.space().remaining,
        reservedSpace: storage.reserved,
        storageType: 'DISK',
      },
    ])
  return {
    Version: release,
    SoftwareVersion: release,
    XceiverCount: streams(metrics),
    XmitsInProgress: metrics.transfers,
    RpcPort: String(facts.ipcPort),
    DataPort: String(facts.dataPort),
    HttpPort: String(facts.httpPort()),
    DNStartedTimeInMillis: facts.startedMs,
    NamenodeAddresses: JSON.stringify({ [host.replace(/:\d+$/, '')]: store.poolId }),
    DatanodeHostname: facts.hostname,
    BPServiceActorInfo: JSON.stringify([
      {
        NamenodeAddress: namenode,
        BlockPoolID: store.poolId,
        ActorState: facts.session() === 'registered' ? 'RUNNING' : facts.session().toUpperCase(),
      },
    ]),
    VolumeInfo: JSON.stringify(Object.fromEntries(volumes)),
    ClusterId: store.clusterId,
    SecurityEnabled: false,
  }
}

function datasetState({ store, deletionsWaiting }: DatanodeFacts): Attributes {
  const working = store.storages.filter(({ failed }) => !failed)
  const spaces = working.map((storage) => storage.space())
  return {
    Capacity: spaces.reduce((total, { capacity }) => total + capacity, 0),
    DfsUsed: working.reduce((total, { used }) => total + used, 0),
    Remaining: spaces.reduce((total, { remaining }) => total + remaining, 0),
    NumFailedVolumes: store.failed.length,
    PendingAsyncDeletions: deletionsWaiting(),
  }
}

function activity({ store, metrics }: DatanodeFacts): Attributes {
  return {
    'tag.Context': 'dfs',
    'tag.Hostname': os.hostname(),
    'BytesRead': metrics.bytesRead,
    'BytesWritten': metrics.bytesWritten,
    'BlocksRemoved': metrics.blocksDeleted,
    'BlocksReplicated': metrics.blocksCopied,
    'BlocksVerified': metrics.scannedBlocks,
    'BlockVerificationFailures': metrics.badReplicas,
    'DataNodeActiveXceiversCount': streams(metrics),
    'DataNodeReadActiveXceiversCount': metrics.readers,
    'DataNodeWriteActiveXceiversCount': metrics.writers,
    'VolumeFailures': store.failed.length,
  }
}

function streams({ readers, writers, transfers }: DatanodeMetrics): number {
  return readers + writers + transfers
}

function storageInfo(store: ReplicaStore): string {
  return `FSDataset{dirpath='[${store.storages.map(({ paths }) => paths.root).join(', ')}]'}`
}
