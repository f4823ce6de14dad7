// The file system of this machine. Plain descriptors and callbacks: node:fs/promises makes an object for every read and write.
import fs from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Disk, DiskSpace, FileFacts, ListedFile } from './disk.ts'
import { takeLock } from './process-lock.ts'

/** Pieces that one writev may take: IOV_MAX of Linux. */
const piecesMax = 1024

const fstat = promisify(fs.fstat)
const statfs = promisify(fs.statfs)

export class RealDisk implements Disk {
  readonly open = promisify(fs.open) as (path: string, flags: string) => Promise<number>
  readonly close: (fd: number) => Promise<void> = promisify(fs.close)
  readonly truncate: (fd: number, length: number) => Promise<void> = promisify(fs.ftruncate)
  readonly sync: (fd: number) => Promise<void> = promisify(fs.fsync)
  readonly syncData: (fd: number) => Promise<void> = promisify(fs.fdatasync)
  readonly rename: (from: string, to: string) => Promise<void> = promisify(fs.rename)
  readonly unlink: (path: string) => Promise<void> = promisify(fs.unlink)
  readonly link: (existing: string, path: string) => Promise<void> = promisify(fs.link)

  read(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
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

  write(fd: number, data: Uint8Array, position: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let done = 0
      const step = () => {
        fs.write(fd, data, done, data.length - done, position + done, (error, bytes) => {
          if (error) return reject(error)
          done += bytes
          if (done === data.length) resolve()
          else step()
        })
      }
      if (data.length === 0) resolve()
      else step()
    })
  }

  /** In as few calls as possible. */
  async writePieces(fd: number, pieces: readonly Uint8Array[], length: number, position: number): Promise<void> {
    if (pieces.length <= 1) return pieces[0] === undefined ? undefined : this.write(fd, pieces[0], position)
    const some = pieces.length > piecesMax ? pieces.slice(0, piecesMax) : pieces
    const written = await new Promise<number>((resolve, reject) => {
      fs.writev(fd, some, position, (error, bytes) => (error ? reject(error) : resolve(bytes)))
    })
    if (written === length) return
    // A short write: go on after what was taken.
    let skip = written
    const rest: Uint8Array[] = []
    for (const piece of pieces) {
      if (skip < piece.length) rest.push(skip > 0 ? piece.subarray(skip) : piece)
      skip = Math.max(0, skip - piece.length)
    }
    return this.writePieces(fd, rest, length - written, position + written)
  }

  async size(fd: number): Promise<number> {
    return (await fstat(fd)).size
  }

  async syncDirectory(path: string): Promise<void> {
    const fd = await this.open(path, 'r')
    try {
      await this.sync(fd)
    } finally {
      await this.close(fd)
    }
  }

  remove(path: string): Promise<void> {
    return fs.promises.rm(path, { recursive: true, force: true })
  }

  mkdir(path: string): Promise<string | undefined> {
    return fs.promises.mkdir(path, { recursive: true })
  }

  async readdir(path: string): Promise<readonly { readonly name: string; readonly isDirectory: boolean }[]> {
    const entries = await fs.promises.readdir(path, { withFileTypes: true })
    return entries.map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() })).sort(byName)
  }

  async list(path: string): Promise<readonly ListedFile[]> {
    const found: ListedFile[] = []
    for (const { name, isDirectory } of await this.readdir(path)) {
      // One directory at a time without waiting: a promise for each of two million files would take ten times as long.
      const size = isDirectory ? 0 : fs.statSync(join(path, name), { throwIfNoEntry: false })?.size
      if (size !== undefined) found.push({ name, isDirectory, size })
    }
    return found
  }

  async stat(path: string): Promise<FileFacts> {
    const found = await fs.promises.stat(path)
    return { size: found.size, mtimeMs: found.mtimeMs, isDirectory: found.isDirectory() }
  }

  async space(path: string): Promise<DiskSpace> {
    const { blocks, bavail, bsize } = await statfs(path)
    return { total: blocks * bsize, free: bavail * bsize }
  }

  readFile(path: string): Promise<Uint8Array> {
    return fs.promises.readFile(path)
  }

  async lock(directory: string): Promise<() => void> {
    return takeLock(directory)
  }
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}
