// Generated queries over generated files: the fragments of three nodes together must answer what one DuckDB answers alone, in
// names, types, values and order. Doubles may differ by rounding (testing/same-result.ts).
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import { BlockFiles } from '../testing/block-files.ts'
import { difference } from '../testing/same-result.ts'
import { Alone, sampleSelect } from '../testing/sample-table.ts'

const seed = Number(process.env['SQL_SEED'] ?? 20261122)
const queries = Number(process.env['SQL_QUERIES'] ?? 200)

let cluster: BlockFiles
let alone: Alone
let file: string

beforeAll(async () => {
  cluster = await BlockFiles.start({ nodes: 3, replication: 2 })
  alone = await Alone.open()
  file = path.join(cluster.dir, 'sample.parquet')
  await alone.write(sampleSelect, file)
  // Blocks of 48 KiB: row groups and column chunks cross their borders.
  await cluster.put(file, '/t/sample.parquet', 48 * 1024)
  await cluster.put(file, '/t/whole.parquet', 1 << 30)
})

afterAll(async () => {
  alone?.close()
  await cluster?.close()
})

const random = new SeededRandom(seed)
const pick = <T>(items: readonly T[]): T => items[random.int(items.length)]!
const some = <T>(items: readonly T[], least: number, most: number): T[] => {
  const count = least + random.int(most - least + 1)
  return items.toSorted(() => random.float() - 0.5).slice(0, count)
}

const keys = [
  'city',
  'late',
  'flag',
  'small',
  'day',
  'city || late',
  'id % 10',
  'num % 5',
  "date_trunc('month', day)",
  'year(moment)',
  'zoned',
  'price',
  'upper(city)',
  'pair.a',
  's.pair.b',
  'list[1]',
  'CASE WHEN num > 1000 THEN 1 ELSE 2 END',
  'id % 3 = 0',
  'big % 4',
  'list',
  'single',
  'coalesce(late, city)',
  'small::DOUBLE',
  'huge % 3',
]
const values = [
  'id',
  'small',
  'num',
  'big',
  'real',
  'single',
  'price',
  'huge',
  'id * 2',
  'num + small',
  'real * 1.5',
  'price * 2',
  'length(city)',
  'big - id',
  'abs(small)',
  'price::DOUBLE',
  'num::HUGEINT',
  'num / 7',
  'num // 7',
]
const comparable = [
  ...values,
  'city',
  'late',
  'day',
  'moment',
  'zoned',
  'flag',
  'upper(city)',
  'pair',
  'list',
  "moment - TIMESTAMP '2000-01-01'",
]
const filters = [
  'id < 5000',
  'id >= 12345',
  'id BETWEEN 4000 AND 4200',
  'num > 1000000',
  'small = 3',
  'small IN (1, 2, NULL)',
  "city = 'München'",
  "city LIKE '%a%'",
  'city IS NULL',
  'late IS NOT NULL',
  "day >= DATE '2021-01-01'",
  "zoned < TIMESTAMPTZ '2024-03-31 02:00:00+00'",
  'flag',
  'NOT flag',
  'big > 9007199254740993',
  'price > 50.5',
  'real < 10',
  "late = 'k1'",
  'id < 0',
  'num % 2 = 0 OR small > 0',
  "city <> '' AND price IS NOT NULL",
  'list[1] = 2',
  "pair.b = 'x1'",
  'num IS DISTINCT FROM 5',
  "moment > TIMESTAMP '2000-01-02'",
  'id = 777 OR id = 19999',
  '100 > id',
]

