// The aggregate of the demo, and its answer by one DuckDB over the local file to compare with.
import { DuckDBInstance } from '@duckdb/node-api'

export const aggregateQuery = (from: string) =>
  `SELECT origin, count(*) AS n, avg(delay) AS d FROM ${from} GROUP BY 1 ORDER BY n DESC LIMIT 10`

export async function aggregateHere(file: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    const result = await connection.runAndReadAll(aggregateQuery(`read_parquet('${file.replaceAll("'", "''")}')`))
    return result.getRowObjectsJS() as Record<string, unknown>[]
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

/** Equal but for the last bits of averages, which depend on the order of additions. */
export function sameRows(left: readonly Record<string, unknown>[], right: readonly Record<string, unknown>[]): boolean {
  const same = (a: unknown, b: unknown) => {
    if (typeof a === 'string' && typeof b === 'string') return a === b
    const [x, y] = [Number(a), Number(b)]
    return Math.abs(x - y) <= 1e-9 * Math.max(1, Math.abs(x), Math.abs(y))
  }
  return left.length === right.length && left.every((row, index) => Object.keys(row).every((name) => same(row[name], right[index]?.[name])))
}
