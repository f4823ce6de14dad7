// The beans about namespace and cluster, from what /status and /metrics show as well.
import os from 'node:os'
import { DatanodeFilter, StorageType } from '../../../proto/ports.ts'
import type { DatanodeReport } from '../../../proto/ports.ts'
import type { Attributes, Bean } from '../../../proto/hadoop-http/jmx-page.ts'
import { release } from '../../../proto/version.ts'
import type { BlockManager } from '../../core/cluster/block-manager.ts'
import { adminWords } from '../../core/cluster/admin-states.ts'
import type { AdminState } from '../../core/cluster/admin-states.ts'
import type { Front } from '../front.ts'
import { nodeMaps, nodeUsage, percent, versions } from './node-maps.ts'

const GIB = 2 ** 30
const namesystem = 'org.apache.hadoop.hdfs.server.namenode.FSNamesystem'

export interface NamesystemFacts {
  readonly front: Front
  readonly cluster: BlockManager
  /** Files open for writing, and writers that have some open. */
  readonly leases: { readonly size: number; readonly holders: number }
  /** host:port of Hadoop's clients, or that of native ones where no other is open. */
  readonly address: string
  readonly startedMs: number
  nowMs(): number
}

export function namesystemBeans(facts: NamesystemFacts): Bean[] {
  const { front, cluster } = facts
  const reports = () => cluster.datanodes(DatanodeFilter.DATANODES_ALL)
  return [
    { name: 'Hadoop:service=NameNode,name=FSNamesystem', modelerType: 'FSNamesystem', read: () => fsNamesystem(facts, reports()) },
    { name: 'Hadoop:service=NameNode,name=FSNamesystemState', modelerType: namesystem, read: () => state(facts, reports()) },
    { name: 'Hadoop:service=NameNode,name=NameNodeInfo', modelerType: namesystem, read: () => info(facts, reports()) },
    {
      name: 'Hadoop:service=NameNode,name=NameNodeStatus',
      modelerType: 'org.apache.hadoop.hdfs.server.namenode.NameNode',
      read: () => ({ State: 'active', NNRole: 'NameNode', HostAndPort: facts.address, SecurityEnabled: false }),
    },
    {
      name: 'Hadoop:service=NameNode,name=ReplicatedBlocksState',
      modelerType: namesystem,
      read: () => replicatedBlocks(front, cluster),
    },
    {
      name: 'Hadoop:service=NameNode,name=BlockStats',
      modelerType: 'org.apache.hadoop.hdfs.server.blockmanagement.BlockManager',
      read: () => ({ StorageTypeStats: storageTypes(reports()) }),
    },
  ]
}

function fsNamesystem({ front, cluster, leases }: NamesystemFacts, reports: readonly DatanodeReport[]): Attributes {
  const stats = front.fsStats()
  const counts = cluster.counts()
  return {
    'tag.Context': 'dfs',
    'tag.HAState': 'active',
    'tag.Hostname': os.hostname(),
    'LastWrittenTransactionId': stats.lastTxid,
    ...capacity(stats),
    'CapacityTotalGB': Math.round(stats.capacity / GIB),
    'CapacityUsedGB': Math.round(stats.used / GIB),
    'CapacityRemainingGB': Math.round(stats.remaining / GIB),
    'CapacityUsedNonDFS': sum(reports, (node) => (node.live ? node.nonDfsUsed : 0)),
    'NumFilesUnderConstruction': leases.size,
    'NumActiveClients': leases.holders,
    ...blocks(front, cluster),
    'MissingBlocks': stats.missingBlocks,
    'MissingReplOneBlocks': stats.missingBlocksOneReplica,
    'CorruptBlocks': stats.corruptBlocks,
    ...replicatedBlocks(front, cluster),
    'HighestPriorityLowRedundancyReplicatedBlocks': stats.highestPriorityLowRedundancy,
    'PostponedMisreplicatedBlocks': counts.postponed,
    ...nodes(reports),
    'StaleDataNodes': reports.filter((node) => node.live && node.stale).length,
  }
}

function state({ front, cluster, startedMs }: NamesystemFacts, reports: readonly DatanodeReport[]): Attributes {
  const stats = front.fsStats()
  return {
    ...capacity(stats),
    ...blocks(front, cluster),
    ...nodes(reports),
    FSState: stats.safeMode ? 'safeMode' : 'Operational',
    BlockDeletionStartTime: startedMs,
    NumStaleDataNodes: reports.filter((node) => node.live && node.stale).length,
  }
}

