// Runs the query of `quarry sql` and prints its rows: as a table for people, as JSON or Arrow for programs.
import { QuarryError } from '../../common/errors.ts'
import { explainText, query as runQuery, rowToJson, distinctNames, type QueryResult } from '../../compute/index.ts'
import { exitCodes } from '../output/errors.ts'
import type { Output } from '../output/output.ts'
import { processStreams } from '../output/streams.ts'
import { connectShell } from '../shell/connect.ts'
import { TextTable } from './text-table.ts'

export interface SqlOptions {
  readonly fs?: string | undefined
  readonly user?: string | undefined
  readonly json?: boolean | undefined
  readonly arrow?: boolean | undefined
  readonly explain?: boolean | undefined
}

/** Answers the exit code; failures other than Ctrl-C are thrown. */
export async function runSql(text: string, options: SqlOptions): Promise<number> {
  // --json may stand before the command as well, where the parser of its options does not see it.
  if (options.arrow && (options.json || options.explain))
    throw new QuarryError('INVALID_ARGUMENT', '--arrow writes nothing but Arrow: leave out --json and --explain.')
  if (options.arrow && process.stdout.isTTY)
    throw new QuarryError('INVALID_ARGUMENT', 'Arrow is bytes, not text for a terminal: send it to a file with > or to a program with |.')
  const streams = processStreams()
  try {
    const sql = text === '-' ? await readAll(streams.input()) : text
    await using fs = await connectShell(options)
    await using result = await runQuery(fs, sql, { signal: streams.signal })
    if (options.arrow) await streams.out.write(await result.arrow())
    else if (options.json) await printJson(result, streams.out, options.explain ?? false)
    else await printTable(result, streams.out, options.explain ?? false)
    await streams.out.flush()
    return exitCodes.ok
  } catch (error) {
    if (!streams.signal.aborted) throw error
    await streams.err.write('quarry: interrupted\n')
    return exitCodes.interrupted
  }
}

async function printJson(result: QueryResult, out: Output, explain: boolean): Promise<void> {
  const names = distinctNames(result.columns)
  await out.write(explain ? '{"rows":[' : '[')
  let separator = '\n'
  for await (const batch of result.batches()) {
    for (const row of batch) {
      await out.write(`${separator}${rowToJson(row, result.columns, names)}`)
      separator = ',\n'
    }
  }
  await out.write(explain ? `\n],"explain":${JSON.stringify(result.explain)}}\n` : '\n]\n')
}

async function printTable(result: QueryResult, out: Output, explain: boolean): Promise<void> {
  const table = new TextTable(result.columns)
  for await (const batch of result.batches()) {
    for (const row of batch) for (const line of table.add(row)) await out.write(line)
  }
  for (const line of table.end()) await out.write(line)
  if (explain) await out.write(`\n${explainText(result.explain)}\n`)
}

async function readAll(input: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of input) parts.push(part)
  return Buffer.concat(parts).toString()
}
