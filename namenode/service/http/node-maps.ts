// Datanodes as NameNodeInfo shows them: JSON inside a string, by host:port, which pages and exporters take apart.
import type { DatanodeReport } from '../../../proto/ports.ts'
import { adminWords } from '../../core/cluster/admin-states.ts'

const MS_PER_S = 1000
const MS_PER_MIN = 60_000
const inProgress = adminWords('decommissioning')
const entering = adminWords('entering-maintenance')

/** The attributes LiveNodes, DeadNodes, DecomNodes and EnteringMaintenanceNodes. */
export function nodeMaps(reports: readonly DatanodeReport[], nowMs: number): Readonly<Record<string, string>> {
  const map = (belongs: (node: DatanodeReport) => boolean, show: (node: DatanodeReport) => object) =>
    JSON.stringify(Object.fromEntries(reports.filter(belongs).map((node) => [nameOf(node), show(node)])))
  return {
    LiveNodes: map(
      ({ live }) => live,
      (node) => live(node, nowMs),
    ),
    DeadNodes: map(
      (node) => !node.live,
      (node) => ({
        lastContact: secondsSince(node.lastContactMs, nowMs),
        decommissioned: node.adminState === adminWords('decommissioned'),
        adminState: node.adminState,
        xferaddr: addressOf(node),
        location: node.datanode?.rack,
      }),
    ),
    DecomNodes: map((node) => node.live && node.adminState === inProgress, leaving),
    EnteringMaintenanceNodes: map((node) => node.live && node.adminState === entering, leaving),
  }
}

/** How many datanodes say that they run which release. */
export function versions(reports: readonly DatanodeReport[]): { readonly key: string; readonly value: number }[] {
  const counts = new Map<string, number>()
  for (const { live, softwareVersion } of reports) if (live) counts.set(softwareVersion, (counts.get(softwareVersion) ?? 0) + 1)
  return [...counts].map(([key, value]) => ({ key, value }))
}

/** Smallest, middle and largest share of its capacity that a live datanode uses, in percent. */
export function nodeUsage(reports: readonly DatanodeReport[]): string {
  const shares = reports
    .filter(({ live }) => live)
    .map(({ dfsUsed, capacity }) => percent(dfsUsed, capacity))
    .sort((a, b) => a - b)
  const mean = shares.reduce((total, share) => total + share, 0) / Math.max(1, shares.length)
  const variance = shares.reduce((total, share) => total + (share - mean) ** 2, 0) / Math.max(1, shares.length)
  const text = (share = 0) => `${share.toFixed(2)}%`
  const median = shares[Math.floor(shares.length / 2)]
  return JSON.stringify({
    nodeUsage: { min: text(shares[0]), median: text(median), max: text(shares.at(-1)), stdDev: text(Math.sqrt(variance)) },
  })
}

export function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (part / whole) * 100
}

function live(node: DatanodeReport, nowMs: number): object {
  const { datanode } = node
  return {
    infoAddr: datanode?.httpAddress || `${datanode?.ip}:${datanode?.httpPort}`,
    xferaddr: addressOf(node),
    location: datanode?.rack,
    lastContact: secondsSince(node.lastContactMs, nowMs),
    usedSpace: node.dfsUsed,
    adminState: node.adminState,
    nonDfsUsedSpace: node.nonDfsUsed,
    capacity: node.capacity,
    numBlocks: node.blocks,
    version: node.softwareVersion,
    used: node.dfsUsed,
    remaining: node.remaining,
    blockPoolUsed: node.dfsUsed,
    blockPoolUsedPercent: percent(node.dfsUsed, node.capacity),
    volfails: node.failedVolumes,
    lastBlockReport: Math.floor(Math.max(0, nowMs - node.lastBlockReportMs) / MS_PER_MIN),
  }
}

function leaving(node: DatanodeReport): object {
  return { xferaddr: addressOf(node), location: node.datanode?.rack, underReplicatedBlocks: node.blocksToLeave }
}

const portOf = ({ datanode }: DatanodeReport) => datanode?.transferPort || datanode?.grpcPort
const nameOf = (node: DatanodeReport) => `${node.datanode?.hostname}:${portOf(node)}`
const addressOf = (node: DatanodeReport) => `${node.datanode?.ip}:${portOf(node)}`
const secondsSince = (ms: number, nowMs: number) => Math.floor(Math.max(0, nowMs - ms) / MS_PER_S)
