// The summary at the end of fsck, word for word as HDFS writes it.
import { javaFloat } from '../format.ts'
import { minimalReplication } from './tally.ts'
import type { Totals } from './tally.ts'

export interface ClusterFigures {
  readonly defaultReplication: number
  readonly nodes: number
  readonly racks: number
}

export function summary(totals: Totals, cluster: ClusterFigures): string {
  const { blocks } = totals
  const healthy = totals.missing + totals.corrupt === 0
  const share = (count: number): string => (blocks === 0 ? `${count}` : `${count} (${javaFloat((count * 100) / blocks)} %)`)
  const missingShare = totals.replicas === 0 ? '' : ` (${javaFloat((totals.missingReplicas * 100) / totals.wantedReplicas)} %)`
  return [
    '',
    `Status: ${healthy ? 'HEALTHY' : 'CORRUPT'}`,
    ` Number of data-nodes:\t${cluster.nodes}`,
    ` Number of racks:\t\t${cluster.racks}`,
    ` Total dirs:\t\t\t${totals.directories}`,
    ' Total symlinks:\t\t0',
    '',
    'Replicated Blocks:',
    ` Total size:\t${totals.bytes} B${totals.openBytes === 0 ? '' : ` (Total open files size: ${totals.openBytes} B)`}`,
    ` Total files:\t${totals.files}${totals.openFiles === 0 ? '' : ` (Files currently being written: ${totals.openFiles})`}`,
    ` Total blocks (validated):\t${blocks}${blocks === 0 ? '' : ` (avg. block size ${Math.floor(totals.bytes / blocks)} B)`}` +
      (totals.openBlocks === 0 ? '' : ` (Total open file blocks (not validated): ${totals.openBlocks})`),
    ...warnings(totals, share),
    ` Minimally replicated blocks:\t${share(totals.minimal)}`,
    ` Over-replicated blocks:\t${share(totals.over)}`,
    ` Under-replicated blocks:\t${share(totals.under)}`,
    ` Mis-replicated blocks:\t\t${share(totals.misplaced)}`,
    ` Default replication factor:\t${cluster.defaultReplication}`,
    ` Average block replication:\t${blocks === 0 ? '0.0' : javaFloat(totals.replicas / blocks)}`,
    ` Missing blocks:\t\t${totals.missing}`,
    ` Corrupt blocks:\t\t${totals.corrupt}`,
    ` Missing replicas:\t\t${totals.missingReplicas}${missingShare}`,
    ...leaving(totals),
    ` Blocks queued for replication:\t${totals.queued}`,
    ...erasureCoded,
  ].join('\n')
}

function warnings(totals: Totals, share: (count: number) => string): string[] {
  const belowMinimum = totals.blocks - totals.minimal
  if (belowMinimum + totals.corruptFiles === 0) return []
  return [
    '  ********************************',
    ...(belowMinimum > 0
      ? [`  UNDER MIN REPL'D BLOCKS:\t${share(belowMinimum)}`, `  MINIMAL BLOCK REPLICATION:\t${minimalReplication}`]
      : []),
    ...(totals.corruptFiles > 0 ? [`  CORRUPT FILES:\t${totals.corruptFiles}`] : []),
    ...(totals.missing > 0 ? [`  MISSING BLOCKS:\t${totals.missing}`, `  MISSING SIZE:\t\t${totals.missingBytes} B`] : []),
    ...(totals.corrupt > 0 ? [`  CORRUPT BLOCKS: \t${totals.corrupt}`, `  CORRUPT SIZE:\t\t${totals.corruptBytes} B`] : []),
    '  ********************************',
  ]
}

/** Replicas on nodes that are leaving; a line only where there are some. */
function leaving(totals: Totals): string[] {
  const lines: readonly (readonly [string, number])[] = [
    [' DecommissionedReplicas:', totals.decommissioned],
    [' DecommissioningReplicas:', totals.decommissioning],
    [' EnteringMaintenanceReplicas:', totals.enteringMaintenance],
    [' InMaintenanceReplicas:', totals.inMaintenance],
  ]
  return lines.filter(([, count]) => count > 0).map(([title, count]) => `${title}\t${count}`)
}

/** Quarry copies blocks whole; the section stands for those who read it by line. */
const erasureCoded = [
  '',
  'Erasure Coded Block Groups:',
  ' Total size:\t0 B',
  ' Total files:\t0',
  ' Total block groups (validated):\t0',
  ' Minimally erasure-coded block groups:\t0',
  ' Over-erasure-coded block groups:\t0',
  ' Under-erasure-coded block groups:\t0',
  ' Unsatisfactory placement block groups:\t0',
  ' Average block group size:\t0.0',
  ' Missing block groups:\t\t0',
  ' Corrupt block groups:\t\t0',
  ' Missing internal blocks:\t0',
  ' Blocks queued for replication:\t0',
  '',
]
