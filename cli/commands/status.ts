import type { Command } from 'commander'

export function register(program: Command): void {
  program
    .command('status')
    .description('show what the cluster of quarry up is doing; exit code 0 when all of it is well')
    .option('--dir <dir>', 'its directory (default: $QUARRY_DIR, else ~/.quarry)')
    .option('--json', 'print one JSON object')
    .action(async (_own, command: Command) => {
      const options = command.optsWithGlobals<{ dir?: string; json?: boolean }>()
      const [{ clusterStatus, statusText }, { clusterDir }] = await Promise.all([
        import('../cluster/status.ts'),
        import('../cluster/directory.ts'),
      ])
      const status = await clusterStatus(clusterDir(options.dir))
      process.stdout.write(options.json ? `${JSON.stringify(status)}\n` : `${statusText(status, Date.now()).join('\n')}\n`)
      if (status.state !== 'ready') process.exitCode = 1
    })
}
