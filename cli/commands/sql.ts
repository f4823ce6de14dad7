// `quarry sql QUERY`: one SELECT over a Parquet file of the cluster, run where its blocks lie.
import { Option, type Command } from 'commander'

interface SqlArguments {
  readonly fs?: string
  readonly user?: string
  readonly json?: boolean
  readonly arrow?: boolean
  readonly explain?: boolean
}

const examples = `
The file stands in FROM: quarry sql "SELECT origin, count(*) AS n FROM '/data/flights-3m.parquet' GROUP BY 1 ORDER BY n DESC LIMIT 10"
With - the query is read from standard input. --json prints 64-bit integers and decimals as JSON numbers with all their digits.
--arrow writes an Arrow IPC stream, for a pipe or a file: HUGEINT as DECIMAL(38,0), intervals and UUIDs as text.
`

export function register(program: Command): void {
  program
    .command('sql')
    .description('run a SELECT over a Parquet file beside its blocks')
    .argument('<query>', "the SELECT, with FROM '/path/of/file.parquet'; - reads it from standard input")
    .addOption(new Option('--fs <uri>', 'the cluster (default: $QUARRY_FS, else the embedded one)'))
    .addOption(new Option('--user <name>', 'who asks (default: $HADOOP_USER_NAME, else you)'))
    .addOption(new Option('--json', 'print an array of row objects'))
    .addOption(new Option('--arrow', 'write an Arrow IPC stream instead of text'))
    .addOption(new Option('--explain', 'also say how: fragments, nodes, bytes read locally and remotely, times'))
    .addHelpText('after', examples)
    .action(async (query: string, _options: SqlArguments, command: Command) => {
      const { runSql } = await import('../sql/run-sql.ts')
      process.exitCode = await runSql(query, command.optsWithGlobals<SqlArguments>())
    })
}
