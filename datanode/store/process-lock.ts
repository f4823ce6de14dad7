// Keeps two processes out of one storage directory: a file that names the pid that has it open.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { QuarryError } from '../../common/errors.ts'
import { lockFile } from './layout.ts'

/** Directories that this very process has open: the pid in the lock file cannot tell two owners in one process apart. */
const openHere = new Set<string>()

/** Throws IN_USE. The result gives the directory back; it may be called again. */
export function takeLock(root: string): () => void {
  const path = join(root, lockFile)
  if (openHere.has(root))
    throw new QuarryError('IN_USE', `The storage directory ${root} is in use by another datanode of this process (pid ${process.pid}).`, {
      dir: root,
      pid: process.pid,
    })
  let owner: { pid?: number; started?: string } = {}
  try {
    owner = JSON.parse(readFileSync(path, 'utf8')) as typeof owner
  } catch {
    // No lock, or one torn by a crash: nobody holds it.
  }
  if (owner.pid !== undefined && owner.pid !== process.pid && isAlive(owner.pid) && startTime(owner.pid) === (owner.started ?? '')) {
    throw new QuarryError(
      'IN_USE',
      `The storage directory ${root} is in use by the datanode with pid ${owner.pid}. Stop it first, or give this one another directory.`,
      { dir: root, pid: owner.pid },
    )
  }
  writeFileSync(path, JSON.stringify({ pid: process.pid, started: startTime(process.pid) }))
  openHere.add(root)
  let held = true
  return () => {
    if (!held) return
    held = false
    openHere.delete(root)
    try {
      rmSync(path, { force: true })
    } catch {
      // On a disk that failed it stays; the next start sees that nobody holds it.
    }
  }
}

/**
 * Start time of a process in clock ticks since boot, which tells a pid that was used again; '' where /proc is absent. A process that
 * was killed and that nobody has waited for yet has none: it holds nothing any more.
 */
function startTime(pid: number): string {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '')
  } catch {
    return ''
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
