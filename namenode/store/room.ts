// Room on the disk of a directory: how much the file system says is free, and whether it really takes more. The two differ where a
// quota or a limit on the size of files comes before the end of the disk.
import { closeSync, fsyncSync, ftruncateSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** What a refused write is tried again with: 16 pages, as a small commit has. */
const trialBytes = 64 * 1024

/** Bytes that an ordinary user may still write to the file system of a directory. */
export function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize
}

/** Bytes of a file; 0 when there is none. */
export function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

/**
 * Whether a file of `size` bytes cannot grow here for lack of room (disk, quota, limit of a file's size), told by trying it on a
 * sparse file beside it. Any other failure is not for lack of room.
 */
export function refusesMore(directory: string, size: number): boolean {
  const file = join(directory, 'room.trial')
  let fd: number | undefined
  try {
    fd = openSync(file, 'w')
    for (let written = 0; written < trialBytes;) written += writeSync(fd, Buffer.alloc(trialBytes - written), 0, trialBytes - written, size)
    fsyncSync(fd)
    return false
  } catch (error) {
    return isNoRoom(error)
  } finally {
    if (fd !== undefined) {
      ftruncateSync(fd)
      closeSync(fd)
      rmSync(file, { force: true })
    }
  }
}

export function isNoRoom(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(String(error.code))
}
