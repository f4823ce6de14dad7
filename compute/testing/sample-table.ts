// A Parquet file with every kind of value that a query beside the blocks must carry through, and DuckDB alone to compare with.
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { engineFromConnection } from '../executor/engine.ts'
import { sqlText } from '../executor/text.ts'
import type { Column, Value } from '../values.ts'

/** 20,000 rows in ten row groups; NULLs, extremes, unicode keys, keys that are all NULL in places. */
export const sampleSelect = `
  SELECT
    r AS id,
    CASE WHEN r % 11 = 0 THEN NULL ELSE (r * 7919 % 201 - 100)::SMALLINT END AS small,
    CASE WHEN r % 7 = 0 THEN NULL ELSE (r * 104729 % 2000003)::INTEGER END AS num,
    CASE WHEN r % 13 = 0 THEN NULL ELSE (9007199254740993 + r * 1000003)::BIGINT * (CASE WHEN r % 2 = 0 THEN 1 ELSE -1 END) END AS big,
    CASE WHEN r % 9 = 0 THEN NULL ELSE (r * 31 % 1000) / 8.0 END::DOUBLE AS real,
    (r % 50 / 4.0)::FLOAT AS single,
    CASE WHEN r % 5 = 0 THEN NULL ELSE ((r * 17 % 100000) / 1000.0)::DECIMAL(18,3) END AS price,
    ((r * 1000003)::DECIMAL(38,2) * 1000000007) AS huge,
    CASE r % 8 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'München' WHEN 3 THEN '東京' WHEN 4 THEN 'naïve' WHEN 5 THEN '😀 emoji' WHEN 6 THEN 'it''s "quoted"' ELSE 'plain' END AS city,
    CASE WHEN r < 4096 THEN NULL ELSE 'k' || (r % 3) END AS late,
    DATE '2020-01-01' + (r % 800)::INTEGER AS day,
    TIMESTAMP '1999-12-31 23:59:59.999999' + to_seconds(r * 977) AS moment,
    (TIMESTAMP '2024-03-31 00:30:00' + to_minutes(r % 500))::TIMESTAMPTZ AS zoned,
    r % 3 = 1 AS flag,
    [r % 4, r % 6] AS list,
    {'a': r % 4, 'b': 'x' || r % 2} AS pair
  FROM range(20000) t(r)`

/** DuckDB alone, in this process, with the clock's zone that the fragments have. */
export class Alone {
  readonly #instance: DuckDBInstance
  readonly #connection: DuckDBConnection

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance
    this.#connection = connection
  }

  static async open(): Promise<Alone> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
    const connection = await instance.connect()
    await connection.run("SET TimeZone='UTC'")
    return new Alone(instance, connection)
  }

  /** Writes a Parquet file with the rows of a SELECT. */
  async write(select: string, target: string, rowGroupSize = 2048): Promise<void> {
    await this.#connection.run(`COPY (${select}) TO ${sqlText(target)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${rowGroupSize})`)
  }

  async query(sql: string): Promise<{ columns: readonly Column[]; rows: (readonly Value[])[] }> {
    const engine = engineFromConnection(this.#instance, this.#connection)
    const columns = await engine.start(sql)
    const rows: (readonly Value[])[] = []
    for (let batch = await engine.next(); batch !== undefined; batch = await engine.next()) rows.push(...batch)
    return { columns, rows }
  }

  close(): void {
    this.#connection.closeSync()
    this.#instance.closeSync()
  }
}
