// Makes the directory of a namenode from a backup, optionally brought forward by later edits to a transaction.
//
// Order: verify the backup, build the store in `restore.tmp` inside the target, verify that, replay, skip ids, and only then give
// the database its name. A restore that is interrupted leaves no database that a namenode would start on.
//
// Skipped ids: the history after the backup has given out ids and stamps that the restored namespace knows nothing of, and replicas
// with them lie on the datanodes. New ones begin beyond any that it can have used, and the stamps in between are remembered
// (core/cluster/lost-stamps.ts): those replicas hold safe mode until an operator gives them up.
import { constants, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { QuarryError, toQuarryError } from '../../common/errors.ts'
import type { EditRecord } from '../core/edits.ts'
import { lostStampsKey, withRange } from '../core/cluster/lost-stamps.ts'
import type { NamespaceChecksum } from '../core/namespace-checksum.ts'
import { namespaceChecksum } from '../core/namespace-checksum.ts'
import { applyEdits } from '../core/replay.ts'
import { sha256, sha256OfFile } from './digest.ts'
import { inspect } from './inspect.ts'
import { lockDirectory } from './lock.ts'
import { databaseFile, manifestFile, parseManifest } from './manifest.ts'
import type { BackupManifest } from './manifest.ts'
import { schemaVersion } from './schema.ts'
import { isNoRoom } from './room.ts'
import { SqliteStore } from './sqlite-store.ts'

/** Ids and stamps that are skipped: more than any history gives out, and few enough for millions of restores within 2^53. */
const skippedIds = 2 ** 30

/** Files that may lie in the target: what a file system puts into its root, and our own lock. */
const harmless = new Set(['lost+found', 'in_use.lock', 'in_use.pid'])

export interface RestoreOptions {
  readonly backup: string
  readonly into: string
  /** Up to this transaction; left out: the backup as it is. */
  readonly toTxid?: number | undefined
  /** Pages of edits after a transaction, in order; needed when `toTxid` lies behind the backup. */
  readonly edits?: ((afterTxid: number) => AsyncIterable<readonly EditRecord[]> | Iterable<readonly EditRecord[]>) | undefined
  readonly nowMs: number
  /** Told what is done, for people. */
  readonly say: (step: string) => void
}

export interface RestoreReport {
  readonly directory: string
  readonly clusterId: string
  readonly poolId: string
  /** Of the backup. */
  readonly backupTxid: number
  /** The last transaction of the old history that is in the namespace. */
  readonly txid: number
  readonly replayedEdits: number
  /** Before ids were skipped: that of the old namespace at `txid`. */
  readonly checksum: NamespaceChecksum
}

export async function restore(options: RestoreOptions): Promise<RestoreReport> {
  const manifest = await verifiedManifest(options.backup)
  if (options.toTxid !== undefined && options.toTxid < manifest.txid) {
    throw new QuarryError(
      'INVALID_ARGUMENT',
      `The backup is of transaction ${manifest.txid}, which is after ${options.toTxid}: use an older backup, edits cannot be taken back.`,
    )
  }
  if (options.toTxid !== undefined && options.toTxid > manifest.txid && options.edits === undefined) {
    throw new QuarryError('INVALID_ARGUMENT', `To come from transaction ${manifest.txid} to ${options.toTxid} takes --edits FROM.`)
  }
  options.say(`backup ${options.backup} is whole: transaction ${manifest.txid}, ${manifest.bytes} bytes, sha256 ${manifest.sha256}`)
  const { into } = options
  requireEmpty(into)
  mkdirSync(into, { recursive: true })
  const unlock = lockDirectory(into)
  const staging = join(into, 'restore.tmp')
  try {
    mkdirSync(staging)
    copyFileSync(join(options.backup, databaseFile), join(staging, databaseFile), constants.COPYFILE_FICLONE)
    verifyNamespace(staging, manifest)
    options.say(`its namespace is sound and has the checksum ${manifest.namespaceChecksum}`)
    const report = await bringForward(staging, manifest, options)
    await sync(join(staging, databaseFile))
    renameSync(join(staging, databaseFile), join(into, databaseFile))
    await sync(into)
    options.say(`${into} is ready: start its namenode, and its datanodes will find it`)
    return report
  } catch (error) {
    if (!isNoRoom(error)) throw error
    throw new QuarryError(
      'DISK_FULL',
      `${into} has no room for the restored database of ${manifest.bytes} bytes and more.`,
      {},
      { cause: error },
    )
  } finally {
    rmSync(staging, { recursive: true, force: true })
    unlock()
  }
}

/** The manifest of a backup whose database file is, byte for byte, the one it was written for. */
export async function verifiedManifest(backup: string): Promise<BackupManifest> {
  const path = join(backup, manifestFile)
  if (!existsSync(path))
    throw new QuarryError('NOT_FOUND', `${backup} is no backup: it has no ${manifestFile}. Name the folder that holds it.`)
  const manifest = parseManifest(readFileSync(path, 'utf8'), path)
  if (manifest.schema > schemaVersion) {
    throw new QuarryError(
      'VERSION',
      `${backup} has schema ${manifest.schema}, this program knows ${schemaVersion} at most. Restore it with the newer version of Quarry that wrote it.`,
    )
  }
  const file = join(backup, databaseFile)
  if (!existsSync(file)) throw new QuarryError('NOT_FOUND', `${backup} is damaged: ${databaseFile} is missing. Use another backup.`)
  const found = await sha256OfFile(file)
  if (found !== manifest.sha256) {
    throw new QuarryError(
      'CHECKSUM',
      `${backup} is damaged: the sha256 of ${databaseFile} is ${found} instead of ${manifest.sha256}. Use another backup.`,
    )
  }
  return manifest
}

function requireEmpty(into: string): void {
  if (!existsSync(into)) return
  const found = readdirSync(into).filter((name) => !harmless.has(name))
  if (found.length === 0) return
  // Whoever runs on it is told apart from what merely lies there.
  lockDirectory(into)()
  throw new QuarryError(
    'IN_USE',
    `${into} is not empty (${found.slice(0, 3).join(', ')}${found.length > 3 ? ', …' : ''}): restore into a new directory, and keep the old one until all is well.`,
  )
}

function verifyNamespace(staging: string, manifest: BackupManifest): void {
  const { problems, checksum } = inspect(staging)
  const [problem] = problems
  if (problem !== undefined) throw new QuarryError('CHECKSUM', `The backup is damaged: ${problem}. Use another one.`)
  if (checksum.txid !== manifest.txid)
    throw new QuarryError('CHECKSUM', `The backup holds transaction ${checksum.txid} instead of ${manifest.txid}. Use another one.`)
  // Of an older schema the migration may have added records.
  const comparable = manifest.schema === schemaVersion && manifest.checksumAlgorithm === checksum.algorithm
  if (comparable && checksum.hex !== manifest.namespaceChecksum) {
    throw new QuarryError(
      'CHECKSUM',
      `The namespace of the backup has the checksum ${checksum.hex} instead of ${manifest.namespaceChecksum}.`,
    )
  }
}

async function bringForward(staging: string, manifest: BackupManifest, options: RestoreOptions): Promise<RestoreReport> {
  const store = new SqliteStore({ directory: staging, cacheEntries: 200_000, pageCacheBytes: 64 * 1024 * 1024 })
  try {
    const replayedEdits = await replayTo(store, options)
    const checksum = namespaceChecksum(store.tx, sha256())
    if (replayedEdits > 0) options.say(`replayed ${replayedEdits} edits up to transaction ${checksum.txid}: checksum ${checksum.hex}`)
    skipIds(store, manifest, options.nowMs)
    store.checkpoint()
    return {
      directory: options.into,
      clusterId: manifest.clusterId,
      poolId: manifest.poolId,
      backupTxid: manifest.txid,
      txid: checksum.txid,
      replayedEdits,
      checksum,
    }
  } finally {
    store.close()
  }
}

async function replayTo(store: SqliteStore, { toTxid, edits }: RestoreOptions): Promise<number> {
  const { lastTxid } = store.counters()
  if (edits === undefined || toTxid === lastTxid) return 0
  let last = lastTxid
  for await (const page of edits(lastTxid)) {
    const wanted = page.filter((record) => record.txid > last && (toTxid === undefined || record.txid <= toTxid))
    for (const { txid } of wanted) {
      if (txid !== last + 1)
        throw new QuarryError(
          'NOT_FOUND',
          `The edits between ${last} and ${txid} are missing: they were trimmed (edits.retain). Use a later backup.`,
        )
      last = txid
    }
    if (wanted.length > 0) replayPage(store, wanted)
    if (last === toTxid) break
  }
  if (toTxid !== undefined && last < toTxid)
    throw new QuarryError('NOT_FOUND', `The edits end at transaction ${last}; ${toTxid} cannot be reached with them.`)
  return last - lastTxid
}

function replayPage(store: SqliteStore, page: readonly EditRecord[]): void {
  try {
    applyEdits(store, page)
  } catch (error) {
    throw new QuarryError(
      'CHECKSUM',
      `The edits ${page[0]!.txid} to ${page.at(-1)!.txid} do not fit the backup: ${toQuarryError(error).message}. Are they of the same cluster?`,
      {},
      { cause: error },
    )
  }
}

function skipIds(store: SqliteStore, manifest: BackupManifest, nowMs: number): void {
  const { nextInodeId, nextBlockId, nextGenstamp, lastTxid } = store.counters()
  const nextStamp = nextGenstamp + skippedIds
  store.setMeta(lostStampsKey, withRange(store.meta(lostStampsKey), { from: nextGenstamp, to: nextStamp }))
  store.setMeta('restore.last', JSON.stringify({ backupTxid: manifest.txid, txid: lastTxid, atMs: nowMs }))
  const edit = {
    op: 'skipIds',
    nextInodeId: nextInodeId + skippedIds,
    nextBlockId: nextBlockId + skippedIds,
    nextGenstamp: nextStamp,
  } as const
  const lastAtMs = store.editsAfter(lastTxid - 1, 1)[0]?.atMs ?? 0
  applyEdits(store, [{ txid: lastTxid + 1, atMs: Math.max(nowMs, lastAtMs), edit }])
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
