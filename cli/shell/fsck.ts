// fsck: walks a path, looks at every block, and prints HDFS's report. Exit 0 healthy (a missing path too), 1 corrupt, 255 failed,
// 130 interrupted; -blockId has codes of its own (fsck/block-id.ts).
import type { FileInfo, FileSystem } from '../../client/index.ts'
import { isQuarryError } from '../../common/errors.ts'
import { describeFailure, firstLine } from './errors.ts'
import { javaDate } from './format.ts'
import { parseFsck } from './fsck/arguments.ts'
import type { FsckCommand } from './fsck/arguments.ts'
import { checkBlocks } from './fsck/block-id.ts'
import { checkTree } from './fsck/check.ts'
import { listCorruptBlocks } from './fsck/corrupt-list.ts'
import type { ShellStreams } from './shell.ts'

export interface FsckOptions {
  readonly streams: ShellStreams
  readonly connect: () => Promise<FileSystem>
}

const exitHealthy = 0
const exitCorrupt = 1
const exitFailure = 255
const exitInterrupted = 130
const progressNote = 'The fsck switch -showprogress is deprecated and no longer has any effect. Progress is now shown by default.\n'

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
  const started = `FSCK started by ${fs.user} (auth:SIMPLE) from /127.0.0.1`
  if (command.blockIds) {
    await out.write(`${started} at ${javaDate(Date.now())}\n`)
    return checkBlocks(command.blockIds, { fs, out, signal, maintenance: command.flags.has('maintenance') })
  }
  return checkPath(fs, root, command, started, streams)
}

async function checkPath(fs: FileSystem, root: FileInfo, command: FsckCommand, started: string, streams: ShellStreams): Promise<number> {
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
