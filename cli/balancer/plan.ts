// Which datanodes give and which take, as HDFS's balancer decides it. Pure.
//
// The average is the used share of the whole cluster. A node more than `threshold` points above it is over-utilised, one as far below
// is under-utilised; the cluster is balanced when there are neither. Over-utilised nodes give to under-utilised ones first, then to
// others below the average; what is still under-utilised takes from others above the average. In each of these rounds pairs within a
// rack come first. A node never gives or takes more than the distance to the average, so that nothing swings back.

export interface NodeUsage {
  readonly uuid: string
  /** For people. */
  readonly name: string
  readonly rack: string
  /** Bytes. */
  readonly capacity: number
  readonly used: number
  readonly remaining: number
}

export interface Transfer {
  readonly source: NodeUsage
  readonly target: NodeUsage
  readonly bytes: number
}

export interface Plan {
  /** Percent of the cluster that is used. */
  readonly average: number
  readonly overUtilized: readonly NodeUsage[]
  readonly underUtilized: readonly NodeUsage[]
  /** Bytes that lie beyond the threshold: 0 when the cluster is balanced. */
  readonly bytesLeft: number
  readonly transfers: readonly Transfer[]
}

export interface PlanOptions {
  /** Points of percent. */
  readonly threshold: number
  /** Bytes that one node gives or takes in one iteration. */
  readonly perNodeMax: number
  /** Only these may give; undefined: all. */
  readonly isSource?: (node: NodeUsage) => boolean
}

interface Share {
  readonly node: NodeUsage
  /** Points of percent above the average. */
  readonly distance: number
  left: number
}

export function utilization(node: NodeUsage): number {
  return node.capacity === 0 ? 0 : (node.used / node.capacity) * 100
}

export function planIteration(nodes: readonly NodeUsage[], options: PlanOptions): Plan {
  const counted = nodes.filter((node) => node.capacity > 0)
  const capacity = counted.reduce((sum, node) => sum + node.capacity, 0)
  const average = capacity === 0 ? 0 : (counted.reduce((sum, node) => sum + node.used, 0) / capacity) * 100
  const shares = counted
    .map((node) => shareOf(node, utilization(node) - average, options.perNodeMax))
    // The farthest from the average first.
    .toSorted((a, b) => Math.abs(b.distance) - Math.abs(a.distance) || (a.node.uuid < b.node.uuid ? -1 : 1))
  const isSource = options.isSource ?? (() => true)
  const above = shares.filter((share) => share.distance > 0 && isSource(share.node))
  const below = shares.filter((share) => share.distance < 0)
  const over = above.filter((share) => share.distance > options.threshold)
  const under = below.filter((share) => -share.distance > options.threshold)
  const transfers: Transfer[] = []
  pair(over, under, transfers)
  pair(over, below, transfers)
  pair(above, under, transfers)
  const beyond = (some: readonly Share[]): number =>
    Math.floor(some.reduce((sum, { node, distance }) => sum + ((Math.abs(distance) - options.threshold) / 100) * node.capacity, 0))
  return {
    average,
    overUtilized: over.map((share) => share.node),
    underUtilized: under.map((share) => share.node),
    bytesLeft: over.length + under.length === 0 ? 0 : Math.max(1, beyond(over), beyond(under)),
    transfers: joined(transfers),
  }
}

function shareOf(node: NodeUsage, distance: number, perNodeMax: number): Share {
  const toAverage = Math.floor((Math.abs(distance) / 100) * node.capacity)
  return { node, distance, left: Math.min(perNodeMax, distance < 0 ? Math.min(node.remaining, toAverage) : toAverage) }
}

/** Pairs within a rack, then any. */
function pair(sources: readonly Share[], targets: readonly Share[], transfers: Transfer[]): void {
  for (const sameRack of [true, false]) {
    for (const source of sources) {
      for (const target of targets) {
        if (source.left <= 0) break
        if (target.left <= 0 || (source.node.rack === target.node.rack) !== sameRack) continue
        const bytes = Math.min(source.left, target.left)
        source.left -= bytes
        target.left -= bytes
        transfers.push({ source: source.node, target: target.node, bytes })
      }
    }
  }
}

/** One transfer for each pair. */
function joined(transfers: readonly Transfer[]): Transfer[] {
  const byPair = new Map<string, Transfer>()
  for (const transfer of transfers) {
    const key = `${transfer.source.uuid} ${transfer.target.uuid}`
    byPair.set(key, { ...transfer, bytes: transfer.bytes + (byPair.get(key)?.bytes ?? 0) })
  }
  return [...byPair.values()]
}