function info({ front, startedMs, nowMs }: NamesystemFacts, reports: readonly DatanodeReport[]): Attributes {
  const stats = front.fsStats()
  const distinct = versions(reports)
  return {
    Version: release,
    SoftwareVersion: release,
    UpgradeFinalized: true,
    BlockPoolId: front.poolId,
    ClusterId: front.clusterId,
    HighestPriorityLowRedundancyReplicatedBlocks: stats.highestPriorityLowRedundancy,
    Used: stats.used,
    Free: stats.remaining,
    Total: stats.capacity,
    Safemode: stats.safeMode ? `Safe mode is ON. ${stats.safeModeReason}` : '',
    NonDfsUsedSpace: sum(reports, (node) => (node.live ? node.nonDfsUsed : 0)),
    PercentUsed: percent(stats.used, stats.capacity),
    BlockPoolUsedSpace: stats.used,
    PercentBlockPoolUsed: percent(stats.used, stats.capacity),
    PercentRemaining: percent(stats.remaining, stats.capacity),
    TotalBlocks: stats.blocks,
    NumberOfMissingBlocks: stats.missingBlocks,
    NumberOfMissingBlocksWithReplicationFactorOne: stats.missingBlocksOneReplica,
    ...nodeMaps(reports, nowMs()),
    NodeUsage: nodeUsage(reports),
    JournalTransactionInfo: JSON.stringify({ LastAppliedOrWrittenTxId: String(stats.lastTxid) }),
    NNStartedTimeInMillis: startedMs,
    DistinctVersionCount: distinct.length,
    DistinctVersions: distinct,
  }
}

type Stats = ReturnType<Front['fsStats']>

function capacity({ capacity: total, used, remaining }: Stats): Attributes {
  return { CapacityTotal: total, CapacityUsed: used, CapacityRemaining: remaining }
}

function blocks(front: Front, cluster: BlockManager): Attributes {
  const stats = front.fsStats()
  const counts = cluster.counts()
  return {
    BlocksTotal: stats.blocks,
    // As HDFS, which counts inodes.
    FilesTotal: stats.files + stats.directories,
    PendingReplicationBlocks: counts.pendingCopies,
    PendingReconstructionBlocks: counts.pendingCopies,
    UnderReplicatedBlocks: stats.underReplicated,
    LowRedundancyBlocks: stats.underReplicated,
    PendingDeletionBlocks: stats.pendingDeletion,
  }
}

function replicatedBlocks(front: Front, cluster: BlockManager): Attributes {
  const counts = cluster.counts()
  return {
    LowRedundancyReplicatedBlocks: counts.underReplicated,
    CorruptReplicatedBlocks: counts.corruptBlocks,
    MissingReplicatedBlocks: counts.missingBlocks,
    MissingReplicationOneBlocks: counts.missingSingle,
    PendingDeletionReplicatedBlocks: counts.pendingDeletion,
    TotalReplicatedBlocks: front.fsStats().blocks,
  }
}

function nodes(reports: readonly DatanodeReport[]): Attributes {
  const count = (live: boolean, state?: AdminState) =>
    reports.filter((node) => node.live === live && (state === undefined || node.adminState === adminWords(state))).length
  const either = (state: AdminState) => count(true, state) + count(false, state)
  return {
    TotalLoad: sum(reports, (node) => (node.live ? node.xceivers : 0)),
    NumLiveDataNodes: count(true),
    NumDeadDataNodes: count(false),
    NumDecomLiveDataNodes: count(true, 'decommissioned'),
    NumDecomDeadDataNodes: count(false, 'decommissioned'),
    NumInServiceLiveDataNodes: count(true, 'in-service'),
    NumDecommissioningDataNodes: either('decommissioning'),
    NumInMaintenanceLiveDataNodes: count(true, 'in-maintenance'),
    NumInMaintenanceDeadDataNodes: count(false, 'in-maintenance'),
    NumEnteringMaintenanceDataNodes: either('entering-maintenance'),
    VolumeFailuresTotal: sum(reports, (node) => (node.live ? node.failedVolumes : 0)),
  }
}

const typeNames = new Map<number, string>(Object.entries(StorageType).map(([name, value]) => [value, name.replace('STORAGE_', '')]))

function storageTypes(reports: readonly DatanodeReport[]): Attributes[] {
  const types = new Map<string, { capacityTotal: number; capacityUsed: number; capacityRemaining: number; nodes: Set<DatanodeReport> }>()
  for (const node of reports.filter(({ live }) => live)) {
    for (const storage of node.storages.filter(({ failed }) => !failed)) {
      const name = typeNames.get(storage.type) ?? 'DISK'
      const stats = types.get(name) ?? { capacityTotal: 0, capacityUsed: 0, capacityRemaining: 0, nodes: new Set() }
      types.set(name, stats)
      stats.capacityTotal += storage.capacity
      stats.capacityUsed += storage.dfsUsed
      stats.capacityRemaining += storage.remaining
      if (node.adminState === adminWords('in-service')) stats.nodes.add(node)
    }
  }
  return [...types].map(([key, { nodes: inService, ...stats }]) => ({
    key,
    value: {
      ...stats,
      blockPoolUsed: stats.capacityUsed,
      nodesInService: inService.size,
      nodesInServiceXceiverCount: sum([...inService], (node) => node.xceivers),
    },
  }))
}

function sum(reports: readonly DatanodeReport[], value: (node: DatanodeReport) => number): number {
  return reports.reduce((total, node) => total + value(node), 0)
}
