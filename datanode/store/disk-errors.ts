// What a failed file call means: the file is not there, the disk is full, or the disk itself is in doubt.
import { isQuarryError, QuarryError } from '../../common/errors.ts'

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && !isQuarryError(error) ? (error as NodeJS.ErrnoException).code : undefined
}

export function isMissing(error: unknown): boolean {
  return errnoOf(error) === 'ENOENT'
}

export function isFull(error: unknown): boolean {
  const code = errnoOf(error)
  return code === 'ENOSPC' || code === 'EDQUOT'
}

/** The error as the pipeline understands it: a full disk is DISK_FULL, everything else stays what it is. */
export function diskError(error: unknown): Error {
  if (isFull(error)) return new QuarryError('DISK_FULL', `The disk is full: ${(error as Error).message}`)
  return error as Error
}

/** What a disk says that is broken, gone, or only half there. Not: too many open files, no memory, a name that exists. */
const doubtful = new Set([
  'EIO',
  'EROFS',
  'ENOENT',
  'ENOTDIR',
  'ENODEV',
  'ENXIO',
  'ESTALE',
  'EACCES',
  'EPERM',
  'EREMOTEIO',
  'ETIMEDOUT',
  'EUCLEAN',
])

/**
 * Whether a failed file call casts doubt on its disk, so that the disk is to be looked at. A missing file does too: it may be all that
 * is seen of a disk that went away.
 */
export function doubtsDisk(error: unknown): boolean {
  const code = errnoOf(error)
  return code !== undefined && (doubtful.has(code) || code.startsWith('Unknown system error'))
}

/** Whether these very bytes cannot be read, wherever else the disk is well: the replica is damaged. */
export function isUnreadable(error: unknown): boolean {
  return doubtsDisk(error) && ['EIO', 'EREMOTEIO', 'EUCLEAN'].includes(errnoOf(error)!)
}
