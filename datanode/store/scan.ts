// What a datanode finds in a storage directory when it starts.
//
// Finalised replicas are taken by name and size, without reading them: a disk of a million blocks opens in seconds, and readers
// check every byte anyway. Replicas that were being written are cut back to their last chunk whose checksum holds, and wait to be
// recovered (RWR). Half-received copies are dropped.
import fs from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '../../common/env.ts'
import { ReplicaState } from '../../proto/ports.ts'
import { checksumFileBytes, decodeHeader, headerBytes } from './checksum-file.ts'
import type { Checksummer } from '../core/packet-receiver.ts'
import { closeFile, openFile, readAt, syncFile, truncateFile } from './files.ts'
import { checksumName, dataName, finalizedDirectory, parseName } from './layout.ts'
import type { ReplicaRecord } from './replica-store.ts'
import type { StorageDirectory } from './storage-directory.ts'

interface Found {
  /** Directory and size of the data file. */
  data?: { readonly directory: string; readonly size: number }
  checksums: { readonly directory: string; readonly genstamp: number; readonly size: number }[]
}

/** Bytes of a torn replica read at once while it is checked. */
const checkBytes = 1024 * 1024

export async function scanStorage(storage: StorageDirectory, replicas: Map<number, ReplicaRecord>, log: Logger): Promise<void> {
  const { paths } = storage
  await empty(paths.tmp)
  await empty(paths.scratch)
  const finalized = await listBlocks(paths.finalized, 2)
  const rbw = await listBlocks(paths.rbw, 0)
  for (const [blockId, found] of finalized) {
    const torn = rbw.get(blockId)
    if (found.data !== undefined && found.checksums.length > 0 && torn?.data === undefined) {
      await take(storage, replicas, blockId, found, log)
      continue
    }
    // A crash between the two renames of a finalisation or of a reopening: the halves meet again as a replica to recover.
    rbw.set(blockId, {
      ...((torn?.data ?? found.data) && { data: (torn?.data ?? found.data)! }),
      checksums: [...found.checksums, ...(torn?.checksums ?? [])],
    })
  }
  for (const [blockId, found] of rbw) await recover(storage, replicas, blockId, found, log)
}

/** Adds a record; of two replicas of one block the newer, then the better, then the longer stays, and the other's files go. */
async function add(replicas: Map<number, ReplicaRecord>, record: ReplicaRecord, log: Logger): Promise<void> {
  const other = replicas.get(record.blockId)
  const worse =
    other !== undefined && (record.genstamp - other.genstamp || other.state - record.state || record.length - other.length) <= 0
      ? record
      : other
  if (worse !== record) replicas.set(record.blockId, record)
  if (worse === undefined) return
  log.warn('replica.duplicate.dropped', { blockId: record.blockId, genstamp: worse.genstamp, storage: worse.storage.uuid })
  const { paths } = worse.storage
  const finalized = worse.state === ReplicaState.REPLICA_FINALIZED
  const directory = finalized ? finalizedDirectory(paths, worse.blockId) : paths.rbw
  for (const name of [dataName(worse.blockId), checksumName(worse.blockId, worse.genstamp)]) {
    const { size } = await fs.promises.stat(join(directory, name))
    await fs.promises.unlink(join(directory, name))
    worse.storage.used -= size
  }
  if (finalized) worse.storage.finalized--
}

async function take(
  storage: StorageDirectory,
  replicas: Map<number, ReplicaRecord>,
  blockId: number,
  found: Found,
  log: Logger,
): Promise<void> {
  const checksums = found.checksums.reduce((a, b) => (b.genstamp > a.genstamp ? b : a))
  const { size } = found.data!
  const record: ReplicaRecord = {
    blockId,
    genstamp: checksums.genstamp,
    state: ReplicaState.REPLICA_FINALIZED,
    length: size,
    visible: size,
    storage,
    writer: undefined,
    recoveryId: 0,
  }
  storage.used += size + checksums.size
  storage.finalized++
  await add(replicas, record, log)
}

