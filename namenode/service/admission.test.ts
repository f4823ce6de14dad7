// Admission with an engine that the test plays: changes are answered when it says so.
import { expect, test } from 'vitest'
import type { Clock } from '../../common/env.ts'
import { VirtualClock } from '../../common/testing/virtual-clock.ts'
import type { QuarryError } from '../../common/errors.ts'
import type { CallContext, Command, Method } from '../../proto/ports.ts'
import { MemoryStore } from '../core/testing/memory-store.ts'
import type { Done } from '../core/engine.ts'
import { Admission } from './admission.ts'
import type { Patron } from './admission.ts'
import { isFinishing } from './call-costs.ts'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const queries: ReadonlySet<Method> = new Set<Method>(['getFileInfo', 'getListing', 'getContentSummary'])

class World {
  readonly clock = new VirtualClock()
  readonly ran: { method: Method; user: string }[] = []
  readonly #given: Done[] = []
  readonly answers: { user: string; error: QuarryError | undefined }[] = []
  readonly admission: Admission

  constructor(clock?: Clock) {
    this.admission = new Admission({
      clock: clock ?? this.clock,
      view: new MemoryStore().tx,
      run: (context, { method }, done) => {
        this.ran.push({ method, user: context.user })
        if (queries.has(method)) done(undefined, {})
        else this.#given.push(done)
      },
    })
  }

  open(user: string, onRoom = () => {}): Patron {
    return this.admission.open(user, onRoom)
  }

  call(patron: Patron, method: Method, times = 1): void {
    const { user } = patron.account
    for (let i = 0; i < times; i++) {
      const command = { method, request: { path: '/', recursive: true } } as unknown as Command
      this.admission.submit(patron, { user } as CallContext, command, (error) => this.answers.push({ user, error }))
    }
  }

  /** The engine answers all it was given. */
  commit(): number {
    const given = this.#given.splice(0)
    for (const done of given) done(undefined, {})
    return given.length
  }

  count(user: string): number {
    return this.ran.filter((one) => one.user === user).length
  }
}

test('with little to do every call runs at once', () => {
  const world = new World()
  const patron = world.open('a')
  world.call(patron, 'getFileInfo', 100)
  world.call(patron, 'mkdirs', 64)
  expect(world.ran).toHaveLength(164)
})

test('a turn carries out a bounded slice of queries, and all are answered in the end', async () => {
  const world = new World()
  world.call(world.open('a'), 'getFileInfo', 3000)
  expect(world.ran.length).toBeLessThanOrEqual(400)
  let before = world.ran.length
  while (world.answers.length < 3000) {
    await turn()
    expect(world.ran.length - before).toBeLessThanOrEqual(400)
    expect(world.ran.length).toBeGreaterThan(before)
    before = world.ran.length
  }
})

test('changes reach the engine in bounded groups; the next follows when it has answered', async () => {
  const world = new World()
  world.call(world.open('a'), 'mkdirs', 2000)
  let total = 0
  for (let i = 0; i < 100 && total < 2000; i++) {
    const group = world.commit()
    expect(group).toBeLessThanOrEqual(i === 0 ? 256 : 1024)
    total += group
    await turn()
  }
  expect(total).toBe(2000)
})

test('changes that wait for datanodes do not keep the others from the engine', async () => {
  const world = new World()
  const patron = world.open('a')
  world.call(patron, 'complete', 1000)
  world.call(patron, 'mkdirs', 1)
  for (let i = 0; i < 30; i++) await turn()
  expect(world.ran.filter(({ method }) => method === 'mkdirs')).toHaveLength(1)
})

test('one call of another user is served in the next turn of a flood', async () => {
  const world = new World()
  world.call(world.open('flood'), 'getFileInfo', 3500)
  world.call(world.open('quiet'), 'getFileInfo')
  expect(world.count('quiet')).toBe(0)
  await turn()
  expect(world.count('quiet')).toBe(1)
})

test('a second connection of the same user is not held up by the first', async () => {
  const world = new World()
  world.call(world.open('a'), 'getFileInfo', 3500)
  world.call(world.open('a'), 'getListing')
  await turn()
  expect(world.ran.some(({ method }) => method === 'getListing')).toBe(true)
})

test('calls by which writers finish go before all changes', async () => {
  const world = new World()
  world.call(world.open('flood'), 'mkdirs', 2000)
  const writer = world.open('writer')
  for (const method of isFinishing) world.call(writer, method)
  world.commit()
  await turn()
  const last = world.ran.findLastIndex(({ user }) => user === 'writer')
  expect(world.count('writer')).toBe(isFinishing.size)
  expect(world.ran.slice(0, last).filter(({ user }) => user === 'flood').length).toBeLessThanOrEqual(256)
})

test('the renewal of a lease waits for nothing', () => {
  const world = new World()
  const patron = world.open('a')
  world.call(patron, 'mkdirs', 2000)
  world.call(patron, 'getFileInfo', 2000)
  world.call(patron, 'renewLease')
  expect(world.ran.at(-1)?.method).toBe('renewLease')
})

