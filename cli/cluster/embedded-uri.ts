// The cluster a command means when nobody names one: the embedded cluster of the default directory.
import { QuarryError } from '../../common/errors.ts'
import { clusterDir, readCluster, readRunning } from './directory.ts'

/** URI of the cluster that runs in `dir` (default QUARRY_DIR, else ~/.quarry). Throws UNAVAILABLE with the next step. */
export function embeddedUri(dir?: string): string {
  const own = clusterDir(dir)
  const running = readRunning(own)
  if (running !== undefined) return running.uri
  const known = readCluster(own) !== undefined
  throw new QuarryError(
    'UNAVAILABLE',
    known
      ? `the cluster in ${own} is not running; start it with: quarry up${dir === undefined ? '' : ` --dir ${own}`} (or name another with --fs URI or QUARRY_FS)`
      : 'no cluster is named and none runs on this machine; start one with: quarry up (or name one with --fs URI or QUARRY_FS)',
  )
}
