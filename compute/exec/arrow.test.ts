// A result as Arrow, read back by the Arrow project's own reader and compared with the rows of the same query.
import path from 'node:path'
import { tableFromIPC, DataType, type Vector } from 'apache-arrow'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BlockFiles } from '../testing/block-files.ts'
import { Alone, sampleSelect } from '../testing/sample-table.ts'
import type { Value } from '../values.ts'
import { arrowBatchRows, arrowCarrier } from './arrow.ts'

const from = "'/t/sample.parquet'"
const sampleRows = 20_000

let cluster: BlockFiles
let alone: Alone

beforeAll(async () => {
  cluster = await BlockFiles.start({ nodes: 2, blockSize: 128 * 1024 })
  alone = await Alone.open()
  const file = path.join(cluster.dir, 'sample.parquet')
  await alone.write(sampleSelect, file)
  await cluster.put(file, '/t/sample.parquet')
})

afterAll(async () => {
  alone?.close()
  await cluster?.close()
})

async function arrowOf(sql: string, options?: { bytesMax: number }) {
  await using result = await cluster.query(sql)
  return tableFromIPC(await result.arrow(options))
}

async function rowsOf(sql: string) {
  await using result = await cluster.query(sql)
  return await result.toArray()
}

/** A value of the Arrow reader as our rows have it. */
function plain(value: unknown, type: DataType): Value {
  if (value === null || value === undefined) return null
  if (DataType.isDecimal(type)) return decimalText(value as Uint32Array, type.scale)
  if (DataType.isDate(type)) return new Date(Number(value)).toISOString().slice(0, 10)
  if (DataType.isList(type)) return [...(value as Vector)].map((item) => plain(item, type.children[0]!.type))
  if (DataType.isStruct(type)) {
    const fields = (value as { toJSON(): Record<string, unknown> }).toJSON()
    return Object.fromEntries(type.children.map((field) => [field.name, plain(fields[field.name], field.type)]))
  }
  return value as Value
}

/** 128 bits in two's complement, lowest word first. */
function decimalText(words: Uint32Array, scale: number): string {
  const unsigned = words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n)
  const value = BigInt.asIntN(128, unsigned)
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0')
  const cut = digits.length - scale
  return `${value < 0n ? '-' : ''}${digits.slice(0, cut)}${scale > 0 ? `.${digits.slice(cut)}` : ''}`
}

function plainRows(table: Awaited<ReturnType<typeof arrowOf>>): Record<string, Value>[] {
  const columns = table.schema.fields.map((field, i) => ({ name: field.name, type: field.type as DataType, values: table.getChildAt(i)! }))
  return Array.from({ length: table.numRows }, (_, row) =>
    Object.fromEntries(columns.map(({ name, type, values }) => [name, plain(values.get(row), type)])),
  )
}

const fieldsOf = (table: Awaited<ReturnType<typeof arrowOf>>) =>
  Object.fromEntries(table.schema.fields.map((f) => [f.name, String(f.type)]))

