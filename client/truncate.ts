// Cuts a file. At a block boundary the namenode drops blocks; inside a block the kept part of that block is copied into a file
// beside it (the tail), which the namenode then puts in the place of the block and everything behind it, in one step. No block ever
// shrinks in place, so no replica anywhere can disagree with its checksums. The directory must be writable for that.
import { QuarryError, isQuarryError } from '../common/errors.ts'
import type { Random } from '../common/env.ts'
import { parentOf } from '../common/path.ts'
import type { FileSystem, VerbOptions } from './filesystem.ts'

/** The file may change while its tail is copied; then it is copied again. */
const attemptsMax = 3
/** A tail that does not fit any more is answered with RETRY_LATER, which the session would repeat as it is. */
const truncateDeadlineMs = 2_000

/** See FileSystem.truncate. */
export async function truncate(
  fs: FileSystem,
  path: string,
  newLength: number,
  holder: string,
  random: Random,
  options?: VerbOptions,
): Promise<boolean> {
  const absolute = fs.resolve(path)
  for (let attempt = 1; ; attempt++) {
    const cut = await cutAtBoundary(fs, absolute, newLength, holder, options)
    if (typeof cut === 'boolean') return cut
    const directory = parentOf(absolute)
    const tail = `${directory === '/' ? '' : directory}/._TRUNCATE_${Buffer.from(random.bytes(8)).toString('hex')}`
    try {
      await copyTail(fs, absolute, tail, cut.start, newLength, options)
      const request = { path: absolute, newLength, holder, tailPath: tail, tailOfBlock: cut.blockId }
      return (await fs.namenode.call('truncate', request, { ...options, deadlineMs: truncateDeadlineMs })).value
    } catch (error) {
      await fs.delete(tail).catch(() => {})
      if (!isQuarryError(error, 'RETRY_LATER') || attempt >= attemptsMax) throw error
    }
  }
}

/** Whether that was all, or which block is to be cut from which offset of the file. */
async function cutAtBoundary(
  fs: FileSystem,
  path: string,
  newLength: number,
  holder: string,
  options?: VerbOptions,
): Promise<boolean | { blockId: number; start: number }> {
  try {
    return (await fs.namenode.call('truncate', { path, newLength, holder }, options)).value
  } catch (error) {
    if (!isQuarryError(error, 'UNSUPPORTED')) throw error
    const { blockId, start } = error.details
    if (typeof blockId !== 'number' || typeof start !== 'number') throw error
    return { blockId, start }
  }
}

async function copyTail(fs: FileSystem, path: string, tail: string, start: number, end: number, options?: VerbOptions): Promise<void> {
  const signal = options?.signal
  await using reader = await fs.open(path, { ...(signal && { signal }) })
  if (reader.length < end) throw new QuarryError('RETRY_LATER', `${path} became shorter while it was being cut.`, { path })
  const { blockSize, replication } = reader.info
  await fs.writeFile(tail, reader.stream({ start, end }), {
    overwrite: false,
    createParent: false,
    blockSize,
    replication,
    permission: 0o600,
    signal,
  })
}
