// Cuts the row groups of a file into fragments and gives each to the node that holds most of the bytes it will read.
//
// Row groups are taken in file order and neighbours stay together while their node may go on, so that a fragment is few ranges of
// rows. Among nodes that hold (nearly) the same share of a row group, the one with the fewest bytes so far takes it.
import type { DatanodeId, LocatedBlock } from '../../proto/ports.ts'
import type { ByteRange, ParquetFooter, RowGroup } from '../parquet/footer.ts'

/** Neighbouring row groups of the file. */
export interface Piece {
  /** Inclusive, in the file. */
  readonly firstRow: number
  readonly lastRow: number
  /** Bytes of the file it needs besides magic and footer: merged, ascending. */
  readonly ranges: readonly ByteRange[]
}

export interface PlannedFragment {
  /** Candidates, best first: the node that should run it, then others by the bytes they hold. */
  readonly nodes: readonly DatanodeId[]
  readonly pieces: readonly Piece[]
  /** Bytes of all pieces. */
  readonly bytes: number
  /** Of these, bytes that its first node holds. */
  readonly localBytes: number
  readonly rowGroups: number
  readonly rows: number
}

/** A fragment reads about this much at most, so that one lost node costs little and slots stay busy. */
export const fragmentBytesTarget = 128 * 1024 * 1024
/** A node that holds this share of what the best one holds is as good as it. */
const nearlyAll = 0.95

export function planFragments(
  groups: readonly RowGroup[],
  columns: readonly number[],
  blocks: readonly LocatedBlock[],
  fragmentBytesMax = fragmentBytesTarget,
): PlannedFragment[] {
  const nodes = nodesOf(blocks)
  const needs = groups.map((group) => {
    const ranges = mergeRanges(columns.flatMap((column) => group.columns[column] ?? []))
    return { group, ranges, bytes: sum(ranges), held: heldBytes(ranges, blocks) }
  })
  const total = needs.reduce((bytes, need) => bytes + need.bytes, 0)
  // One row weighs one byte more, so that a count without columns is spread as well.
  const weightOf = (need: (typeof needs)[number]) => need.bytes + need.group.rows
  const share = (total + groups.reduce((rows, group) => rows + group.rows, 0)) / Math.max(1, nodes.length)
  const largest = Math.max(0, ...needs.map(weightOf))
  // Equal fragments where one is not enough: 130 MiB become two of 65, not one of 128 and one of 2.
  const fragmentBytes = share <= fragmentBytesMax ? fragmentBytesMax : share / Math.ceil(share / fragmentBytesMax) + largest / 2
  const load = new Map<string, number>()
  const runs: { node: string; needs: typeof needs; weight: number }[] = []
  for (const need of needs) {
    const best = Math.max(0, ...need.held.values())
    const candidates = nodes.filter((node) => (need.held.get(node.uuid) ?? 0) >= best * nearlyAll).map((node) => node.uuid)
    const current = runs.at(-1)
    const weight = weightOf(need)
    if (
      current !== undefined &&
      candidates.includes(current.node) &&
      (load.get(current.node) ?? 0) + weight / 2 <= share &&
      current.weight + weight <= fragmentBytes
    ) {
      current.needs.push(need)
      current.weight += weight
      load.set(current.node, (load.get(current.node) ?? 0) + weight)
      continue
    }
    const node = candidates.reduce((a, b) => ((load.get(b) ?? 0) < (load.get(a) ?? 0) ? b : a), candidates[0] ?? '')
    runs.push({ node, needs: [need], weight })
    load.set(node, (load.get(node) ?? 0) + weight)
  }
  return joinRuns(runs, fragmentBytes).map((run) => fragmentOf(run.node, run.needs, nodes, blocks))
}

