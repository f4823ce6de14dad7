// fsck: walks a path, looks at every block, and prints HDFS's report. Exit 0 healthy (a missing path too), 1 corrupt, 255 failed,
// 130 interrupted; -blockId has codes of its own (fsck/block-id.ts).
import type { FileInfo, FileSystem } from '../../client/index.ts'
import { isQuarryError } from '../../common/errors.ts'
import { describeFailure } from './errors.ts'
import { parseFsck } from './fsck/arguments.ts'
import type { FsckCommand } from './fsck/arguments.ts'
import { listCorruptBlocks } from './fsck/corrupt-list.ts'
import { writeReport } from './fsck/report.ts'
import type { ShellStreams } from './shell.ts'

export interface FsckOptions {
  readonly streams: ShellStreams
  readonly connect: () => Promise<FileSystem>
}

const exitHealthy = 0
const exitFailure = 255
const exitInterrupted = 130

export async function runFsck(words: readonly string[], options: FsckOptions): Promise<number> {
  const { out, err, signal } = options.streams
  const parsed = parseFsck(words)
  if (parsed.kind === 'help') {
    await out.write(parsed.text)
    return exitHealthy
  }
  if (parsed.kind === 'wrong') {
    await err.write(parsed.text)
    return exitFailure
  }
  try {
    await using fs = await options.connect()
    return await run(fs, parsed.command, options.streams)
  } catch (error) {
    if (signal.aborted) return exitInterrupted
    await err.write(`fsck: ${describeFailure(error).message}\n`)
    return exitFailure
  }
}

async function run(fs: FileSystem, command: FsckCommand, streams: ShellStreams): Promise<number> {
  const { out, err, signal } = streams
  const path = fs.resolve(command.path)
  let root: FileInfo
  try {
    root = await fs.stat(path, { signal })
  } catch (error) {
    if (!isQuarryError(error, 'NOT_FOUND')) throw error
    await err.write(`FileSystem is inaccessible due to:\njava.io.FileNotFoundException: File does not exist: ${path}\nDFSck exiting.\n`)
    return exitHealthy
  }
  await err.write(`Connecting to namenode via ${fs.uri}\n`)
  if (command.flags.has('list-corruptfileblocks')) return listCorruptBlocks(fs, command.path, out, signal)
  return writeReport(fs, root, command, { ...streams, caller: '127.0.0.1' })
}