function aggregate(): string {
  const kind = pick(['count(*)', 'count', 'sum', 'avg', 'min', 'max', 'sum', 'avg', 'count_if', 'bool_or', 'bit_xor'])
  const call =
    kind === 'count(*)'
      ? kind
      : kind === 'count_if' || kind === 'bool_or'
        ? `${kind}(${pick(['flag', 'num > 5', 'city IS NULL'])})`
        : kind === 'bit_xor'
          ? 'bit_xor(num)'
          : `${kind}(${pick(kind === 'min' || kind === 'max' || kind === 'count' ? comparable : values)})`
  const filtered = random.float() < 0.25 ? `${call} FILTER (WHERE ${pick(filters)})` : call
  return random.float() < 0.2 ? `${filtered} + 1`.replace(/^((min|max|bool_or)\(.*)\+ 1$/, '$1') : filtered
}

interface Generated {
  readonly sql: string
  readonly anyOrder: boolean
}

function generate(): Generated {
  const from = `FROM '${pick(['/t/sample.parquet', '/t/sample.parquet', '/t/whole.parquet'])}' s`
  const where = random.float() < 0.5 ? ` WHERE ${some(filters, 1, 2).join(pick([' AND ', ' OR ']))}` : ''
  return random.float() < 0.25 ? scan(from, where) : grouped(from, where)
}

function scan(from: string, where: string): Generated {
  const items = some([...keys, ...comparable], 1, 4).map((item, i) => `${item} AS c${i}`)
  const list = random.float() < 0.15 ? '*' : [...items, 'id'].join(', ')
  const order = random.float() < 0.5 ? ` ORDER BY ${pick(comparable)} ${pick(['', 'DESC', 'NULLS FIRST', 'DESC NULLS LAST'])}, id` : ''
  const limit = random.float() < 0.6 ? ` LIMIT ${random.int(40)}${random.float() < 0.4 ? ` OFFSET ${random.int(60)}` : ''}` : ''
  return { sql: `SELECT ${list} ${from}${where}${order}${limit}`, anyOrder: false }
}

function grouped(from: string, where: string): Generated {
  const by = some(keys, 0, 3)
  const aggregates = Array.from({ length: 1 + random.int(4) }, aggregate)
  const list = [...by.map((key, i) => `${key} AS k${i}`), ...aggregates.map((one, i) => `${one} AS a${i}`)]
  const group =
    by.length === 0
      ? ''
      : pick([
          ` GROUP BY ${by.map((_, i) => i + 1).join(', ')}`,
          ` GROUP BY ${by.map((_, i) => `k${i}`).join(', ')}`,
          ` GROUP BY ${by.join(', ')}`,
          ' GROUP BY ALL',
        ])
  const having =
    random.float() < 0.2
      ? ` HAVING ${pick(['count(*) > 100', 'max(id) > 1000', 'sum(num) IS NOT NULL', 'min(small) < 0 OR count(city) = 0'])}`
      : ''
  const total = by.map((_, i) => `k${i}`)
  const order =
    random.float() < 0.5 && total.length > 0
      ? ` ORDER BY ${[...some(['count(*) DESC', 'max(id)', 'min(num) NULLS FIRST'], 0, 2), ...total].join(', ')}`
      : ''
  const limit = order !== '' && random.float() < 0.5 ? ` LIMIT ${1 + random.int(10)}${random.float() < 0.3 ? ' OFFSET 2' : ''}` : ''
  return { sql: `SELECT ${list.join(', ')} ${from}${where}${group}${having}${order}${limit}`, anyOrder: order === '' }
}

test(`${queries} generated queries answer what DuckDB alone answers (seed ${seed})`, { timeout: 600_000 }, async () => {
  const failures: string[] = []
  const refusedByBoth: string[] = []
  for (let i = 0; i < queries; i++) {
    const { sql, anyOrder } = generate()
    const reference = sql.replace(/'\/t\/\w+\.parquet'/, `'${file}'`)
    const expected = await alone.query(reference).catch((error: unknown) => error as Error)
    const actual = await cluster
      .query(sql, { fragmentBytes: pick([undefined, 100_000]) })
      .then(async (result) => {
        const rows = []
        for await (const batch of result.batches()) rows.push(...batch)
        return { columns: result.columns, rows }
      })
      .catch((error: unknown) => error as Error)
    if (expected instanceof Error || actual instanceof Error) {
      if (!(expected instanceof Error && actual instanceof Error))
        failures.push(
          `${sql}\n  ${expected instanceof Error ? `alone: ${expected.message}` : ''}${actual instanceof Error ? `split: ${actual.message}` : ''}`,
        )
      else refusedByBoth.push(`${sql}\n  ${actual.message}`)
      continue
    }
    const differs = difference(actual, expected, anyOrder)
    if (differs !== undefined) failures.push(`${sql}\n  ${differs}`)
  }
  expect(failures).toEqual([])
  // A generator that mostly writes nonsense would prove nothing.
  expect(refusedByBoth.length, refusedByBoth.join('\n')).toBeLessThan(queries / 10)
})
