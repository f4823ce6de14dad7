// Which replicas of a datanode to move where. Pure: the namenode checks every move again.
import type { NodeUsage } from './plan.ts'

/** A replica of the source. */
export interface MovableBlock {
  readonly blockId: number
  readonly genstamp: number
  readonly length: number
  /** Where its replicas are, the source among them. */
  readonly locations: readonly { readonly uuid: string; readonly rack: string }[]
}

export interface Target {
  readonly node: NodeUsage
  /** Bytes that it should still get from the source. */
  left: number
}

export interface Move {
  readonly block: MovableBlock
  readonly source: NodeUsage
  readonly target: Target
}

/**
 * The target for a block, or undefined. Never one that has a replica; never so that the block lies on fewer racks; and only if the
 * target comes closer to its share than it was, so that one large block cannot swing back and forth. The source's rack is preferred.
 */
export function chooseTarget(block: MovableBlock, source: NodeUsage, targets: readonly Target[]): Target | undefined {
  const fits = targets.filter(
    ({ node, left }) =>
      left > 0 && block.length < 2 * left && !block.locations.some(({ uuid }) => uuid === node.uuid) && keepsRacks(block, source, node),
  )
  return fits.find(({ node }) => node.rack === source.rack) ?? fits[0]
}

function keepsRacks(block: MovableBlock, source: NodeUsage, target: NodeUsage): boolean {
  const before = new Set(block.locations.map(({ rack }) => rack))
  const after = new Set([...block.locations.filter(({ uuid }) => uuid !== source.uuid).map(({ rack }) => rack), target.rack])
  return after.size >= before.size
}
