// The two halves of a query as DuckDB prints them.
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { BlockFiles } from '../testing/block-files.ts'
import { difference } from '../testing/same-result.ts'
import { Alone } from '../testing/sample-table.ts'

let cluster: BlockFiles
let alone: Alone
let file: string

beforeAll(async () => {
  cluster = await BlockFiles.start({ nodes: 2, replication: 1, blockSize: 1024 })
  alone = await Alone.open()
  file = path.join(cluster.dir, 't.parquet')
  await alone.write(
    "SELECT i % 3 AS k, (i % 5)::INTEGER AS a, i * 0.5::DOUBLE AS b, (i % 7 - 3)::SMALLINT AS k2, 'x' || i % 4 AS s FROM range(6000) t(i)",
    file,
  )
  await cluster.put(file, '/t.parquet')
})

afterAll(async () => {
  alone?.close()
  await cluster?.close()
})

const halves: readonly { readonly sql: string; readonly partial: string; readonly final: string }[] = [
  {
    sql: "SELECT k, count(*) AS n, avg(a) FROM '/t.parquet' WHERE b > 2 GROUP BY 1 HAVING sum(a) > 3 ORDER BY n DESC, k LIMIT 5 OFFSET 1",
    partial:
      'SELECT k AS quarry_g0, count_star() AS quarry_p1, CAST(sum(a) AS DECIMAL(38,0)) AS quarry_p2, count(a) AS quarry_p3 FROM quarry_split WHERE (b > 2) GROUP BY k',
    final:
      'SELECT quarry_g0 AS k, CAST(sum(quarry_p1) AS BIGINT) AS n, (CAST(sum(CAST(quarry_p2 AS HUGEINT)) AS DOUBLE) / CAST(sum(quarry_p3) AS DOUBLE)) AS "avg(a)" FROM quarry_parts GROUP BY quarry_g0 HAVING (sum(CAST(quarry_p2 AS HUGEINT)) > 3) ORDER BY CAST(sum(quarry_p1) AS BIGINT) DESC, quarry_g0, quarry_g0 LIMIT 5 OFFSET 1',
  },
  {
    sql: "SELECT min(s), max(b) FILTER (WHERE a > 1) AS m, count(a) + 1 FROM '/t.parquet'",
    partial: 'SELECT min(s) AS quarry_p0, max(b) FILTER (WHERE (a > 1)) AS quarry_p1, count(a) AS quarry_p2 FROM quarry_split GROUP BY ()',
    final:
      'SELECT min(quarry_p0) AS "min(s)", max(quarry_p1) AS m, (CAST(sum(quarry_p2) AS BIGINT) + 1) AS "(count(a) + 1)" FROM quarry_parts GROUP BY ()',
  },
  {
    sql: "SELECT a, s FROM '/t.parquet' WHERE k = 1 ORDER BY b DESC LIMIT 3",
    partial:
      'SELECT a AS quarry_c0, s AS quarry_c1, b AS quarry_c2, file_row_number AS quarry_c3 FROM quarry_split WHERE (k = 1) ORDER BY b DESC, file_row_number LIMIT 3',
    final: 'SELECT quarry_c0 AS a, quarry_c1 AS s FROM quarry_parts ORDER BY quarry_c2 DESC, quarry_c3 LIMIT 3',
  },
  {
    sql: "SELECT DISTINCT upper(s) AS u FROM '/t.parquet' ORDER BY u",
    partial: 'SELECT upper(s) AS quarry_g0 FROM quarry_split GROUP BY upper(s)',
    final: 'SELECT quarry_g0 AS u FROM quarry_parts GROUP BY quarry_g0 ORDER BY quarry_g0, quarry_g0',
  },
  {
    sql: "SELECT 7 AS seven, count(*) FROM '/t.parquet' GROUP BY seven",
    partial: 'SELECT 7 AS quarry_g0, count_star() AS quarry_p1 FROM quarry_split GROUP BY CAST(7 AS INTEGER)',
    final:
      'SELECT quarry_g0 AS seven, CAST(sum(quarry_p1) AS BIGINT) AS "count_star()" FROM quarry_parts GROUP BY quarry_g0 ORDER BY quarry_g0',
  },
]

it.each(halves)('splits $sql', async ({ sql, partial, final }) => {
  await using result = await cluster.query(sql)
  expect({ partial: result.explain.partialSql, final: result.explain.finalSql }).toEqual({ partial, final })
})