/** Short runs of one node become one fragment: a fragment costs some milliseconds whatever it reads. */
function joinRuns<N>(
  runs: readonly { node: string; needs: N[]; weight: number }[],
  fragmentBytes: number,
): { node: string; needs: N[]; weight: number }[] {
  const joined: { node: string; needs: N[]; weight: number }[] = []
  for (const run of runs) {
    const mate = joined.findLast((other) => other.node === run.node && other.weight + run.weight <= fragmentBytes)
    if (mate === undefined) joined.push({ ...run, needs: [...run.needs] })
    else {
      mate.needs.push(...run.needs)
      mate.weight += run.weight
    }
  }
  return joined
}

interface Need {
  readonly group: RowGroup
  readonly ranges: readonly ByteRange[]
}

function fragmentOf(node: string, needs: readonly Need[], nodes: readonly DatanodeId[], blocks: readonly LocatedBlock[]): PlannedFragment {
  const pieces: { firstRow: number; lastRow: number; ranges: ByteRange[] }[] = []
  for (const { group, ranges } of needs) {
    const last = pieces.at(-1)
    if (last !== undefined && last.lastRow + 1 === group.firstRow) {
      last.lastRow += group.rows
      last.ranges.push(...ranges)
    } else pieces.push({ firstRow: group.firstRow, lastRow: group.firstRow + group.rows - 1, ranges: [...ranges] })
  }
  const merged = pieces.map((piece) => ({ ...piece, ranges: mergeRanges(piece.ranges) }))
  const ranges = merged.flatMap((piece) => piece.ranges)
  const held = heldBytes(ranges, blocks)
  const bytesOf = (one: DatanodeId) => held.get(one.uuid) ?? 0
  const others = nodes.filter((one) => one.uuid !== node).toSorted((a, b) => bytesOf(b) - bytesOf(a))
  return {
    nodes: [...nodes.filter((one) => one.uuid === node), ...others],
    pieces: merged,
    bytes: sum(ranges),
    localBytes: held.get(node) ?? 0,
    rowGroups: needs.length,
    rows: needs.reduce((rows, need) => rows + need.group.rows, 0),
  }
}

/**
 * What every fragment needs beside its own pieces: magic and footer, and the bloom filters of the columns in WHERE. DuckDB looks
 * into the bloom filters of all row groups before it looks at the row range, and zeros would be no bloom filter.
 */
export function commonRanges(footer: ParquetFooter, whereColumns: readonly number[]): ByteRange[] {
  const blooms = whereColumns.flatMap((column) => footer.rowGroups.flatMap((group) => group.bloomFilters[column] ?? []))
  return mergeRanges([{ start: 0, length: 4 }, ...blooms, { start: footer.start, length: footer.bytes.length }])
}

/** Every datanode that holds a part of the file. */
function nodesOf(blocks: readonly LocatedBlock[]): DatanodeId[] {
  const nodes = new Map<string, DatanodeId>()
  for (const block of blocks) for (const { datanode } of block.locations) if (datanode !== null) nodes.set(datanode.uuid, datanode)
  return [...nodes.values()].toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1))
}

/** Bytes of the ranges that each datanode holds. */
function heldBytes(ranges: readonly ByteRange[], blocks: readonly LocatedBlock[]): Map<string, number> {
  const held = new Map<string, number>()
  for (const block of blocks) {
    const start = block.offset
    const end = start + (block.block?.length ?? 0)
    let bytes = 0
    for (const range of ranges) bytes += Math.max(0, Math.min(end, range.start + range.length) - Math.max(start, range.start))
    if (bytes === 0) continue
    for (const { datanode } of block.locations) if (datanode !== null) held.set(datanode.uuid, (held.get(datanode.uuid) ?? 0) + bytes)
  }
  return held
}

/** The same bytes as few ascending ranges that neither overlap nor touch. */
export function mergeRanges(ranges: readonly ByteRange[]): ByteRange[] {
  const merged: { start: number; length: number }[] = []
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    if (range.length === 0) continue
    const last = merged.at(-1)
    if (last !== undefined && range.start <= last.start + last.length)
      last.length = Math.max(last.length, range.start + range.length - last.start)
    else merged.push({ ...range })
  }
  return merged
}

const sum = (ranges: readonly ByteRange[]): number => ranges.reduce((bytes, range) => bytes + range.length, 0)
