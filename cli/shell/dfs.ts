// `quarry dfs`: Hadoop's shell. Generic options, a verb with a dash, its arguments; exit codes 0, 1, 255 (usage) and 130.
import { takeGenericOptions } from './configuration.ts'
import { connectShell } from './connect.ts'
import type { ClusterChoice } from './connect.ts'
import { verbs } from './registry.ts'
import { Shell } from './shell.ts'
import type { ShellOptions, ShellStreams } from './shell.ts'

export const exitUsage = 255

export interface DfsOptions {
  readonly streams: ShellStreams
  readonly choice?: ClusterChoice
  readonly json?: boolean
  readonly connect?: ShellOptions['connect']
  readonly cwd?: string
}

export async function runDfs(words: readonly string[], options: DfsOptions): Promise<number> {
  const { choice = {}, streams } = options
  const { configuration, rest } = takeGenericOptions(words)
  configuration.check()
  const [command, ...args] = rest
  if (command === undefined) return showUsage(streams, [])
  const name = command.slice(1)
  const entry = command.startsWith('-') && Object.hasOwn(verbs, name) ? verbs[name] : undefined
  if (!entry) return showUsage(streams, failureLines(command, 'Unknown command'))
  const connect: ShellOptions['connect'] = options.connect ?? ((uri) => connectShell({ ...choice, fs: uri ?? choice.fs }, configuration))
  const shell = new Shell({
    streams,
    configuration,
    connect,
    json: options.json ?? false,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  })
  try {
    const Loaded = await entry.load()
    return await new Loaded(shell, name).run(args)
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'UsageError') throw error
    return await showUsage(streams, failureLines(command, error.message), name)
  } finally {
    await streams.out.flush()
    await shell.close()
  }
}

function failureLines(command: string, message: string): string[] {
  return message.split('\n').flatMap((line) => {
    const forgotten = !command.startsWith('-') && Object.hasOwn(verbs, command)
    return forgotten ? [`${command}: ${line}`, `Did you mean -${command}?  This command begins with a dash.`] : [`${command}: ${line}`]
  })
}

async function showUsage(streams: ShellStreams, lines: readonly string[], name?: string): Promise<number> {
  const { fullUsage, usagePrefix, verbUsage } = await import('./usage.ts')
  const own = name === undefined ? '' : `${usagePrefix} ${verbUsage(name)}\n`
  await streams.err.write(lines.map((line) => `${line}\n`).join('') + fullUsage() + own)
  return exitUsage
}
