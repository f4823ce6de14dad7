// Reads files of others while they are being written, renamed and deleted: what was acknowledged before it opens a file is there.
import type { FileSystem } from '../../../client/filesystem.ts'
import type { Random } from '../../../common/env.ts'
import { wrongContent } from '../model/files.ts'
import { Violation } from '../run/violation.ts'
import { between, pick } from '../world/random.ts'
import { attempt } from './attempt.ts'
import type { Owner } from './owner.ts'

export class Onlooker {
  readonly #owners: readonly Owner[]
  readonly #random: Random
  readonly #pauseMs: number
  operations = 0

  constructor(options: { readonly owners: readonly Owner[]; readonly random: Random; readonly pauseMs: number }) {
    this.#owners = options.owners
    this.#random = options.random
    this.#pauseMs = options.pauseMs
  }

  killed(): void {}

  async work(fs: FileSystem, sleep: (ms: number) => Promise<void>, over: () => boolean): Promise<void> {
    while (!over()) {
      await this.#look(fs)
      this.operations++
      await sleep(between(this.#random, 0.2, 1.8) * this.#pauseMs)
    }
  }

  async #look(fs: FileSystem): Promise<void> {
    const owner = pick(this.#random, this.#owners)
    const record = owner && pick(this.#random, owner.files.all())
    if (!owner || !record) return
    const { path, version } = record
    const { acked: promised, cuts } = version
    const read = await attempt(() => fs.readFile(path))
    // Renamed, deleted, cut, or in doubt since: nothing is said of it.
    if (read.kind !== 'done' || !owner.files.isFile(record) || record.path !== path || version.cuts !== cuts) return
    const wrong = wrongContent(read.value, version, Math.min(promised, version.acked))
    if (wrong !== undefined) throw new Violation('I1', `${path}, read by another, is ${wrong}`)
  }
}
