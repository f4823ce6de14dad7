// Runs one fragment on an executor: check the tree again, put the bytes into the jail, run the SELECT, hand the result over as a
// file. The executor sees SQL that was printed from the checked tree, and a view over files that this datanode put there.
import { mkdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Env } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'
import type { FragmentRequest, LocalReplicas } from '../../proto/ports.ts'
import type { SqlEngine } from '../executor/protocol.ts'
import { sqlName, sqlText } from '../executor/text.ts'
import type { Gate } from '../gate.ts'
import { documentOf, isNode, nodesOf, parseAst, printAst, textOf, type Node } from '../plan/ast.ts'
import { columnsOf } from '../plan/bind.ts'
import { checkSelect, selectOf } from '../plan/check.ts'
import { rowNumberColumn, splitTable } from '../plan/split.ts'
import { assembleSplit, type Assembled, type Split } from './assemble.ts'
import type { ExecutorPool } from './pool.ts'
import type { RemoteBlocks } from './remote-blocks.ts'

export interface FragmentResult {
  /** A Parquet file outside of every jail; whoever gets it removes it. */
  readonly file: string
  readonly rows: number
  readonly bytesLocal: number
  readonly bytesRemote: number
  readonly verifyUs: number
  readonly runUs: number
}

export interface FragmentContext {
  readonly pool: ExecutorPool
  /** Fragments that have bytes on disk: those that run, and one whose bytes are put together meanwhile. */
  readonly gate: Gate
  readonly local: LocalReplicas
  readonly remote: RemoteBlocks
  /** Where bytes are put together and results wait until they are streamed; on the file system of the jails. */
  readonly outDir: string
  readonly env: Env
}

/** Names of files are never used twice, whatever an executor may have kept in memory about one. */
let sequence = 0

export async function runFragment(request: FragmentRequest, context: FragmentContext, signal: AbortSignal): Promise<FragmentResult> {
  const select = checkedSelect(request)
  const leave = await context.gate.enter(signal)
  const id = sequence++
  const stage = path.join(context.outDir, `stage-${id}`)
  try {
    await mkdir(stage)
    const assembled = await assembleAll(request, stage, context, signal)
    const lease = await context.pool.acquire(signal)
    const onAbort = () => lease.engine.interrupt()
    try {
      const inJail = path.join(lease.jail, `fragment-${id}`)
      await rename(stage, inJail)
      signal.throwIfAborted()
      signal.addEventListener('abort', onAbort, { once: true })
      const startedMs = context.env.clock.monotonicMs()
      const made = path.join(inJail, 'result.parquet')
      const rows = await execute(lease.engine, select, viewOf(request.splits, inJail, select), made)
      const runUs = Math.round((context.env.clock.monotonicMs() - startedMs) * 1000)
      signal.throwIfAborted()
      const file = path.join(context.outDir, `result-${id}.parquet`)
      await rename(made, file)
      return { file, rows, runUs, ...assembled }
    } finally {
      signal.removeEventListener('abort', onAbort)
      await lease.release()
    }
  } catch (error) {
    // An interrupt surfaces as CANCELLED; the reason of the abort says whether it was the caller or the deadline.
    if (signal.aborted) throw signal.reason
    throw error
  } finally {
    await rm(stage, { recursive: true, force: true })
    leave()
  }
}

const splitFile = (index: number): string => `split-${index}.parquet`

async function assembleAll(request: FragmentRequest, stage: string, context: FragmentContext, signal: AbortSignal): Promise<Assembled> {
  const { local, remote, env } = context
  const total = { bytesLocal: 0, bytesRemote: 0, verifyUs: 0 }
  for (const [index, split] of request.splits.entries()) {
    const one = await assembleSplit(split, path.join(stage, splitFile(index)), {
      local,
      remote,
      poolId: request.poolId,
      signal,
      monotonicMs: () => env.clock.monotonicMs(),
    })
    total.bytesLocal += one.bytesLocal
    total.bytesRemote += one.bytesRemote
    total.verifyUs += one.verifyUs
  }
  return total
}

/** Prints and runs the SELECT; answers the number of rows in `target`. */
async function execute(engine: SqlEngine, select: Node, view: string, target: string): Promise<number> {
  const sql = await engine.text('SELECT json_deserialize_sql($1::JSON)', [printAst(documentOf(select))])
  await engine.run(`CREATE OR REPLACE TEMP VIEW ${splitTable} AS ${view}`)
  return Number(await engine.text(`COPY (${sql.replace(/;\s*$/, '')}) TO ${sqlText(target)} (FORMAT parquet, COMPRESSION lz4_raw)`, []))
}

/** What reaches this datanode was checked by a coordinator, or by nobody: it is checked here. */
function checkedSelect(request: FragmentRequest): Node {
  if (request.splits.length === 0) throw new QuarryError('INVALID_ARGUMENT', 'A fragment needs at least one split.')
  const select = selectOf(parseAst(request.astJson))
  checkSelect(select)
  const from = select['from_table']
  if (
    !isNode(from) ||
    from['type'] !== 'BASE_TABLE' ||
    from['table_name'] !== splitTable ||
    Object.keys(from).some((key) => !['type', 'table_name', 'query_location'].includes(key))
  ) {
    throw new QuarryError('SQL', `A fragment reads ${splitTable} and nothing else.`)
  }
  return select
}

/** The rows of the fragment: ranges of rows of the files. Only what the SELECT reads is named: bytes of other columns are not there. */
function viewOf(splits: readonly Split[], dir: string, select: Node): string {
  const columns = [...columnsIn(select)].filter((name) => name !== rowNumberColumn)
  const list = [...columns, rowNumberColumn].map(sqlName).join(', ')
  return splits
    .map((split, i) => {
      const rows = [split.firstRow, split.lastRow]
      if (!rows.every((row) => Number.isSafeInteger(row) && row >= 0))
        throw new QuarryError('INVALID_ARGUMENT', 'A row range is not a range of whole numbers.')
      return `SELECT ${list} FROM read_parquet(${sqlText(path.join(dir, splitFile(i)))}, file_row_number = true, hive_partitioning = false) WHERE ${sqlName(rowNumberColumn)} BETWEEN ${rows[0]} AND ${rows[1]}`
    })
    .join(' UNION ALL ')
}

function columnsIn(select: Node): Set<string> {
  const columns = new Set<string>()
  for (const item of nodesOf(select['select_list'])) columnsOf(item, columns)
  for (const group of nodesOf(select['group_expressions'])) columnsOf(group, columns)
  if (isNode(select['where_clause'])) columnsOf(select['where_clause'], columns)
  for (const modifier of nodesOf(select['modifiers'])) {
    if (textOf(modifier['type']) !== 'ORDER_MODIFIER') continue
    for (const order of nodesOf(modifier['orders'])) columnsOf(order['expression'] as Node, columns)
  }
  return columns
}
