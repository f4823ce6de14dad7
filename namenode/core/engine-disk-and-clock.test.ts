// What the engine promises when the disk is full and when the machine's clock is set.
import { expect, it } from 'vitest'
import { QuarryError } from '../../common/errors.ts'
import type { Clock } from '../../common/env.ts'
import { silentLogger } from '../../common/env.ts'
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import { VirtualClock } from '../../common/testing/virtual-clock.ts'
import { Engine } from './engine.ts'
import { editTime } from './edit-time.ts'
import { namespaceChecksum } from './namespace-checksum.ts'
import { sha256 } from '../store/digest.ts'
import { Harness } from './testing/harness.ts'
import { MemoryStore } from './testing/memory-store.ts'

const HOUR = 3_600_000

/** A virtual clock whose wall time can be set, as an operator or a time server does. */
class SettableClock implements Clock {
  readonly inner = new VirtualClock()
  skewMs = 0
  nowMs(): number {
    return this.inner.nowMs() + this.skewMs
  }
  monotonicMs(): number {
    return this.inner.monotonicMs()
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.inner.sleep(ms, signal)
  }
  after(ms: number, callback: () => void): () => void {
    return this.inner.after(ms, callback)
  }
}

const full = () => new QuarryError('DISK_FULL', 'The disk of the namenode is full: nothing was changed. Make room in its directory.')

/** An engine of its own beside the harness's, over the same cluster and settings. */
function engineOver(store: MemoryStore, clock: Clock, quarry: Harness, diskFull?: (cause: QuarryError) => QuarryError): Harness {
  quarry.engine.close()
  quarry.engine = new Engine({
    store,
    cluster: quarry.cluster,
    env: { clock, random: new SeededRandom(1), log: silentLogger },
    settings: { settings: quarry.settings, superuser: 'root', poolId: 'BP-test' },
    defer: (callback) => void setImmediate(callback),
    ...(diskFull && { diskFull }),
  })
  return quarry
}

it('a batch whose commit finds no room fails as a whole, changes nothing, and the next one goes through', async () => {
  const store = new MemoryStore()
  const causes: string[] = []
  const quarry = engineOver(store, new VirtualClock(), new Harness({ store }), (cause) => {
    causes.push(cause.code)
    return new QuarryError('SAFE_MODE', 'full')
  })
  await quarry.write('/before', [5])
  const before = namespaceChecksum(store.tx, sha256())
  store.failNextCommit = full()
  const outcomes = await Promise.allSettled([
    quarry.call('mkdirs', { path: '/a' }),
    quarry.call('rename', { source: '/before', target: '/moved' }, { clientId: 'c', callId: 1 }),
    quarry.call('delete', { path: '/nothing' }),
  ])
  expect(outcomes.map((one) => one.status === 'rejected' && (one.reason as QuarryError).code)).toEqual([
    'SAFE_MODE',
    'SAFE_MODE',
    'SAFE_MODE',
  ])
  expect(causes).toEqual(['DISK_FULL'])
  expect(namespaceChecksum(store.tx, sha256())).toEqual(before)
  expect(await quarry.stat('/before')).toMatchObject({ length: 5 })
  // The reply of the failed rename was not remembered: the retry is carried out.
  expect(await quarry.call('rename', { source: '/before', target: '/moved' }, { clientId: 'c', callId: 1, retryCount: 1 })).toEqual({
    value: true,
  })
  expect(await quarry.stat('/moved')).not.toBeNull()
})

it('a disk that fails elsewhere stops the engine for good: what waits and what comes is answered INTERNAL', async () => {
  const failures: QuarryError[] = []
  const quarry = new Harness({ onFailure: (error) => failures.push(error) })
  const waiting = quarry.fails('mkdirs', { path: '/a' })
  quarry.engine.stop(new QuarryError('INTERNAL', 'the disk of the namenode fails (SQLITE_IOERR_FSYNC)'))
  expect(await waiting).toMatchObject({ code: 'INTERNAL' })
  expect(await quarry.fails('getFileInfo', { path: '/' })).toBe(failures[0])
  expect(failures).toHaveLength(1)
})

it('transactions and times go on when the clock is set back, also over a restart', async () => {
  const store = new MemoryStore()
  const clock = new SettableClock()
  clock.skewMs = 1000
  const quarry = engineOver(store, clock, new Harness({ store }))
  await quarry.call('mkdirs', { path: '/one' })
  clock.skewMs = -HOUR
  await quarry.call('mkdirs', { path: '/two' })
  engineOver(store, clock, quarry)
  await quarry.call('mkdirs', { path: '/three' })
  clock.skewMs = 2 * HOUR
  await quarry.call('mkdirs', { path: '/four' })
  const edits = store.editsAfter(1, 100)
  expect(edits.map((edit) => edit.txid)).toEqual([2, 3, 4, 5])
  const times = edits.map((edit) => edit.atMs)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect((await quarry.stat('/two'))!.mtimeMs).toBe((await quarry.stat('/one'))!.mtimeMs)
  expect((await quarry.stat('/four'))!.mtimeMs).toBe(clock.nowMs())
})

it('believes a clock that is set back by more than a day: the date before was wrong', () => {
  const wrong = Date.UTC(2038, 0, 19)
  const right = Date.UTC(2026, 10, 22)
  expect([editTime(wrong, right), editTime(right, right - 1), editTime(right, right + 1)]).toEqual([right, right, right + 1])
})

it('gives the first reply to a repeated call although the clock was set while the namenode was down', async () => {
  for (const skewMs of [-5 * HOUR, 5 * HOUR, 48 * HOUR]) {
    const store = new MemoryStore()
    const clock = new SettableClock()
    const quarry = engineOver(store, clock, new Harness({ store }))
    await quarry.write('/a')
    const remove = { clientId: 'client', callId: 7 }
    expect(await quarry.call('delete', { path: '/a' }, remove)).toEqual({ value: true })
    clock.skewMs = skewMs
    engineOver(store, clock, quarry)
    expect(await quarry.call('delete', { path: '/a' }, { ...remove, retryCount: 1 })).toEqual({ value: true })
  }
})

it('a lease neither ends nor lasts longer because the clock was set', async () => {
  for (const skewMs of [-5 * HOUR, 5 * HOUR]) {
    const store = new MemoryStore()
    const clock = new SettableClock()
    const quarry = engineOver(store, clock, new Harness({ store }))
    await quarry.call('create', { path: '/f', holder: 'one' })
    clock.skewMs = skewMs
    expect((await quarry.fails('append', { path: '/f', holder: 'two' })).code).toBe('LEASE_CONFLICT')
    await clock.inner.advance(quarry.settings['lease.soft'] + 1)
    await quarry.call('append', { path: '/f', holder: 'two' })
    expect((await quarry.stat('/f'))!.underConstruction).toBe(true)
  }
})

it('a call that waits for a replica gives up after its time although the clock was set back', async () => {
  const store = new MemoryStore()
  const clock = new SettableClock()
  const quarry = engineOver(store, clock, new Harness({ store }))
  await quarry.call('create', { path: '/f' })
  const { block } = await quarry.call('addBlock', { path: '/f' })
  quarry.cluster.live.set(block!.block!.blockId, 0)
  const closing = quarry.call('complete', { path: '/f', last: { ...block!.block!, length: 5 } })
  await new Promise((resolve) => setTimeout(resolve, 20))
  clock.skewMs = -HOUR
  for (let i = 0; i < 10; i++) {
    await clock.inner.advance(1000)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  expect(await closing).toEqual({ value: false })
})
