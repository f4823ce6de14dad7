import { expect, test } from 'vitest'
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import { VirtualClock } from '../../common/testing/virtual-clock.ts'
import { testDisk } from '../../datanode/store/disk-conformance.ts'
import { VirtualDisk } from './disk.ts'

testDisk('the simulated disk', async () => {
  const disk = new VirtualDisk(new VirtualClock())
  await disk.mkdir('/root')
  return { disk, root: '/root' }
})

const bytes = (text: string): Uint8Array => Buffer.from(text)

async function written(disk: VirtualDisk, path: string, text: string): Promise<number> {
  const fd = await disk.open(path, 'w+')
  await disk.write(fd, bytes(text), 0)
  return fd
}

test('what was synced, data and name, survives every power failure', async () => {
  for (let seed = 0; seed < 50; seed++) {
    const disk = new VirtualDisk(new VirtualClock())
    await disk.mkdir('/data')
    await disk.syncDirectory('/')
    const fd = await written(disk, '/data/a', 'kept')
    await disk.sync(fd)
    await disk.syncDirectory('/data')
    await disk.write(fd, bytes('more'), 4)
    disk.powerLoss(new SeededRandom(seed))
    expect(
      Buffer.from(await disk.readFile('/data/a'))
        .toString()
        .slice(0, 4),
    ).toBe('kept')
  }
})

test('what was not synced is sometimes there and sometimes not', async () => {
  const seen = new Set<string>()
  for (let seed = 0; seed < 50; seed++) {
    const disk = new VirtualDisk(new VirtualClock())
    await disk.mkdir('/data')
    await disk.syncDirectory('/')
    await written(disk, '/data/a', 'x'.repeat(5000))
    disk.powerLoss(new SeededRandom(seed))
    if (disk.files().length === 0) seen.add('no name')
    else {
      const found = Buffer.from(await disk.readFile('/data/a'))
      seen.add(found.length < 5000 ? 'short' : found.every((byte) => byte === 0x78) ? 'whole' : 'holes')
    }
  }
  expect([...seen].sort()).toEqual(['holes', 'no name', 'short', 'whole'])
})

test('a rename that was not synced leaves the old name or the new one, never both or none', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const disk = new VirtualDisk(new VirtualClock())
    await disk.mkdir('/rbw')
    await disk.mkdir('/final')
    const fd = await written(disk, '/rbw/a', 'a')
    await disk.sync(fd)
    await disk.syncDirectory('/rbw')
    await disk.rename('/rbw/a', '/final/a')
    disk.powerLoss(new SeededRandom(seed))
    expect(disk.files()).toHaveLength(1)
  }
})

test('a lying disk loses what it said was synced', async () => {
  const disk = new VirtualDisk(new VirtualClock())
  disk.lying = true
  const fd = await written(disk, '/a', 'gone')
  await disk.sync(fd)
  await disk.syncDirectory('/')
  let lost = 0
  for (let seed = 0; seed < 20; seed++) {
    const other = new VirtualDisk(new VirtualClock())
    other.lying = true
    await other.sync(await written(other, '/a', 'gone'))
    await other.syncDirectory('/')
    other.powerLoss(new SeededRandom(seed))
    if (other.files().length === 0) lost++
  }
  expect(lost).toBeGreaterThan(0)
  expect(disk.counts.syncs).toBe(0)
})

test('a full disk refuses what does not fit, and has room again after a deletion', async () => {
  const disk = new VirtualDisk(new VirtualClock())
  disk.capacity = 10
  const fd = await written(disk, '/a', '12345678')
  await expect(disk.write(fd, bytes('xyz'), 8)).rejects.toMatchObject({ code: 'ENOSPC' })
  await disk.close(fd)
  await disk.unlink('/a')
  expect(await disk.space('/')).toEqual({ total: 10, free: 10 })
})

test('calls of a process that died do nothing and never answer', async () => {
  const clock = new VirtualClock()
  const disk = new VirtualDisk(clock)
  const fd = await written(disk, '/a', 'before')
  disk.latency = { call: 5, sync: 0 }
  let answered = false
  void disk.write(fd, bytes('after!'), 0).then(() => (answered = true))
  disk.processDied()
  await clock.advance(100)
  disk.latency = { call: 0, sync: 0 }
  expect(answered).toBe(false)
  expect(Buffer.from(await disk.readFile('/a')).toString()).toBe('before')
})

test('a rotten bit is read as such', async () => {
  const disk = new VirtualDisk(new VirtualClock())
  await written(disk, '/a', 'a')
  expect(disk.rot('/a', 0, 1)).toBe(true)
  expect(Buffer.from(await disk.readFile('/a')).toString()).toBe('c')
  expect(disk.rot('/a', 1)).toBe(false)
})
