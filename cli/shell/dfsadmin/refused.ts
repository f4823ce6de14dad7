// Options of Hadoop's dfsadmin that Quarry knows and does not have: why, and what to do instead.

const snapshots = 'Quarry has no snapshots. quarry admin backup DIR keeps the namespace of a moment; quarry cp copies files.'
const oneNamenode = 'Quarry has one namespace a cluster. To take a datanode out, use quarry admin decommission.'
const groups = 'Who is in which group is an option of the namenode (docs/settings.md), read when it starts: restart it.'
const settings = 'Options are read when a role starts: change them and restart it (docs/settings.md).'
const upgrade =
  'A newer namenode upgrades its store when it opens it, and there is nothing to finalize or query. Take a backup before: quarry admin backup DIR.'
const nodes = 'The namenode knows what its datanodes say: quarry admin nodes, or quarry dfsadmin -report.'
const stop =
  'Stop it with a signal: SIGTERM lets it finish what it does. quarry admin decommission or maintenance moves its work away before.'

export const refusedVerbs: Readonly<Record<string, string>> = {
  rollEdits: 'The edit log is part of the store and has no segments to roll; quarry debug edits prints it.',
  restoreFailedStorage: 'The namenode has one store, not several directories. quarry admin backup DIR makes a copy.',
  finalizeUpgrade: upgrade,
  rollingUpgrade: upgrade,
  upgrade,
  refreshServiceAcl: settings,
  refreshUserToGroupsMappings: groups,
  refreshSuperUserGroupsConfiguration: groups,
  refreshCallQueue: settings,
  refresh: settings,
  reconfig: settings,
  refreshNamenodes: oneNamenode,
  deleteBlockPool: oneNamenode,
  getVolumeReport: `${nodes} Failed volumes stand there.`,
  getBalancerBandwidth: 'The bandwidth is one for all datanodes: what -setBalancerBandwidth set last, else the option balancer.bandwidth.',
  fetchImage: 'There is no image apart from the store: quarry admin backup DIR fetches a consistent copy of it.',
  allowSnapshot: snapshots,
  disallowSnapshot: snapshots,
  provisionSnapshotTrash: snapshots,
  shutdownDatanode: stop,
  evictWriters: 'quarry dfsadmin -listOpenFiles -blockingDecommission names the files; quarry debug recoverLease -path PATH closes one.',
  getDatanodeInfo: nodes,
  triggerBlockReport:
    'Datanodes tell every change at once, and everything when they connect: a report is never due. quarry fsck -blockId shows what the namenode knows.',
}
