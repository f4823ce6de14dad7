// An append, or the recovery of a lease, makes the replicas that take part the only ones that count. A damaged one may not be the one
// that is left.
import { open, readdir } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { must } from '../../common/assert.ts'
import { MiniCluster, waitFor } from '../support/mini-cluster.ts'
import { seededBytes } from '../support/processes.ts'

async function flip(dir: string, blockId: number, at: number): Promise<void> {
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (entry.name !== `blk_${blockId}`) continue
    const handle = await open(path.join(entry.parentPath, entry.name), 'r+')
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, at)
    await handle.write(Buffer.from([must(buffer[0]) ^ 1]), 0, 1, at)
    await handle.close()
    return
  }
  throw new Error(`no file of block ${blockId} below ${dir}`)
}

it('an append while the only reachable replica is damaged does not make the good ones stale: no byte is lost', async () => {
  await using cluster = await MiniCluster.start({
    datanodes: 3,
    settings: { 'lease.soft': 1_000, 'lease.hard': 2_000, 'scan.period': 0, 'directory.scan.interval': 0 },
  })
  const bytes = seededBytes(700_000, 5)
  const fs = await cluster.connect({ localReads: false })
  await fs.writeFile('/log', bytes, { replication: 3 })
  const [block] = await fs.blockLocations('/log')
  await flip(cluster.datanodeDir(2), must(block).blockId, 300_000)
  await cluster.killDatanode(0)
  await cluster.killDatanode(1)
  await waitFor(async () => ((await fs.datanodes('live')).length === 1 ? undefined : 'more live'), 'two datanodes to be dead')
  const more = seededBytes(1_000, 6)
  const append = async () => {
    const writer = await fs.append('/log')
    try {
      await writer.write(more)
      await writer.close()
    } catch (error) {
      await writer.abort(error).catch(() => {})
      throw error
    }
  }
  await expect(append()).rejects.toThrow()
  await cluster.restartDatanode(0)
  await cluster.restartDatanode(1)
  await cluster.waitReady()
  await waitFor(async () => ((await fs.recoverLease('/log')) ? undefined : 'open'), 'the lease to be recovered')
  expect((await fs.readFile('/log')).equals(bytes)).toBe(true)
  await append()
  expect((await fs.readFile('/log')).equals(Buffer.concat([bytes, more]))).toBe(true)
  await waitFor(async () => {
    const hosts = (await fs.blockLocations('/log')).map((one) => one.hosts.length)
    return hosts.every((count) => count === 3) ? undefined : `${hosts.join(', ')} copies`
  }, 'three good copies')
})
