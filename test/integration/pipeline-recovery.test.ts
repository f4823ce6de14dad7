// Write pipelines over real sockets and real disks while one of their datanodes dies, restarts, or falls silent.
import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import type { FileSystem } from '../../client/index.ts'
import { must } from '../../common/assert.ts'
import { MiniCluster } from '../support/mini-cluster.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'

const MiB = 1024 * 1024
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const places = [
  ['first', 0],
  ['middle', 1],
  ['last', 2],
] as const

/** Indexes of the datanodes that the last block of an open file is written to, in no certain order, and its stamp. */
async function pipelineOf(cluster: MiniCluster, fs: FileSystem, path: string): Promise<{ nodes: number[]; genstamp: number }> {
  const { blocks } = await fs.namenode.call('getBlockLocations', { path, offset: 0, length: 1 })
  const last = must(blocks?.lastBlock)
  return { nodes: last.locations.map(({ datanode }) => cluster.indexOf(datanode?.uuid)), genstamp: must(last.block).genstamp }
}

test.each(places)(
  'the %s datanode dies after an hflush: another takes its place in the pipeline, with the bytes so far',
  async (_, place) => {
    await using cluster = await MiniCluster.start({ datanodes: 4 })
    const fs = await cluster.connect({ localReads: false })
    const bytes = randomBytes(9 * MiB + 77)
    const writer = await fs.create('/f', { replication: 3 })
    await writer.write(bytes.subarray(0, 4 * MiB + 5))
    await writer.hflush()
    const before = await pipelineOf(cluster, fs, '/f')
    const victim = before.nodes[place]!
    await cluster.killDatanode(victim)
    await writer.write(bytes.subarray(4 * MiB + 5, 6 * MiB))
    await writer.hflush()
    const after = await pipelineOf(cluster, fs, '/f')
    expect(after.genstamp).toBeGreaterThan(before.genstamp)
    expect(after.nodes.toSorted()).toEqual([0, 1, 2, 3].filter((index) => index !== victim))
    await writer.write(bytes.subarray(6 * MiB))
    await writer.close()
    expect(digest(await fs.readFile('/f'))).toBe(digest(bytes))
    expect((await fs.blockLocations('/f'))[0]!.hosts).toHaveLength(3)
  },
)

test.each(places)('the %s datanode restarts under a writer: it is waited for and goes on with its replica', async (_, place) => {
  await using cluster = await MiniCluster.start({ datanodes: 3, settings: { 'drain.timeout': 100 } })
  const fs = await cluster.connect({ localReads: false })
  const bytes = randomBytes(6 * MiB)
  const writer = await fs.create('/f', { replication: 3 })
  await writer.write(bytes.subarray(0, 2 * MiB + 5))
  await writer.hflush()
  const before = await pipelineOf(cluster, fs, '/f')
  const index = before.nodes[place]!
  await cluster.stopDatanode(index)
  const writing = writer.write(bytes.subarray(2 * MiB + 5)).then(() => writer.hflush())
  await cluster.restartDatanode(index)
  await writing
  const after = await pipelineOf(cluster, fs, '/f')
  expect(after.nodes.toSorted()).toEqual([0, 1, 2])
  expect(after.genstamp).toBeGreaterThan(before.genstamp)
  await writer.close()
  // The others may go now: the one that restarted has every byte.
  for (const other of [0, 1, 2]) if (other !== index) await cluster.killDatanode(other)
  expect(digest(await fs.readFile('/f'))).toBe(digest(bytes))
})

test('the only datanode restarts: the writer waits for it', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 1, settings: { 'drain.timeout': 100 } })
  const fs = await cluster.connect({ localReads: false })
  const bytes = randomBytes(3 * MiB)
  const writer = await fs.create('/f')
  await writer.write(bytes.subarray(0, MiB + 5))
  await writer.hflush()
  await cluster.stopDatanode(0)
  const writing = writer.write(bytes.subarray(MiB + 5)).then(() => writer.close())
  await cluster.restartDatanode(0)
  await writing
  expect(digest(await fs.readFile('/f'))).toBe(digest(bytes))
})

test('a datanode that is down when an append begins is replaced before the first byte', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 4, settings: { 'dead.after': 60_000, 'stale.after': 30_000 } })
  const fs = await cluster.connect({ localReads: false })
  const bytes = randomBytes(2 * MiB)
  await fs.writeFile('/f', bytes.subarray(0, 1_000_001), { replication: 3 })
  const hosts = (await fs.blockLocations('/f'))[0]!.hosts.map((host) => cluster.indexOf(host.uuid))
  await cluster.killDatanode(hosts[1]!)
  {
    await using writer = await fs.append('/f')
    await writer.write(bytes.subarray(1_000_001))
    await writer.hflush()
    expect((await pipelineOf(cluster, fs, '/f')).nodes.toSorted()).toEqual([0, 1, 2, 3].filter((index) => index !== hosts[1]))
  }
  expect(digest(await fs.readFile('/f'))).toBe(digest(bytes))
})

