import { expect, test } from 'vitest'
import { defaultSettings } from '../../common/config.ts'
import { silentLogger } from '../../common/env.ts'
import type { Env } from '../../common/env.ts'
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import { VirtualClock } from '../../common/testing/virtual-clock.ts'
import type { CallContext, Method, Request } from '../../proto/ports.ts'
import { Engine } from '../core/engine.ts'
import { FakeCluster } from '../core/testing/fake-cluster.ts'
import { MemoryStore } from '../core/testing/memory-store.ts'
import { checkpointName, checkpointTime, TrashEmptier } from './trash-emptier.ts'

const MINUTE = 60_000
const context: CallContext = {
  user: 'root',
  realUser: '',
  groups: [],
  remoteAddress: '',
  clientId: '',
  callId: 0,
  retryCount: 0,
  callerContext: '',
}

function namespace() {
  const clock = new VirtualClock(new Date(2026, 10, 22, 10, 0, 30).getTime())
  const env: Env = { clock, random: new SeededRandom(1), log: silentLogger }
  const store = new MemoryStore()
  const engine = new Engine({
    store,
    cluster: new FakeCluster(),
    env,
    settings: { settings: defaultSettings(), superuser: 'root', poolId: 'BP-1' },
    defer: setImmediate,
  })
  const call = <M extends Method>(method: M, request: Request<M>) => engine.submit(context, method, request)
  const mkdir = (path: string) => call('mkdirs', { path, permission: 0o700, createParent: true, hasUnmasked: false, unmasked: 0 })
  const names = (path: string): string[] => {
    let inode = store.inode(16385)!
    for (const name of path.split('/').slice(1)) inode = store.child(inode.id, name)!
    return store.children(inode.id, '', 100).map((child) => child.name)
  }
  return { clock, env, call, mkdir, names, engine }
}

test('Current is sealed under the time, and what was sealed long enough ago is deleted, for every user', async () => {
  const { clock, env, call, mkdir, names } = namespace()
  const emptier = new TrashEmptier({ env, call, settings: { intervalMin: 60, checkpointMin: 0 } })
  await mkdir('/user/ann/.Trash/Current/old')
  await mkdir('/user/ben/.Trash/Current')
  await mkdir('/user/eve')
  await mkdir('/user/ann/.Trash/notes')
  await emptier.emptyOnce()
  const first = checkpointName(clock.nowMs())
  expect(first).toBe('261122100030')
  expect([names('/user/ann/.Trash'), names('/user/ben/.Trash')]).toEqual([[first, 'notes'], [first]])

  await clock.advance(30 * MINUTE)
  await mkdir('/user/ann/.Trash/Current/new')
  await emptier.emptyOnce()
  const second = checkpointName(clock.nowMs())
  expect(names('/user/ann/.Trash')).toEqual([first, second, 'notes'])

  await clock.advance(30 * MINUTE + 1_000)
  await emptier.emptyOnce()
  expect([names('/user/ann/.Trash'), names('/user/ben/.Trash')]).toEqual([[second, 'notes'], []])
  expect(names(`/user/ann/.Trash/${second}`)).toEqual(['new'])
})

test('two seals in one second get two names', async () => {
  const { clock, env, call, mkdir, names } = namespace()
  const emptier = new TrashEmptier({ env, call, settings: { intervalMin: 60, checkpointMin: 0 } })
  await mkdir('/user/ann/.Trash/Current')
  await emptier.emptyOnce()
  await mkdir('/user/ann/.Trash/Current')
  await emptier.emptyOnce()
  const name = checkpointName(clock.nowMs())
  expect(names('/user/ann/.Trash')).toEqual([name, `${name}-1`])
  await clock.advance(61 * MINUTE)
  await emptier.emptyOnce()
  expect(names('/user/ann/.Trash')).toEqual([])
})

test('comes round at the multiples of its interval, and not after close', async () => {
  const { clock, env, call, mkdir, names } = namespace()
  const period = 90
  const start = new TrashEmptier({ env, call, settings: { intervalMin: 24 * 60, checkpointMin: period } }).start()!
  await mkdir('/user/ann/.Trash/Current')
  const settle = async () => {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  const untilBoundary = period * MINUTE - (clock.nowMs() % (period * MINUTE))
  // Waits are bounded to an hour: the clock is moved in steps, as real time would.
  const advance = async (ms: number) => {
    for (let left = ms; left > 0; left -= 10 * MINUTE) {
      await clock.advance(Math.min(left, 10 * MINUTE))
      await settle()
    }
  }
  await advance(untilBoundary - 1_000)
  expect(names('/user/ann/.Trash')).toEqual(['Current'])
  await advance(2_000)
  expect(names('/user/ann/.Trash')).toHaveLength(1)
  expect(checkpointTime(names('/user/ann/.Trash')[0]!)).toBeGreaterThan(0)
  await start.close()
  await mkdir('/user/ann/.Trash/Current')
  await advance(2 * period * MINUTE)
  expect(names('/user/ann/.Trash')).toContain('Current')
})

test('there is no emptier when there is no trash', () => {
  const { env, call } = namespace()
  expect(new TrashEmptier({ env, call, settings: { intervalMin: 0, checkpointMin: 0 } }).start()).toBeUndefined()
})

test.each([
  ['261122100030', new Date(2026, 10, 22, 10, 0, 30).getTime()],
  ['2611221000', new Date(2026, 10, 22, 10, 0, 0).getTime()],
  ['261122100030-7', new Date(2026, 10, 22, 10, 0, 30).getTime()],
  ['Current', undefined],
  ['notes', undefined],
  ['12345', undefined],
])('the time of %s', (name, ms) => {
  expect(checkpointTime(name)).toBe(ms)
})
