// The report of fsck from its first line to the one that says how it ended: for the command and for the namenode's /fsck page.
import type { FileInfo, FileSystem } from '../../../client/index.ts'
import { describeFailure, firstLine } from '../errors.ts'
import { javaDate } from '../format.ts'
import type { FsckCommand } from './arguments.ts'
import { checkBlocks } from './block-id.ts'
import { checkTree } from './check.ts'
import type { FsckStreams } from './check.ts'

const exitHealthy = 0
const exitCorrupt = 1
const exitFailure = 255
const progressNote = 'The fsck switch -showprogress is deprecated and no longer has any effect. Progress is now shown by default.\n'

export interface ReportStreams extends FsckStreams {
  /** Address of who asks. */
  readonly caller: string
}

/** Answers the exit code of the command. Throws when it is interrupted, or when nothing could be written yet. */
export async function writeReport(fs: FileSystem, root: FileInfo, command: FsckCommand, streams: ReportStreams): Promise<number> {
  const { out, signal, caller } = streams
  const started = `FSCK started by ${fs.user} (auth:SIMPLE) from /${caller}`
  if (command.blockIds) {
    await out.write(`${started} at ${javaDate(Date.now())}\n`)
    return checkBlocks(command.blockIds, { fs, out, signal, maintenance: command.flags.has('maintenance') })
  }
  return checkPath(fs, root, command, started, streams)
}

async function checkPath(fs: FileSystem, root: FileInfo, command: FsckCommand, started: string, streams: FsckStreams): Promise<number> {
  const { out } = streams
  const { path } = root
  if (command.flags.has('showprogress')) await out.write(progressNote)
  const startedMs = Date.now()
  const ended = (): string => `FSCK ended at ${javaDate(Date.now())} in ${Date.now() - startedMs} milliseconds\n`
  await out.write(`${started} for path ${path} at ${javaDate(startedMs)}\n\n`)
  try {
    const { healthy, text } = await checkTree(fs, root, command.flags, streams)
    await out.write(`${text}${ended()}\n\nThe filesystem under path '${path}' is ${healthy ? 'HEALTHY' : 'CORRUPT'}\n`)
    return healthy ? exitHealthy : exitCorrupt
  } catch (error) {
    if (streams.signal.aborted) throw error
    await out.write(`${ended()}${firstLine(describeFailure(error).message)}\n\n\nFsck on path '${path}' FAILED\n`)
    return exitFailure
  }
}
