// Datanodes taken out of service and lost, on a cluster with real sockets: what an operator does and sees.
import { mkdtempSync, readFileSync, rmSync, writeFileSync, chmodSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import type { FileSystem } from '../../client/index.ts'
import { MiniCluster, waitFor } from '../support/mini-cluster.ts'

const hostsOf = async (fs: FileSystem, file: string) => (await fs.blockLocations(file)).map((block) => block.hosts.map((host) => host.uuid))

const stateOf = async (fs: FileSystem, uuid: string) =>
  (await fs.datanodes('all')).find((node) => node.datanode?.uuid === uuid)?.adminState ?? 'unknown'

async function untilState(fs: FileSystem, uuid: string, state: string): Promise<void> {
  await waitFor(async () => {
    const now = await stateOf(fs, uuid)
    return now === state ? undefined : now
  }, `${uuid} to be ${state}`)
}

it('decommissions a datanode by a command without losing a copy, and keeps it so over a restart of the namenode', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 4, settings: { 'block.size': 65_536 } })
  const fs = await cluster.connect()
  const bytes = Buffer.alloc(300_000, 7)
  for (let i = 0; i < 5; i++) await fs.writeFile(`/file-${i}`, bytes)
  const { uuid } = cluster.datanodes[0]!
  const [now] = await fs.admin.setNodeState([uuid], 'decommission')
  expect(['Decommission In Progress', 'Decommissioned']).toContain(now?.adminState)
  await untilState(fs, uuid, 'Decommissioned')
  for (let i = 0; i < 5; i++) {
    for (const hosts of await hostsOf(fs, `/file-${i}`)) expect(hosts.filter((host) => host !== uuid)).toHaveLength(3)
  }
  await fs.writeFile('/later', bytes)
  expect((await hostsOf(fs, '/later')).flat()).not.toContain(uuid)
  await cluster.restartNamenode()
  await cluster.waitReady()
  await untilState(fs, uuid, 'Decommissioned')
  await cluster.killDatanode(0)
  for (let i = 0; i < 5; i++) expect((await fs.readFile(`/file-${i}`)).equals(bytes)).toBe(true)
  await expect(fs.admin.setNodeState(['nowhere'], 'decommission')).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

it('copies nothing while a datanode in maintenance is away, and copies when the maintenance is over', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 4 })
  const fs = await cluster.connect()
  await fs.writeFile('/file', Buffer.alloc(100_000, 1))
  const [hosts] = await hostsOf(fs, '/file')
  const index = cluster.datanodes.findIndex((node) => hosts?.includes(node!.uuid))
  const { uuid } = cluster.datanodes[index]!
  await fs.admin.setNodeState([uuid], 'maintenance')
  await untilState(fs, uuid, 'In Maintenance')
  await cluster.killDatanode(index)
  await waitFor(async () => {
    const report = (await fs.datanodes('all')).find((node) => node.datanode?.uuid === uuid)
    return report?.live === false ? undefined : 'it is still live'
  }, 'the datanode to be dead')
  expect((await hostsOf(fs, '/file')).flat()).toHaveLength(2)
  expect((await fs.stats()).underReplicated).toBe(0)
  await fs.admin.setNodeState([uuid], 'in-service')
  await waitFor(async () => {
    const count = (await hostsOf(fs, '/file')).flat().length
    return count === 3 ? undefined : `${count} copies`
  }, 'a third copy')
})

it('says of every datanode why it took no replica, and counts only those that run', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 3, settings: { replication: 1 } })
  const fs = await cluster.connect()
  const [full, leaving, dead] = cluster.datanodes.map((node) => node!)
  await fs.admin.setNodeState([full!.uuid], 'maintenance')
  await fs.admin.setNodeState([leaving!.uuid], 'decommission')
  await untilState(fs, leaving!.uuid, 'Decommissioned')
  await untilState(fs, full!.uuid, 'In Maintenance')
  await cluster.killDatanode(2)
  await waitFor(async () => ((await fs.datanodes('dead')).length === 1 ? undefined : 'it lives'), 'the datanode to be dead')
  const error = await fs.writeFile('/x', 'y').then(
    () => undefined,
    (thrown: Error) => thrown,
  )
  expect(error?.message).toContain(
    'File /x could only be written to 0 of the 1 minReplication nodes. There are 2 datanode(s) running and 0 node(s) are excluded in this operation. ',
  )
  expect(error?.message).toContain(`${full!.grpc}: it is in maintenance`)
  expect(error?.message).toContain(`${leaving!.grpc}: it is decommissioned`)
  expect(error?.message).toContain(`${dead!.grpc}: dead: no heartbeat`)
})

