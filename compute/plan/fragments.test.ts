import { expect, it } from 'vitest'
import type { DatanodeId, LocatedBlock } from '../../proto/ports.ts'
import type { ByteRange, ParquetFooter, RowGroup } from '../parquet/footer.ts'
import { commonRanges, mergeRanges, planFragments } from './fragments.ts'

const node = (uuid: string): DatanodeId => ({
  uuid,
  ip: '127.0.0.1',
  hostname: uuid,
  grpcPort: 1,
  transferPort: 0,
  httpPort: 0,
  ipcPort: 0,
  rack: '/default-rack',
  hostId: '',
  httpAddress: '',
})
const [a, b, c] = [node('a'), node('b'), node('c')]

const block = (offset: number, length: number, ...nodes: DatanodeId[]): LocatedBlock => ({
  block: { blockId: 2 ** 30 + offset, genstamp: 1001, length },
  offset,
  corrupt: false,
  token: new Uint8Array(0),
  leaseFileId: 0,
  locations: nodes.map((datanode) => ({ datanode, storageUuid: '', storageType: 1 })),
})

/** Row groups of ten rows with two columns, the first of 100 bytes and the second of 20. */
const rowGroup = (index: number): RowGroup => ({
  firstRow: index * 10,
  rows: 10,
  columns: [[{ start: index * 120, length: 100 }], [{ start: index * 120 + 100, length: 20 }]],
  ranges: [undefined, undefined],
  bloomFilters: [[], [{ start: 10_000 + index * 8, length: 8 }]],
})
const groups = Array.from({ length: 6 }, (_, i) => rowGroup(i))
const shape = (fragments: ReturnType<typeof planFragments>) =>
  fragments.map((one) => ({
    node: one.nodes[0]?.uuid,
    rows: one.pieces.map((piece) => [piece.firstRow, piece.lastRow]),
    bytes: one.bytes,
    local: one.localBytes,
  }))

it('gives each row group to the node that holds its bytes, and joins neighbours', () => {
  const blocks = [block(0, 240, a), block(240, 240, b), block(480, 240, c)]
  expect(shape(planFragments(groups, [0, 1], blocks))).toEqual([
    { node: 'a', rows: [[0, 19]], bytes: 240, local: 240 },
    { node: 'b', rows: [[20, 39]], bytes: 240, local: 240 },
    { node: 'c', rows: [[40, 59]], bytes: 240, local: 240 },
  ])
})

it('gives a row group that crosses a border to the node with most of the projected bytes', () => {
  // The border lies inside the first column of group 1: most of the whole group is on a, all of its second column on b.
  const blocks = [block(0, 200, a), block(200, 520, b)]
  const first = (columns: number[]) => shape(planFragments(groups.slice(1, 2), columns, blocks))
  expect(first([0])).toEqual([{ node: 'a', rows: [[10, 19]], bytes: 100, local: 80 }])
  expect(first([1])).toEqual([{ node: 'b', rows: [[10, 19]], bytes: 20, local: 20 }])
})

it('spreads the bytes evenly over nodes that hold everything, in runs of neighbours', () => {
  expect(shape(planFragments(groups, [0], [block(0, 10_000, a, b, c)]))).toEqual([
    { node: 'a', rows: [[0, 19]], bytes: 200, local: 200 },
    { node: 'b', rows: [[20, 39]], bytes: 200, local: 200 },
    { node: 'c', rows: [[40, 59]], bytes: 200, local: 200 },
  ])
})

it('cuts what is larger than a fragment should be', () => {
  const fragments = planFragments(groups, [0], [block(0, 10_000, a)], 250)
  expect(shape(fragments).map((one) => one.rows)).toEqual([[[0, 19]], [[20, 39]], [[40, 59]]])
})

it('keeps gaps between row groups apart and names the other nodes by the bytes they hold', () => {
  const blocks = [block(0, 700, a), block(0, 300, c), block(10_000, 10, b)]
  const [fragment] = planFragments([groups[0]!, groups[2]!], [0], blocks)
  expect(fragment).toMatchObject({
    nodes: [a, c, b],
    pieces: [
      { firstRow: 0, lastRow: 9, ranges: [{ start: 0, length: 100 }] },
      { firstRow: 20, lastRow: 29, ranges: [{ start: 240, length: 100 }] },
    ],
  })
})

it('spreads a count without columns over the nodes', () => {
  expect(planFragments(groups, [], [block(0, 10_000, a, b)]).map((one) => one.rows)).toEqual([30, 30])
})

it('merges ranges that touch or overlap', () => {
  const range = (start: number, length: number): ByteRange => ({ start, length })
  expect(mergeRanges([range(50, 10), range(0, 10), range(10, 5), range(52, 20), range(90, 0)])).toEqual([range(0, 15), range(50, 22)])
})

it('brings the bloom filters of the columns in WHERE along for all row groups', () => {
  const footer: ParquetFooter = {
    fileLength: 20_000,
    rows: 60,
    columns: ['x', 'y'],
    rowGroups: groups,
    start: 19_900,
    bytes: new Uint8Array(100),
  }
  expect(commonRanges(footer, [])).toEqual([
    { start: 0, length: 4 },
    { start: 19_900, length: 100 },
  ])
  expect(commonRanges(footer, [1])).toEqual([
    { start: 0, length: 4 },
    { start: 10_000, length: 48 },
    { start: 19_900, length: 100 },
  ])
})
