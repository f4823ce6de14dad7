// An owner of a directory: writes, appends, reads, renames, deletes and looks, one thing after another, and holds every answer
// against what it knows must be true.
import type { FileSystem } from '../../../client/filesystem.ts'
import type { FileWriter } from '../../../client/types.ts'
import type { Random } from '../../../common/env.ts'
import { chunkBytes } from '../../../common/limits.ts'
import { OwnedFiles, bytesOf, newVersion, wrongContent } from '../model/files.ts'
import type { Doubt, FileRecord, Version } from '../model/files.ts'
import { Violation } from '../run/violation.ts'
import { between, chance, pick } from '../world/random.ts'
import { attempt, isPassing } from './attempt.ts'
import type { Attempt } from './attempt.ts'

/** How often an owner does what; relative. */
export interface Habits {
  readonly write: number
  readonly append: number
  readonly read: number
  readonly rename: number
  readonly remove: number
  readonly look: number
  readonly copies: number
  readonly truncate: number
}

export const ordinaryHabits: Habits = { write: 6, append: 3, read: 4, rename: 2, remove: 2, look: 3, copies: 1, truncate: 1 }

export interface OwnerOptions {
  readonly name: string
  readonly random: Random
  readonly habits: Habits
  readonly pauseMs: number
  /** Copies that its files may have. */
  readonly replication: readonly [number, number]
}

const blockSize = 16 * 1024
const directories = 3
/** Files kept by an owner; beyond, it deletes before it writes. */
const filesMax = 25

export class Owner {
  readonly files = new OwnedFiles()
  readonly root: string
  readonly options: OwnerOptions
  operations = 0
  /** What to do about the model when the process dies now. */
  #interrupted: () => void = () => {}
  #next = 1
  #made = 0

  constructor(options: OwnerOptions) {
    this.options = options
    this.root = `/${options.name}`
  }

  /** The process is dead: what it had under way has an unknown outcome. */
  killed(): void {
    this.#interrupted()
    this.#interrupted = () => {}
  }

  /** Works until `over`. One process; begins anew after a death. */
  async work(fs: FileSystem, sleep: (ms: number) => Promise<void>, over: () => boolean): Promise<void> {
    while (!over()) {
      await this.#step(fs)
      this.#interrupted = () => {}
      this.operations++
      await sleep(between(this.options.random, 0.2, 1.8) * this.options.pauseMs)
    }
  }

  async #step(fs: FileSystem): Promise<void> {
    if (this.#made < directories) return this.#makeDirectory(fs)
    switch (this.#choose()) {
      case 'write':
        return this.#write(fs)
      case 'append':
        return this.#append(fs)
      case 'read':
        return this.#read(fs)
      case 'rename':
        return this.#rename(fs)
      case 'remove':
        return this.#remove(fs)
      case 'look':
        return this.#look(fs)
      case 'copies':
        return this.#copies(fs)
      case 'truncate':
        return this.#truncate(fs)
    }
  }

