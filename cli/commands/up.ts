import type { Command } from 'commander'
import type { UpArguments } from '../cluster/up.ts'
import { collect, wholeNumber } from '../cluster/arguments.ts'

export function register(program: Command): void {
  program
    .command('up')
    .description('start a cluster on this machine: a namenode and datanodes, each its own process')
    .option('--dir <dir>', 'where the cluster keeps everything (default: $QUARRY_DIR, else ~/.quarry)')
    .option('--datanodes <n>', 'number of datanodes (default: as before, else 3)', wholeNumber('--datanodes'))
    .option(
      '--replication <n>',
      'copies of each new file (default: as before, else 3, at most one a datanode)',
      wholeNumber('--replication'),
    )
    .option('--port <port>', 'native port of the namenode (default: as before, else a free one)', wholeNumber('--port'))
    .option('--hdfs-port <port>', 'port for Hadoop clients, hdfs:// (default: as before, else a free one)', wholeNumber('--hdfs-port'))
    .option('--http-port <port>', 'port of WebHDFS and of status pages (default: as before, else a free one)', wholeNumber('--http-port'))
    .option('-D, --define <option=value>', 'set an option of docs/settings.md for all roles; may be repeated', collect)
    .option('--insecure', 'allow listening beyond loopback although nothing authenticates callers')
    .option('--detach', 'return when the cluster is ready and leave it running')
    .option('--json', 'print one JSON line when it is ready')
    .action(async (_own, command: Command) => {
      const options = command.optsWithGlobals<UpArguments>()
      const { up } = await import('../cluster/up.ts')
      await up(options)
    })
}
