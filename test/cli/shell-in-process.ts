// Runs the shell inside this process: the same code as the program's, without a process for each command.
import { FileSystem } from '../../client/index.ts'
import { TextOutput } from '../../cli/output/output.ts'
import { takeGenericOptions } from '../../cli/shell/configuration.ts'
import { runDfs } from '../../cli/shell/dfs.ts'
import { runDfsadmin } from '../../cli/shell/dfsadmin.ts'
import { runFsck } from '../../cli/shell/fsck.ts'
import type { ShellStreams } from '../../cli/shell/shell.ts'

export interface ShellOutcome {
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}

export interface ShellCall {
  readonly uri: string
  readonly user: string
  readonly cwd?: string
  readonly input?: string
  readonly json?: boolean
}

export async function runShell(tool: 'dfs' | 'admin' | 'fsck', words: readonly string[], call: ShellCall): Promise<ShellOutcome> {
  const out = new TextOutput()
  const err = new TextOutput()
  const streams: ShellStreams = {
    out,
    err,
    input: async function* () {
      if (call.input) yield Buffer.from(call.input)
    },
    ask: async () => call.input ?? '',
    progress: undefined,
    signal: new AbortController().signal,
  }
  const { configuration, rest } = takeGenericOptions(words)
  const connect = (uri?: string): Promise<FileSystem> =>
    FileSystem.connect(uri ?? call.uri, { user: call.user, umask: configuration.umask(), connectTimeoutMs: 5000 })
  const exit =
    tool === 'dfs'
      ? await runDfs(words, { streams, connect, json: call.json ?? false, ...(call.cwd !== undefined && { cwd: call.cwd }) })
      : await (tool === 'admin' ? runDfsadmin : runFsck)(rest, { streams, connect: () => connect(configuration.get('fs.defaultFS')) })
  return { exit, stdout: out.text, stderr: err.text }
}
