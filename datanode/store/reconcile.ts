// Holds the files of one directory of finalised replicas against what the store knows. HDFS's DirectoryScanner decides the same cases.
//
//   known, finalised   its data file is missing             lost: forgotten, and reported as deleted
//                      its checksum file is missing         bad
//                      a file is shorter or longer          bad
//   not known          data, checksums, and all match       adopted and reported; the namenode knows whether it is wanted
//                      data, but something is missing or bad    left where it is, for an operator
//                      checksums only                       removed
//
// Whatever is being written, removed or moved at that moment is left alone: the record is looked at again after the files.
import { join } from 'node:path'
import { chunkBytes } from '../../common/limits.ts'
import { checksumFileBytes, decodeHeader, headerBytes } from './checksum-file.ts'
import { isMissing } from './disk-errors.ts'
import type { Disk } from './disk.ts'
import { checksumName, dataName, parseName } from './layout.ts'
import type { ReplicaRecord } from './replica-record.ts'

/** What the files of a block look like in one directory. */
export interface BlockFiles {
  readonly blockId: number
  data: boolean
  readonly checksums: number[]
}

export type Finding =
  | { readonly kind: 'lost'; readonly replica: ReplicaRecord }
  | { readonly kind: 'bad'; readonly replica: ReplicaRecord; readonly reason: string }
  | { readonly kind: 'unknown'; readonly blockId: number; readonly genstamp: number; readonly length: number; readonly bytes: number }
  | { readonly kind: 'stray'; readonly blockId: number; readonly paths: readonly string[]; readonly reason: string }
  | { readonly kind: 'orphan'; readonly blockId: number; readonly paths: readonly string[] }

/** The block files of a directory; missing directories are empty. */
export async function listBlockFiles(disk: Disk, directory: string): Promise<Map<number, BlockFiles>> {
  const found = new Map<number, BlockFiles>()
  let entries: readonly { readonly name: string; readonly isDirectory: boolean }[]
  try {
    entries = await disk.readdir(directory)
  } catch (error) {
    if (isMissing(error)) return found
    throw error
  }
  for (const { name, isDirectory } of entries) {
    const parsed = isDirectory ? undefined : parseName(name)
    if (parsed === undefined) continue
    let files = found.get(parsed.blockId)
    if (files === undefined) found.set(parsed.blockId, (files = { blockId: parsed.blockId, data: false, checksums: [] }))
    if (parsed.kind === 'data') files.data = true
    else files.checksums.push(parsed.genstamp)
  }
  return found
}

/** What is wrong with a finalised replica that is known; undefined = nothing, or it changed while it was looked at. */
export async function examineKnown(
  disk: Disk,
  directory: string,
  replica: ReplicaRecord,
  same: () => boolean,
): Promise<Finding | undefined> {
  const { blockId, genstamp, length } = replica
  const size = await sizeOf(disk, join(directory, dataName(blockId)))
  const finding = (reason: string): Finding | undefined => (same() ? { kind: 'bad', replica, reason } : undefined)
  if (size === undefined) return same() ? { kind: 'lost', replica } : undefined
  if (size !== length) return finding(`its file has ${size} bytes instead of ${length}`)
  const checksumPath = join(directory, checksumName(blockId, genstamp))
  const sums = await sizeOf(disk, checksumPath)
  if (sums === undefined) return finding('its checksum file is missing')
  // The header is read only where the size is not the usual one: opening a million files is not what this is for.
  if (sums === headerBytes + Math.ceil(length / chunkBytes) * 4) return undefined
  const sum = await headerOf(disk, checksumPath)
  if (sum === undefined) return finding('its checksum file is damaged')
  const wanted = checksumFileBytes(length, sum)
  return sums === wanted ? undefined : finding(`its checksum file has ${sums} bytes instead of ${wanted}`)
}

/** Files of a block that no record knows. */
export async function examineUnknown(disk: Disk, directory: string, files: BlockFiles): Promise<Finding | undefined> {
  const { blockId } = files
  const data = join(directory, dataName(blockId))
  const checksums = files.checksums.sort((a, b) => b - a).map((genstamp) => join(directory, checksumName(blockId, genstamp)))
  if (!files.data) return { kind: 'orphan', blockId, paths: checksums }
  const length = await sizeOf(disk, data)
  if (length === undefined) return undefined
  const paths = [data, ...checksums]
  const [newest] = checksums
  if (newest === undefined) return { kind: 'stray', blockId, paths, reason: 'it has no checksums' }
  const sum = await headerOf(disk, newest)
  if (sum === undefined) return { kind: 'stray', blockId, paths, reason: 'its checksum file is damaged' }
  const sums = checksumFileBytes(length, sum)
  if ((await sizeOf(disk, newest)) !== sums) return { kind: 'stray', blockId, paths, reason: 'its two files do not belong together' }
  return { kind: 'unknown', blockId, genstamp: files.checksums[0]!, length, bytes: length + sums }
}

async function sizeOf(disk: Disk, path: string): Promise<number | undefined> {
  try {
    return (await disk.stat(path)).size
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

async function headerOf(disk: Disk, path: string): Promise<ReturnType<typeof decodeHeader>> {
  const header = Buffer.alloc(headerBytes)
  let fd: number
  try {
    fd = await disk.open(path, 'r')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  try {
    return decodeHeader(header.subarray(0, await disk.read(fd, header, 0, headerBytes, 0)))
  } finally {
    await disk.close(fd)
  }
}
