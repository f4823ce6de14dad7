// Whose turn is it? A queue that serves users, and the connections of each user, in proportion to what they have been served:
// the one that has had least goes first, and who comes new begins where the others are. So a user with one call waits for one
// call of every other user at most, however many calls those have waiting.
//
// Users weigh less the more of the namenode they have taken lately, as in HDFS (DecayRpcScheduler, FairCallQueue): half of all
// recent cost or more 1, a quarter 2, an eighth 4, less 8. Costs are in units of about 10 us of the namenode's time.
import { assert } from '../../common/assert.ts'

/** What a user has cost lately. One for all queues. */
export interface Account {
  readonly user: string
  /** Cost that halves with every decay. */
  recent: number
  /** Connections of the user. */
  open: number
}

/** Users are who callers claim to be: bounds what they can make us remember. */
const accountsMax = 10_000

export class Accounts {
  readonly #accounts = new Map<string, Account>()
  #total = 0

  /** A connection of the user begins. */
  open(user: string): Account {
    let account = this.#accounts.get(user)
    if (account === undefined) {
      if (this.#accounts.size >= accountsMax) this.#forgetOne()
      account = { user, recent: 0, open: 0 }
      this.#accounts.set(user, account)
    }
    account.open++
    return account
  }

  /** What the user has cost stays known for a while: a new connection is no new beginning. */
  close(account: Account): void {
    account.open--
  }

  charge(account: Account, cost: number): void {
    account.recent += cost
    this.#total += cost
  }

  weightOf(account: Account): number {
    const share = this.#total === 0 ? 0 : account.recent / this.#total
    return share >= 0.5 ? 1 : share >= 0.25 ? 2 : share >= 0.125 ? 4 : 8
  }

  /** Halves what is remembered; called every few seconds. */
  decay(): void {
    this.#total = 0
    for (const [user, account] of this.#accounts) {
      account.recent /= 2
      if (account.open === 0 && account.recent < 1) this.#accounts.delete(user)
      else this.#total += account.recent
    }
  }

  /** The users that have cost most lately, dearest first. */
  dearest(limit: number): readonly Account[] {
    return [...this.#accounts.values()].sort((a, b) => b.recent - a.recent).slice(0, limit)
  }

  get size(): number {
    return this.#accounts.size
  }

  #forgetOne(): void {
    for (const [user, account] of this.#accounts) {
      if (account.open > 0) continue
      this.#total -= account.recent
      this.#accounts.delete(user)
      return
    }
  }
}

interface Entry {
  /** Cost served so far, by weight; the least goes first. */
  pass: number
  /** Place in its heap; -1 = nothing waits. */
  at: number
}

/** The smallest pass first; who was put in first among equals is not kept, since passes differ soon. */
class Heap<E extends Entry> {
  readonly #entries: E[] = []

  get size(): number {
    return this.#entries.length
  }

  get first(): E | undefined {
    return this.#entries[0]
  }

  add(entry: E): void {
    entry.at = this.#entries.length
    this.#entries.push(entry)
    this.#up(entry)
  }

  /** The entry's pass has grown. */
  moved(entry: E): void {
    if (entry.at !== -1) this.#down(entry)
  }

  remove(entry: E): void {
    const last = this.#entries.pop()!
    if (last !== entry) {
      this.#put(last, entry.at)
      this.#up(last)
      this.#down(last)
    }
    entry.at = -1
  }

  #up(entry: E): void {
    while (entry.at > 0) {
      const above = this.#entries[(entry.at - 1) >> 1]!
      if (above.pass <= entry.pass) return
      this.#swap(above, entry)
    }
  }

  #down(entry: E): void {
    for (;;) {
      const left = this.#entries[entry.at * 2 + 1]
      if (left === undefined) return
      const right = this.#entries[entry.at * 2 + 2]
      const below = right !== undefined && right.pass < left.pass ? right : left
      if (entry.pass <= below.pass) return
      this.#swap(entry, below)
    }
  }

  #swap(above: E, below: E): void {
    const at = above.at
    this.#put(above, below.at)
    this.#put(below, at)
  }

  #put(entry: E, at: number): void {
    entry.at = at
    this.#entries[at] = entry
  }
}

