// A disk that is really full: a small file system in memory for one of the datanodes, filled up with a file that is in the way. Only
// the superuser may mount one; elsewhere full disks are played by the setting `capacity` alone.
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import path from 'node:path'

/** Several times what the workload leaves on one datanode. */
const sizeMib = 768
const pieceBytes = 4 * 2 ** 20

export class SmallDisk {
  readonly #dir: string

  private constructor(dir: string) {
    this.#dir = dir
  }

  /** Mounts one over an empty directory; undefined, and the reason said, where that cannot be done. */
  static mount(dir: string, say: (text: string) => void): SmallDisk | undefined {
    const skipped = (why: string): undefined => {
      say(`full disks are played by a capacity only: ${why}`)
      return undefined
    }
    if (process.getuid?.() !== 0) return skipped('only the superuser may mount a small file system')
    const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'quarry-chaos', dir], {
      encoding: 'utf8',
    })
    if (status !== 0) return skipped(String(error?.message ?? stderr).trim())
    say(`${path.basename(dir)} has a file system of ${sizeMib} MiB of its own`)
    return new SmallDisk(dir)
  }

  /** Takes all the room that is left. */
  fill(): void {
    const file = openSync(this.#ballast, 'w')
    try {
      const piece = Buffer.alloc(pieceBytes, 1)
      for (let written = 0; written < sizeMib * 2 ** 20; written += pieceBytes) writeSync(file, piece)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    } finally {
      closeSync(file)
    }
  }

  empty(): void {
    rmSync(this.#ballast, { force: true })
  }

  /** Nobody uses it any more. */
  unmount(): void {
    spawnSync('umount', ['--lazy', this.#dir])
  }

  get #ballast(): string {
    return path.join(this.#dir, 'in-the-way')
  }
}
