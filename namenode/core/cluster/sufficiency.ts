// Whether a block has enough copies elsewhere for a node that holds it to leave. HDFS: DatanodeAdminManager.isSufficient.

export interface SufficiencyRules {
  /** Copies of each block that a new file gets. */
  readonly replicationDefault: number
  readonly replicationMin: number
  /** Live copies that a block must have elsewhere before a node may go into maintenance. */
  readonly maintenanceMin: number
}

/** Whether a node that holds the block may go as far as this block is concerned. `live`: copies that count, none of them the node's. */
export function isSufficient(
  block: {
    readonly live: number
    readonly wanted: number
    /** As lowered by copies in maintenance. */
    readonly required: number
    /** The last block of a file that is open, whose writer will see to the rest. */
    readonly open: boolean
    readonly misplaced: boolean
  },
  kind: 'decommission' | 'maintenance',
  rules: SufficiencyRules,
): boolean {
  if (kind === 'maintenance') return block.live >= Math.min(rules.maintenanceMin, block.wanted)
  if (block.open) return block.live >= rules.replicationMin
  if (block.live >= block.required && !block.misplaced) return true
  return block.live < block.wanted && block.live >= rules.replicationDefault
}
