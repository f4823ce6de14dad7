// -blockId: all that the namenode knows of single blocks. The exit code says how the last replica printed is; replicas that need
// attention are printed last, so that the code does not depend on the order in which datanodes reported.
import type { FileSystem } from '../../../client/index.ts'
import type { Output } from '../../output/output.ts'
import { replicasOf } from './blocks.ts'
import type { FsckReplica, FsckReplicaState } from './blocks.ts'
import { countReplicas } from './tally.ts'

type Details = Awaited<ReturnType<FileSystem['admin']['replicas']>>[number]

export interface BlockIdOptions {
  readonly fs: FileSystem
  readonly out: Output
  readonly signal: AbortSignal
  /** Tell nodes in maintenance from others. */
  readonly maintenance: boolean
}

/** HDFS's exit codes by how the last line ends; what is not listed is -1. */
const exitCodes: readonly (readonly [string, number])[] = [
  ['is HEALTHY', 0],
  ['does not exist', 0],
  ['is EXCESS', 0],
  ['is DECOMMISSIONED', 2],
  ['is DECOMMISSIONING', 3],
  ['is IN MAINTENANCE', 4],
  ['is ENTERING MAINTENANCE', 5],
  ['is STALE', 6],
]
const exitUnknown = 255

export async function checkBlocks(ids: readonly string[], options: BlockIdOptions): Promise<number> {
  let lines: string[] = []
  for (const id of ids.length === 0 ? [''] : ids) {
    lines = id.includes('blk_') ? ['', ...(await describe(id, options))] : [`Incorrect blockId format: ${id}`]
    await options.out.write(lines.map((line) => `${line}\n`).join(''))
  }
  const last = lines.at(-1) ?? ''
  if (last.startsWith('Incorrect blockId format:')) return 0
  return exitCodes.find(([ending]) => last.endsWith(ending))?.[1] ?? exitUnknown
}

async function describe(id: string, options: BlockIdOptions): Promise<string[]> {
  const number = /^blk_(\d{1,15})$/.exec(id)?.[1]
  const [details] = number === undefined ? [] : await options.fs.admin.replicas([Number(number)], { signal: options.signal })
  if (!details) return [`Block ${id} does not exist`]
  const replicas = replicasOf(details)
  const counts = countReplicas(replicas.map((replica) => replica.state))
  return [
    `Block Id: ${id}`,
    `Block belongs to: ${details.path}`,
    `No. of Expected Replica: ${details.replication}`,
    `No. of live Replica: ${counts.live}`,
    `No. of excess Replica: ${counts.excess}`,
    `No. of stale Replica: ${counts.stale}`,
    `No. of decommissioned Replica: ${counts.decommissioned}`,
    `No. of decommissioning Replica: ${counts.decommissioning}`,
    ...(options.maintenance
      ? [`No. of entering maintenance Replica: ${counts.enteringMaintenance}`, `No. of in maintenance Replica: ${counts.inMaintenance}`]
      : []),
    `No. of corrupted Replica: ${counts.corrupt}`,
    ...replicas
      .toSorted((a, b) => gravity.indexOf(a.state) - gravity.indexOf(b.state))
      .map((replica) => `Block replica on datanode/rack: ${replica.hostname}${replica.rack} ${verdict(replica, details, options)}`),
  ]
}

/** Least worrying first. */
const gravity: readonly FsckReplicaState[] = [
  'LIVE',
  'STALE_BLOCK_CONTENT',
  'EXCESS',
  'STALE_NODE',
  'IN_MAINTENANCE',
  'ENTERING_MAINTENANCE',
  'DECOMMISSIONED',
  'DECOMMISSIONING',
  'CORRUPT',
]

function verdict(replica: FsckReplica, details: Details, options: BlockIdOptions): string {
  switch (replica.state) {
    case 'CORRUPT':
      return `is CORRUPT\t ReasonCode: ${corruptReason(replica, details)}`
    case 'ENTERING_MAINTENANCE':
      return options.maintenance ? 'is ENTERING MAINTENANCE' : 'is HEALTHY'
    case 'IN_MAINTENANCE':
      return options.maintenance ? 'is IN MAINTENANCE' : 'is HEALTHY'
    case 'STALE_NODE':
      return 'is STALE'
    case 'LIVE':
    case 'STALE_BLOCK_CONTENT':
      return 'is HEALTHY'
    case 'DECOMMISSIONED':
    case 'DECOMMISSIONING':
    case 'EXCESS':
      return `is ${replica.state}`
  }
}

/** As HDFS names why a replica counts as corrupt. */
function corruptReason(replica: FsckReplica, details: Details): string {
  if (replica.genstamp !== details.block?.genstamp) return 'GENSTAMP_MISMATCH'
  return replica.length === details.block.length ? 'CORRUPTION_REPORTED' : 'SIZE_MISMATCH'
}