async function recover(
  storage: StorageDirectory,
  replicas: Map<number, ReplicaRecord>,
  blockId: number,
  found: Found,
  log: Logger,
): Promise<void> {
  const { rbw } = storage.paths
  const checksums = found.checksums.sort((a, b) => b.genstamp - a.genstamp)[0]
  if (found.data === undefined || checksums === undefined) {
    log.warn('replica.incomplete.dropped', { blockId, data: found.data !== undefined, checksums: checksums !== undefined })
    for (const part of found.checksums) await fs.promises.rm(join(part.directory, checksumName(blockId, part.genstamp)), { force: true })
    if (found.data !== undefined) await fs.promises.rm(join(found.data.directory, dataName(blockId)), { force: true })
    return
  }
  for (const older of found.checksums.slice(1))
    await fs.promises.rm(join(older.directory, checksumName(blockId, older.genstamp)), { force: true })
  const data = join(rbw, dataName(blockId))
  const sums = join(rbw, checksumName(blockId, checksums.genstamp))
  if (found.data.directory !== rbw) await fs.promises.rename(join(found.data.directory, dataName(blockId)), data)
  if (checksums.directory !== rbw) await fs.promises.rename(join(checksums.directory, checksumName(blockId, checksums.genstamp)), sums)
  const length = await cutToLastGoodChunk(data, sums)
  if (length !== found.data.size) log.warn('replica.torn.cut', { blockId, from: found.data.size, to: length })
  const record: ReplicaRecord = {
    blockId,
    genstamp: checksums.genstamp,
    state: ReplicaState.REPLICA_RWR,
    length,
    visible: length,
    storage,
    writer: undefined,
    recoveryId: 0,
  }
  storage.used += length + (await fs.promises.stat(sums)).size
  await add(replicas, record, log)
}

/** Cuts both files of a replica that was being written to the chunks that check; answers the length left. */
export async function cutToLastGoodChunk(dataPath: string, checksumPath: string): Promise<number> {
  const data = await openFile(dataPath, 'r+')
  const checksums = await openFile(checksumPath, 'r+')
  try {
    const header = Buffer.alloc(headerBytes)
    const got = await readAt(checksums, header, 0, headerBytes, 0)
    const sum = decodeHeader(header.subarray(0, got))
    if (sum === undefined) {
      await truncateFile(data, 0)
      return 0
    }
    const length = await goodLength(data, checksums, sum)
    await truncateFile(data, length)
    await truncateFile(checksums, checksumFileBytes(length, sum))
    await Promise.all([syncFile(data), syncFile(checksums)])
    return length
  } finally {
    await Promise.all([closeFile(data), closeFile(checksums)])
  }
}

async function goodLength(data: number, checksums: number, sum: Checksummer): Promise<number> {
  const size = fs.fstatSync(data).size
  if (sum.crc === undefined) return size
  const { bytesPerChunk, crc } = sum
  const chunks = Math.max(1, Math.floor(checkBytes / bytesPerChunk))
  const bytes = Buffer.alloc(chunks * bytesPerChunk)
  const sums = Buffer.alloc(chunks * 4)
  let good = 0
  for (;;) {
    const got = await readAt(data, bytes, 0, Math.min(bytes.length, size - good), good)
    const sumsGot = await readAt(checksums, sums, 0, sums.length, headerBytes + (good / bytesPerChunk) * 4)
    for (let from = 0; from < got; from += bytesPerChunk) {
      const at = (from / bytesPerChunk) * 4
      const chunk = bytes.subarray(from, Math.min(got, from + bytesPerChunk))
      if (at + 4 > sumsGot || sums.readUInt32BE(at) !== crc(chunk)) return good
      good += chunk.length
    }
    if (got < bytes.length) return good
  }
}

async function empty(directory: string): Promise<void> {
  for (const name of await fs.promises.readdir(directory)) await fs.promises.rm(join(directory, name), { recursive: true, force: true })
}

/** The block files below a directory that is `depth` levels deep. */
async function listBlocks(root: string, depth: number, found = new Map<number, Found>()): Promise<Map<number, Found>> {
  const entries = await fs.promises.readdir(root, { withFileTypes: true })
  const files: string[] = []
  for (const entry of entries) {
    if (entry.isDirectory() && depth > 0) await listBlocks(join(root, entry.name), depth - 1, found)
    else if (entry.isFile()) files.push(entry.name)
  }
  for (const name of files) {
    const parsed = parseName(name)
    if (parsed === undefined) continue
    // One directory at a time without waiting: a promise for each of two million files would take ten times as long.
    const { size } = fs.statSync(join(root, name))
    let block = found.get(parsed.blockId)
    if (block === undefined) found.set(parsed.blockId, (block = { checksums: [] }))
    if (parsed.kind === 'data') block.data = { directory: root, size }
    else block.checksums.push({ directory: root, genstamp: parsed.genstamp, size })
  }
  return found
}
