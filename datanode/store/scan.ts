// What a datanode finds in a storage directory when it starts.
//
// Finalised replicas are taken by name and size, without reading them: a disk of a million blocks opens in seconds, and readers
// check every byte anyway. Replicas that were being written are cut back to their last chunk whose checksum holds, and wait to be
// recovered (RWR), or stay open when the datanode stopped in order and is back soon (restart-marker.ts). Half-received copies are
// dropped.
import { join } from 'node:path'
import type { Env, Logger } from '../../common/env.ts'
import { ReplicaState } from '../../proto/ports.ts'
import { checksumFileBytes, decodeHeader, headerBytes } from './checksum-file.ts'
import type { Checksummer } from '../core/packet-receiver.ts'
import { isMissing } from './disk-errors.ts'
import type { Disk, ListedFile } from './disk.ts'
import { checksumName, dataName, finalizedDirectory, parseName } from './layout.ts'
import { newRecord } from './replica-record.ts'
import type { ReplicaRecord } from './replica-record.ts'
import { takeMarkers } from './restart-marker.ts'
import type { RestartMarker } from './restart-marker.ts'
import type { StorageDirectory } from './storage-directory.ts'

interface Found {
  /** Directory and size of the data file. */
  data?: { readonly directory: string; readonly size: number }
  checksums: { readonly directory: string; readonly genstamp: number; readonly size: number }[]
}

/** Bytes of a torn replica read at once while it is checked. */
const checkBytes = 1024 * 1024

interface Scan {
  readonly disk: Disk
  readonly storage: StorageDirectory
  readonly replicas: Map<number, ReplicaRecord>
  readonly log: Logger
}

/** Adds what is in a storage directory to `replicas`. */
export async function scanStorage(disk: Disk, storage: StorageDirectory, replicas: Map<number, ReplicaRecord>, env: Env): Promise<void> {
  const scan: Scan = { disk, storage, replicas, log: env.log }
  const { paths } = storage
  await empty(disk, paths.tmp)
  await empty(disk, paths.scratch)
  const finalized = await listBlocks(disk, paths.finalized, 2)
  const rbw = await listBlocks(disk, paths.rbw, 0)
  for (const [blockId, found] of finalized) {
    const torn = rbw.get(blockId)
    if (found.data !== undefined && found.checksums.length > 0 && torn?.data === undefined) {
      await take(scan, blockId, found)
      continue
    }
    // A crash between the two renames of a finalisation or of a reopening: the halves meet again as a replica to recover.
    rbw.set(blockId, {
      ...((torn?.data ?? found.data) && { data: (torn?.data ?? found.data)! }),
      checksums: [...found.checksums, ...(torn?.checksums ?? [])],
    })
  }
  const markers = await takeMarkers(disk, paths.rbw, env.clock)
  for (const [blockId, found] of rbw) await recover(scan, blockId, found, markers.get(blockId))
}

/** Adds a record; of two replicas of one block the newer, then the better, then the longer stays, and the other's files go. */
async function add({ disk, replicas, log }: Scan, record: ReplicaRecord): Promise<void> {
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
    const { size } = await disk.stat(join(directory, name))
    await disk.unlink(join(directory, name))
    worse.storage.used -= size
  }
  if (finalized) worse.storage.finalized--
}

async function take(scan: Scan, blockId: number, found: Found): Promise<void> {
  const { storage } = scan
  const checksums = found.checksums.reduce((a, b) => (b.genstamp > a.genstamp ? b : a))
  const { size } = found.data!
  const record = newRecord(storage, { blockId, genstamp: checksums.genstamp }, { state: ReplicaState.REPLICA_FINALIZED, length: size })
  storage.used += size + checksums.size
  storage.finalized++
  await add(scan, record)
}

