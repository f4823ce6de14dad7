// File calls of the block store. Plain descriptors and callbacks: node:fs/promises makes an object for every read and write.
import fs from 'node:fs'
import { promisify } from 'node:util'
import { QuarryError } from '../../common/errors.ts'

export const openFile = promisify(fs.open) as (path: string, flags: string, mode?: number) => Promise<number>
export const closeFile: (fd: number) => Promise<void> = promisify(fs.close)
export const truncateFile: (fd: number, length: number) => Promise<void> = promisify(fs.ftruncate)
export const syncFile: (fd: number) => Promise<void> = promisify(fs.fsync)
export const syncFileData: (fd: number) => Promise<void> = promisify(fs.fdatasync)

/** Reads `length` bytes at `position` into buffer[offset…]; answers fewer only at the end of the file. */
export function readAt(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let done = 0
    const step = () => {
      fs.read(fd, buffer, offset + done, length - done, position + done, (error, bytes) => {
        if (error) return reject(error)
        done += bytes
        if (bytes === 0 || done === length) resolve(done)
        else step()
      })
    }
    if (length === 0) resolve(0)
    else step()
  })
}

/** Writes all of `data` at `position`. A full disk is DISK_FULL. */
export function writeAt(fd: number, data: Uint8Array, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let done = 0
    const step = () => {
      fs.write(fd, data, done, data.length - done, position + done, (error, bytes) => {
        if (error) return reject(diskError(error))
        done += bytes
        if (done === data.length) resolve()
        else step()
      })
    }
    if (data.length === 0) resolve()
    else step()
  })
}

/** Pieces that one writev may take: IOV_MAX of Linux. */
const piecesMax = 1024

/** Writes pieces one after another at `position`, in as few calls as possible. */
export async function writePiecesAt(fd: number, pieces: readonly Uint8Array[], length: number, position: number): Promise<void> {
  if (pieces.length <= 1) return pieces[0] === undefined ? undefined : writeAt(fd, pieces[0], position)
  const some = pieces.length > piecesMax ? pieces.slice(0, piecesMax) : pieces
  const written = await new Promise<number>((resolve, reject) => {
    fs.writev(fd, some, position, (error, bytes) => (error ? reject(diskError(error)) : resolve(bytes)))
  })
  if (written === length) return
  // A short write: go on after what was taken.
  let skip = written
  const rest: Uint8Array[] = []
  for (const piece of pieces) {
    if (skip < piece.length) rest.push(skip > 0 ? piece.subarray(skip) : piece)
    skip = Math.max(0, skip - piece.length)
  }
  return writePiecesAt(fd, rest, length - written, position + written)
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const fd = await openFile(path, 'r')
  try {
    await syncFile(fd)
  } finally {
    await closeFile(fd)
  }
}

export function diskError(error: NodeJS.ErrnoException): Error {
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT') return new QuarryError('DISK_FULL', `The disk is full: ${error.message}`)
  return error
}

export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
}
