// `quarry bench ns|io`: what bench/ measures, from the command line. The flags and the JSON are those of the HDFS kit's benchmarks.
import { Option, type Command } from 'commander'
import { QuarryError } from '../../common/errors.ts'
import { wholeNumber } from '../cluster/arguments.ts'

interface NsArguments {
  readonly fs?: string
  readonly clients: number
  readonly files: number
  readonly reads?: number
  readonly connections: 'shared' | 'own'
  readonly json?: boolean
}

interface IoArguments {
  readonly fs?: string
  readonly streams: number
  readonly bytes: number
  readonly replication: number
  readonly localReads: boolean
  readonly json?: boolean
}

const fsOption = () => new Option('--fs <uri>', 'the cluster (default: $QUARRY_FS, else the embedded one)')
const jsonOption = () => new Option('--json', 'print one JSON object')

export function register(program: Command): void {
  const bench = program.command('bench').description('measure a cluster; what a benchmark makes it deletes again')
  bench
    .command('ns')
    .description('metadata operations per second, one kind after another')
    .addOption(fsOption())
    .option('--clients <n>', 'loops with one request in flight each', wholeNumber('--clients'), 16)
    .option('--files <n>', 'empty files, in directories of a thousand', wholeNumber('--files'), 5000)
    .option('--reads <n>', 'operations of the phases that read (default: four for each file)', wholeNumber('--reads'))
    .addOption(
      new Option('--connections <kind>', 'one connection for all clients, or one each').choices(['shared', 'own']).default('shared'),
    )
    .addOption(jsonOption())
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<NsArguments>()
      atLeastOne('--clients', options.clients)
      atLeastOne('--files', options.files)
      const { nsBench, nsTable } = await import('../../bench/ns.ts')
      const report = await nsBench({ ...options, uri: await clusterUri(options.fs) })
      process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : nsTable(report))
    })
  bench
    .command('io')
    .description('bytes per second written and read back, every byte compared')
    .addOption(fsOption())
    .option('--streams <n>', 'files at the same time, a connection each', wholeNumber('--streams'), 1)
    .option('--bytes <size>', 'of all streams together, such as 512m or 2g', bytes, 2 ** 30)
    .option('--replication <n>', 'copies of each block', wholeNumber('--replication'), 3)
    .option('--no-local-reads', 'read through the datanodes even on their own host')
    .addOption(jsonOption())
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<IoArguments>()
      for (const flag of ['streams', 'bytes', 'replication'] as const) atLeastOne(`--${flag}`, options[flag])
      const { ioBench, ioTable } = await import('../../bench/io.ts')
      const report = await ioBench({ ...options, uri: await clusterUri(options.fs) })
      process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : ioTable(report))
    })
}

/** --fs (before or behind the command), else QUARRY_FS, else the embedded cluster. */
async function clusterUri(fs: string | undefined): Promise<string> {
  const named = fs ?? process.env['QUARRY_FS']
  if (named) return named
  const { embeddedUri } = await import('../cluster/embedded-uri.ts')
  return embeddedUri()
}

function atLeastOne(flag: string, value: number): void {
  if (value < 1) throw new QuarryError('CONFIG', `${flag} is ${value}; expected 1 or more`)
}

function bytes(text: string): number {
  const match = /^(\d{1,12})([kmgt]?)$/i.exec(text)
  if (match === null) throw new QuarryError('CONFIG', `--bytes is "${text}"; expected bytes, such as 64m or 2g`)
  return Number(match[1]) * 1024 ** ['', 'k', 'm', 'g', 't'].indexOf(match[2]!.toLowerCase())
}