describe('a result as Arrow', () => {
  it('has the values of the rows, in their order, over several record batches', { timeout: 120_000 }, async () => {
    const columns = 'id, small, num, big, real, single, price, huge, city, late, day, flag, list, pair'
    const sql = `SELECT ${columns} FROM ${from} ORDER BY city DESC NULLS FIRST, id`
    const table = await arrowOf(sql)
    expect(table.batches.map((batch) => batch.numRows)).toEqual([arrowBatchRows, sampleRows - arrowBatchRows])
    const [rows, expected] = [plainRows(table), await rowsOf(sql)]
    expect(rows).toHaveLength(sampleRows)
    // One by one: the difference of 20,000 rows is nothing to read.
    for (const [i, row] of rows.entries()) expect(row).toEqual(expected[i])
    expect(fieldsOf(table)).toMatchObject({ id: 'Int64', small: 'Int16', real: 'Float64', single: 'Float32', city: 'Utf8', flag: 'Bool' })
  })

  it('keeps moments to the microsecond and their zone', async () => {
    const sql = `SELECT moment, zoned, epoch_us(moment) AS a, epoch_us(zoned) AS b FROM ${from} ORDER BY id LIMIT 100`
    const table = await arrowOf(sql)
    expect(fieldsOf(table)).toMatchObject({ moment: 'Timestamp<MICROSECOND>', zoned: 'Timestamp<MICROSECOND, UTC>' })
    const stored = (name: string) => [...(table.getChild(name)!.data[0]!.values as BigInt64Array)]
    expect(stored('moment')).toEqual([...table.getChild('a')!])
    expect(stored('zoned')).toEqual([...table.getChild('b')!])
  })

  it('keeps all digits of a sum of integers, which is a HUGEINT, as a decimal', async () => {
    const sql = `SELECT flag, sum(big) AS total, sum(big * 1000::HUGEINT) AS more, count(*) AS n FROM ${from} GROUP BY flag ORDER BY flag`
    const table = await arrowOf(sql)
    expect(fieldsOf(table)).toMatchObject({ total: 'Decimal[38e0]', more: 'Decimal[38e0]', n: 'Int64' })
    const rows = await rowsOf(sql)
    expect(rows).toHaveLength(2)
    expect(plainRows(table)).toEqual(rows.map((row) => ({ ...row, total: String(row['total']), more: String(row['more']) })))
  })

  it('fails rather than round an integer of 39 digits', async () => {
    await expect(arrowOf(`SELECT 170141183460469231731687303715884105727 AS n FROM ${from} LIMIT 1`)).rejects.toMatchObject({
      code: 'SQL',
      message: expect.stringMatching(/^Conversion Error: /),
    })
  })

  it('writes as text what Parquet would change', async () => {
    const sql = `SELECT INTERVAL 14 MONTH AS i, UUID '6c1c8681-fed1-40ce-85da-4172e73bc7ff' AS u FROM ${from} LIMIT 2`
    const table = await arrowOf(sql)
    expect(fieldsOf(table)).toEqual({ i: 'Utf8', u: 'Utf8' })
    expect(plainRows(table)).toEqual(await rowsOf(sql))
  })

  it('names columns of one name apart', async () => {
    expect(fieldsOf(await arrowOf(`SELECT id, id, id AS "say ""hi""" FROM ${from} LIMIT 1`))).toEqual({
      'id': 'Int64',
      'id_1': 'Int64',
      'say "hi"': 'Int64',
    })
  })

  it('has a schema when there is no row', async () => {
    const table = await arrowOf(`SELECT id, city FROM ${from} WHERE id < 0`)
    expect(table.numRows).toBe(0)
    expect(fieldsOf(table)).toEqual({ id: 'Int64', city: 'Utf8' })
  })

  it('is refused beyond its bound, with a way out', async () => {
    await expect(arrowOf(`SELECT id, city FROM ${from}`, { bytesMax: 100_000 })).rejects.toMatchObject({
      code: 'SQL',
      message: 'The result is more than 100000 bytes of Arrow: add WHERE, LIMIT or an aggregate, or read it as rows.',
    })
    // Text that compresses to nothing is measured as what it will be.
    await expect(arrowOf(`SELECT repeat('x', 100000) AS t FROM ${from} LIMIT 100`, { bytesMax: 5_000_000 })).rejects.toMatchObject({
      code: 'SQL',
    })
  })

  it('takes the rows: a result is read once', async () => {
    await using result = await cluster.query(`SELECT id FROM ${from} LIMIT 3`)
    await result.arrow()
    await expect(result.toArray()).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(result.arrow()).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('and rows that are cut short by close() fail and do not end early', async () => {
    const result = await cluster.query(`SELECT id FROM ${from}`)
    const [rows] = await Promise.allSettled([result.toArray(), result.close()])
    expect(rows).toMatchObject({ status: 'rejected', reason: { code: 'CLOSED' } })
  })
})

describe('the type that carries a column', () => {
  const carrier = (type: string) => arrowCarrier({ name: 'c', type })

  it.each([
    ['DECIMAL(10,2)', 'DECIMAL(10,2)'],
    ['TIMESTAMP WITH TIME ZONE', 'TIMESTAMP WITH TIME ZONE'],
    ['HUGEINT[]', 'DECIMAL(38,0)[]'],
    ['UHUGEINT[3]', 'DECIMAL(38,0)[3]'],
    ['STRUCT("HUGEINT" INTEGER, "a ""UUID""" UUID)', 'STRUCT("HUGEINT" INTEGER, "a ""UUID""" VARCHAR)'],
    ['MAP(VARCHAR, TIME WITH TIME ZONE)', 'MAP(VARCHAR, VARCHAR)'],
    [`ENUM('a', 'it''s (b)', 'HUGEINT')[]`, 'VARCHAR[]'],
  ])('%s travels as %s', (type, expected) => {
    expect(carrier(type)).toBe(expected)
  })

  it('is missing for a type that Parquet has not', () => {
    expect(() => carrier('UNION("n" INTEGER)')).toThrow(/^Arrow cannot carry column c of type UNION\("n" INTEGER\): cast it/)
  })
})
