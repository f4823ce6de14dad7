// Whether operators want a datanode in the cluster, apart from whether it is heard from. HDFS: DatanodeInfo.AdminStates.
//
//   in service ──► decommissioning ──► decommissioned          leaves for good, once every block has enough copies elsewhere
//       ▲  ▲            │                    │
//       │  └────────────┴────────────────────┘                 an operator changes his mind
//       │
//       └──► entering maintenance ──► in maintenance           out for a while, once every block has a few copies elsewhere
//                                                              back by an operator or when its time is over
//
// Only copies on nodes in service count for a block. Those on nodes in (or on the way into) maintenance come back, so they lower
// what is required of the others; those on nodes that leave for good do not.
import type { DatanodeReport } from '../../../proto/ports.ts'
import { DatanodeFilter } from '../../../proto/ports.ts'

export type AdminState = 'in-service' | 'decommissioning' | 'decommissioned' | 'entering-maintenance' | 'in-maintenance'

/** What an operator asked for. */
export type AdminAction = 'in-service' | 'decommission' | 'maintenance'

const words: Readonly<Record<AdminState, string>> = {
  'in-service': 'In Service',
  'decommissioning': 'Decommission In Progress',
  'decommissioned': 'Decommissioned',
  'entering-maintenance': 'Entering Maintenance',
  'in-maintenance': 'In Maintenance',
}

/** HDFS's words, as reports show them. */
export function adminWords(state: AdminState): DatanodeReport['adminState'] {
  return words[state]
}

/** Why a node in this state takes no new replicas; undefined when it does. */
export function refusesReplicas(state: AdminState): string | undefined {
  switch (state) {
    case 'in-service':
      return undefined
    case 'decommissioning':
      return 'it is being decommissioned'
    case 'decommissioned':
      return 'it is decommissioned'
    case 'entering-maintenance':
      return 'it is entering maintenance'
    case 'in-maintenance':
      return 'it is in maintenance'
    default:
      return state satisfies never
  }
}

/** On its way out: its blocks are being copied elsewhere. */
export function isDraining(state: AdminState): boolean {
  return state === 'decommissioning' || state === 'entering-maintenance'
}

/** The node and its copies are expected back. */
export function isMaintenance(state: AdminState): boolean {
  return state === 'entering-maintenance' || state === 'in-maintenance'
}

/** Whether a node belongs into a report of this kind. */
export function inReport(filter: DatanodeFilter, node: { readonly dead: boolean; readonly admin: AdminState }): boolean | undefined {
  switch (filter) {
    case DatanodeFilter.DATANODES_ALL:
      return true
    case DatanodeFilter.DATANODES_LIVE:
      return !node.dead
    case DatanodeFilter.DATANODES_DEAD:
      return node.dead
    case DatanodeFilter.DATANODES_DECOMMISSIONING:
      return node.admin === 'decommissioning'
    case DatanodeFilter.DATANODES_ENTERING_MAINTENANCE:
      return node.admin === 'entering-maintenance'
    case DatanodeFilter.DATANODES_IN_MAINTENANCE:
      return node.admin === 'in-maintenance'
    default:
      return undefined
  }
}