test('two datanodes die at the same moment: the writer goes on, and takes another on', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 4 })
  const fs = await cluster.connect({ localReads: false })
  const bytes = randomBytes(8 * MiB)
  const writer = await fs.create('/f', { replication: 3 })
  await writer.write(bytes.subarray(0, 3 * MiB))
  await writer.hflush()
  const { nodes } = await pipelineOf(cluster, fs, '/f')
  await Promise.all([cluster.killDatanode(nodes[0]!), cluster.killDatanode(nodes[1]!)])
  await writer.write(bytes.subarray(3 * MiB))
  await writer.close()
  expect(digest(await fs.readFile('/f'))).toBe(digest(bytes))
  expect((await fs.blockLocations('/f'))[0]!.hosts.length).toBeGreaterThanOrEqual(2)
})

/** Three datanodes and a spare, each behind a proxy that can cut it off without a word. */
async function proxied(run: (cluster: MiniCluster, proxies: readonly TcpProxy[]) => Promise<void>): Promise<void> {
  let cluster: MiniCluster | undefined
  const ports: number[] = []
  const proxies = await Promise.all([0, 1, 2, 3].map((index) => TcpProxy.listen(() => ports[index]!)))
  try {
    cluster = await MiniCluster.start({
      datanodes: 4,
      settings: { 'dead.after': 60_000, 'stale.after': 30_000 },
      datanodeSettings: (index) => ({ 'advertise.port': proxies[index]!.port }),
    })
    cluster.datanodes.forEach((node) => ports.push(Number(node!.grpc.split(':')[1])))
    await run(cluster, proxies)
  } finally {
    for (const proxy of proxies) proxy.heal()
    await cluster?.close()
    for (const proxy of proxies) await proxy.close()
  }
}

test.each(places)('the %s datanode is cut off without a word: within ack.timeout and some it alone is dropped', async (_, place) => {
  await proxied(async (cluster, proxies) => {
    const fs = await cluster.connect({ localReads: false, ackTimeoutMs: 2_000, replaceDatanode: 'never' })
    const bytes = randomBytes(7 * MiB)
    const writer = await fs.create('/f', { replication: 3 })
    await writer.write(bytes.subarray(0, 3 * MiB))
    await writer.hflush()
    const { nodes } = await pipelineOf(cluster, fs, '/f')
    const victim = nodes[place]!
    proxies[victim]!.partition = 'both'
    await writer.write(bytes.subarray(3 * MiB))
    await writer.hflush()
    expect((await pipelineOf(cluster, fs, '/f')).nodes.toSorted()).toEqual(nodes.filter((index) => index !== victim).toSorted())
    await writer.close()
    expect(digest(await fs.readFile('/f'))).toBe(digest(bytes))
  })
})

test('a replica that falls silent under a reader is passed over, and a hedged read does not wait for it', async () => {
  await proxied(async (cluster, proxies) => {
    const writer = await cluster.connect({ localReads: false })
    const bytes = randomBytes(24 * MiB)
    await writer.writeFile('/f', bytes, { replication: 3, blockSize: 32 * MiB })
    for (const [options, hedged] of [
      [{ readTimeoutMs: 1_000 }, 0],
      [{ hedgedReadThresholdMs: 300, readTimeoutMs: 60_000 }, 1],
    ] as const) {
      const fs = await cluster.connect({ localReads: false, ...options })
      await using reader = await fs.open('/f')
      const hash = createHash('sha256')
      let done = 0
      const before = proxies.map((proxy) => proxy.passed)
      let cut: TcpProxy | undefined
      for await (const part of reader.stream()) {
        hash.update(part)
        done += part.length
        if (cut || done < 4 * MiB) continue
        // The one that is read shows by what has passed.
        const passed = proxies.map((proxy, i) => proxy.passed - before[i]!)
        cut = proxies[passed.indexOf(Math.max(...passed))]!
        cut.partition = 'both'
      }
      cut?.heal()
      expect(hash.digest('hex')).toBe(digest(bytes))
      expect([cut !== undefined, fs.hedgedReads.won]).toEqual([true, hedged])
    }
  })
})
