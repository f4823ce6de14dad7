// The local side of put and get.
import { constants } from 'node:fs'
import { chmod, chown, mkdir, open, readdir, rename, rm, rmdir, stat, unlink, utimes } from 'node:fs/promises'
import type { Stats } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { QuarryError } from '../../common/errors.ts'
import type { ErrorCode } from '../../common/errors.ts'
import type { Stat, Store, WriteOptions, WriteSource } from './store.ts'

/** Large reads are what keeps a pipeline busy; two of them, so that one is filled while the other is sent. */
const readBytes = 1024 * 1024

export class LocalStore implements Store {
  readonly uri = 'file:///'
  readonly #cwd: string

  constructor(cwd: string = process.cwd()) {
    this.#cwd = cwd
  }

  qualify(path: string): string {
    return `file:${path}`
  }

  /** Absolute path of what the user typed. */
  resolve(text: string): string {
    return resolve(this.#cwd, text)
  }

  async stat(path: string): Promise<Stat | undefined> {
    try {
      return localStat(path, await stat(path))
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
      throw localFailure(error)
    }
  }

  async *list(path: string): AsyncIterable<Stat> {
    const names = await guard(readdir(path))
    for (const name of names.toSorted()) {
      const entry = await this.stat(join(path, name))
      if (entry) yield { ...entry, name }
    }
  }

  async mkdirs(path: string): Promise<void> {
    await guard(mkdir(path, { recursive: true }))
  }

  async delete(path: string, recursive: boolean): Promise<boolean> {
    try {
      if (recursive) await rm(path, { recursive: true })
      else if ((await stat(path)).isDirectory()) await rmdir(path)
      else await unlink(path)
      return true
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false
      throw localFailure(error)
    }
  }

  async rename(source: string, target: string): Promise<boolean> {
    await guard(rename(source, target))
    return true
  }

  async read(path: string): Promise<WriteSource> {
    const handle = await guard(open(path, constants.O_RDONLY))
    const { size } = await handle.stat()
    let closed: Promise<void> | undefined
    return { length: size, bytes: readAhead(handle), close: () => (closed ??= handle.close()) }
  }

  async write(path: string, source: WriteSource, options: WriteOptions = {}): Promise<void> {
    const handle = await guard(open(path, 'w'))
    let written = 0
    try {
      for await (const bytes of source.bytes) {
        options.signal?.throwIfAborted()
        await guard(writeAll(handle, bytes))
        written += bytes.length
        options.onBytes?.(written)
      }
    } finally {
      await guard(handle.close())
    }
  }

  async setTimes(path: string, mtimeMs: number, atimeMs: number): Promise<void> {
    await guard(utimes(path, atimeMs / 1000, mtimeMs / 1000))
  }

  /** Only root may give files away, and names need not exist here: as cp -p does, what cannot be kept is left. */
  async setOwner(path: string, owner: string, group: string): Promise<void> {
    const { lookUpIds } = await import('./local-users.ts')
    const ids = await lookUpIds(owner, group)
    if (ids && process.getuid?.() === 0) await guard(chown(path, ids.uid, ids.gid))
  }

  async setPermission(path: string, permission: number): Promise<void> {
    await guard(chmod(path, permission))
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let at = 0
  while (at < bytes.length) at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten
}

/** Bytes of a file, the next part being read while the last one is used. A part is valid until the next is asked for. */
async function* readAhead(handle: FileHandle): AsyncGenerator<Uint8Array, void, undefined> {
  const buffers = [Buffer.allocUnsafe(readBytes), Buffer.allocUnsafe(readBytes)] as const
  const fill = (turn: number): Promise<Uint8Array> => {
    const buffer = buffers[turn % 2] as Buffer
    return handle.read(buffer, 0, readBytes, null).then(({ bytesRead }) => buffer.subarray(0, bytesRead))
  }
  let pending = fill(0)
  try {
    for (let turn = 1; ; turn++) {
      const part = await guard(pending)
      if (part.length === 0) return
      pending = fill(turn)
      yield part
    }
  } finally {
    await pending.catch(() => {}) // told already, or nobody wants to know
  }
}

function localStat(path: string, found: Stats): Stat {
  return {
    name: path.slice(path.lastIndexOf('/') + 1),
    isDirectory: found.isDirectory(),
    length: found.isDirectory() ? 0 : found.size,
    permission: found.mode & 0o1777,
    owner: String(found.uid),
    group: String(found.gid),
    mtimeMs: Math.floor(found.mtimeMs),
    atimeMs: Math.floor(found.atimeMs),
    replication: found.isDirectory() ? 0 : 1,
    blockSize: 0,
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

const codes: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'NOT_FOUND',
  ENOTDIR: 'NOT_A_DIRECTORY',
  EISDIR: 'IS_A_DIRECTORY',
  EEXIST: 'ALREADY_EXISTS',
  EACCES: 'PERMISSION_DENIED',
  EPERM: 'PERMISSION_DENIED',
  ENOSPC: 'DISK_FULL',
  ENOTEMPTY: 'NOT_EMPTY',
  ENAMETOOLONG: 'NAME_TOO_LONG',
}

const texts: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  ENOTDIR: 'Not a directory',
  EISDIR: 'Is a directory',
  EACCES: 'Permission denied',
  EPERM: 'Operation not permitted',
  ENOSPC: 'No space left on device',
  EROFS: 'Read-only file system',
}

/** As Java words it: `/a/b (Permission denied)`. */
function localFailure(error: unknown): unknown {
  const errno = codeOf(error)
  if (!(error instanceof Error) || errno === '' || error instanceof QuarryError) return error
  const path = 'path' in error ? String(error.path) : ''
  return new QuarryError(
    codes[errno] ?? 'INTERNAL',
    path === '' ? (texts[errno] ?? error.message) : `${path} (${texts[errno] ?? error.message})`,
    { path },
    { cause: error },
  )
}

async function guard<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw localFailure(error)
  }
}
