// One process for a directory. The lock is a SQLite database of its own, held exclusively: the operating system lets go of it when
// the process ends, however it ends. A file beside it names the owner for people.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { QuarryError } from '../../common/errors.ts'
import { isNoRoom } from './room.ts'

/** Takes the lock or throws IN_USE with the owner's pid; the result lets go of it. */
export function lockDirectory(directory: string): () => void {
  const ownerFile = join(directory, 'in_use.pid')
  let database: Database.Database | undefined
  try {
    database = new Database(join(directory, 'in_use.lock'), { timeout: 0 })
    database.pragma('journal_mode = MEMORY')
    database.pragma('locking_mode = EXCLUSIVE')
    database.exec('BEGIN EXCLUSIVE')
    nameOwner(ownerFile)
  } catch (error) {
    database?.close()
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code.startsWith('SQLITE_BUSY')) {
      const pid = ownerOf(ownerFile)
      throw new QuarryError(
        'IN_USE',
        `${directory} is in use by process ${pid}. Stop that namenode first, or choose another directory.`,
        { directory, pid },
        { cause: error },
      )
    }
    throw new QuarryError(
      'CONFIG',
      `${directory} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      { directory },
      { cause: error },
    )
  }
  const held = database
  return () => {
    rmSync(ownerFile, { force: true })
    held.close()
  }
}

/** A disk without room for a few bytes keeps nobody from reading what is on it. */
function nameOwner(file: string): void {
  try {
    writeFileSync(file, `${process.pid}\n`)
  } catch (error) {
    if (!isNoRoom(error)) throw error
  }
}

function ownerOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim() || '(unknown)'
  } catch {
    return '(unknown)'
  }
}
