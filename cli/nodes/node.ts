// A datanode as people name it and as programs read it.
import type { FileSystem } from '../../client/index.ts'
import { humanSize } from '../shell/format.ts'

export type Datanode = Awaited<ReturnType<FileSystem['datanodes']>>[number]

/** `ip:port`, as reports and fsck print it and as every command that takes a node understands it. */
export function nodeName(node: Datanode): string {
  const id = node.datanode
  return `${id?.ip ?? ''}:${id?.transferPort || id?.grpcPort || 0}`
}

/** HDFS's administrative states. */
export type NodeState = 'in-service' | 'decommissioning' | 'decommissioned' | 'entering-maintenance' | 'in-maintenance'

const states: Readonly<Record<string, NodeState>> = {
  'Decommission In Progress': 'decommissioning',
  'Decommissioned': 'decommissioned',
  'Entering Maintenance': 'entering-maintenance',
  'In Maintenance': 'in-maintenance',
}

export const nodeState = (node: Datanode): NodeState => states[node.adminState] ?? 'in-service'

/** What a program gets: one flat object. */
export function nodeRecord(node: Datanode): Record<string, unknown> {
  const { datanode: id } = node
  return {
    name: nodeName(node),
    uuid: id?.uuid ?? '',
    hostname: id?.hostname ?? '',
    rack: id?.rack ?? '',
    live: node.live,
    stale: node.stale,
    state: nodeState(node),
    maintenanceUntilMs: node.maintenanceUntilMs === 0 ? null : node.maintenanceUntilMs,
    blocksToLeave: node.blocksToLeave,
    capacity: node.capacity,
    used: node.dfsUsed,
    remaining: node.remaining,
    blocks: node.blocks,
    failedVolumes: node.failedVolumes,
    slow: node.slow,
    lastContactMs: node.lastContactMs,
  }
}

/** What there is to say beside the columns; empty for a node that is well. */
export function nodeNotes(node: Datanode): string {
  const state = nodeState(node)
  const leaving = state === 'decommissioning' || state === 'entering-maintenance'
  return [
    // Right after the order nothing has been counted yet.
    leaving && node.blocksToLeave > 0 ? `${node.blocksToLeave} block${node.blocksToLeave === 1 ? '' : 's'} to copy` : '',
    node.maintenanceUntilMs > 0 ? `until ${new Date(node.maintenanceUntilMs).toISOString().slice(0, 16)}Z` : '',
    node.failedVolumes > 0 ? `${node.failedVolumes} failed volume${node.failedVolumes === 1 ? '' : 's'}` : '',
    node.slow ? `slow (${node.slowLatencyMs} ms)` : '',
  ]
    .filter((note) => note !== '')
    .join(', ')
}

const ago = (ms: number): string => {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 120) return `${seconds} s ago`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`
  return `${Math.round(seconds / 3600)} h ago`
}

/** A row for each node under a row of titles. */
export function nodeRows(nodes: readonly Datanode[], nowMs: number): string[][] {
  const rows = nodes.map((node) => [
    nodeName(node),
    node.live ? (node.stale ? 'stale' : 'live') : 'dead',
    nodeState(node).replaceAll('-', ' '),
    node.datanode?.rack ?? '',
    node.capacity === 0 ? '-' : `${((node.dfsUsed / node.capacity) * 100).toFixed(1)}%`,
    humanSize(node.dfsUsed, 1, 'B'),
    humanSize(node.remaining, 1, 'B'),
    String(node.blocks),
    node.lastContactMs === 0 ? 'never' : ago(nowMs - node.lastContactMs),
    nodeNotes(node),
  ])
  return [['NODE', 'HEALTH', 'STATE', 'RACK', 'FULL', 'USED', 'FREE', 'BLOCKS', 'CONTACT', 'NOTES'], ...rows]
}

/** Columns of `nodeRows` with numbers. */
export const numberColumns: readonly number[] = [4, 5, 6, 7]
