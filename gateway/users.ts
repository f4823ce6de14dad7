// Connections to the namenode, one for each user that is served: calls are made in his name, so that it is the namenode that says what
// he may do. Bounded; one that nobody uses is closed after a while.
import { FileSystem } from '../client/index.ts'
import type { Env } from '../common/env.ts'
import { QuarryError } from '../common/errors.ts'
import type { WebUser } from '../proto/webhdfs/parameters.ts'

/** Users served at a time by one gateway: each holds a stream to the namenode. */
const usersMax = 512
/** HDFS's clients come back within seconds for the next file. */
const idleMs = 60_000

interface Entry {
  readonly fs: Promise<FileSystem>
  uses: number
  stopIdle: () => void
}

export class UserFileSystems {
  readonly #uri: string
  readonly #env: Env
  readonly #entries = new Map<string, Entry>()
  #closed = false

  /** `uri` of the namenode. */
  constructor(uri: string, env: Env) {
    this.#uri = uri
    this.#env = env
  }

  /** Runs `work` with a file system of the user. Throws NOT_AUTHORIZED, OVERLOADED, UNAVAILABLE, and what the work throws. */
  async use<T>(who: WebUser, work: (fs: FileSystem) => Promise<T>): Promise<T> {
    if (this.#closed) throw new QuarryError('UNAVAILABLE', 'This gateway is stopping.')
    const key = `${who.realUser}\0${who.user}`
    const entry = this.#entries.get(key) ?? this.#open(key, who)
    entry.uses++
    entry.stopIdle()
    try {
      return await work(await entry.fs)
    } finally {
      if (--entry.uses === 0) entry.stopIdle = this.#env.clock.after(idleMs, () => this.#drop(key, entry))
    }
  }

  /** Idempotent. What is under way fails. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#entries].map(([key, entry]) => this.#drop(key, entry)))
  }

  #open(key: string, who: WebUser): Entry {
    if (this.#entries.size >= usersMax) {
      const idle = [...this.#entries].find(([, other]) => other.uses === 0)
      if (idle === undefined)
        throw new QuarryError('OVERLOADED', `${usersMax} users are served at a time, and as many are. Try again later.`)
      void this.#drop(...idle)
    }
    const fs = FileSystem.connect(this.#uri, { user: who.user, realUser: who.realUser, umask: 0 })
    const entry: Entry = { fs, uses: 0, stopIdle: () => {} }
    this.#entries.set(key, entry)
    // The next request tries again.
    fs.catch(() => this.#forget(key, entry))
    return entry
  }

  async #drop(key: string, entry: Entry): Promise<void> {
    entry.stopIdle()
    this.#forget(key, entry)
    const fs = await entry.fs.catch(() => undefined)
    await fs?.close()
  }

  #forget(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key)
  }
}
