import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Alone } from '../testing/sample-table.ts'
import { pruneRowGroups } from '../plan/prune.ts'
import { columnRef, type Expression } from '../plan/ast.ts'
import { readFooter } from './footer.ts'

let dir: string
let bytes: Buffer
const reads: number[] = []
const footer = () =>
  readFooter('/t', bytes.length, (start, length) => {
    reads.push(length)
    return Promise.resolve(bytes.subarray(start, start + length))
  })

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'quarry-footer-'))
  const alone = await Alone.open()
  const file = path.join(dir, 't.parquet')
  await alone.write("SELECT i AS id, 'k' || i % 5 AS name, {'x': i, 'y': [i]} AS nested FROM range(6000) t(i)", file)
  alone.close()
  bytes = await readFile(file)
})

afterAll(() => rm(dir, { recursive: true, force: true }))

it('tells rows, columns, bytes and bloom filters of every row group', async () => {
  const found = await footer()
  expect({ rows: found.rows, columns: found.columns, groups: found.rowGroups.map((group) => [group.firstRow, group.rows]) }).toEqual({
    rows: 6000,
    columns: ['id', 'name', 'nested'],
    groups: [
      [0, 2048],
      [2048, 2048],
      [4096, 1904],
    ],
  })
  expect(found.start + found.bytes.length).toBe(bytes.length)
  const [first] = found.rowGroups
  // A nested column has a chunk for each leaf; the dictionary of names has a bloom filter.
  expect(first!.columns.map((ranges) => ranges.length)).toEqual([1, 2, 2])
  expect(first!.bloomFilters.map((ranges) => ranges.length)).toEqual([0, 1, 0])
  expect(first!.ranges[0]).toEqual({ min: 0n, max: 2047n })
  expect(reads).toEqual([bytes.length])
})

it('leaves out row groups that cannot have a match, and only those', async () => {
  const { rowGroups, columns } = await footer()
  const number = (value: number): Expression => ({
    class: 'CONSTANT',
    type: 'VALUE_CONSTANT',
    value: { type: { id: 'INTEGER' }, is_null: false, value },
  })
  const compare = (type: string, left: Expression, right: Expression): Expression => ({ class: 'COMPARISON', type, left, right })
  const and = (...children: Expression[]): Expression => ({ class: 'CONJUNCTION', type: 'CONJUNCTION_AND', children })
  const kept = (where: Expression | undefined) => pruneRowGroups(rowGroups, where, columns).map((group) => group.firstRow)
  const id = columnRef('id')
  expect(kept(undefined)).toEqual([0, 2048, 4096])
  expect(kept(compare('COMPARE_EQUAL', id, number(3000)))).toEqual([2048])
  expect(kept(compare('COMPARE_GREATERTHAN', number(2048), id))).toEqual([0, 2048])
  expect(kept(compare('COMPARE_LESSTHAN', id, number(0)))).toEqual([0])
  expect(
    kept(and(compare('COMPARE_GREATERTHANOREQUALTO', id, number(2048)), compare('COMPARE_LESSTHANOREQUALTO', id, number(4096)))),
  ).toEqual([2048, 4096])
  expect(kept({ class: 'CONJUNCTION', type: 'CONJUNCTION_OR', children: [compare('COMPARE_EQUAL', id, number(1))] })).toEqual([
    0, 2048, 4096,
  ])
  expect(kept(compare('COMPARE_NOTEQUAL', id, number(1)))).toEqual([0, 2048, 4096])
  expect(kept({ class: 'BETWEEN', type: 'COMPARE_BETWEEN', input: id, lower: number(100), upper: number(200) })).toEqual([0])
})

it('refuses what is no Parquet file, by its reason', async () => {
  const failure = (data: Buffer) =>
    readFooter('/t', data.length, (start, length) => Promise.resolve(data.subarray(start, start + length))).then(
      () => 'taken',
      (error: Error) => error.message,
    )
  expect(await failure(Buffer.from('short'))).toBe('/t is not a Parquet file that can be read: it has 5 bytes.')
  expect(await failure(Buffer.alloc(100))).toBe('/t is not a Parquet file that can be read: it does not end with PAR1.')
  expect(await failure(Buffer.concat([Buffer.alloc(100), Buffer.from('PARE')]))).toBe(
    '/t is not a Parquet file that can be read: its footer is encrypted.',
  )
  const torn = Buffer.from(bytes)
  torn.writeUInt32LE(bytes.length, bytes.length - 8)
  expect(await failure(torn)).toBe('/t is not a Parquet file that can be read: its footer is longer than the file.')
  const garbled = Buffer.from(bytes)
  garbled.fill(0xff, bytes.length - 200, bytes.length - 8)
  expect(await failure(garbled)).toMatch(/^\/t is not a Parquet file that can be read: its footer cannot be decoded/)
})

it('a footer with any one byte changed is read, or refused as no Parquet file; nothing else comes out', async () => {
  const { start } = await footer()
  let refused = 0
  for (let at = start; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at] = damaged[at]! ^ 0x55
    await readFooter('/t', damaged.length, (from, length) => Promise.resolve(damaged.subarray(from, from + length))).catch(
      (error: unknown) => {
        expect(error).toMatchObject({ name: 'QuarryError', code: 'SQL' })
        refused++
      },
    )
  }
  expect(refused).toBeGreaterThan(100)
})
