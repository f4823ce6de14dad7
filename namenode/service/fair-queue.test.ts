import { describe, expect, it } from 'vitest'
import { Accounts, FairQueue } from './fair-queue.ts'
import type { Source } from './fair-queue.ts'

function setUp(...users: string[]) {
  const accounts = new Accounts()
  const queue = new FairQueue<string>(accounts)
  const sources = users.map((user) => queue.source(accounts.open(user)))
  return { accounts, queue, sources }
}

const fill = (queue: FairQueue<string>, source: Source<string>, name: string, calls: number, cost = 1): void => {
  for (let i = 0; i < calls; i++) queue.push(source, name, cost)
}

const take = (queue: FairQueue<string>, calls: number): string[] => Array.from({ length: calls }, () => queue.shift()!)
const count = (names: readonly string[], name: string): number => names.filter((one) => one === name).length

describe('fair queue', () => {
  it('keeps the order of one connection', () => {
    const { queue, sources } = setUp('a')
    for (let i = 0; i < 3000; i++) queue.push(sources[0]!, `${i}`, 1)
    expect(take(queue, 3000)).toEqual(Array.from({ length: 3000 }, (_, i) => `${i}`))
    expect([queue.length, queue.cost, queue.shift()]).toEqual([0, 0, undefined])
  })

  it('serves one call of a user at once, however many another has waiting', () => {
    const { queue, sources } = setUp('flood', 'quiet')
    fill(queue, sources[0]!, 'flood', 10_000)
    take(queue, 500)
    queue.push(sources[1]!, 'quiet', 1)
    expect(take(queue, 2)).toContain('quiet')
  })

  it('gives users of the same past equal parts, and the connections of a user too', () => {
    const { queue, sources } = setUp('a', 'b', 'b', 'b')
    sources.forEach((source, i) => fill(queue, source, `${i}`, 1000))
    const served = take(queue, 600)
    expect(count(served, '0')).toBeGreaterThanOrEqual(295)
    for (const name of ['1', '2', '3']) expect(count(served, name)).toBeGreaterThanOrEqual(95)
  })

  it('charges calls for what they cost, also afterwards', () => {
    const { queue, sources } = setUp('dear', 'cheap')
    fill(queue, sources[0]!, 'dear', 1000)
    fill(queue, sources[1]!, 'cheap', 1000)
    const served: string[] = []
    for (let i = 0; i < 220; i++) {
      const name = queue.shift()!
      served.push(name)
      if (name === 'dear') queue.charge(sources[0]!, 9)
    }
    // Ten to one by cost; the dear user also weighs less, having taken half and more of all.
    expect(count(served, 'dear')).toBeLessThanOrEqual(22)
    expect(count(served, 'dear')).toBeGreaterThanOrEqual(1)
  })

  it('weighs users by what they cost lately, and forgets', () => {
    const { accounts, queue, sources } = setUp('past', 'new')
    queue.charge(sources[0]!, 10_000)
    fill(queue, sources[0]!, 'past', 1000)
    fill(queue, sources[1]!, 'new', 1000)
    const { account } = sources[0]!.owner
    expect(accounts.weightOf(account)).toBe(1)
    expect(accounts.weightOf(sources[1]!.owner.account)).toBe(8)
    for (let i = 0; i < 40; i++) accounts.decay()
    queue.charge(sources[1]!, 100)
    expect(accounts.weightOf(account)).toBe(8)
  })

  it('lets nobody save up turns by being away', () => {
    const { queue, sources } = setUp('busy', 'away')
    fill(queue, sources[0]!, 'busy', 3000)
    take(queue, 2000)
    fill(queue, sources[1]!, 'away', 1000)
    expect(count(take(queue, 100), 'busy')).toBeGreaterThanOrEqual(10)
  })

  it('drops what a closed connection had waiting, and goes on with the others', () => {
    const { queue, sources } = setUp('a', 'a', 'b')
    sources.forEach((source, i) => fill(queue, source, `${i}`, 10, 2))
    expect(queue.close(sources[0]!)).toHaveLength(10)
    expect([queue.length, queue.cost]).toEqual([20, 40])
    expect(queue.close(sources[2]!)).toHaveLength(10)
    expect(take(queue, 10)).toEqual(Array.from({ length: 10 }, () => '1'))
    expect(queue.shift()).toBeUndefined()
  })

  it('tells a connection its share of what may wait', () => {
    const { queue, sources } = setUp('a', 'a', 'b')
    expect(queue.shareOf(sources[0]!, 1200)).toBe(1200)
    fill(queue, sources[1]!, 'x', 1)
    fill(queue, sources[2]!, 'x', 1)
    expect(queue.shareOf(sources[0]!, 1200)).toBe(300)
    expect(queue.shareOf(sources[2]!, 1200)).toBe(600)
  })

  it('is in order after many random steps: the user served is one of the least served', () => {
    const users = Array.from({ length: 20 }, (_, i) => `u${i}`)
    const { queue, sources } = setUp(...users, ...users)
    let state = 7
    const draw = (limit: number): number => (state = (state * 48_271) % 0x7fff_ffff) % limit
    let waiting = 0
    for (let step = 0; step < 20_000; step++) {
      if (draw(3) > 0) {
        queue.push(sources[draw(sources.length)]!, 'x', 1 + draw(5))
        waiting++
        continue
      }
      const owners = [...new Set(sources.map((source) => source.owner))].filter((owner) => owner.at !== -1)
      const least = Math.min(...owners.map((owner) => owner.pass))
      const before = new Map(owners.map((owner) => [owner, owner.cost]))
      if (queue.shift() === undefined) continue
      waiting--
      const served = owners.find((owner) => owner.cost < before.get(owner)!)!
      expect(served.pass - least).toBeLessThanOrEqual(5)
    }
    expect(queue.length).toBe(waiting)
  })
})

describe('accounts', () => {
  it('are kept for a while after the last connection, and no longer', () => {
    const accounts = new Accounts()
    const account = accounts.open('a')
    accounts.charge(account, 100)
    accounts.close(account)
    expect(accounts.open('a')).toBe(account)
    accounts.close(account)
    for (let i = 0; i < 10; i++) accounts.decay()
    expect(accounts.size).toBe(0)
  })

  it('are bounded, whatever names callers claim', () => {
    const accounts = new Accounts()
    for (let i = 0; i < 20_000; i++) accounts.close(accounts.open(`user-${i}`))
    expect(accounts.size).toBeLessThanOrEqual(10_000)
  })

  it('tell who costs most', () => {
    const accounts = new Accounts()
    accounts.charge(accounts.open('little'), 1)
    accounts.charge(accounts.open('much'), 5)
    expect(accounts.dearest(1).map((account) => account.user)).toEqual(['much'])
  })
})
