// The coordinator of one query: parse, check, bind, split, run the fragments beside the blocks, merge.
//
// DuckDB parses, types, prints and merges, in a child process of its own that sees one private directory. What it says about types
// comes from a file that has nothing but the footer of the real one; so the names and types of the result are those that DuckDB
// alone would give.
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { assert, must } from '../../common/assert.ts'
import { Closer } from '../../common/closer.ts'
import type { Env } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'
import { arrowBytesMax } from '../../common/limits.ts'
import type { EngineOptions, SqlEngine } from '../executor/protocol.ts'
import { sqlText } from '../executor/text.ts'
import { writeFooterFile } from '../parquet/footer-file.ts'
import { readFooter, type ByteRange, type ParquetFooter } from '../parquet/footer.ts'
import { castTo, documentOf, isNode, nodesOf, parseAst, printAst, tableRef, textOf, type Node } from '../plan/ast.ts'
import { bindSelect, columnsOf, tableOf } from '../plan/bind.ts'
import { checkSelect, selectOf, sqlLengthMax } from '../plan/check.ts'
import { commonRanges, planFragments, type PlannedFragment } from '../plan/fragments.ts'
import { pruneRowGroups } from '../plan/prune.ts'
import { draftSplit, finishSplit, partsTable, splitTable, type SplitDraft, type SplitQuery } from '../plan/split.ts'
import type { FragmentRunner } from '../service/fragment-client.ts'
import { distinctNames, type Column, type Value } from '../values.ts'
import { copyForArrow, parquetToArrow } from './arrow.ts'
import type { Explain, ExplainFragment } from './explain.ts'
import { runFragments } from './run-fragments.ts'
import type { LocatedFile, TableFiles } from './source.ts'
import { makePrivateDir, removeAbandoned } from './private-dir.ts'

export interface QueryOptions {
  /** Ends the query, its fragments and its processes. */
  readonly signal?: AbortSignal | undefined
  /** Bytes of memory for the merge; beyond it DuckDB spills to the temporary directory. Default 1 GiB. */
  readonly memoryLimit?: number | undefined
  /** Threads of the merge; default 2. */
  readonly threads?: number | undefined
  /** Bytes that the fragments together may return; default 4 GiB. */
  readonly resultBytesMax?: number | undefined
  /** Milliseconds that one fragment may take; default 10 minutes. */
  readonly fragmentTimeoutMs?: number | undefined
  /** Bytes that one fragment should read at most; default 128 MiB. Smaller means more fragments. */
  readonly fragmentBytes?: number | undefined
}

/** What a coordinator works with. */
export interface QueryDeps {
  readonly files: TableFiles
  readonly runner: FragmentRunner
  readonly startEngine: (options: EngineOptions) => Promise<SqlEngine>
  readonly env: Env
}

/** An object with a property for each column. */
export type Row = Record<string, Value>

/** The result of a query. Rows can be read once; close() (or `await using`) frees its process and its files. */
export class QueryResult implements AsyncDisposable {
  readonly columns: readonly Column[]
  /** What was done; `finalMs` runs up to the first rows. */
  readonly explain: Explain
  readonly #engine: SqlEngine
  readonly #dir: string
  readonly #closer: Closer
  readonly #signal: AbortSignal | undefined
  #first: readonly (readonly Value[])[] | undefined
  #taken = false
  #closed = false

  constructor(parts: {
    columns: readonly Column[]
    explain: Explain
    engine: SqlEngine
    /** The query's own directory, which its engine sees and close() removes. */
    dir: string
    closer: Closer
    signal: AbortSignal | undefined
    first: readonly (readonly Value[])[] | undefined
  }) {
    this.columns = parts.columns
    this.explain = parts.explain
    this.#engine = parts.engine
    this.#dir = parts.dir
    this.#closer = parts.closer
    this.#signal = parts.signal
    this.#first = parts.first
  }