/** Which of a column and an alias of the same name wins, and other questions of names: answered as DuckDB answers them. */
it.each([
  "SELECT -a AS b, b AS a FROM '/t.parquet' ORDER BY b, a LIMIT 20",
  "SELECT -a AS b, b AS orig FROM '/t.parquet' ORDER BY b + 0, orig LIMIT 20",
  "SELECT -a AS b, b AS orig FROM '/t.parquet' WHERE b > 2990",
  "SELECT k AS z, z + 1 AS c FROM '/t.parquet' WHERE z = 2 LIMIT 5",
  "SELECT s, sum(a) AS b FROM '/t.parquet' GROUP BY s HAVING b > 3 ORDER BY s",
  "SELECT s, sum(a) AS a FROM '/t.parquet' GROUP BY s HAVING a + 0 > 3 ORDER BY a, s",
  "SELECT upper(s) AS s, count(*) FROM '/t.parquet' GROUP BY s HAVING s = 'x1'",
  "SELECT a % 2 AS a, count(*) AS c FROM '/t.parquet' GROUP BY a ORDER BY max(k), 1, 2",
  "SELECT a % 2 AS p, sum(a) FROM '/t.parquet' GROUP BY p HAVING p = 1",
  'SELECT K, T.a, t.S FROM \'/t.parquet\' ORDER BY "A", b LIMIT 7',
  "SELECT x.k, count(*) FROM '/t.parquet' AS x GROUP BY x.k ORDER BY x.k",
  "SELECT sum(a) AS total, total * 2 FROM '/t.parquet'",
  "SELECT k, k2, count(*) FROM '/t.parquet' GROUP BY ALL ORDER BY ALL",
  "SELECT *, a + 1 FROM '/t.parquet' ORDER BY ALL DESC LIMIT 9",
  "SELECT count(*), sum(a), avg(b), min(s), bool_and(a > 0) FROM '/t.parquet' WHERE k > 100",
  "SELECT count(*) FROM '/t.parquet' HAVING count(*) > 1000000",
  "SELECT a, count(*) FROM '/t.parquet' WHERE k > 100 GROUP BY a",
  "SELECT 1 FROM '/t.parquet' LIMIT 2",
  "SELECT 1 FROM '/t.parquet' GROUP BY ()",
  "SELECT NULL AS n, count(*) FROM '/t.parquet' GROUP BY n",
  "SELECT 'c' AS c, k FROM '/t.parquet' GROUP BY c, k ORDER BY c, k",
  "SELECT {'a': a, 'n': count(*)} AS st, [min(a), max(a)] FROM '/t.parquet' GROUP BY a ORDER BY a",
  "SELECT k FROM '/t.parquet' WHERE k = 9007199254740993 OR b = 2999.5",
  "SELECT sum(a) * 9007199254740993, 12345678901234567890123456 FROM '/t.parquet'",
  "SELECT a, a, a AS b FROM '/t.parquet' LIMIT 2",
])('means what DuckDB means: %s', async (sql) => {
  await using result = await cluster.query(sql)
  const rows = []
  for await (const batch of result.batches()) rows.push(...batch)
  const expected = await alone.query(sql.replace("'/t.parquet'", `'${file}'`))
  expect(difference({ columns: result.columns, rows }, expected, !/ORDER BY|LIMIT/.test(sql))).toBeUndefined()
})

it('answers a file without rows, and one without row groups', async () => {
  const empty = path.join(cluster.dir, 'empty.parquet')
  await alone.write('SELECT 1 AS a, 2 AS b WHERE false', empty)
  await cluster.put(empty, '/empty.parquet')
  for (const sql of [
    "SELECT count(*), sum(a), avg(b), max(a) FROM '/empty.parquet'",
    "SELECT a, count(*) FROM '/empty.parquet' GROUP BY a",
    "SELECT * FROM '/empty.parquet' ORDER BY a LIMIT 3",
  ]) {
    await using result = await cluster.query(sql)
    const rows = []
    for await (const batch of result.batches()) rows.push(...batch)
    expect(
      difference({ columns: result.columns, rows }, await alone.query(sql.replace("'/empty.parquet'", `'${empty}'`)), false),
      sql,
    ).toBeUndefined()
  }
})

it('keeps its own names apart from those of the file and the query', async () => {
  const odd = path.join(cluster.dir, 'odd.parquet')
  await alone.write('SELECT i AS quarry_g0, i % 2 AS quarry_p1, i % 3 AS "QUARRY__c" FROM range(100) t(i)', odd)
  await cluster.put(odd, '/odd.parquet')
  const sql = 'SELECT quarry_p1, sum(quarry_g0) AS quarry_parts, max("quarry__C") FROM \'/odd.parquet\' GROUP BY 1 ORDER BY 1'
  await using result = await cluster.query(sql)
  expect(await result.toArray()).toEqual([
    { quarry_p1: 0n, quarry_parts: 2450n, 'max(quarry__C)': 2n },
    { quarry_p1: 1n, quarry_parts: 2500n, 'max(quarry__C)': 2n },
  ])
  expect(result.explain.partialSql).toMatch(/AS quarry___g0/)
  await alone.write('SELECT 1 AS file_row_number', odd)
  await cluster.put(odd, '/numbered.parquet')
  await expect(cluster.query("SELECT * FROM '/numbered.parquet'")).rejects.toMatchObject({ code: 'SQL' })
})

it("keeps DuckDB's own words about names and types that do not fit", async () => {
  const failure = (sql: string) =>
    cluster.query(sql).then(
      () => 'taken',
      (error: Error) => error.message,
    )
  expect(await failure("SELECT s + 1 FROM '/t.parquet' GROUP BY k")).toMatch(/^Binder Error: /)
  expect(await failure("SELECT k, a FROM '/t.parquet' GROUP BY k")).toMatch(/^Binder Error: column "a" must appear in the GROUP BY clause/)
  expect(await failure("SELECT sum(s) FROM '/t.parquet'")).toMatch(
    /^Binder Error: No function matches the given name and argument types 'sum\(VARCHAR\)'/,
  )
})
