// Copies files and directories between the local file system and the cluster: several at a time, each to a name of its own that
// is renamed when it is complete, so that nobody ever sees half a file under the name they asked for.
import { constants } from 'node:fs'
import type { Stats } from 'node:fs'
import { access, chmod, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import path from 'node:path'
import { QuarryError, isQuarryError } from '../common/errors.ts'
import { packetBytesMax } from '../common/limits.ts'
import type { FileSystem } from './filesystem.ts'
import type { CopyOptions, CopyProgress, FileInfo } from './types.ts'

/** As Hadoop names a file that is being copied. */
export const copyingSuffix = '._COPYING_'
const concurrencyDefault = 4

interface Job<Source> {
  readonly source: Source
  readonly target: string
  readonly bytes: number
}

/** See FileSystem.copyFromLocal. */
export async function copyFromLocal(fs: FileSystem, local: string, target: string, options: CopyOptions): Promise<void> {
  const root = fs.resolve(target)
  const info = await localStat(local)
  const directories: { source: string; target: string }[] = []
  const jobs: Job<string>[] = []
  if (!info.isDirectory()) jobs.push({ source: local, target: root, bytes: info.size })
  else {
    requireRecursive(local, options)
    const open = [{ source: local, target: root }]
    for (let next = open.shift(); next; next = open.shift()) {
      directories.push(next)
      for (const entry of await readdir(next.source)) {
        const child = { source: path.join(next.source, entry), target: next.target === '/' ? `/${entry}` : `${next.target}/${entry}` }
        const childInfo = await localStat(child.source)
        if (childInfo.isDirectory()) open.push(child)
        else jobs.push({ ...child, bytes: childInfo.size })
      }
    }
  }
  for (const directory of directories) await fs.mkdir(directory.target, { recursive: true, ...signalOf(options) })
  await runJobs(jobs, options, (job, signal, advance) => uploadFile(fs, job.source, job.target, options, signal, advance))
  if (!options.preserve) return
  // Innermost first: a file that arrives changes the time of its directory.
  for (const { source, target: made } of directories.reverse()) await keepAttributes(fs, source, made, options.signal)
}

async function uploadFile(
  fs: FileSystem,
  local: string,
  target: string,
  options: CopyOptions,
  signal: AbortSignal,
  advance: (bytes: number) => void,
): Promise<void> {
  await refuseExisting(fs, target, options, signal)
  const atomic = options.atomic ?? true
  const name = atomic ? target + copyingSuffix : target
  const source = await open(local, 'r').catch((error) => Promise.reject(localError(error, local)))
  try {
    const writer = await fs.create(name, {
      overwrite: atomic || (options.overwrite ?? false),
      replication: options.replication,
      blockSize: options.blockSize,
      signal,
    })
    try {
      // One buffer is filled while the other is written.
      const buffers = [Buffer.allocUnsafe(packetBytesMax), Buffer.allocUnsafe(packetBytesMax)]
      let turn = 0
      let reading = source.read(buffers[0]!, 0, packetBytesMax)
      for (;;) {
        const { bytesRead } = await reading
        if (bytesRead === 0) break
        const full = buffers[turn]!.subarray(0, bytesRead)
        turn = 1 - turn
        reading = source.read(buffers[turn]!, 0, packetBytesMax)
        reading.catch(() => {})
        await writer.write(full)
        advance(bytesRead)
      }
      await writer.close()
      if (options.preserve) await keepAttributes(fs, local, name, signal)
      if (atomic) await fs.rename(name, target, { overwrite: options.overwrite ?? false, signal })
    } catch (error) {
      await writer.abort(error)
      await fs.delete(name).catch(() => {})
      throw error
    }
  } finally {
    await source.close()
  }
}

async function keepAttributes(fs: FileSystem, local: string, target: string, signal?: AbortSignal): Promise<void> {
  const info = await localStat(local)
  await fs.setPermission(target, info.mode & 0o1777, { signal })
  await fs.setTimes(target, { mtimeMs: Math.floor(info.mtimeMs), atimeMs: Math.floor(info.atimeMs) }, { signal })
}

async function refuseExisting(fs: FileSystem, target: string, options: CopyOptions, signal: AbortSignal): Promise<void> {
  try {
    const existing = await fs.stat(target, { signal })
    if (existing.isDirectory) throw new QuarryError('IS_A_DIRECTORY', `${target} is a directory.`, { path: target })
    if (!options.overwrite) throw new QuarryError('ALREADY_EXISTS', `${target} exists already.`, { path: target })
  } catch (error) {
    if (!isQuarryError(error, 'NOT_FOUND')) throw error
  }
}

/** See FileSystem.copyToLocal. */
export async function copyToLocal(fs: FileSystem, source: string, local: string, options: CopyOptions): Promise<void> {
  const info = await fs.stat(source, signalOf(options))
  const directories: { source: FileInfo; target: string }[] = []
  const jobs: Job<FileInfo>[] = []
  if (info.isFile) jobs.push({ source: info, target: local, bytes: info.length })
  else {
    requireRecursive(info.path, options)
    directories.push({ source: info, target: local })
    for await (const entry of fs.walk(info.path, signalOf(options))) {
      const below = entry.path.slice(info.path === '/' ? 1 : info.path.length + 1)
      const target = path.join(local, ...below.split('/'))
      if (entry.isDirectory) directories.push({ source: entry, target })
      else jobs.push({ source: entry, target, bytes: entry.length })
    }
  }
  for (const directory of directories)
    await mkdir(directory.target, { recursive: true }).catch((error) => Promise.reject(localError(error, directory.target)))
  await runJobs(jobs, options, (job, signal, advance) => downloadFile(fs, job.source, job.target, options, signal, advance))
  if (!options.preserve) return
  for (const directory of directories.reverse()) await keepLocalAttributes(directory.source, directory.target)
}

async function downloadFile(
  fs: FileSystem,
  source: FileInfo,
  local: string,
  options: CopyOptions,
  signal: AbortSignal,
  advance: (bytes: number) => void,
): Promise<void> {
  if (!options.overwrite && (await localExists(local))) throw new QuarryError('ALREADY_EXISTS', `${local} exists already.`, { path: local })
  const atomic = options.atomic ?? true
  const name = atomic ? local + copyingSuffix : local
  await using reader = await fs.open(source.path, { signal })
  const target = await open(name, 'w').catch((error) => Promise.reject(localError(error, name)))
  try {
    for await (const bytes of reader.stream({ signal })) {
      for (let at = 0; at < bytes.length;) at += (await target.write(bytes, at)).bytesWritten
      advance(bytes.length)
    }
    await target.close()
    if (options.preserve) await keepLocalAttributes(source, name)
    if (atomic) await rename(name, local)
  } catch (error) {
    await target.close().catch(() => {})
    await rm(name, { force: true }).catch(() => {})
    throw localError(error, local)
  }
}

async function keepLocalAttributes(source: FileInfo, local: string): Promise<void> {
  await chmod(local, source.permission)
  // Seconds in a double: a microsecond on top keeps the milliseconds from being rounded down to the one before.
  await utimes(local, (source.atimeMs + 0.001) / 1000, (source.mtimeMs + 0.001) / 1000)
}

// --- what both directions share -----------------------------------------------------------------------------------------

/** Runs the jobs, several at a time. The first failure stops the others; all are settled before it is thrown. */
async function runJobs<Source>(
  jobs: readonly Job<Source>[],
  options: CopyOptions,
  run: (job: Job<Source>, signal: AbortSignal, advance: (bytes: number) => void) => Promise<void>,
): Promise<void> {
  const stop = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
  const bytesTotal = jobs.reduce((sum, job) => sum + job.bytes, 0)
  let bytesDone = 0
  let filesDone = 0
  let next = 0
  let failure: unknown
  const tell = (job: Job<Source>): void => {
    const progress: CopyProgress = {
      path: job.target,
      bytesDone,
      bytesTotal: Math.max(bytesTotal, bytesDone),
      filesDone,
      filesTotal: jobs.length,
    }
    options.onProgress?.(progress)
  }
  const work = async (): Promise<void> => {
    while (next < jobs.length && failure === undefined) {
      const job = jobs[next++]!
      try {
        await run(job, signal, (bytes) => {
          bytesDone += bytes
          tell(job)
        })
        filesDone++
        tell(job)
      } catch (error) {
        failure ??= error
        stop.abort(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(jobs.length, options.concurrency ?? concurrencyDefault) }, work))
  if (failure !== undefined) throw failure
}

const signalOf = (options: CopyOptions): { signal?: AbortSignal } => (options.signal ? { signal: options.signal } : {})

function requireRecursive(directory: string, options: CopyOptions): void {
  if (!options.recursive)
    throw new QuarryError('IS_A_DIRECTORY', `${directory} is a directory. Copy it with the option recursive.`, { path: directory })
}

async function localStat(local: string): Promise<Stats> {
  return stat(local).catch((error) => Promise.reject(localError(error, local)))
}

async function localExists(local: string): Promise<boolean> {
  return access(local, constants.F_OK).then(
    () => true,
    () => false,
  )
}

/** A failure of the local file system in our words. */
function localError(error: unknown, local: string): unknown {
  if (error instanceof QuarryError || !(error instanceof Error) || !('code' in error)) return error
  const details = { path: local, local: true }
  switch (error.code) {
    case 'ENOENT':
      return new QuarryError('NOT_FOUND', `${local}: no such file or directory on this machine.`, details, { cause: error })
    case 'EACCES':
    case 'EPERM':
      return new QuarryError('PERMISSION_DENIED', `${local}: this machine does not permit it.`, details, { cause: error })
    case 'EISDIR':
      return new QuarryError('IS_A_DIRECTORY', `${local} is a directory on this machine.`, details, { cause: error })
    case 'ENOTDIR':
    case 'EEXIST':
      return new QuarryError('NOT_A_DIRECTORY', `${local}: a file of this machine is where a directory is needed.`, details, {
        cause: error,
      })
    case 'ENOSPC':
    case 'EDQUOT':
      return new QuarryError('DISK_FULL', `${local}: this machine's disk is full.`, details, { cause: error })
    default:
      return error
  }
}