  /** Rows as arrays, in batches of up to 2,048. Ends the result when it is read to its end or left. */
  async *batches(): AsyncGenerator<readonly (readonly Value[])[], void, undefined> {
    this.#take()
    try {
      let batch = this.#first
      this.#first = undefined
      while (batch !== undefined) {
        yield batch
        this.#checkOpen()
        batch = await this.#engine.next()
        // What a closed engine answers is not the end of the rows.
        this.#checkOpen()
      }
    } catch (error) {
      this.#checkOpen()
      throw error
    } finally {
      await this.close()
    }
  }

  /** Rows as objects; columns of the same name are told apart by _1, _2. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Row, void, undefined> {
    const names = distinctNames(this.columns)
    for await (const batch of this.batches()) {
      for (const row of batch) yield Object.fromEntries(row.map((value, i) => [names[i]!, value]))
    }
  }

  /** All rows as objects. */
  async toArray(): Promise<Row[]> {
    const rows: Row[] = []
    for await (const row of this) rows.push(row)
    return rows
  }

  /**
   * All rows as one Arrow IPC stream: the schema, record batches of up to 16,384 rows, the end. Names as of the rows' properties,
   * but for a column whose name differs from another only in case, which gets _1. Types are those of the columns, except: HUGEINT
   * and UHUGEINT are DECIMAL(38,0), and an error beyond its 38 digits; INTERVAL, TIME WITH TIME ZONE, UUID, ENUM, BIT and BIGNUM are
   * text; arrays of fixed length are lists; TIMESTAMP_S has microseconds. The final SELECT runs once more for it. Fails with SQL
   * for other types (UNION, VARIANT, ...) and beyond `bytesMax` bytes (default 512 MiB). Ends the result.
   */
  async arrow(options: { readonly bytesMax?: number | undefined } = {}): Promise<Uint8Array> {
    this.#take()
    try {
      const file = path.join(this.#dir, 'result.parquet')
      await this.#engine.run(copyForArrow(this.explain.finalSql, this.columns, file))
      return await parquetToArrow(file, options.bytesMax ?? arrowBytesMax, this.#signal)
    } catch (error) {
      this.#checkOpen()
      throw error
    } finally {
      await this.close()
    }
  }

  #take(): void {
    if (this.#taken) throw new QuarryError('CLOSED', 'The rows of this result were read already: run the query again.')
    this.#taken = true
  }

  #checkOpen(): void {
    this.#signal?.throwIfAborted()
    if (this.#closed) throw new QuarryError('CLOSED', 'The result was closed before its rows were read: close it after the last one.')
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closed = true
    return this.#closer.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

const MIB = 1024 * 1024

export async function runQuery(deps: QueryDeps, sql: string, options: QueryOptions = {}): Promise<QueryResult> {
  if (sql.length > sqlLengthMax) throw new QuarryError('SQL', `The query has ${sql.length} characters; at most ${sqlLengthMax} are read.`)
  const signal = options.signal ?? new AbortController().signal
  signal.throwIfAborted()
  const closer = new Closer()
  const clock = deps.env.clock
  const since = (startMs: number) => clock.monotonicMs() - startMs
  try {
    const bootStart = clock.monotonicMs()
    const dir = await makePrivateDir(tmpdir())
    closer.add(() => rm(dir, { recursive: true, force: true }))
    const cleaned = removeAbandoned(tmpdir(), clock.nowMs())
    closer.add(() => cleaned)
    const engine = await deps.startEngine({
      jail: dir,
      memoryLimit: options.memoryLimit ?? 1024 * MIB,
      threads: options.threads ?? 2,
      spillLimit: 16 * 1024 * MIB,
    })
    closer.add(() => engine.close())
    const onAbort = () => engine.interrupt()
    signal.addEventListener('abort', onAbort, { once: true })
    closer.add(() => signal.removeEventListener('abort', onAbort))
    signal.throwIfAborted()
    const bootMs = since(bootStart)

    const planStart = clock.monotonicMs()
    const planned = await plan(deps, engine, dir, sql, signal, options)
    const planMs = since(planStart)

    const fragmentsStart = clock.monotonicMs()
    const { files, explain } = await runParts(deps, engine, dir, planned, signal, options)
    const fragmentsMs = since(fragmentsStart)

    const finalStart = clock.monotonicMs()
    await engine.run(`CREATE OR REPLACE TEMP VIEW ${partsTable} AS SELECT * FROM read_parquet([${files.map(sqlText).join(', ')}])`)
    const finalSql = await printFinal(engine, planned)
    const columns = await engine.start(finalSql)
    const first = await engine.next()
    const { file, footer, fragments, draft } = planned
    return new QueryResult({
      columns,
      engine,
      dir,
      closer,
      signal: options.signal,
      first,
      explain: {
        path: file.path,
        fileBytes: file.length,
        fileRows: footer.rows,
        blocks: file.blocks.length,
        rowGroups: footer.rowGroups.length,
        rowGroupsPruned: footer.rowGroups.length - fragments.reduce((sum, one) => sum + one.rowGroups, 0),
        columns: draft.columns,
        partialSql: planned.partialSql,
        finalSql,
        fragments: explain,
        bootMs,
        planMs,
        fragmentsMs,
        finalMs: since(finalStart),
      },
    })
  } catch (error) {
    await closer.close().catch(() => {})
    signal.throwIfAborted()
    throw error
  }
}

interface Planned {
  readonly file: LocatedFile
  readonly footer: ParquetFooter
  readonly fragments: readonly PlannedFragment[]
  /** Bytes that every fragment needs. */
  readonly common: readonly ByteRange[]
  readonly draft: SplitDraft
  readonly split: SplitQuery
  readonly partialSql: string
  /** Types that DuckDB alone would give the result. */
  readonly types: readonly string[]
}

async function plan(
  deps: QueryDeps,
  engine: SqlEngine,
  dir: string,
  sql: string,
  signal: AbortSignal,
  options: QueryOptions,
): Promise<Planned> {
  const document = parseAst(await engine.text('SELECT json_serialize_sql($1::VARCHAR, skip_default := true)', [sql]))
  const select = selectOf(document)
  const table = tableOf(select)
  checkSelect(select)
  const file = await deps.files.locate(deps.files.resolve(table.path), signal)
  const footer = await readFooter(file.path, file.length, (start, length) => deps.files.read(file, start, length, signal))
  const footerFile = path.join(dir, 'footer.parquet')
  await writeFooterFile(footerFile, footer)
  const source = (extra: string) => `SELECT * FROM read_parquet(${sqlText(footerFile)}, hive_partitioning = false${extra})`
  await engine.run(`CREATE TEMP VIEW quarry_table AS ${source('')}`)
  await engine.run(`CREATE TEMP VIEW ${splitTable} AS ${source(', file_row_number = true')}`)
  const columns = (await describe(engine, 'SELECT * FROM quarry_table')).map((column) => column.name)
  assert(columns.length === footer.columns.length, 'DuckDB and the footer agree on the columns')
  // DuckDB's own word on the query as it was written: its names, its types, its complaints.
  const whole = await describeNode(engine, { ...select, from_table: { ...tableRef('quarry_table'), alias: table.qualifiers[0]! } })
  const bound = bindSelect(select, table, columns)
  assert(bound.select.length === whole.length, 'the bound select list has the columns that DuckDB finds')
  const aliases = nodesOf(select['select_list']).map((item) => textOf(item['alias']))
  const draft = draftSplit(bound, columns, aliases)
  const partTypes = await describeNode(engine, draft.untravelled)
  const averaged = draft.averaged === undefined ? [] : await describeNode(engine, draft.averaged)
  const typesOf = (list: readonly { readonly type: string }[]) => list.map((one) => one.type)
  const split = finishSplit(
    draft,
    typesOf(partTypes),
    typesOf(averaged),
    whole.map((column) => column.name),
  )
  const groups = pruneRowGroups(footer.rowGroups, bound.where, columns)
  // A query that nothing can match still needs one fragment: it returns no rows, or the one row of an aggregate over nothing.
  const chosen = groups.length > 0 ? groups : footer.rowGroups.filter((group) => group.rows > 0).slice(0, 1)
  const indexes = (names: Iterable<string>) => [...names].map((name) => columns.indexOf(name))
  const fragments = planFragments(chosen, indexes(draft.columns), file.blocks, options.fragmentBytes)
  const common = commonRanges(footer, bound.where === undefined ? [] : indexes(columnsOf(bound.where)))
  return { file, footer, fragments, common, draft, split, partialSql: await printNode(engine, split.partial), types: typesOf(whole) }
}

/** Runs the fragments. A file without rows has none: its footer is the whole file, and the coordinator runs the SELECT over it. */
async function runParts(
  deps: QueryDeps,
  engine: SqlEngine,
  dir: string,
  planned: Planned,
  signal: AbortSignal,
  options: QueryOptions,
): Promise<{ files: readonly string[]; explain: readonly ExplainFragment[] }> {
  if (planned.fragments.length === 0) {
    const file = path.join(dir, 'fragment-0.parquet')
    await engine.run(`COPY (${planned.partialSql}) TO ${sqlText(file)} (FORMAT parquet, COMPRESSION lz4_raw)`)
    return { files: [file], explain: [] }
  }
  return runFragments({
    queryId: randomUUID(),
    file: planned.file,
    common: planned.common,
    astJson: printAst(documentOf(planned.split.partial)),
    fragments: planned.fragments,
    runner: deps.runner,
    relocate: () => deps.files.locate(planned.file.path, signal),
    dir,
    resultBytesMax: options.resultBytesMax ?? 4 * 1024 * MIB,
    fragmentTimeoutMs: options.fragmentTimeoutMs ?? 10 * 60_000,
    env: deps.env,
    signal,
  })
}

/** The final SELECT, with a cast where merging gave another type than DuckDB alone would. */
async function printFinal(engine: SqlEngine, planned: Planned): Promise<string> {
  const { final } = planned.split
  const merged = await describeNode(engine, final)
  if (merged.every((column, i) => column.type === planned.types[i])) return printNode(engine, final)
  const items = await Promise.all(
    nodesOf(final['select_list']).map(async (item, i) => {
      const type = planned.types[i]!
      return merged[i]!.type === type || type === '"NULL"' ? item : { ...castTo(item, await typeNode(engine, type)), alias: item['alias']! }
    }),
  )
  return printNode(engine, { ...final, select_list: items })
}

/** A type's node in the tree, from its name. */
async function typeNode(engine: SqlEngine, type: string): Promise<Node> {
  const select = selectOf(
    parseAst(await engine.text('SELECT json_serialize_sql($1::VARCHAR, skip_default := true)', [`SELECT CAST(NULL AS ${type})`])),
  )
  const node = nodesOf(select['select_list'])[0]?.['cast_type']
  assert(isNode(node), () => `${type} is the name of a type`)
  return node
}

async function printNode(engine: SqlEngine, select: Node): Promise<string> {
  const sql = await engine.text('SELECT json_deserialize_sql($1::JSON)', [printAst(documentOf(select))])
  return sql.replace(/;\s*$/, '')
}

async function describeNode(engine: SqlEngine, select: Node): Promise<{ name: string; type: string }[]> {
  return describe(engine, await printNode(engine, select))
}

async function describe(engine: SqlEngine, sql: string): Promise<{ name: string; type: string }[]> {
  const described: { name: string; type: string }[] = []
  await engine.start(`DESCRIBE ${sql}`)
  for (let batch = await engine.next(); batch !== undefined; batch = await engine.next()) {
    for (const row of batch) described.push({ name: String(must(row[0])), type: String(must(row[1])) })
  }
  return described
}
