import { expect, test } from 'vitest'
import { silentLogger } from '../../common/env.ts'
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import { VirtualClock } from '../../common/testing/virtual-clock.ts'
import { Periodic } from './periodic.ts'

const tick = async () => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

function setUp() {
  const clock = new VirtualClock()
  const warned: unknown[] = []
  const log = { ...silentLogger, warn: (event: string, fields?: unknown) => void warned.push([event, fields]) }
  return { clock, warned, env: { clock, random: new SeededRandom(1), log } }
}

test('runs do not overlap: the pause begins when a run ends', async () => {
  const { clock, env } = setUp()
  let runs = 0
  let finish = () => {}
  const periodic = new Periodic(env, {
    name: 'w',
    intervalMs: () => 100,
    run: () =>
      new Promise<void>((resolve) => {
        runs++
        finish = resolve
      }),
  })
  await clock.advance(100)
  await tick()
  await clock.advance(1_000)
  await tick()
  expect(runs).toBe(1)
  finish()
  await tick()
  await clock.advance(99)
  await tick()
  expect(runs).toBe(1)
  await clock.advance(1)
  await tick()
  expect(runs).toBe(2)
  finish()
  await periodic.close()
})

test('a run that fails is logged and the next one comes', async () => {
  const { clock, env, warned } = setUp()
  let runs = 0
  const periodic = new Periodic(env, {
    name: 'w',
    intervalMs: () => 100,
    run: () => {
      runs++
      throw new Error('no luck')
    },
  })
  for (let i = 0; i < 2; i++) {
    await clock.advance(100)
    await tick()
  }
  expect([runs, warned]).toEqual([
    2,
    [
      ['worker.failed', { worker: 'w', message: 'no luck' }],
      ['worker.failed', { worker: 'w', message: 'no luck' }],
    ],
  ])
  await periodic.close()
})

test('close waits for the run under way and tells it', async () => {
  const { clock, env } = setUp()
  let told = false
  let ended = false
  const periodic = new Periodic(env, {
    name: 'w',
    intervalMs: () => 100,
    run: (signal) =>
      new Promise<void>((resolve) =>
        signal.addEventListener('abort', () => {
          told = true
          setImmediate(() => {
            ended = true
            resolve()
          })
        }),
      ),
  })
  await clock.advance(100)
  await tick()
  await periodic.close()
  await periodic.close()
  expect([told, ended]).toEqual([true, true])
  await clock.advance(1_000)
})