test('what cannot be served in time is refused with the time to wait, of those over their share only', () => {
  const world = new World()
  world.call(world.open('flood'), 'getFileInfo', 20_000)
  const refused = world.answers.filter(({ error }) => error?.code === 'OVERLOADED')
  expect(refused.length).toBeGreaterThan(5_000)
  expect(refused[0]!.error!.details['retryAfterMs']).toBeGreaterThanOrEqual(20)
  expect(refused[0]!.error!.advice).toBe('retry')
  world.call(world.open('quiet'), 'getFileInfo', 100)
  expect(world.answers.filter(({ user }) => user === 'quiet')).toEqual([])
  expect(world.admission.counts.refused).toBe(refused.length)
})

test('a program with one connection is not refused whatever it has in flight', async () => {
  const world = new World()
  world.call(world.open('a'), 'getListing', 4096)
  while (world.answers.length < 4096) await turn()
  expect(world.answers.filter(({ error }) => error !== undefined)).toEqual([])
})

test('nobody can make more wait than the bound', () => {
  const world = new World()
  for (let user = 0; user < 100; user++) world.call(world.open(`u${user}`), 'mkdirs', 1000)
  expect(world.admission.counts.changes).toBeLessThanOrEqual(65_536)
})

test('a connection with more than its share waiting is not read from until it has room', async () => {
  const world = new World()
  let room = 0
  const patron = world.open('a', () => room++)
  for (let i = 0; i < 60; i++) world.call(world.open(`u${i}`), 'getFileInfo', 50)
  world.call(patron, 'getFileInfo', 1000)
  expect(patron.isOver).toBe(true)
  while (world.answers.length < 4000) await turn()
  expect([patron.isOver, room]).toEqual([false, 1])
})

test('when a turn has taken in enough, connections are read from in turn', async () => {
  const world = new World()
  const patrons = Array.from({ length: 400 }, (_, i) => world.open(i < 399 ? 'flood' : 'quiet'))
  for (const patron of patrons) world.admission.arrived(patron)
  const resting = () => patrons.filter((patron) => patron.isResting).length
  const first = resting()
  expect(first).toBeGreaterThan(200)
  await turn()
  expect(resting()).toBe(first - 64)
  expect(patrons.at(-1)!.isResting).toBe(false)
  for (let i = 0; i < 10; i++) await turn()
  expect(resting()).toBe(0)
})

test('turns that take too long read from fewer connections, those that do not from more again', async () => {
  const world = new World()
  const patrons = Array.from({ length: 2000 }, () => world.open('flood'))
  for (const patron of patrons) world.admission.arrived(patron)
  const resting = () => patrons.filter((patron) => patron.isResting).length
  const readIn = async (): Promise<number> => {
    const before = resting()
    await turn()
    return before - resting()
  }
  await world.clock.advance(1)
  expect(await readIn()).toBe(64)
  const reads: number[] = []
  for (let i = 0; i < 10; i++) {
    await world.clock.advance(50)
    reads.push(await readIn())
  }
  expect(reads.at(-1)).toBeLessThan(10)
  for (let i = 0; i < 20; i++) reads.push(await readIn())
  expect(reads.at(-1)).toBeGreaterThan(30)
})

test('what a closed connection had waiting is not carried out', async () => {
  const world = new World()
  const patron = world.open('a')
  world.call(patron, 'mkdirs', 1000)
  const ran = world.ran.length
  world.admission.close(patron)
  while (world.commit() > 0) await turn()
  expect(world.ran.length).toBe(ran)
  expect(world.answers).toHaveLength(1000)
})

test('a dear query is charged for the time it took', async () => {
  let nowMs = 0
  const clock = new VirtualClock()
  const slow: Clock = {
    ...clock,
    monotonicMs: () => (nowMs += 5),
    nowMs: () => nowMs,
    sleep: () => Promise.resolve(),
    after: () => () => {},
  }
  const world = new World(slow)
  const dear = world.open('dear')
  const cheap = world.open('cheap')
  world.call(dear, 'getContentSummary', 50)
  world.call(cheap, 'getFileInfo', 500)
  while (world.count('cheap') < 500) await turn()
  expect(world.count('dear')).toBeLessThanOrEqual(25)
})

test('the users that took most lately are named, and a quiet time makes them cheap again', async () => {
  const world = new World()
  world.call(world.open('dear'), 'getFileInfo', 2_000)
  world.call(world.open('cheap'), 'getFileInfo', 500)
  while (world.answers.length < 2_500) await turn()
  const [first, second] = world.admission.dearest(10)
  expect([first?.user, second?.user]).toEqual(['dear', 'cheap'])
  expect(world.admission.dearest(1)).toHaveLength(1)
  await world.clock.advance(10_000)
  expect(world.admission.dearest(1)).toEqual([{ user: 'dear', recentMs: Math.round(first!.recentMs / 4) }])
  await world.clock.advance(600_000)
  expect(world.admission.dearest(10)).toEqual([])
})