  #choose(): keyof Habits {
    const { habits, random } = this.options
    if (this.files.all().length >= filesMax) return 'remove'
    const entries = Object.entries(habits) as [keyof Habits, number][]
    let at = random.float() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of entries) if ((at -= weight) < 0) return name
    return 'look'
  }

  async #makeDirectory(fs: FileSystem): Promise<void> {
    const made = await attempt(() => fs.mkdir(`${this.root}/d${this.#made}`, { recursive: true }))
    if (made.kind === 'done') this.#made++
  }

  #newPath(): string {
    return `${this.root}/d${this.options.random.int(directories)}/f${this.#next++}`
  }

  // --- bytes ------------------------------------------------------------------------------------------------------------------

  async #write(fs: FileSystem): Promise<void> {
    const { random, replication } = this.options
    const path = this.#newPath()
    const version = newVersion(random.int(2 ** 31))
    this.#interrupted = () => this.#doubt([{ path, version: undefined }], [{ path, version }])
    const copies = replication[0] + random.int(replication[1] - replication[0] + 1)
    const created = await attempt(() => fs.create(path, { overwrite: false, replication: copies, blockSize }))
    if (created.kind === 'refused') return this.#mustPass(created, `create ${path}`)
    if (created.kind === 'unknown') return this.#interrupted()
    const record = this.files.add(path, version)
    await this.#fill(record, created.value)
  }

  async #append(fs: FileSystem): Promise<void> {
    const record = pick(
      this.options.random,
      this.files.idle().filter(({ version }) => !version.frozen),
    )
    if (!record) return
    const { version } = record
    version.closed = false
    this.#interrupted = () => this.#retire(record)
    const opened = await attempt(() => fs.append(record.path))
    if (opened.kind === 'refused') {
      version.closed = true
      return this.#mustPass(opened, `append ${record.path}`)
    }
    if (opened.kind === 'unknown') return this.#retire(record)
    if (opened.value.position !== version.sent)
      throw new Violation('I1', `${record.path} was opened for append at ${opened.value.position}, it has ${version.sent} bytes`)
    await this.#fill(record, opened.value)
  }

  /** Writes some pieces and closes. */
  async #fill(record: FileRecord, writer: FileWriter): Promise<void> {
    const { random } = this.options
    const { version } = record
    this.#interrupted = () => this.#retire(record)
    const written = await attempt(async () => {
      const pieces = 1 + random.int(5)
      for (let i = 0; i < pieces; i++) {
        const length = 1 + random.int(chance(random, 0.2) ? 3 * blockSize : 3_000)
        const bytes = bytesOf(version.salt, version.sent, length)
        version.sent += length
        await writer.write(bytes)
        if (chance(random, 0.5)) {
          const upTo = version.sent
          const sync = chance(random, 0.3)
          await (sync ? writer.hsync() : writer.hflush())
          version.acked = Math.max(version.acked, upTo)
        }
      }
      await writer.close()
    })
    if (written.kind !== 'done') return this.#retire(record)
    version.closed = true
    version.acked = version.durable = version.sent
  }

  async #read(fs: FileSystem): Promise<void> {
    const record = pick(this.options.random, this.files.idle())
    if (!record) return
    const read = await attempt(() => fs.readFile(record.path))
    if (read.kind === 'refused') return this.#mustPass(read, `read ${record.path}`)
    if (read.kind === 'unknown') return
    const wrong = wrongContent(read.value, record.version, record.version.sent)
    if (wrong !== undefined) throw new Violation('I1', `${record.path} reads as ${wrong}`)
  }

  async #truncate(fs: FileSystem): Promise<void> {
    const record = pick(
      this.options.random,
      this.files.idle().filter(({ version }) => !version.frozen && version.sent > 1),
    )
    if (!record) return
    const { version } = record
    const length = this.options.random.int(version.sent)
    const before = { ...version }
    version.cuts++
    version.acked = version.durable = length
    version.closed = false
    this.#interrupted = () => this.#retire(record)
    const cut = await attempt(() => fs.truncate(record.path, length))
    if (cut.kind === 'refused') {
      Object.assign(version, { ...before, cuts: version.cuts })
      return this.#mustPass(cut, `truncate ${record.path}`)
    }
    if (cut.kind === 'unknown' || !cut.value) return this.#retire(record)
    version.cuts++
    version.sent = length
    version.closed = true
  }

  // --- names ------------------------------------------------------------------------------------------------------------------

  async #rename(fs: FileSystem): Promise<void> {
    const record = pick(this.options.random, this.files.idle())
    if (!record) return
    const { path, version } = record
    const target = this.#newPath()
    this.#interrupted = () => {
      this.files.remove(record)
      this.#doubt(
        [
          { path, version },
          { path: target, version: undefined },
        ],
        [
          { path, version: undefined },
          { path: target, version },
        ],
      )
    }
    const renamed = await attempt(() => fs.rename(path, target))
    if (renamed.kind === 'refused') return this.#mustPass(renamed, `rename ${path} to ${target}`)
    if (renamed.kind === 'unknown') return this.#interrupted()
    this.files.move(record, target)
  }

  async #remove(fs: FileSystem): Promise<void> {
    const record = pick(this.options.random, this.files.idle())
    if (!record) return
    const { path, version } = record
    this.#interrupted = () => {
      this.files.remove(record)
      this.#doubt([{ path, version }], [{ path, version: undefined }])
    }
    const removed = await attempt(() => fs.delete(path))
    if (removed.kind === 'refused') return this.#mustPass(removed, `delete ${path}`)
    if (removed.kind === 'unknown') return this.#interrupted()
    if (!removed.value) throw new Violation('I5', `delete ${path} found nothing, but the file is there`)
    this.files.remove(record)
  }

  async #copies(fs: FileSystem): Promise<void> {
    const { random, replication } = this.options
    const record = pick(random, this.files.idle())
    if (!record) return
    const copies = replication[0] + random.int(replication[1] - replication[0] + 1)
    const set = await attempt(() => fs.setReplication(record.path, copies))
    if (set.kind === 'refused') this.#mustPass(set, `setReplication ${record.path}`)
  }

  async #look(fs: FileSystem): Promise<void> {
    const directory = `${this.root}/d${this.options.random.int(directories)}`
    const listed = await attempt(() => fs.readdir(directory))
    if (listed.kind === 'refused') return this.#mustPass(listed, `list ${directory}`)
    if (listed.kind === 'unknown') return
    const unsure = new Set(this.files.doubts.flatMap(({ outcomes }) => outcomes.flat().map(({ path }) => path)))
    const found = new Map(listed.value.map((info) => [info.path, info]))
    for (const { path, version } of this.files.all()) {
      if (!path.startsWith(`${directory}/`)) continue
      const info = found.get(path)
      if (!info) throw new Violation('I5', `${path} is not listed`)
      if (version.closed && info.length !== version.sent)
        throw new Violation('I5', `${path} is listed with ${info.length} bytes, it has ${version.sent}`)
      found.delete(path)
    }
    // A truncation that failed half-way may leave its copy of the tail behind.
    for (const path of found.keys())
      if (!unsure.has(path) && !path.includes('/._TRUNCATE_')) throw new Violation('I5', `${path} is listed, but was never made or is gone`)
  }

  // --- what is known ----------------------------------------------------------------------------------------------------------

  /** A refusal must be about the moment: the request itself was right. */
  #mustPass(refused: Attempt<unknown> & { kind: 'refused' }, what: string): void {
    if (!isPassing(refused.error)) throw new Violation('I5', `${what} was refused: ${refused.error.message}`)
  }

  /** The file stays, nobody touches it any more, and how much it holds is known within bounds. */
  #retire(record: FileRecord): void {
    this.files.remove(record)
    this.#doubt([{ path: record.path, version: record.version }])
  }

  #doubt(...outcomes: Doubt['outcomes']): void {
    this.files.doubts.push({ outcomes })
  }
}

/**
 * Power failed somewhere. Of files that are open, bytes that were flushed but not synced may be gone, and so may the last partial
 * chunk of what was closed before: an append replaces its checksum in place, and a checksum that reached the disk without its
 * bytes, or the other way round, vouches for nothing. (So it is in HDFS.)
 */
export function powerFailed(files: OwnedFiles): void {
  const open = (version: Version) => {
    if (version.closed) return
    version.durable -= version.durable % chunkBytes
    version.acked = version.durable
  }
  for (const { version } of files.all()) open(version)
  for (const { outcomes } of files.doubts) for (const outcome of outcomes) for (const { version } of outcome) if (version) open(version)
}
