// The text of dfsadmin -report.
import type { FileSystem } from '../../client/index.ts'
import { nodeName, nodeState } from '../nodes/node.ts'
import type { Datanode, NodeState } from '../nodes/node.ts'
import { humanSize, javaDate, percent } from './format.ts'

const defaultRack = '/default-rack'

/** Bytes, and behind them what a person reads. */
const size = (bytes: number): string => `${bytes} (${humanSize(bytes, 2, 'B')})`

interface Section {
  readonly flag: string
  readonly title: string
  readonly filter: 'live' | 'dead' | 'decommissioning' | 'entering-maintenance' | 'in-maintenance' | 'slow'
}

const sections: readonly Section[] = [
  { flag: '-live', title: 'Live datanodes', filter: 'live' },
  { flag: '-dead', title: 'Dead datanodes', filter: 'dead' },
  { flag: '-decommissioning', title: 'Decommissioning datanodes', filter: 'decommissioning' },
  { flag: '-enteringmaintenance', title: 'Entering maintenance datanodes', filter: 'entering-maintenance' },
  { flag: '-inmaintenance', title: 'In maintenance datanodes', filter: 'in-maintenance' },
  { flag: '-slownodes', title: 'Slow datanodes', filter: 'slow' },
]

const statusTexts: Readonly<Record<NodeState, string>> = {
  'in-service': 'Normal',
  'decommissioning': 'Decommission in progress',
  'decommissioned': 'Decommissioned',
  'entering-maintenance': 'Entering maintenance',
  'in-maintenance': 'In maintenance',
}

export async function writeReport(fs: FileSystem, flags: ReadonlySet<string>): Promise<string> {
  const stats = await fs.namenode.call('getFsStats', {})
  const present = stats.used + stats.remaining
  const lines = [
    ...(stats.safeMode ? ['Safe mode is ON'] : []),
    `Configured Capacity: ${size(stats.capacity)}`,
    `Present Capacity: ${size(present)}`,
    `DFS Remaining: ${size(stats.remaining)}`,
    `DFS Used: ${size(stats.used)}`,
    `DFS Used%: ${percent(stats.used / present, 2)}`,
    'Replicated Blocks:',
    `\tUnder replicated blocks: ${stats.underReplicated}`,
    `\tBlocks with corrupt replicas: ${stats.corruptBlocks}`,
    `\tMissing blocks: ${stats.missingBlocks}`,
    `\tMissing blocks (with replication factor 1): ${stats.missingBlocksOneReplica}`,
    `\tLow redundancy blocks with highest priority to recover: ${stats.highestPriorityLowRedundancy}`,
    `\tPending deletion blocks: ${stats.pendingDeletion}`,
    // Quarry copies blocks whole; the section stands for those who read it by line.
    'Erasure Coded Block Groups: ',
    '\tLow redundancy block groups: 0',
    '\tBlock groups with corrupt internal blocks: 0',
    '\tMissing block groups: 0',
    '\tLow redundancy blocks with highest priority to recover: 0',
    '\tPending deletion blocks: 0',
    '',
    '-------------------------------------------------',
  ]
  const all = !sections.some((section) => flags.has(section.flag))
  let text = lines.map((line) => `${line}\n`).join('')
  for (const section of sections) {
    if (!all && !flags.has(section.flag)) continue
    const nodes = section.filter === 'slow' ? (await fs.datanodes('all')).filter((node) => node.slow) : await fs.datanodes(section.filter)
    if (nodes.length === 0 && all) continue
    text += `${section.title} (${nodes.length}):\n\n${nodes.map((node) => `${describe(node)}\n\n`).join('')}`
  }
  return text
}

function describe(node: Datanode): string {
  const id = node.datanode
  const state = nodeState(node)
  const share = (bytes: number): string => percent(node.capacity === 0 ? 0 : bytes / node.capacity, 2)
  const lines = [
    `Name: ${nodeName(node)} (${id?.hostname})`,
    `Hostname: ${id?.hostname}`,
    ...(id?.rack && id.rack !== defaultRack ? [`Rack: ${id.rack}`] : []),
    `Decommission Status : ${statusTexts[state]}`,
    `Configured Capacity: ${size(node.capacity)}`,
    `DFS Used: ${size(node.dfsUsed)}`,
    `Non DFS Used: ${size(node.nonDfsUsed)}`,
    `DFS Remaining: ${size(node.remaining)}`,
    `DFS Used%: ${share(node.dfsUsed)}`,
    `DFS Remaining%: ${share(node.remaining)}`,
    // There is no pinned cache; Hadoop prints these of a node without one.
    'Configured Cache Capacity: 0 (0 B)',
    'Cache Used: 0 (0 B)',
    'Cache Remaining: 0 (0 B)',
    'Cache Used%: 100.00%',
    'Cache Remaining%: 0.00%',
    `Xceivers: ${node.xceivers}`,
    `Last contact: ${javaDate(node.lastContactMs)}`,
    `Last Block Report: ${node.lastBlockReportMs === 0 ? 'Never' : javaDate(node.lastBlockReportMs)}`,
    `Num of Blocks: ${node.blocks}`,
    // What Hadoop shows on its web pages only; no line where there is nothing to say.
    ...(state === 'decommissioning' || state === 'entering-maintenance'
      ? [`Blocks to copy before it may leave: ${node.blocksToLeave}`]
      : []),
    ...(node.maintenanceUntilMs > 0 ? [`In maintenance until: ${javaDate(node.maintenanceUntilMs)}`] : []),
    ...(node.failedVolumes > 0 ? [`Failed volumes: ${node.failedVolumes}`] : []),
    ...(node.slow ? [`Slow: its neighbours report a latency of ${node.slowLatencyMs} ms`] : []),
  ]
  return lines.map((line) => `${line}\n`).join('')
}
