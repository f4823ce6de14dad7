// The beans about what clients ask: counts since the start. HDFS's names for calls that Quarry counts under its own.
import os from 'node:os'
import type { Attributes, Bean } from '../../../proto/hadoop-http/jmx-page.ts'
import type { Method } from '../../../proto/ports.ts'
import type { Front } from '../front.ts'
import type { Metrics } from '../metrics.ts'

/** Calls of each method that HDFS counts. It counts those that succeeded; here those that were asked count. */
const counted: readonly (readonly [attribute: string, methods: readonly Method[]])[] = [
  ['AddBlockOps', ['addBlock']],
  ['CreateFileOps', ['create']],
  ['CreateSymlinkOps', ['createSymlink']],
  ['DeleteFileOps', ['delete']],
  ['FileInfoOps', ['getFileInfo']],
  ['FilesAppended', ['append']],
  ['FilesRenamed', ['rename', 'rename2']],
  ['FilesTruncated', ['truncate']],
  ['GetAdditionalDatanodeOps', ['additionalDatanode']],
  ['GetBlockLocations', ['getBlockLocations']],
  ['GetLinkTargetOps', ['getLinkTarget']],
  ['GetListingOps', ['getListing']],
]

export interface ActivityFacts {
  readonly front: Front
  readonly metrics: Metrics
  /** Where Hadoop's clients come in; undefined when that door is closed. */
  readonly hadoop: { readonly port: number; readonly connections: number } | undefined
}

export function activityBeans({ front, metrics, hadoop }: ActivityFacts): Bean[] {
  const beans: Bean[] = [
    { name: 'Hadoop:service=NameNode,name=NameNodeActivity', modelerType: 'NameNodeActivity', read: () => activity(front, metrics) },
  ]
  if (hadoop === undefined) return beans
  const name = `RpcActivityForPort${hadoop.port}`
  return [...beans, { name: `Hadoop:service=NameNode,name=${name}`, modelerType: name, read: () => rpcActivity(front, hadoop) }]
}

function activity(front: Front, metrics: Metrics): Attributes {
  const calls = new Map(front.counters.byMethod())
  const ops = counted.map(([attribute, methods]) => [attribute, methods.reduce((total, method) => total + (calls.get(method) ?? 0), 0)])
  const { commits, edits, meanMs } = metrics.commitSummary()
  return {
    'tag.ProcessName': 'NameNode',
    'tag.Context': 'dfs',
    'tag.Hostname': os.hostname(),
    ...(Object.fromEntries(ops) as Attributes),
    // One commit of the database is what a sync of the edit log is in HDFS, and holds the edits of many calls.
    'SyncsNumOps': commits,
    'SyncsAvgTime': meanMs,
    'TransactionsNumOps': edits,
  }
}

/** Calls of all doors wait in the same queue, so its figures are those of the whole namenode. */
function rpcActivity(front: Front, hadoop: { readonly port: number; readonly connections: number }): Attributes {
  const { finishing, changes, queries, refused } = front.admission.counts
  const waiting = finishing + changes + queries
  return {
    'tag.port': String(hadoop.port),
    'tag.serverName': 'ClientNamenodeProtocol',
    'tag.Context': 'rpc',
    'tag.Hostname': os.hostname(),
    'NumOpenConnections': hadoop.connections,
    'CallQueueLength': waiting,
    'NumInProcessHandler': Math.max(0, front.counters.inFlight - waiting),
    'RpcClientBackoff': refused,
  }
}
