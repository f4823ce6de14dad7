import { expect, test } from 'vitest'
import { SeededRandom } from './seeded-random.ts'
import { VirtualClock } from './virtual-clock.ts'

test('timers fire in the order of their time, those of one moment in the order in which they were set', async () => {
  const clock = new VirtualClock(0)
  const random = new SeededRandom(1)
  const fired: { atMs: number; order: number }[] = []
  for (let order = 0; order < 2_000; order++) {
    const ms = random.int(300)
    const cancel = clock.after(ms, () => fired.push({ atMs: clock.monotonicMs(), order }))
    if (random.float() < 0.6) cancel()
  }
  await clock.advance(1_000)
  expect(fired.length).toBeGreaterThan(500)
  expect(fired).toEqual([...fired].sort((a, b) => a.atMs - b.atMs || a.order - b.order))
})

test('a timer that is cancelled does not fire, and cancelling one that has fired does nothing', async () => {
  const clock = new VirtualClock(0)
  let fired = 0
  const cancel = clock.after(5, () => fired++)
  clock.after(5, () => fired++)()
  await clock.advance(10)
  cancel()
  expect(fired).toBe(1)
  expect(clock.fireNext(1_000)).toBe(false)
})

test('an aborted sleep rejects with the reason of its signal', async () => {
  const clock = new VirtualClock(0)
  const stop = new AbortController()
  const slept = clock.sleep(1_000, stop.signal)
  stop.abort(new Error('enough'))
  await expect(slept).rejects.toThrow('enough')
})

test('the wall clock may jump; the monotonic one does not', async () => {
  const clock = new VirtualClock(0)
  clock.jump(-500)
  await clock.advance(100)
  expect([clock.nowMs(), clock.monotonicMs()]).toEqual([-400, 100])
})