async function recover(scan: Scan, blockId: number, found: Found, marker: RestartMarker | undefined): Promise<void> {
  const { disk, storage, log } = scan
  const { rbw } = storage.paths
  const checksums = found.checksums.sort((a, b) => b.genstamp - a.genstamp)[0]
  if (found.data === undefined || checksums === undefined) {
    log.warn('replica.incomplete.dropped', { blockId, data: found.data !== undefined, checksums: checksums !== undefined })
    for (const part of found.checksums) await disk.remove(join(part.directory, checksumName(blockId, part.genstamp)))
    if (found.data !== undefined) await disk.remove(join(found.data.directory, dataName(blockId)))
    return
  }
  for (const older of found.checksums.slice(1)) await disk.remove(join(older.directory, checksumName(blockId, older.genstamp)))
  const data = join(rbw, dataName(blockId))
  const sums = join(rbw, checksumName(blockId, checksums.genstamp))
  if (found.data.directory !== rbw) await disk.rename(join(found.data.directory, dataName(blockId)), data)
  if (checksums.directory !== rbw) await disk.rename(join(checksums.directory, checksumName(blockId, checksums.genstamp)), sums)
  const length = await cutToLastGoodChunk(disk, data, sums)
  if (length !== found.data.size) log.warn('replica.torn.cut', { blockId, from: found.data.size, to: length })
  storage.used += length + (await disk.stat(sums)).size
  const { genstamp } = checksums
  const kept = marker?.genstamp === genstamp && marker.visible <= length
  const record = newRecord(storage, { blockId, genstamp }, { state: kept ? ReplicaState.REPLICA_RBW : ReplicaState.REPLICA_RWR, length })
  if (kept) record.visible = marker.visible
  await add(scan, record)
}

/** Cuts both files of a replica that was being written to the chunks that check; answers the length left. */
export async function cutToLastGoodChunk(disk: Disk, dataPath: string, checksumPath: string): Promise<number> {
  const data = await disk.open(dataPath, 'r+')
  const checksums = await disk.open(checksumPath, 'r+')
  try {
    const header = Buffer.alloc(headerBytes)
    const got = await disk.read(checksums, header, 0, headerBytes, 0)
    const sum = decodeHeader(header.subarray(0, got))
    if (sum === undefined) {
      await disk.truncate(data, 0)
      return 0
    }
    const length = await goodLength(disk, data, checksums, sum)
    await disk.truncate(data, length)
    await disk.truncate(checksums, checksumFileBytes(length, sum))
    await Promise.all([disk.sync(data), disk.sync(checksums)])
    return length
  } finally {
    await Promise.all([disk.close(data), disk.close(checksums)])
  }
}

async function goodLength(disk: Disk, data: number, checksums: number, sum: Checksummer): Promise<number> {
  const size = await disk.size(data)
  if (sum.crc === undefined) return size
  const { bytesPerChunk, crc } = sum
  const chunks = Math.max(1, Math.floor(checkBytes / bytesPerChunk))
  const bytes = Buffer.alloc(chunks * bytesPerChunk)
  const sums = Buffer.alloc(chunks * 4)
  let good = 0
  for (;;) {
    const got = await disk.read(data, bytes, 0, Math.min(bytes.length, size - good), good)
    const sumsGot = await disk.read(checksums, sums, 0, sums.length, headerBytes + (good / bytesPerChunk) * 4)
    for (let from = 0; from < got; from += bytesPerChunk) {
      const at = (from / bytesPerChunk) * 4
      const chunk = bytes.subarray(from, Math.min(got, from + bytesPerChunk))
      if (at + 4 > sumsGot || sums.readUInt32BE(at) !== crc(chunk)) return good
      good += chunk.length
    }
    if (got < bytes.length) return good
  }
}

async function empty(disk: Disk, directory: string): Promise<void> {
  for (const { name } of await disk.readdir(directory)) await disk.remove(join(directory, name))
}

/** The block files below a directory that is `depth` levels deep. */
async function listBlocks(disk: Disk, root: string, depth: number, found = new Map<number, Found>()): Promise<Map<number, Found>> {
  for (const { name, isDirectory, size } of await listFiles(disk, root)) {
    if (isDirectory) {
      if (depth > 0) await listBlocks(disk, join(root, name), depth - 1, found)
      continue
    }
    const parsed = parseName(name)
    if (parsed === undefined) continue
    let block = found.get(parsed.blockId)
    if (block === undefined) found.set(parsed.blockId, (block = { checksums: [] }))
    if (parsed.kind === 'data') block.data = { directory: root, size }
    else block.checksums.push({ directory: root, genstamp: parsed.genstamp, size })
  }
  return found
}

async function listFiles(disk: Disk, directory: string): Promise<readonly ListedFile[]> {
  if (disk.list !== undefined) return disk.list(directory)
  const found: ListedFile[] = []
  for (const { name, isDirectory } of await disk.readdir(directory)) {
    try {
      found.push({ name, isDirectory, size: isDirectory ? 0 : (await disk.stat(join(directory, name))).size })
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
  return found
}
