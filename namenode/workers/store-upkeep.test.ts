import { expect, it } from 'vitest'
import { silentLogger } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import { VirtualClock } from '../../common/testing/virtual-clock.ts'
import { DiskGuard } from '../core/disk-guard.ts'
import { StoreUpkeep } from './store-upkeep.ts'

const MIB = 1024 * 1024
const noRoom = () => new QuarryError('DISK_FULL', 'no room')

function upkeep(reservedBytes = 100 * MIB) {
  const disk = {
    free: 1000 * MIB,
    wal: 0,
    commits: 0,
    failure: undefined as QuarryError | undefined,
    freeBytes: () => disk.free,
    walBytes: () => disk.wal,
    tryCommit() {
      disk.commits++
      if (disk.failure) throw disk.failure
    },
    checkpoint() {
      if (disk.failure) throw disk.failure
      disk.wal = 0
    },
  }
  const reasons: string[] = []
  const failures: QuarryError[] = []
  const guard = new DiskGuard({ directory: '/namenode', reservedBytes }, (reason) => reasons.push(reason))
  const env = { clock: new VirtualClock(), random: new SeededRandom(1), log: silentLogger }
  const worker = new StoreUpkeep({ env, disk, guard, intervalMs: 1000, failed: (error) => failures.push(error) })
  return { disk, guard, reasons, failures, worker, env }
}

it('takes no changes when less than the reserve is free, and says how much is', () => {
  const { disk, guard, worker } = upkeep()
  worker.look()
  expect(guard.reason).toBe('')
  disk.free = 99 * MIB
  worker.look()
  expect(guard.reason).toBe(
    `The disk of the namenode is nearly full (${99 * MIB} bytes free in /namenode, ${100 * MIB} are kept in reserve): free some space; the namenode goes on by itself`,
  )
  expect(disk.commits).toBe(0)
})

it('goes on by itself, not before a quarter more than the reserve is free and a trial commit succeeds', () => {
  const { disk, guard, worker } = upkeep()
  disk.free = 1 * MIB
  worker.look()
  disk.free = 124 * MIB
  worker.look()
  expect([guard.reason.includes(`(${124 * MIB} bytes free`), disk.commits]).toEqual([true, 0])
  disk.free = 125 * MIB
  disk.failure = noRoom()
  worker.look()
  expect([guard.reason.includes('is full'), disk.commits]).toEqual([true, 1])
  disk.failure = undefined
  worker.look()
  expect([guard.reason, disk.commits]).toEqual(['', 2])
  worker.look()
  expect(disk.commits).toBe(2)
})

it('a commit without room is answered SAFE_MODE with the reason, and a quota that statfs does not see is told by the trial', () => {
  const { disk, guard, worker } = upkeep()
  const answer = worker.commitFailed(noRoom())
  const reason = `The disk of the namenode is full (${1000 * MIB} bytes free in /namenode): free some space; the namenode goes on by itself`
  expect(answer).toMatchObject({ code: 'SAFE_MODE', advice: 'retry', message: `${reason}. Nothing was changed.`, details: { reason } })
  expect(guard.reason).toBe(reason)
  disk.failure = noRoom()
  worker.look()
  expect(guard.reason).toBe(reason)
  disk.failure = undefined
  worker.look()
  expect(guard.reason).toBe('')
})

it('empties a WAL that grew, and a checkpoint without room is a full disk', () => {
  const { disk, guard, worker } = upkeep()
  disk.wal = 65 * MIB
  worker.look()
  expect([disk.wal, guard.reason]).toEqual([0, ''])
  disk.wal = 65 * MIB
  disk.failure = noRoom()
  worker.look()
  expect([disk.wal, guard.reason.includes('is full')]).toEqual([65 * MIB, true])
})

it('a disk that fails, at the trial or at a checkpoint, stops the engine', () => {
  const broken = new QuarryError('INTERNAL', 'the disk of the namenode fails (SQLITE_IOERR_FSYNC)')
  const one = upkeep()
  one.disk.wal = 65 * MIB
  one.disk.failure = broken
  one.worker.look()
  expect(one.failures).toEqual([broken])
  const two = upkeep()
  two.worker.commitFailed(noRoom())
  two.disk.failure = broken
  two.worker.look()
  expect(two.failures).toEqual([broken])
})

it('looks again and again until it is closed', async () => {
  const { disk, guard, worker, env } = upkeep()
  const periodic = worker.start()
  disk.free = 0
  await env.clock.advance(1000)
  await new Promise((resolve) => setImmediate(resolve))
  expect(guard.reason).not.toBe('')
  disk.free = 1000 * MIB
  await new Promise((resolve) => setImmediate(resolve))
  await env.clock.advance(1000)
  await new Promise((resolve) => setImmediate(resolve))
  expect(guard.reason).toBe('')
  await periodic.close()
})
