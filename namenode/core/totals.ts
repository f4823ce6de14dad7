// Subtree totals and quotas. Every directory carries the sums of its subtree, so that a change costs one step a level and a
// summary costs nothing; HDFS walks the tree for both.
import { assert } from '../../common/assert.ts'
import { QuarryError } from '../../common/errors.ts'
import type { DirectoryInode, DirectoryTotals, FileInode, Inode, NamespaceTx, NamespaceView } from './model.ts'
import { makeDirectory } from './records.ts'

/** Charges of a file: a block under construction costs a full block on every replica, as in HDFS. */
export function fileSpace(view: NamespaceView, file: FileInode): number {
  if (file.holder === '') return file.length * file.replication
  const last = view.blocks(file.id).at(-1)
  if (last === undefined || last.state === 'committed') return file.length * file.replication
  return (file.length - last.length + file.blockSize) * file.replication
}

/** What an inode and everything below it adds to the directories above. */
export function subtreeTotals(view: NamespaceView, inode: Inode): DirectoryTotals {
  if (inode.kind === 'directory') return inode.totals
  return { files: 1, directories: 0, bytes: inode.length, space: fileSpace(view, inode) }
}

/** Adds to the totals of a directory and of all above it. */
export function addTotals(tx: NamespaceTx, directoryId: number, files: number, directories: number, bytes: number, space: number): void {
  if (files === 0 && directories === 0 && bytes === 0 && space === 0) return
  for (let id = directoryId; id !== 0;) {
    const directory = tx.inode(id)
    assert(directory?.kind === 'directory', () => `no directory ${id} above a change`)
    tx.putInode(withTotals(directory, files, directories, bytes, space, 0, directory.mtimeMs))
    id = directory.parentId
  }
}

/** A child came or went: its directory's entries and time change, and the totals of all above. */
export function addEntry(
  tx: NamespaceTx,
  directoryId: number,
  entries: number,
  mtimeMs: number,
  files: number,
  directories: number,
  bytes: number,
  space: number,
): void {
  const directory = tx.inode(directoryId)
  assert(directory?.kind === 'directory', () => `no directory ${directoryId} for an entry`)
  tx.putInode(withTotals(directory, files, directories, bytes, space, entries, mtimeMs))
  if (directory.parentId !== 0) addTotals(tx, directory.parentId, files, directories, bytes, space)
}

function withTotals(
  d: DirectoryInode,
  files: number,
  directories: number,
  bytes: number,
  space: number,
  entries: number,
  mtimeMs: number,
): DirectoryInode {
  const totals = {
    files: d.totals.files + files,
    directories: d.totals.directories + directories,
    bytes: d.totals.bytes + bytes,
    space: d.totals.space + space,
  }
  return makeDirectory(
    d.id,
    d.parentId,
    d.name,
    d.permission,
    d.owner,
    d.group,
    mtimeMs,
    d.atimeMs,
    totals,
    d.children + entries,
    d.nameQuota,
    d.spaceQuota,
    d.flags,
  )
}

/**
 * Throws NAME_QUOTA or SPACE_QUOTA when adding `names` entries and `space` bytes (with all replicas) below `directory` would pass
 * a quota of it or of a directory above it, up to and without `untilId` (the common ancestor of a rename; 0 = all).
 */
export function checkQuota(view: NamespaceView, directory: DirectoryInode, names: number, space: number, untilId = 0): void {
  if (names <= 0 && space <= 0) return
  for (let at = directory; ;) {
    if (at.id === untilId) return
    if (at.nameQuota >= 0 || at.spaceQuota >= 0) checkOne(view, at, names, space)
    if (at.parentId === 0) return
    const above = view.inode(at.parentId)
    assert(above?.kind === 'directory', () => `no directory ${at.parentId} above ${at.id}`)
    at = above
  }
}

function checkOne(view: NamespaceView, directory: DirectoryInode, names: number, space: number): void {
  const { totals, nameQuota, spaceQuota } = directory
  const used = totals.files + totals.directories
  if (nameQuota >= 0 && names > 0 && used + names > nameQuota) {
    const path = pathOf(view, directory)
    throw new QuarryError(
      'NAME_QUOTA',
      `The NameSpace quota (directories and files) of directory ${path} is exceeded: quota=${nameQuota} file count=${used + names}`,
      { path, quota: nameQuota, count: used + names },
    )
  }
  if (spaceQuota >= 0 && space > 0 && totals.space + space > spaceQuota) {
    const path = pathOf(view, directory)
    const count = totals.space + space
    throw new QuarryError(
      'SPACE_QUOTA',
      `The DiskSpace quota of ${path} is exceeded: quota = ${spaceQuota} B = ${binaryPrefix(spaceQuota)} but diskspace consumed = ${count} B = ${binaryPrefix(count)}`,
      { path, quota: spaceQuota, count },
    )
  }
}

/** Sizes as Hadoop prints them in quota errors: `1 KB`, `1.50 KB`, `12 B`. */
export function binaryPrefix(bytes: number): string {
  let unit = 1
  let symbol = ''
  for (const next of ['K', 'M', 'G', 'T', 'P', 'E']) {
    if (bytes < unit * 1024) break
    unit *= 1024
    symbol = next
  }
  if (bytes % unit === 0) return `${bytes / unit} ${symbol}B`
  return `${(bytes / unit).toFixed(2)} ${symbol}B`
}

/** The absolute path of a record. */
export function pathOf(view: NamespaceView, inode: Inode): string {
  const names: string[] = []
  for (let at: Inode | undefined = inode; at !== undefined && at.parentId !== 0; at = view.inode(at.parentId)) names.push(at.name)
  return `/${names.reverse().join('/')}`
}
