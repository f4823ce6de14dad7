// The private directory of a query, below the temporary directory. It carries the pid of its process: one that was killed cannot
// remove it, so that the next query does.
import { mkdtemp, readdir, realpath, rm, stat } from 'node:fs/promises'
import path from 'node:path'

const prefix = 'quarry-sql-'
/** A process of another container may share the directory, but not the numbers: only what nobody touched for so long counts as left. */
const abandonedAfterMs = 3_600_000
/** Directories that one query removes; a thousand killed queries are not its business alone. */
const removedMax = 32

/** Makes one of this process below `parent`. */
export async function makePrivateDir(parent: string): Promise<string> {
  return realpath(await mkdtemp(path.join(parent, `${prefix}${process.pid}-`)))
}

/** Removes those of processes that are gone. Never fails: what cannot be removed stays. */
export async function removeAbandoned(parent: string, nowMs: number): Promise<void> {
  let names: string[]
  try {
    names = await readdir(parent)
  } catch {
    return
  }
  let removed = 0
  for (const name of names) {
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1]
    if (pid === undefined || isRunning(Number(pid))) continue
    const dir = path.join(parent, name)
    const touchedMs = await stat(dir).then(
      (found) => found.mtimeMs,
      () => nowMs,
    )
    if (nowMs - touchedMs < abandonedAfterMs) continue
    await rm(dir, { recursive: true, force: true }).catch(() => {})
    if (++removed === removedMax) return
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it runs, as somebody else.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
