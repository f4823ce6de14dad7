// SQL beside the blocks, for the command line and for programs.
//
//   import { FileSystem } from 'quarry'
//   import { query } from 'quarry/sql'
//   await using fs = await FileSystem.connect('quarry://127.0.0.1:8021')
//   await using result = await query(fs, `SELECT origin, count(*) AS n FROM '/data/flights-3m.parquet' GROUP BY 1 ORDER BY n DESC`)
//   for await (const row of result) console.log(row['origin'], row['n'])
import type { FileSystem } from '../client/index.ts'
import type { Env } from '../common/env.ts'
import { systemEnv } from '../common/system-env.ts'
import { runQuery, type QueryOptions, type QueryResult } from './exec/query.ts'
import { tableFiles } from './exec/source.ts'
import { ExecutorProcess } from './executor/process.ts'
import { grpcFragmentRunner } from './service/fragment-client.ts'

export type { QueryOptions, Row } from './exec/query.ts'
export { QueryResult } from './exec/query.ts'
export { explainText, type Explain, type ExplainAttempt, type ExplainFragment } from './exec/explain.ts'
export { distinctNames, rowToJson, valueToJson, valueToText, type Column, type Shape, type Value } from './values.ts'
export { computeServices } from './agent/main.ts'

/**
 * Runs one SELECT over one Parquet file of the cluster: FROM '/path/of/file.parquet'. WHERE, the expressions and the partial
 * aggregates (count, sum, avg, min, max and a few more, with FILTER) run beside the blocks; HAVING, ORDER BY and LIMIT where this
 * is called. Names, types and values of the result are DuckDB's; sums of floating-point numbers may differ in their last digits,
 * because they are added in another order. What cannot be split yet is refused with the code SQL and a way out.
 */
export async function query(fs: FileSystem, sql: string, options: QueryOptions & { readonly env?: Env } = {}): Promise<QueryResult> {
  const runner = grpcFragmentRunner()
  try {
    return await runQuery(
      { files: tableFiles(fs), runner, startEngine: (engine) => ExecutorProcess.start(engine), env: options.env ?? systemEnv() },
      sql,
      options,
    )
  } finally {
    await runner.close()
  }
}
