import type { Command } from 'commander'

export function register(program: Command): void {
  program
    .command('down')
    .description('stop the cluster that quarry up started; the data stays')
    .option('--dir <dir>', 'its directory (default: $QUARRY_DIR, else ~/.quarry)')
    .option('--json', 'print one JSON line')
    .action(async (_own, command: Command) => {
      const options = command.optsWithGlobals<{ dir?: string; json?: boolean }>()
      const { stopCluster } = await import('../cluster/down.ts')
      const result = await stopCluster(options.dir)
      if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`)
      else if (result.stopped.length === 0) process.stdout.write(`No cluster is running in ${result.dir}.\n`)
      else
        process.stdout.write(
          `Stopped ${result.stopped.length} processes${result.killed.length > 0 ? `, ${result.killed.length} of them by force` : ''}. The data stays in ${result.dir}.\n`,
        )
    })
}
