// What is refused, and in which words. Every text goes through DuckDB's own parser first, as a user's would.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isQuarryError } from '../../common/errors.ts'
import { openEngine, type Engine } from '../executor/engine.ts'
import { parseAst } from './ast.ts'
import { bindSelect, tableOf } from './bind.ts'
import { checkSelect, selectOf } from './check.ts'
import { scalarFunctions } from './functions.ts'

let dir: string
let engine: Engine

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'quarry-check-'))
  engine = await openEngine({ jail: dir, memoryLimit: 128 * 2 ** 20, threads: 1, spillLimit: 2 ** 28 })
})

afterAll(async () => {
  await engine?.close()
  await rm(dir, { recursive: true, force: true })
})

/** The refusal, or 'taken'. */
async function verdict(sql: string): Promise<string> {
  try {
    const select = selectOf(parseAst(await engine.text('SELECT json_serialize_sql($1::VARCHAR, skip_default := true)', [sql])))
    const table = tableOf(select)
    checkSelect(select)
    bindSelect(select, table, ['a', 'b', 's'])
    return 'taken'
  } catch (error) {
    return isQuarryError(error, 'SQL') ? error.message : `not refused but failed: ${String(error)}`
  }
}

const refused: readonly (readonly [string, string])[] = [
  // Statements
  [
    "COPY (SELECT 1) TO '/tmp/x'",
    'Statements other than SELECT are not supported yet: this command only reads; write one SELECT over a Parquet file.',
  ],
  [
    "ATTACH '/tmp/x.db'",
    'Statements other than SELECT are not supported yet: this command only reads; write one SELECT over a Parquet file.',
  ],
  [
    'PRAGMA database_list',
    'Statements other than SELECT are not supported yet: this command only reads; write one SELECT over a Parquet file.',
  ],
  [
    "CALL enable_logging(storage='file')",
    'Statements other than SELECT are not supported yet: this command only reads; write one SELECT over a Parquet file.',
  ],
  ['SET threads = 9', 'Statements other than SELECT are not supported yet: this command only reads; write one SELECT over a Parquet file.'],
  ['INSTALL httpfs', 'Statements other than SELECT are not supported yet: this command only reads; write one SELECT over a Parquet file.'],
  [
    "EXPLAIN SELECT * FROM '/x'",
    'Statements other than SELECT are not supported yet: this command only reads; write one SELECT over a Parquet file.',
  ],
  [
    "CREATE TABLE t AS SELECT * FROM '/x'",
    'Statements other than SELECT are not supported yet: this command only reads; write one SELECT over a Parquet file.',
  ],
  [
    "DELETE FROM '/x'",
    'Statements other than SELECT are not supported yet: this command only reads; write one SELECT over a Parquet file.',
  ],
  ["SELECT a FROM '/x'; SELECT b FROM '/x'", 'One statement is expected, but there are 2: run them one by one.'],
  [
    "SELECT a FROM '/x'; DROP TABLE t",
    'Statements other than SELECT are not supported yet: this command only reads; write one SELECT over a Parquet file.',
  ],
  ['', 'The query is empty.'],
  ["SELECT a FRM '/x'", 'syntax error at or near "\'/x\'" (at character 14)'],
  // Tables
  ['SELECT 1', "A query without a table is not supported yet: write FROM '/path/of/file.parquet'."],
  ['VALUES (1)', "FROM with EXPRESSION_LIST is not supported yet: write FROM '/path/of/file.parquet'."],
  ["SELECT * FROM read_csv('/etc/passwd')", "The table function read_csv is not supported yet: write FROM '/path/of/file.parquet'."],
  ["SELECT * FROM read_text('/etc/passwd')", "The table function read_text is not supported yet: write FROM '/path/of/file.parquet'."],
  ["SELECT * FROM glob('/**')", "The table function glob is not supported yet: write FROM '/path/of/file.parquet'."],
  ["SELECT * FROM query('SELECT 1')", "The table function query is not supported yet: write FROM '/path/of/file.parquet'."],
  ["SELECT * FROM query_table('x')", "The table function query_table is not supported yet: write FROM '/path/of/file.parquet'."],
  [
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "The table function json_execute_serialized_sql is not supported yet: write FROM '/path/of/file.parquet'.",
  ],
  ['SELECT * FROM duckdb_settings()', "The table function duckdb_settings is not supported yet: write FROM '/path/of/file.parquet'."],
  [
    "SELECT * FROM read_parquet(['/x', '/y'])",
    "read_parquet with options or a list of files is not supported yet: write read_parquet('/path/of/file.parquet').",
  ],
  [
    "SELECT * FROM read_parquet('/x', filename = true)",
    "read_parquet with options or a list of files is not supported yet: write read_parquet('/path/of/file.parquet').",
  ],
  ['SELECT * FROM memory.main."/x"', "A table with a schema or a catalog is not supported yet: write FROM '/path/of/file.parquet'."],
  ["SELECT * FROM '/x/*.parquet'", 'A pattern in FROM is not supported yet: query one Parquet file at a time.'],
  [
    "SELECT * FROM 's3://bucket/x.parquet'",
    "FROM 's3://bucket/x.parquet' is not supported yet: write the path of a file in this cluster, such as '/data/table.parquet'.",
  ],
  [
    "SELECT * FROM 'file:///etc/passwd'",
    "FROM 'file:///etc/passwd' is not supported yet: write the path of a file in this cluster, such as '/data/table.parquet'.",
  ],
  ["SELECT * FROM '/x', '/y'", 'A join (or more than one table in FROM) is not supported yet: query one Parquet file at a time.'],
  [
    "SELECT * FROM '/x' x JOIN '/y' y USING (a)",
    'A join (or more than one table in FROM) is not supported yet: query one Parquet file at a time.',
  ],
  [
    "SELECT * FROM '/x', LATERAL (SELECT * FROM read_csv('/etc/passwd'))",
    'A join (or more than one table in FROM) is not supported yet: query one Parquet file at a time.',
  ],
  ["SELECT * FROM (SELECT * FROM '/x')", 'A subquery in FROM is not supported yet: write one SELECT over a Parquet file.'],
  [
    "WITH t AS (SELECT * FROM read_csv('/etc/passwd')) SELECT a FROM '/x'",
    'WITH (common table expressions) is not supported yet: write one SELECT over a Parquet file.',
  ],
  ["DESCRIBE '/x'", "SHOW, DESCRIBE and SUMMARIZE are not supported yet: write SELECT * FROM '/path' LIMIT 1 to see the columns."],
  ['SHOW TABLES', "SHOW, DESCRIBE and SUMMARIZE are not supported yet: write SELECT * FROM '/path' LIMIT 1 to see the columns."],
  ["SELECT a FROM '/x' AS t(p, q)", 'Column names after a table alias are not supported yet: name the columns in SELECT.'],
  ["SELECT a FROM '/x' TABLESAMPLE 10%", 'TABLESAMPLE is not supported yet: use WHERE or LIMIT.'],
  ["SELECT a FROM '/x' USING SAMPLE 10", 'SAMPLE is not supported yet: use WHERE or LIMIT.'],
  ["SELECT a FROM '/x' AT (VERSION => 3)", 'AT (time travel) is not supported yet: leave it out.'],
  // Clauses
  ["SELECT a FROM '/x' UNION SELECT b FROM '/x'", 'UNION, INTERSECT and EXCEPT are not supported yet: run the queries one by one.'],
  [
    "SELECT a, count(*) FROM '/x' GROUP BY ROLLUP (a)",
    'GROUPING SETS, ROLLUP and CUBE are not supported yet: run one GROUP BY for each set.',
  ],
  [
    "SELECT a, count(*) FROM '/x' GROUP BY GROUPING SETS ((a), ())",
    'GROUPING SETS, ROLLUP and CUBE are not supported yet: run one GROUP BY for each set.',
  ],
  ["SELECT DISTINCT ON (a) a, b FROM '/x'", 'DISTINCT ON is not supported yet: use GROUP BY with min or max.'],
  [
    "SELECT DISTINCT count(*) FROM '/x'",
    'DISTINCT together with GROUP BY or aggregates is not supported yet: leave DISTINCT out, or group by all columns.',
  ],
  ["SELECT a FROM '/x' LIMIT 10%", 'LIMIT with a percentage is not supported yet: write a number of rows.'],
  ["SELECT a FROM '/x' LIMIT (SELECT 1)", 'LIMIT with an expression is not supported yet: write a whole number of rows.'],
  ["SELECT a FROM '/x' QUALIFY row_number() OVER () = 1", 'QUALIFY is not supported yet: window functions are not distributed.'],
  ["SELECT a FROM '/x' GROUP BY 3", 'GROUP BY 3 is out of range: the select list has 1 columns.'],
  ["SELECT sum(a) FROM '/x' WHERE sum(a) > 1", 'WHERE cannot have aggregates: use HAVING.'],
  // Stars
  ["SELECT * EXCLUDE (a) FROM '/x'", '* with EXCLUDE, REPLACE or RENAME is not supported yet: name the columns.'],
  ["SELECT * REPLACE (a + 1 AS a) FROM '/x'", '* with EXCLUDE, REPLACE or RENAME is not supported yet: name the columns.'],
  ["SELECT COLUMNS('a.*') FROM '/x'", 'COLUMNS(…) is not supported yet: name the columns.'],
  ["SELECT count(COLUMNS(*)) FROM '/x'", '* inside an expression is not supported yet: name the columns.'],
  // Expressions
  ["SELECT a FROM '/x' WHERE a IN (SELECT 1)", 'A subquery is not supported yet: run it first and write its result into the query.'],
  [
    "SELECT (SELECT max(a) FROM read_parquet('/etc/x')) FROM '/x'",
    'A subquery is not supported yet: run it first and write its result into the query.',
  ],
  [
    "SELECT row_number() OVER () FROM '/x'",
    'A window function (OVER) is not supported yet: use GROUP BY, or read the rows and compute it yourself.',
  ],
  [
    "SELECT sum(a) OVER (PARTITION BY b) FROM '/x'",
    'A window function (OVER) is not supported yet: use GROUP BY, or read the rows and compute it yourself.',
  ],
  ["SELECT a FROM '/x' WHERE a = ?", 'Parameters ($1, ?) are not supported yet: write the values into the query.'],
  ["SELECT a FROM '/x' WHERE a = $name", 'Parameters ($1, ?) are not supported yet: write the values into the query.'],
  [
    "SELECT list_transform([a], x -> x + 1) FROM '/x'",
    'The function list_transform is not supported yet: only functions of their arguments alone may run beside the blocks (docs: compute/plan/functions.ts).',
  ],
  ["SELECT s COLLATE NOCASE FROM '/x'", 'COLLATE is not supported yet: use lower() or strip_accents().'],
  ["SELECT #1 FROM '/x'", 'A positional reference (#1) is not supported yet: name the column.'],
  ["SELECT a::my_type FROM '/x'", 'The type my_type is not supported yet: use a scalar type or a list of one.'],
  ["SELECT 1e400 FROM '/x'", 'The query has a number that is out of range; write it as a text with a CAST.'],
  // Functions
  ["SELECT count(DISTINCT a) FROM '/x'", 'count(DISTINCT …) is not supported yet: group by the value first, then count the rows.'],
  [
    "SELECT median(a) FROM '/x'",
    'The aggregate median is not supported yet: the ones that run beside the blocks are count, count_if, countif, sum, avg, mean, min, max, bool_and, bool_or, bit_and, bit_or, bit_xor.',
  ],
  [
    "SELECT string_agg(s, ',' ORDER BY a) FROM '/x'",
    'The aggregate string_agg is not supported yet: the ones that run beside the blocks are count, count_if, countif, sum, avg, mean, min, max, bool_and, bool_or, bit_and, bit_or, bit_xor.',
  ],
  ["SELECT sum(a ORDER BY b) FROM '/x'", 'ORDER BY inside sum(…) is not supported yet: leave it out.'],
  ["SELECT max(a, 3) FROM '/x'", 'max with 2 arguments is not supported yet: give it one.'],
  ["SELECT sum(max(a)) FROM '/x'", 'An aggregate cannot stand inside sum(…).'],
  ["SELECT now() FROM '/x'", 'now() is not supported yet: it differs from node to node; write the value into the query.'],
  [
    "SELECT a FROM '/x' WHERE random() < 0.5",
    'random() is not supported yet: it differs from node to node; write the value into the query.',
  ],
  [
    "SELECT getvariable('x') FROM '/x'",
    'The function getvariable is not supported yet: only functions of their arguments alone may run beside the blocks (docs: compute/plan/functions.ts).',
  ],
  [
    "SELECT current_setting('memory_limit') FROM '/x'",
    'The function current_setting is not supported yet: only functions of their arguments alone may run beside the blocks (docs: compute/plan/functions.ts).',
  ],
  [
    "SELECT sleep_ms(100000) FROM '/x'",
    'The function sleep_ms is not supported yet: only functions of their arguments alone may run beside the blocks (docs: compute/plan/functions.ts).',
  ],
  [
    "SELECT json_serialize_sql('SELECT 1') FROM '/x'",
    'The function json_serialize_sql is not supported yet: only functions of their arguments alone may run beside the blocks (docs: compute/plan/functions.ts).',
  ],
  [
    "SELECT write_log('x') FROM '/x'",
    'The function write_log is not supported yet: only functions of their arguments alone may run beside the blocks (docs: compute/plan/functions.ts).',
  ],
  [
    "SELECT main.nothing(a) FROM '/x'",
    'The function nothing is not supported yet: only functions of their arguments alone may run beside the blocks (docs: compute/plan/functions.ts).',
  ],
  ["SELECT other.lower(s) FROM '/x'", 'The function other.lower is not supported yet: use a built-in function.'],
  // Names
  ["SELECT nothing FROM '/x'", 'There is no column nothing; the file has a, b, s.'],
  ["SELECT t.a FROM '/x' u", 'There is no column t.a; the file has a, b, s.'],
  ["SELECT t.* FROM '/x' u", 'There is no table t in this query.'],
]

