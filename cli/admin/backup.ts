// `quarry admin backup DIR`: a copy of the running namenode's store in a folder of its own, DIR/<time>-<transaction>.
//
// The folder gets its name only when everything in it is written, synced and verified (structure, rules, and the namespace checksum
// that the namenode computed), so that a folder with that name is a backup, whatever happened.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import type { FileSystem } from '../../client/index.ts'
import { QuarryError } from '../../common/errors.ts'
import { inspectOffline } from '../../namenode/store/offline.ts'
import { databaseFile, formatManifest, manifestFile, manifestOf, parseManifest } from '../../namenode/store/manifest.ts'
import type { BackupManifest } from '../../namenode/store/manifest.ts'
import { Progress } from '../output/progress.ts'
import { humanSize } from '../shell/format.ts'
import type { ShellStreams } from '../shell/shell.ts'

export interface BackupOptions {
  readonly dir: string
  /** Older backups of the same cluster beyond this many are removed afterwards. */
  readonly keep?: number | undefined
  readonly json: boolean
}

type Begun = Awaited<ReturnType<FileSystem['admin']['beginBackup']>>

/** The namenode copies and checks some 100 MB a second; a call that takes longer than this is stuck. */
const beginWithinMs = 2 * 3_600_000
const partBytes = 1024 * 1024
/** Parts under way: hides the round trip. */
const partsAhead = 4
/** Hashing and checking what arrived takes a core for seconds; where that is one of the namenode's, the namenode comes first. */
const niceness = 19
const backupName = /^\d{8}T\d{6}Z-\d+$/

export async function runBackup(fs: FileSystem, options: BackupOptions, streams: ShellStreams): Promise<number> {
  const startedMs = performance.now()
  setPriority(niceness)
  mkdirSync(options.dir, { recursive: true })
  const begun = await fs.admin.beginBackup({ deadlineMs: beginWithinMs, signal: streams.signal })
  let result: { readonly path: string; readonly manifest: BackupManifest }
  try {
    result = await take(fs, begun, options, streams)
  } finally {
    // What cannot be ended now ends by itself after ten minutes.
    await fs.admin.endBackup(begun.id).catch(() => {})
  }
  const removed = options.keep === undefined ? [] : removeOlder(options.dir, result.manifest.clusterId, options.keep)
  const seconds = (performance.now() - startedMs) / 1000
  if (options.json) {
    await streams.out.write(
      `${JSON.stringify({ path: result.path, seconds: Number(seconds.toFixed(3)), removed, manifest: result.manifest })}\n`,
    )
    return 0
  }
  const { txid, files, directories, bytes, namespaceChecksum } = result.manifest
  await streams.out.write(
    `${result.path}: transaction ${txid}, ${files} files, ${directories} directories, ${humanSize(bytes, 1, 'B')} in ${seconds.toFixed(1)} s\n` +
      `verified: namespace checksum ${namespaceChecksum}\n`,
  )
  for (const path of removed) await streams.out.write(`removed ${path}\n`)
  return 0
}

async function take(fs: FileSystem, begun: Begun, options: BackupOptions, streams: ShellStreams) {
  const createdAt = new Date()
  const path = join(options.dir, `${createdAt.toISOString().replace(/[-:]|\.\d+/g, '')}-${begun.txid}`)
  if (existsSync(path))
    throw new QuarryError('ALREADY_EXISTS', `${path} exists already: backups are never overwritten. Try again in a second.`)
  const partial = `${path}.partial`
  mkdirSync(partial)
  try {
    const sha256 = await download(fs, begun, join(partial, databaseFile), streams)
    const { problems, checksum, firstKeptTxid } = inspectOffline(partial)
    const [problem] = problems
    if (problem !== undefined) throw new QuarryError('CHECKSUM', `The backup arrived damaged: ${problem}. Try again.`)
    if (checksum.hex !== begun.namespaceChecksum || checksum.txid !== begun.txid)
      throw new QuarryError(
        'CHECKSUM',
        `The backup has the namespace checksum ${checksum.hex} instead of ${begun.namespaceChecksum}. Try again.`,
      )
    const { clusterId, poolId, txid, schema, bytes } = begun
    const { algorithm, hex, files, directories, blocks } = checksum
    const manifest = manifestOf({
      ...{ clusterId, poolId, txid, firstKeptTxid, schema, checksumAlgorithm: algorithm, namespaceChecksum: hex },
      ...{ files, directories, blocks, bytes, sha256, createdAt: createdAt.toISOString() },
    })
    writeFileSync(join(partial, manifestFile), formatManifest(manifest), { flag: 'wx', flush: true })
    await syncDirectory(partial)
    renameSync(partial, path)
    await syncDirectory(options.dir)
    return { path, manifest }
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    throw error
  }
}

/** Answers the sha256 of what was written. */
async function download(fs: FileSystem, begun: Begun, target: string, streams: ShellStreams): Promise<string> {
  const hash = createHash('sha256')
  const progress = streams.progress && new Progress(streams.progress, 'backup', begun.bytes)
  const ahead: Promise<Uint8Array>[] = []
  let asked = 0
  const ask = () => {
    if (asked >= begun.bytes) return
    const length = Math.min(partBytes, begun.bytes - asked)
    const part = fs.admin.readBackup(begun.id, asked, length, { signal: streams.signal })
    part.catch(() => {})
    ahead.push(part)
    asked += length
  }
  for (let i = 0; i < partsAhead; i++) ask()
  let file: FileHandle | undefined
  try {
    file = await open(target, 'wx')
    let written = 0
    for (let part = ahead.shift(); part !== undefined; part = ahead.shift()) {
      const bytes = await part
      ask()
      if (bytes.length === 0) throw new QuarryError('CHECKSUM', `The backup ended after ${written} of ${begun.bytes} bytes. Try again.`)
      hash.update(bytes)
      await file.write(bytes, 0, bytes.length, written)
      written += bytes.length
      progress?.update(written)
    }
    if (written !== begun.bytes) throw new QuarryError('CHECKSUM', `The backup has ${written} bytes instead of ${begun.bytes}. Try again.`)
    await file.sync()
    return hash.digest('hex')
  } finally {
    progress?.close()
    await file?.close()
  }
}

/** Removes all but the newest `keep` backups of a cluster; answers what was removed. */
function removeOlder(dir: string, clusterId: string, keep: number): string[] {
  const ours = readdirSync(dir)
    .filter((name) => backupName.test(name) && clusterOf(join(dir, name)) === clusterId)
    .toSorted()
  const old = ours.slice(0, Math.max(0, ours.length - keep)).map((name) => join(dir, name))
  for (const path of old) rmSync(path, { recursive: true, force: true })
  return old
}

function clusterOf(path: string): string | undefined {
  try {
    return parseManifest(readFileSync(join(path, manifestFile), 'utf8'), path).clusterId
  } catch {
    // Not a backup that we know: not ours to remove.
    return undefined
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
