import { expect, test } from 'vitest'
import { VirtualClock } from '../common/testing/virtual-clock.ts'
import { SeededRandom } from '../common/testing/seeded-random.ts'
import { silentLogger } from '../common/env.ts'
import { FileSystem } from './filesystem.ts'
import { FakeCluster } from './testing/fake-cluster.ts'
import { checkpointName, checkpointTime } from './trash.ts'

function setUp() {
  const cluster = new FakeCluster()
  const clock = new VirtualClock(1_700_000_000_000)
  const fs = new FileSystem({
    uri: 'quarry://x:1',
    user: 'me',
    namenode: cluster.namenode,
    datanodes: cluster,
    env: { clock, random: new SeededRandom(1), log: silentLogger },
  })
  return { cluster, clock, fs }
}

test('what is deleted lies in the trash under the path it had', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/a/b/c', Buffer.from('1'))
  expect(await fs.moveToTrash('/a/b/c')).toBe('/user/me/.Trash/Current/a/b/c')
  expect(await fs.exists('/a/b/c')).toBe(false)
  expect(await fs.exists('/user/me/.Trash/Current/a/b/c')).toBe(true)
  expect(cluster.callsOf('rename2')[0]).toMatchObject({ toTrash: true })
})

test('a name that is taken gets the time in milliseconds', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/a', Buffer.from('1'))
  await fs.moveToTrash('/a')
  cluster.addFile('/a', Buffer.from('2'))
  expect(await fs.moveToTrash('/a')).toBe('/user/me/.Trash/Current/a1700000000000')
})

test('a file in the trash where a directory is needed does not stop the next delete', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/a', Buffer.from('1'))
  await fs.moveToTrash('/a')
  cluster.addFile('/a/b', Buffer.from('2'))
  expect(await fs.moveToTrash('/a/b')).toBe('/user/me/.Trash/Current/a1700000000000/b')
})

test('nothing is moved when the trash is off or the path lies in it', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/user/me/.Trash/Current/x', Buffer.from('1'))
  expect(await fs.moveToTrash('/user/me/.Trash/Current/x')).toBeUndefined()
  const off = setUp()
  off.cluster.trashIntervalMinutes = 0
  off.cluster.addFile('/x', Buffer.from('1'))
  expect(await off.fs.moveToTrash('/x')).toBeUndefined()
  expect(await off.fs.moveToTrash('/x', { intervalMinutes: 5 })).toBe('/user/me/.Trash/Current/x')
})

test('a parent of the trash is refused, a namesake beside it is not', async () => {
  const { cluster, fs } = setUp()
  cluster.addFile('/user/me/.Trash/Current/x', Buffer.from('1'))
  cluster.addFile('/user/me/.Trashy', Buffer.from('1'))
  await expect(fs.moveToTrash('/user')).rejects.toThrow('Cannot move "/user" to the trash, as it contains the trash.')
  await expect(fs.moveToTrash('/user/me/.Trash')).resolves.toBeUndefined()
  expect(await fs.moveToTrash('/user/me/.Trashy')).toBe('/user/me/.Trash/Current/user/me/.Trashy')
  await expect(fs.moveToTrash('/missing')).rejects.toThrow('File does not exist: /missing')
})

test('expunge seals what is current and deletes what is older than the interval', async () => {
  const { cluster, clock, fs } = setUp()
  cluster.addFile('/a', Buffer.from('1'))
  await fs.moveToTrash('/a')
  await fs.expungeTrash()
  const sealed = checkpointName(clock.nowMs())
  expect((await fs.readdir('/user/me/.Trash')).map((entry) => entry.name)).toEqual([sealed])
  await clock.advance(359 * 60_000)
  await fs.expungeTrash()
  expect(await fs.exists(`/user/me/.Trash/${sealed}`)).toBe(true)
  await clock.advance(2 * 60_000)
  await fs.expungeTrash()
  expect(await fs.exists(`/user/me/.Trash/${sealed}`)).toBe(false)
})

test('a checkpoint is named after its second', () => {
  const atMs = new Date(2026, 0, 2, 3, 4, 5).getTime()
  expect(checkpointName(atMs)).toBe('260102030405')
  expect(checkpointTime('260102030405')).toBe(atMs)
  expect(checkpointTime('260102030405-2')).toBe(atMs)
  expect(checkpointTime('Current')).toBeUndefined()
})