it('reads the files of hosts: excluded ones leave, those not included may not join', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'quarry-hosts-'))
  const [include, exclude] = [path.join(dir, 'include'), path.join(dir, 'exclude')]
  writeFileSync(include, '')
  writeFileSync(exclude, '# nobody\n')
  try {
    await using cluster = await MiniCluster.start({
      datanodes: 3,
      settings: { 'hosts.include': include, 'hosts.exclude': exclude, 'replication': 2 },
    })
    const fs = await cluster.connect()
    await fs.writeFile('/file', 'x')
    const gone = cluster.datanodes[1]!
    writeFileSync(exclude, `${gone.grpc} # broken fan\n`)
    await fs.admin.refreshNodes()
    await untilState(fs, gone.uuid, 'Decommissioned')
    writeFileSync(exclude, '')
    await fs.admin.refreshNodes()
    await untilState(fs, gone.uuid, 'In Service')
    writeFileSync(include, `${cluster.datanodes[0]!.grpc}\n${cluster.datanodes[2]!.grpc}\n`)
    await cluster.killDatanode(1)
    await fs.admin.refreshNodes()
    await expect(cluster.restartDatanode(1)).rejects.toThrow('the host is not in the include-list')
    expect((await fs.readFile('/file')).toString()).toBe('x')
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})

it('takes racks from a program, which is asked once for a host, and from a map', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'quarry-racks-'))
  const script = path.join(dir, 'racks.sh')
  writeFileSync(script, `#!/bin/sh\necho "$1" >> ${dir}/asked\necho /room/rack-of-$1\n`)
  chmodSync(script, 0o755)
  try {
    await using cluster = await MiniCluster.start({ datanodes: 2, settings: { 'topology.script': script } })
    const fs = await cluster.connect()
    expect((await fs.datanodes('live')).map((node) => node.datanode?.rack)).toEqual(['/room/rack-of-127.0.0.1', '/room/rack-of-127.0.0.1'])
    expect(readFileSync(path.join(dir, 'asked'), 'utf8')).toBe('127.0.0.1\n')
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
  await using mapped = await MiniCluster.start({ datanodes: 1, settings: { 'topology.map': ['localhost=/here'] } })
  const fs = await mapped.connect()
  expect((await fs.datanodes('live')).map((node) => node.datanode?.rack)).toEqual(['/here'])
})

it('moves a replica for the balancer, tells of replicas and blocks, and writes a metasave', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 3, settings: { replication: 2 } })
  const fs = await cluster.connect()
  await fs.writeFile('/file', Buffer.alloc(50_000, 3))
  const [block] = await fs.blockLocations('/file')
  const holders = block!.hosts.map((host) => host.uuid)
  const target = cluster.datanodes.find((node) => !holders.includes(node!.uuid))!.uuid
  const source = holders[0]!
  const { blocks } = await fs.admin.nodeBlocks(source, { bytes: 1e9 })
  expect(blocks.map((one) => one.block?.length)).toEqual([50_000])
  const moved = { block: blocks[0]!.block!, source, target }
  expect((await fs.admin.moveReplicas([moved])).refused).toEqual([''])
  await waitFor(async () => {
    const hosts = (await hostsOf(fs, '/file')).flat()
    return hosts.includes(target) && !hosts.includes(source) ? undefined : hosts.join(' ')
  }, 'the replica to be on its target only')
  expect(await fs.admin.moveReplicas([])).toMatchObject({ pending: 0, movedBlocks: 1, movedBytes: 50_000, failed: 0 })
  const [replicas] = await fs.admin.replicas([blocks[0]!.block!.blockId])
  expect(replicas).toMatchObject({ path: '/file', replication: 2, complete: true, misplaced: false, queued: false })
  await waitFor(async () => {
    const words = (await fs.admin.replicas([blocks[0]!.block!.blockId]))[0]!.replicas.map((replica) => replica.state)
    return words.join() === 'LIVE,LIVE' ? undefined : words.join()
  }, 'two live replicas')
  const file = await fs.admin.metasave('now.txt')
  expect(file).toBe(path.join(cluster.dir, 'namenode', 'log', 'now.txt'))
  expect(readFileSync(file, 'utf8')).toContain('Live Datanodes: 3\nDead Datanodes: 0\nMetasave: Blocks waiting for reconstruction: 0\n')
  await expect(fs.admin.metasave('../now.txt')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await fs.admin.setBalancerBandwidth(2_000_000)
  const corrupt = []
  for await (const one of fs.admin.corruptFiles('/')) corrupt.push(one)
  expect(corrupt).toEqual([])
})
