// What each option of dfsadmin takes and does, in Hadoop's words, because scripts look for them. What differs here says so.

const quotaHelp = (kind: string): string => `\t\tFor each directory, attempt to ${kind} the quota. An error will be reported if\n`
const storageTypesHelp = (done: string): string =>
  `\t\tThe storage type specific quota is ${done} when -storageType option is specified.\n\t\tAvailable storageTypes are \n\t\t- DISK\n\t\t- SSD\n\t\t- ARCHIVE\n\t\t- PROVIDED\n\t\t- NVDIMM`

export interface AdminText {
  readonly usage: string
  readonly help: string
}

export const adminTexts = {
  report: {
    usage: '[-live] [-dead] [-decommissioning] [-enteringmaintenance] [-inmaintenance] [-slownodes]',
    help:
      '-report [-live] [-dead] [-decommissioning] [-enteringmaintenance] [-inmaintenance] [-slownodes]:\n' +
      '\tReports basic filesystem information and statistics. \n\tThe dfs usage can be different from "du" usage, because it\n' +
      '\tmeasures raw space used by replication, checksums, snapshots\n\tand etc. on all the DNs.\n' +
      '\tOptional flags may be used to filter the list of displayed DNs.\n',
  },
  safemode: {
    usage: '<enter | leave | get | wait | forceExit>',
    help:
      '-safemode <enter|leave|get|wait|forceExit>:  Safe mode maintenance command.\n' +
      '\t\tSafe mode is a Namenode state in which it\n\t\t\t1.  does not accept changes to the name space (read-only)\n' +
      '\t\t\t2.  does not replicate or delete blocks.\n\t\tSafe mode is entered automatically at Namenode startup, and\n' +
      '\t\tleaves safe mode automatically when the configured minimum\n\t\tpercentage of blocks satisfies the minimum replication\n' +
      '\t\tcondition.  Safe mode can also be entered manually, but then\n\t\tit can only be turned off manually as well.\n',
  },
  saveNamespace: {
    usage: '[-beforeShutdown]',
    help:
      '-saveNamespace [-beforeShutdown]:\tSave current namespace into storage directories and reset edits \n' +
      '\t\t log. Requires safe mode.\n' +
      '\t\tQuarry saves every change before it acknowledges it, so nothing\n\t\tis left to do, and the edit log stays as it is.\n',
  },
  refreshNodes: {
    usage: '',
    help:
      '-refreshNodes: \tUpdates the namenode with the set of datanodes allowed to connect to the namenode.\n\n' +
      '\t\tNamenode re-reads datanode hostnames from the file defined by \n\t\tdfs.hosts, dfs.hosts.exclude configuration parameters.\n' +
      '\t\tHosts defined in dfs.hosts are the datanodes that are part of \n\t\tthe cluster. If there are entries in dfs.hosts, only the hosts \n' +
      '\t\tin it are allowed to register with the namenode.\n\n' +
      '\t\tEntries in dfs.hosts.exclude are datanodes that need to be \n\t\tdecommissioned. Datanodes complete decommissioning when \n' +
      '\t\tall the replicas from them are replicated to other datanodes.\n' +
      '\t\tDecommissioned nodes are not automatically shutdown and \n\t\tare not chosen for writing new replicas.\n\n' +
      '\t\tIn Quarry the options are hosts.include and hosts.exclude.\n\t\tquarry admin decommission needs no file.\n',
  },
  setQuota: {
    usage: '<quota> <dirname>...<dirname>',
    help:
      '-setQuota <quota> <dirname>...<dirname>: Set the quota <quota> for each directory <dirName>.\n' +
      '\t\tThe directory quota is a long integer that puts a hard limit\n\t\ton the number of names in the directory tree\n' +
      `${quotaHelp('set')}\t\t1. quota is not a positive integer, or\n\t\t2. User is not an administrator, or\n` +
      '\t\t3. The directory does not exist or is a file.\n\t\tNote: A quota of 1 would force the directory to remain empty.\n',
  },
  clrQuota: {
    usage: '<dirname>...<dirname>',
    help:
      '-clrQuota <dirname>...<dirname>: Clear the quota for each directory <dirName>.\n' +
      `${quotaHelp('clear')}\t\t1. the directory does not exist or is a file, or\n\t\t2. user is not an administrator.\n` +
      '\t\tIt does not fault if the directory has no quota.',
  },
  setSpaceQuota: {
    usage: '<quota> [-storageType <storagetype>] <dirname>...<dirname>',
    help:
      '-setSpaceQuota <quota> [-storageType <storagetype>] <dirname>...<dirname>: Set the space quota <quota> for each directory <dirName>.\n' +
      '\t\tThe space quota is a long integer that puts a hard limit\n\t\ton the total size of all the files under the directory tree.\n' +
      '\t\tThe extra space required for replication is also counted. E.g.\n\t\ta 1GB file with replication of 3 consumes 3GB of the quota.\n\n' +
      '\t\tQuota can also be specified with a binary prefix for terabytes,\n\t\tpetabytes etc (e.g. 50t is 50TB, 5m is 5MB, 3p is 3PB).\n' +
      `${quotaHelp('set')}\t\t1. quota is not a positive integer or zero, or\n\t\t2. user is not an administrator, or\n` +
      `\t\t3. the directory does not exist or is a file.\n${storageTypesHelp('set')}`,
  },
  clrSpaceQuota: {
    usage: '[-storageType <storagetype>] <dirname>...<dirname>',
    help:
      '-clrSpaceQuota [-storageType <storagetype>] <dirname>...<dirname>: Clear the space quota for each directory <dirName>.\n' +
      `${quotaHelp('clear')}\t\t1. the directory does not exist or is a file, or\n\t\t2. user is not an administrator.\n` +
      `\t\tIt does not fault if the directory has no quota.\n${storageTypesHelp('cleared')}`,
  },
  printTopology: {
    usage: '',
    help: '-printTopology: Print a tree of the racks and their\n\t\tnodes as reported by the Namenode\n',
  },
  setBalancerBandwidth: {
    usage: '<bandwidth in bytes per second>',
    help:
      '-setBalancerBandwidth <bandwidth>:\n\tChanges the network bandwidth used by each datanode during\n\tHDFS block balancing.\n\n' +
      '\t\t<bandwidth> is the maximum number of bytes per second\n\t\tthat will be used by each datanode. This value overrides\n' +
      '\t\tthe dfs.datanode.balance.bandwidthPerSec parameter.\n\n\t\t--- NOTE: The new value is not persistent on the DataNode.---\n',
  },
  metasave: {
    usage: 'filename',
    help:
      "-metasave <filename>: \tSave Namenode's primary data structures\n\t\tto <filename> in the directory specified by hadoop.log.dir property.\n" +
      '\t\t<filename> is overwritten if it exists.\n\t\t<filename> will contain one line for each of the following\n' +
      '\t\t\t1. Datanodes heart beating with Namenode\n\t\t\t2. Blocks waiting to be replicated\n' +
      '\t\t\t3. Blocks currrently being replicated\n\t\t\t4. Blocks waiting to be deleted\n',
  },
  listOpenFiles: {
    usage: '[-blockingDecommission] [-path <path>]',
    help:
      '-listOpenFiles [-blockingDecommission]\n\tList all open files currently managed by the NameNode along\n' +
      "\twith client name and client machine accessing them.\n\tIf 'blockingDecommission' option is specified, it will list the\n" +
      '\topen files only that are blocking the ongoing Decommission.',
  },
  help: {
    usage: '[cmd]',
    help: '-help [cmd]: \tDisplays help for the given command or all commands if none\n\t\tis specified.\n',
  },
} as const satisfies Readonly<Record<string, AdminText>>

export type AdminVerbName = keyof typeof adminTexts
