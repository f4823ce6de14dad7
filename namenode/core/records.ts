// Makes new versions of records. Records are never changed in place; every one of a kind is built with the same fields in the
// same order, which keeps the engine's hot path on one hidden class.
import type { BlockRecord, BlockState, DirectoryInode, DirectoryTotals, FileInode } from './model.ts'

export function makeDirectory(
  id: number,
  parentId: number,
  name: string,
  permission: number,
  owner: string,
  group: string,
  mtimeMs: number,
  atimeMs: number,
  totals: DirectoryTotals,
  children: number,
  nameQuota: number,
  spaceQuota: number,
  flags = 0,
): DirectoryInode {
  return {
    kind: 'directory',
    id,
    parentId,
    name,
    permission,
    owner,
    group,
    mtimeMs,
    atimeMs,
    flags,
    totals,
    children,
    nameQuota,
    spaceQuota,
  }
}

export function makeFile(
  id: number,
  parentId: number,
  name: string,
  permission: number,
  owner: string,
  group: string,
  mtimeMs: number,
  atimeMs: number,
  replication: number,
  blockSize: number,
  length: number,
  storagePolicy: number,
  holder: string,
  flags = 0,
): FileInode {
  return {
    kind: 'file',
    id,
    parentId,
    name,
    permission,
    owner,
    group,
    mtimeMs,
    atimeMs,
    flags,
    replication,
    blockSize,
    length,
    storagePolicy,
    holder,
  }
}

export function makeBlock(
  blockId: number,
  fileId: number,
  index: number,
  genstamp: number,
  length: number,
  state: BlockState,
): BlockRecord {
  return { blockId, fileId, index, genstamp, length, state }
}

/** The totals of a directory that holds nothing: itself. */
export const emptyTotals: DirectoryTotals = { files: 0, directories: 1, bytes: 0, space: 0 }

export function patchFile(file: FileInode, patch: Partial<Omit<FileInode, 'kind' | 'id'>>): FileInode {
  return { ...file, ...patch }
}

export function patchDirectory(directory: DirectoryInode, patch: Partial<Omit<DirectoryInode, 'kind' | 'id'>>): DirectoryInode {
  return { ...directory, ...patch }
}
