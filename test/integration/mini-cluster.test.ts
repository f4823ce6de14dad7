// The cluster that users get for their own tests: it starts, loses and regains each of its parts, and leaves nothing behind.
import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import { MiniCluster, waitFor } from '../support/mini-cluster.ts'

it('stores with as many copies as it has datanodes, and removes its directory at the end', async () => {
  let dir = ''
  {
    await using cluster = await MiniCluster.start({ datanodes: 2 })
    dir = cluster.dir
    const fs = await cluster.connect()
    await fs.writeFile('/hello', 'world')
    expect((await fs.readFile('/hello')).toString()).toBe('world')
    expect((await fs.stat('/hello')).replication).toBe(2)
    expect((await fs.blockLocations('/hello'))[0]?.hosts).toHaveLength(2)
  }
  expect(existsSync(dir)).toBe(false)
})

it('notices within seconds that a datanode is gone, copies its blocks, and takes it back with its data', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 4 })
  const fs = await cluster.connect()
  await fs.writeFile('/file', Buffer.alloc(100_000, 7))
  const holder = (await fs.blockLocations('/file'))[0]?.hosts[0]?.uuid
  const index = cluster.datanodes.findIndex((node) => node?.uuid === holder)
  await cluster.killDatanode(index)
  expect(cluster.datanodes[index]).toBeUndefined()
  await waitFor(async () => {
    const hosts = (await fs.blockLocations('/file'))[0]?.hosts ?? []
    return hosts.length === 3 && hosts.every((host) => host.uuid !== holder) ? undefined : `${hosts.length} copies`
  }, 'a third copy elsewhere')
  expect((await cluster.restartDatanode(index)).uuid).toBe(holder)
  await cluster.waitReady()
  expect((await fs.readFile('/file')).equals(Buffer.alloc(100_000, 7))).toBe(true)
})

it('keeps its address and its files when the namenode restarts, and its clients go on', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 1 })
  const fs = await cluster.connect()
  await fs.writeFile('/kept', 'x')
  const { uri } = cluster
  await cluster.restartNamenode()
  expect(cluster.uri).toBe(uri)
  await cluster.waitReady()
  expect((await fs.readFile('/kept')).toString()).toBe('x')
})

it('gives one datanode other settings, and refuses settings that cannot be', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 2, datanodeSettings: (index) => ({ rack: `/rack-${index}` }) })
  const fs = await cluster.connect()
  expect((await fs.datanodes('live')).map((node) => node.datanode?.rack).toSorted()).toEqual(['/rack-0', '/rack-1'])
  await expect(MiniCluster.start({ settings: { 'replication.min': 5 } })).rejects.toThrow(
    'replication.min (5) must not be larger than replication (3)',
  )
})

it('takes on a datanode later, which keeps its ports over a restart and may have settings of its own', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 1 })
  const index = await cluster.addDatanode({ rack: '/rack-of-its-own' })
  expect(index).toBe(1)
  await cluster.waitReady()
  const fs = await cluster.connect()
  expect((await fs.datanodes('live')).map((node) => node.datanode?.rack).toSorted()).toEqual(['/default-rack', '/rack-of-its-own'])
  const before = cluster.datanodes[index]
  expect(cluster.indexOf(before?.uuid)).toBe(index)
  await cluster.stopDatanode(index)
  const again = await cluster.restartDatanode(index)
  expect({ uuid: again.uuid, grpc: again.grpc, http: again.http }).toEqual({ uuid: before?.uuid, grpc: before?.grpc, http: before?.http })
})