it.each(refused)('refuses %s', async (sql, message) => {
  expect(await verdict(sql)).toBe(message)
})

it.each([
  "SELECT * FROM '/x'",
  "SELECT x.* FROM '/dir/x.parquet'",
  'SELECT "A" FROM "/x"',
  "SELECT DISTINCT a, b FROM '/x'",
  "FROM '/x'",
  "FROM '/x' SELECT a LIMIT 3",
  "SELECT a FROM read_parquet('/x')",
  "SELECT a, count(*) FROM '/x' GROUP BY ALL ORDER BY ALL",
  "SELECT sum(a) FILTER (WHERE b > 1) FROM '/x' HAVING count(*) > 3",
  "SELECT CASE WHEN a > 1 THEN 'x' ELSE s END, a::DECIMAL(10,2), a IN (1, 2), s LIKE 'x%' FROM '/x'",
  "SELECT a FROM '/a path with ''quotes'' and \"more\".parquet'",
  "SELECT interval 3 day, date '2020-01-01', [a, b], {'k': a}, a BETWEEN 1 AND 2, coalesce(a, b), nullif(a, b) FROM '/x'",
])('takes %s', async (sql) => {
  expect(await verdict(sql)).toBe('taken')
})

it('knows only functions that DuckDB has', async () => {
  await engine.start("SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN ('scalar', 'macro')")
  const known = new Set<string>()
  for (let batch = await engine.next(); batch !== undefined; batch = await engine.next()) for (const row of batch) known.add(String(row[0]))
  expect([...scalarFunctions].filter((name) => !known.has(name))).toEqual([])
})

it('knows no function whose answer depends on more than its arguments', async () => {
  await engine.start("SELECT DISTINCT function_name FROM duckdb_functions() WHERE has_side_effects OR stability <> 'CONSISTENT'")
  const unsteady: string[] = []
  for (let batch = await engine.next(); batch !== undefined; batch = await engine.next())
    for (const row of batch) if (scalarFunctions.has(String(row[0]))) unsteady.push(String(row[0]))
  expect(unsteady).toEqual([])
})
