// What SQLite throws, as errors that say what to do.
//
// Lack of room is told from a failing disk: after the first nothing is changed and the store goes on, after the second nobody knows
// what is on the disk. SQLite knows only ENOSPC as lack of room; a quota and a limit on the size of files look like any failed
// write, so those are told by trying. A failed fsync is never taken for lack of room: what it covered may be gone.
import { QuarryError } from '../../common/errors.ts'

/** `refusesMore`: whether a write to the directory fails for lack of room. */
export function explain(error: unknown, refusesMore: () => boolean = () => false): unknown {
  if (error instanceof QuarryError || !(error instanceof Error) || !('code' in error)) return error
  const code = String(error.code)
  if (code === 'SQLITE_FULL' || code === 'ENOSPC' || (code === 'SQLITE_IOERR_WRITE' && refusesMore())) {
    return new QuarryError(
      'DISK_FULL',
      'The disk of the namenode is full: nothing was changed. Make room in its directory.',
      {},
      { cause: error },
    )
  }
  if (code.startsWith('SQLITE_IOERR')) {
    // After a failed fsync nobody knows what is on the disk: the engine must stop, and a restart finds out.
    return new QuarryError(
      'INTERNAL',
      `the disk of the namenode fails (${code}). Check its health, then start the namenode again.`,
      {},
      { cause: error },
    )
  }
  if (code.startsWith('SQLITE_BUSY'))
    return new QuarryError('IN_USE', 'The database of the namenode is in use by another process.', {}, { cause: error })
  if (code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_CANTOPEN')) {
    return new QuarryError(
      'CONFIG',
      `The database of the namenode cannot be written: ${error.message}. Check the rights of its directory.`,
      {},
      { cause: error },
    )
  }
  if (isDamage(error)) return damaged(error.message, error)
  return error
}

/** At the opening also a schema that is not the one its number stands for is damage: a table or a column is gone. */
export function explainOpening(error: unknown): unknown {
  return error instanceof Error && 'code' in error && error.code === 'SQLITE_ERROR' ? damaged(error.message, error) : explain(error)
}

export function isDamage(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  const code = String(error.code)
  return code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')
}

export function damaged(what: string, cause?: unknown): QuarryError {
  return new QuarryError(
    'CONFIG',
    `The database of the namenode is damaged: ${what}. Keep its directory as it is and restore a backup into another one: quarry admin restore BACKUP --into DIR.`,
    {},
    { cause },
  )
}