interface QueueUser<T> extends Entry {
  readonly account: Account
  readonly sources: Heap<Source<T>>
  /** Pass of the source served last: where a source begins that comes new. */
  reached: number
  cost: number
  open: number
}

/** The calls of one connection in one queue, first come first served. */
export interface Source<T> extends Entry {
  readonly owner: QueueUser<T>
  readonly items: T[]
  readonly costs: number[]
  head: number
  /** Of what waits. */
  cost: number
}

export class FairQueue<T> {
  readonly #accounts: Accounts
  readonly #users = new Map<Account, QueueUser<T>>()
  readonly #waiting = new Heap<QueueUser<T>>()
  #reached = 0
  #length = 0
  #cost = 0

  constructor(accounts: Accounts) {
    this.#accounts = accounts
  }

  /** Calls that wait. */
  get length(): number {
    return this.#length
  }

  get cost(): number {
    return this.#cost
  }

  source(account: Account): Source<T> {
    let owner = this.#users.get(account)
    if (owner === undefined) {
      owner = { account, sources: new Heap(), reached: 0, cost: 0, open: 0, pass: 0, at: -1 }
      this.#users.set(account, owner)
    }
    owner.open++
    return { owner, items: [], costs: [], head: 0, cost: 0, pass: 0, at: -1 }
  }

  /** Answers what waited there. */
  close(source: Source<T>): T[] {
    const { owner } = source
    const left = source.items.slice(source.head)
    this.#length -= left.length
    this.#cost -= source.cost
    owner.cost -= source.cost
    source.items.length = source.costs.length = source.head = source.cost = 0
    this.#rest(source)
    owner.open--
    if (owner.open === 0) this.#users.delete(owner.account)
    return left
  }

  push(source: Source<T>, item: T, cost: number): void {
    const { owner } = source
    source.items.push(item)
    source.costs.push(cost)
    source.cost += cost
    owner.cost += cost
    this.#cost += cost
    this.#length++
    if (source.at === -1) {
      source.pass = Math.max(source.pass, owner.reached)
      owner.sources.add(source)
    }
    if (owner.at === -1) {
      owner.pass = Math.max(owner.pass, this.#reached)
      this.#waiting.add(owner)
    }
  }

  /** The next call; its cost counts as served. */
  shift(): T | undefined {
    const owner = this.#waiting.first
    if (owner === undefined) return undefined
    const source = owner.sources.first
    assert(source !== undefined, 'a user that waits has a connection that waits')
    this.#reached = owner.pass
    owner.reached = source.pass
    const item = source.items[source.head]!
    const cost = source.costs[source.head]!
    source.head++
    source.cost -= cost
    owner.cost -= cost
    this.#cost -= cost
    this.#length--
    this.charge(source, cost)
    if (source.head === source.items.length) {
      source.items.length = source.costs.length = source.head = 0
      this.#rest(source)
    } else if (source.head >= 1024) {
      source.items.splice(0, source.head)
      source.costs.splice(0, source.head)
      source.head = 0
    }
    return item
  }

  /** A call cost this much (more). */
  charge(source: Source<T>, cost: number): void {
    const { owner } = source
    source.pass += cost
    owner.pass += cost / this.#accounts.weightOf(owner.account)
    owner.sources.moved(source)
    this.#waiting.moved(owner)
    this.#accounts.charge(owner.account, cost)
  }

  /** What of `capacity` a connection may fill with what it has waiting: equal parts for users, and for the connections of each. */
  shareOf(source: Source<T>, capacity: number): number {
    const { owner } = source
    const users = this.#waiting.size + (owner.at === -1 ? 1 : 0)
    const sources = owner.sources.size + (source.at === -1 ? 1 : 0)
    return capacity / users / sources
  }

  #rest(source: Source<T>): void {
    const { owner } = source
    if (source.at !== -1) owner.sources.remove(source)
    if (owner.sources.size === 0 && owner.at !== -1) this.#waiting.remove(owner)
  }
}
