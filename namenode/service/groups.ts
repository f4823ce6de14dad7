// The groups of a user, asked of the operating system and remembered for a while, as HDFS does. A user it does not know has none.
import { execFile } from 'node:child_process'
import type { Clock } from '../../common/env.ts'

/** HDFS default hadoop.security.groups.cache.secs = 300. */
const freshMs = 300_000
const lookupTimeoutMs = 5_000
/** Names are what callers claim to be: bounds what they can make us remember. */
const usersMax = 10_000
/** Names only: `id` would take 0 or +0 for a user number, and give the groups of root. */
const nameForm = /^[A-Za-z_][A-Za-z0-9_.@\\-]{0,254}\$?$/

export type GroupLookup = (user: string) => Promise<readonly string[]>

interface Entry {
  groups: readonly string[]
  atMs: number
  asking: Promise<readonly string[]> | undefined
}

export class Groups {
  readonly #clock: Clock
  readonly #lookup: GroupLookup
  readonly #users = new Map<string, Entry>()

  constructor(clock: Clock, lookup: GroupLookup = groupsOfSystemUser) {
    this.#clock = clock
    this.#lookup = lookup
  }

  /** Undefined when the user's groups are known, else resolves when they are. */
  prepare(user: string): Promise<readonly string[]> | undefined {
    const entry = this.#entry(user)
    return entry.atMs > 0 ? undefined : this.#ask(user, entry)
  }

  /** What is known now; asks again in the background when that is old. For users that were prepared. */
  current(user: string): readonly string[] {
    const entry = this.#entry(user)
    if (this.#clock.monotonicMs() - entry.atMs >= freshMs) void this.#ask(user, entry)
    return entry.groups
  }

  /** Asks again at the next call of each user; connections that are open go by what is known until the answer. */
  forget(): void {
    for (const entry of this.#users.values()) entry.atMs = -Infinity
  }

  #entry(user: string): Entry {
    let entry = this.#users.get(user)
    if (!entry) {
      if (this.#users.size >= usersMax) this.#users.delete(this.#users.keys().next().value!)
      entry = { groups: [], atMs: 0, asking: undefined }
      this.#users.set(user, entry)
    }
    return entry
  }

  #ask(user: string, entry: Entry): Promise<readonly string[]> {
    entry.asking ??= this.#lookup(user)
      .catch(() => entry.groups)
      .then((groups) => {
        entry.groups = groups
        entry.atMs = Math.max(1, this.#clock.monotonicMs())
        entry.asking = undefined
        return groups
      })
    return entry.asking
  }
}

/** Group names by `id`, the primary one first; [] for a user that the system does not know. */
export function groupsOfSystemUser(user: string): Promise<readonly string[]> {
  if (!nameForm.test(user)) return Promise.resolve([])
  return new Promise((resolve) => {
    execFile('id', ['-Gn', '--', user], { timeout: lookupTimeoutMs }, (error, stdout) => {
      resolve(
        error
          ? []
          : stdout
              .trim()
              .split(/\s+/)
              .filter((name) => name !== ''),
      )
    })
  })
}
