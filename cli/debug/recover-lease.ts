// `debug recoverLease`: closes a file whose writer is gone, in the words of HDFS.
import { setTimeout as sleep } from 'node:timers/promises'
import type { FileSystem } from '../../client/index.ts'
import { isQuarryError } from '../../common/errors.ts'
import { describeFailure } from '../shell/errors.ts'
import type { ShellStreams } from '../shell/shell.ts'
import { valueOf } from './arguments.ts'

/** Between two tries, as in HDFS. A recovery takes about a second. */
const retryMs = 5000

export const recoverLeaseHelp = `recoverLease -path <path> [-retries <num-retries>]
  Recover the lease on the specified path.  The path must reside on an
  HDFS filesystem.  The default number of retries is 1.
`

export async function runRecoverLease(
  words: readonly string[],
  connect: () => Promise<FileSystem>,
  { out, err, signal }: ShellStreams,
  pauseMs = retryMs,
): Promise<number> {
  if (words.length === 0) {
    await out.write(`${recoverLeaseHelp}\n`)
    return 1
  }
  const path = valueOf(words, '-path')
  if (path === undefined) {
    await err.write('You must supply a -path argument to recoverLease.\n')
    return 1
  }
  const retries = valueOf(words, '-retries') ?? '1'
  if (!/^\d{1,6}$/.test(retries)) {
    await err.write(`Failed to parse the argument to -retries: "${retries}" is not a whole number\n`)
    return 1
  }
  await using fs = await connect()
  for (let tries = 1; ; tries++) {
    try {
      if (await fs.recoverLease(path, { signal })) {
        await out.write(`recoverLease SUCCEEDED on ${path}\n`)
        return 0
      }
      await err.write('recoverLease returned false.\n')
    } catch (error) {
      if (signal.aborted) throw error
      await err.write(`recoverLease got exception: ${describeFailure(error).message}\n`)
      if (isQuarryError(error, 'NOT_FOUND') || isQuarryError(error, 'NOT_A_FILE')) {
        await err.write(`Giving up on recoverLease for ${path} after 1 try\n`)
        return 1
      }
    }
    if (tries >= Number(retries)) {
      await err.write(`Giving up on recoverLease for ${path} after ${retries} ${retries === '1' ? 'try.' : 'tries.'}\n`)
      return 1
    }
    await err.write(`Retrying in ${pauseMs} ms...\n`)
    await sleep(pauseMs, undefined, { signal })
    await err.write(`Retry #${tries}\n`)
  }
}
