import type { Command } from 'commander'

export function register(program: Command): void {
  program
    .command('demo')
    .description('the whole story on a fresh cluster: store, kill a datanode, read back, recover, query; needs about 3 GB of free space')
    .option(
      '--flights <file>',
      'a Parquet file with the columns origin and delay (default: flights-3m.parquet of the package vega-datasets)',
    )
    .action(async (options: { flights?: string }) => {
      const { runDemo } = await import('../demo/main.ts')
      process.exitCode = await runDemo(options)
    })
}
