// `quarry balancer`: evens out how full the datanodes are, with the flags and exit codes of HDFS's.
import type { GlobalOptions } from '../program.ts'

/** HDFS answers a wrong command line with -1. */
const exitUsage = 255

export async function run(words: readonly string[], globals: GlobalOptions): Promise<number> {
  const [{ balancerUsage, parseBalancer }, { processStreams }, { connectShell }, { takeGenericOptions }] = await Promise.all([
    import('../balancer/arguments.ts'),
    import('../output/streams.ts'),
    import('../shell/connect.ts'),
    import('../shell/configuration.ts'),
  ])
  const { configuration, rest } = takeGenericOptions(words)
  const parsed = parseBalancer(rest, globals.json)
  if (parsed.kind === 'help') {
    process.stdout.write(balancerUsage)
    return 0
  }
  if (parsed.kind === 'wrong') {
    process.stderr.write(`${parsed.message}\n${balancerUsage}`)
    return exitUsage
  }
  const { runBalancer } = await import('../balancer/run.ts')
  const streams = processStreams()
  const fs = configuration.get('fs.defaultFS') ?? globals.fs
  try {
    return await runBalancer(() => connectShell({ ...globals, fs }, configuration), parsed.options, streams)
  } finally {
    await streams.out.flush()
  }
}
