// From the wire's file records to the SDK's FileInfo: one by one, and a listing page's columns at once.
import { FileKind, type FileStatus, type ListingReply } from '../proto/ports.ts'
import { nameOf } from '../common/path.ts'
import type { FileInfo } from './types.ts'

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** `path` is absolute. */
export function fileInfoOf(path: string, status: FileStatus): FileInfo {
  const isDirectory = status.kind === FileKind.KIND_DIRECTORY
  return {
    kind: isDirectory ? 'directory' : 'file',
    path,
    name: nameOf(path),
    length: status.length,
    permission: status.permission,
    owner: status.owner,
    group: status.group,
    mtimeMs: status.mtimeMs,
    atimeMs: status.atimeMs,
    replication: status.replication,
    blockSize: status.blockSize,
    fileId: status.fileId,
    children: status.children,
    isOpen: status.underConstruction,
    hasAcl: (status.flags & 1) !== 0,
    storagePolicy: status.storagePolicy,
    isFile: !isDirectory,
    isDirectory,
  }
}

/** The entries of one listing page of `directory` (absolute). For the listing of a file: that file under its own path. */
export function listingEntries(directory: string, page: ListingReply): FileInfo[] {
  const prefix = directory === '/' ? '/' : `${directory}/`
  const entries: FileInfo[] = new Array<FileInfo>(page.entries)
  let nameAt = 0
  for (let i = 0; i < page.entries; i++) {
    const nameEnd = nameAt + (page.nameLengths[i] ?? 0)
    const name = page.isFile ? nameOf(directory) : decodeName(page.names, nameAt, nameEnd)
    nameAt = nameEnd
    const kindPermission = page.kindPermission[i]!
    const isDirectory = kindPermission >>> 16 === FileKind.KIND_DIRECTORY
    entries[i] = {
      kind: isDirectory ? 'directory' : 'file',
      path: page.isFile ? directory : prefix + name,
      name,
      length: page.length[i]!,
      permission: kindPermission & 0o7777,
      owner: page.principals[page.owner[i]!] ?? '',
      group: page.principals[page.group[i]!] ?? '',
      mtimeMs: page.mtimeMs[i]!,
      atimeMs: page.atimeMs[i]!,
      replication: page.replication[i]!,
      blockSize: page.blockSize[i]!,
      fileId: page.fileId[i]!,
      children: page.children[i]!,
      isOpen: (kindPermission & 0x8000) !== 0,
      hasAcl: (kindPermission & 0x4000) !== 0,
      storagePolicy: page.storagePolicy[i] ?? 0,
      isFile: !isDirectory,
      isDirectory,
    }
  }
  return entries
}

/** Short ASCII names are decoded by hand: a call into the decoder costs more than they do. */
function decodeName(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > 24) return decoder.decode(bytes.subarray(start, end))
  let name = ''
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    if (byte >= 0x80) return decoder.decode(bytes.subarray(start, end))
    name += String.fromCharCode(byte)
  }
  return name
}
