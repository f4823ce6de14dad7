// Stores that no namenode runs on: the directory of a stopped one, or a backup. They are looked at as copies in a temporary
// directory, so that nothing in them changes: opening a database takes its WAL in and may bring its schema up to date.
import { constants, copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { QuarryError } from '../../common/errors.ts'
import type { EditRecord } from '../core/edits.ts'
import { inspect } from './inspect.ts'
import type { Inspection } from './inspect.ts'
import { lockDirectory } from './lock.ts'
import { databaseFile } from './manifest.ts'
import { isNoRoom } from './room.ts'
import { SqliteStore } from './sqlite-store.ts'

/** Edits that are read at once. */
const editsPage = 1000

/** Structure, rules and checksum of the store in a directory. Throws IN_USE while a namenode runs on it. */
export function inspectOffline(directory: string): Inspection {
  return withCopy(directory, inspect)
}

/** The edits of a store after a transaction, in order, and where its log begins and ends. */
export function* editsOffline(directory: string, afterTxid: number): Generator<EditRecord[], void> {
  const copy = copyOf(directory)
  try {
    const store = new SqliteStore({ directory: copy, cacheEntries: editsPage, pageCacheBytes: 1024 * 1024 })
    try {
      for (let after = afterTxid; ;) {
        const page = store.editsAfter(after, editsPage)
        if (page.length === 0) return
        yield page
        after = page.at(-1)!.txid
      }
    } finally {
      store.close()
    }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function withCopy<T>(directory: string, work: (copy: string) => T): T {
  const copy = copyOf(directory)
  try {
    return work(copy)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function copyOf(directory: string): string {
  const database = join(directory, databaseFile)
  if (!existsSync(database)) {
    throw new QuarryError('NOT_FOUND', `${directory} has no ${databaseFile}: it is neither the directory of a namenode nor a backup.`)
  }
  // A backup has never been locked and gets no lock file from us.
  const unlock = existsSync(join(directory, 'in_use.lock')) ? lockDirectory(directory) : undefined
  let copy: string | undefined
  try {
    copy = mkdtempSync(join(tmpdir(), 'quarry-store-copy-'))
    for (const name of [databaseFile, `${databaseFile}-wal`]) {
      const file = join(directory, name)
      if (existsSync(file)) copyFileSync(file, join(copy, name), constants.COPYFILE_FICLONE)
    }
    return copy
  } catch (error) {
    if (copy !== undefined) rmSync(copy, { recursive: true, force: true })
    if (!isNoRoom(error)) throw error
    throw new QuarryError('DISK_FULL', `${tmpdir()} has no room for a copy of ${database}. Set TMPDIR to a directory on a larger disk.`)
  } finally {
    unlock?.()
  }
}
