// How the namespace's database is opened and checkpointed.
//
// What is committed goes to the WAL first and is synced there; a checkpoint copies it to the main file when the WAL has
// `checkpointPages` pages. SQLite checkpoints at the end of a commit and says nothing when that fails: the WAL then grows, which
// Upkeep (workers/store-upkeep.ts) notices and does something about.
import Database from 'better-sqlite3'
import { isQuarryError } from '../../common/errors.ts'
import { damaged, explain } from './sqlite-errors.ts'
import { migrate } from './schema.ts'

/** 16 MiB of 4 KiB pages. */
export const checkpointPages = 4000

export interface OpenDatabaseOptions {
  /** Bytes of SQLite's page cache. */
  readonly pageCacheBytes: number
  /** Pages that the database may have: a small disk, for tests. */
  readonly pagesMax?: number | undefined
  /** Reads every page and checks its structure first. */
  readonly quickCheck?: boolean | undefined
}

export function openDatabase(path: string, options: OpenDatabaseOptions): Database.Database {
  let database: Database.Database | undefined
  try {
    database = new Database(path)
    // The lock of the directory keeps other processes out; without sharing, SQLite keeps the WAL's index in this process's memory.
    database.pragma('locking_mode = EXCLUSIVE')
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = FULL')
    database.pragma(`cache_size = ${-Math.max(1024, Math.floor(options.pageCacheBytes / 1024))}`)
    database.pragma(`wal_autocheckpoint = ${checkpointPages}`)
    database.pragma('temp_store = MEMORY')
    if (options.pagesMax !== undefined) database.pragma(`max_page_count = ${options.pagesMax}`)
    if (options.quickCheck === true) quickCheck(database)
    migrate(database, path)
    return database
  } catch (error) {
    database?.close()
    const explained = explain(error)
    // What else SQLite finds wrong with a file before anything was asked of it: no format that it knows, a page size that cannot be.
    throw isQuarryError(explained) || !(error instanceof Database.SqliteError) ? explained : damaged(error.message, error)
  }
}

/** Throws when the structure of the database is broken. Takes about a second for each 500 MB. */
function quickCheck(database: Database.Database): void {
  const found = database.pragma('quick_check(1)', { simple: true })
  if (found !== 'ok') throw damaged(String(found))
}
