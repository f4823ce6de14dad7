// What an option of dfsadmin is.
import type { FileSystem } from '../../../client/index.ts'
import type { ShellStreams } from '../shell.ts'

export interface AdminOptions {
  readonly streams: ShellStreams
  readonly connect: () => Promise<FileSystem>
}

export interface AdminVerb {
  /** Arguments, as the usage shows them. */
  readonly usage: string
  readonly help: string
  /** Answers the exit code. A UsageError is shown with the usage; any other error is one line, exit code 255. */
  readonly run: (args: readonly string[], options: AdminOptions) => Promise<number>
}

/** Hadoop: whatever goes wrong in dfsadmin is -1, which the caller sees as 255. */
export const exitFailure = 255
