// Datanodes that serve as many block streams as they may: readers and writers go elsewhere, or wait, and nobody is taken for dead.
import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import type { FileSystem } from '../../client/index.ts'
import { must } from '../../common/assert.ts'
import { MiniCluster } from '../support/mini-cluster.ts'

const MiB = 1024 * 1024
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Files being written, each with a stream on `replication` datanodes, until the result is called. */
async function occupy(fs: FileSystem, path: string, count: number, replication = 1): Promise<() => Promise<void>> {
  const writers = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const writer = await fs.create(`${path}-${i}`, { replication })
      await writer.write('x')
      await writer.hflush()
      return writer
    }),
  )
  return async () => {
    for (const writer of writers) await writer.close()
  }
}

test('beyond datanode.streams.max a read goes to another replica, and a write to other datanodes', async () => {
  await using cluster = await MiniCluster.start({
    datanodes: 3,
    datanodeSettings: (index) => (index === 0 ? { 'datanode.streams.max': 1 } : {}),
  })
  const fs = await cluster.connect({ localReads: false })
  const bytes = randomBytes(2 * MiB)
  await fs.writeFile('/f', bytes, { replication: 3 })
  const full = must(cluster.datanodes[0]).uuid
  // A pipeline over all three: no other stream fits there.
  const release = await occupy(fs, '/held', 1, 3)
  await Promise.all(Array.from({ length: 5 }, async () => expect(digest(await fs.readFile('/f'))).toBe(digest(bytes))))
  await fs.writeFile('/g', bytes, { replication: 2 })
  const hosts = (await fs.blockLocations('/g'))[0]!.hosts.map((host) => host.uuid)
  expect(hosts).not.toContain(full)
  expect(digest(await fs.readFile('/g'))).toBe(digest(bytes))
  // Full is not dead: its heartbeats go on.
  expect((await fs.datanodes('live')).map((node) => node.datanode?.uuid)).toContain(full)
  await release()
})

test('when every datanode is full, readers and writers wait for a place', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 1, settings: { 'datanode.streams.max': 3 } })
  const fs = await cluster.connect({ localReads: false })
  await fs.writeFile('/f', 'here')
  const release = await occupy(fs, '/held', 3)
  const reading = fs.readFile('/f', { encoding: 'utf8' })
  const writing = fs.writeFile('/g', 'later')
  await new Promise((resolve) => setTimeout(resolve, 300))
  await release()
  expect(await reading).toBe('here')
  await writing
  expect(await fs.readFile('/g', { encoding: 'utf8' })).toBe('later')
})
