// The SDK when things break: datanodes that die under a writer or a reader, replicas that rot, a namenode that restarts.
import { createHash, randomBytes } from 'node:crypto'
import { readdir, open } from 'node:fs/promises'
import path from 'node:path'
import { buffer as collect } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { MiniCluster, waitFor } from '../support/mini-cluster.ts'

const MiB = 1024 * 1024
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

test.each([0, 1, 2])('datanode number %i of the pipeline dies during a write: no byte is lost, the copies are made good', async (place) => {
  await using cluster = await MiniCluster.start({ datanodes: 4 })
  const fs = await cluster.connect({ localReads: false, blockSize: 16 * MiB })
  const bytes = randomBytes(24 * MiB + 99)
  const writer = await fs.create('/f', { replication: 3 })
  await writer.write(bytes.subarray(0, 5 * MiB))
  await writer.hflush()
  const [block] = await fs.blockLocations('/f')
  const { blocks } = await fs.namenode.call('getBlockLocations', { path: '/f', offset: 0, length: 1 })
  const uuids = (blocks?.lastBlock?.locations ?? block?.hosts ?? []).map((one) => ('uuid' in one ? one.uuid : one.datanode?.uuid))
  const victim = cluster.datanodes.findIndex((node) => node?.uuid === uuids[place])
  expect(victim).toBeGreaterThanOrEqual(0)
  const rest = writer.write(bytes.subarray(5 * MiB))
  await cluster.killDatanode(victim)
  await rest
  await writer.close()
  expect(digest(await fs.readFile('/f'))).toBe(digest(bytes))
  await waitFor(async () => {
    const short = (await fs.blockLocations('/f')).filter((one) => one.hosts.length < 3)
    return short.length > 0 ? `${short.length} blocks have fewer than three copies` : undefined
  }, 'every block to have three copies again')
  expect(digest(await fs.readFile('/f'))).toBe(digest(bytes))
})

test('two of three datanodes die during a write: the last one carries it', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 3 })
  const fs = await cluster.connect({ localReads: false })
  const bytes = randomBytes(12 * MiB)
  const writer = await fs.create('/f')
  await writer.write(bytes.subarray(0, 3 * MiB + 5))
  await writer.hflush()
  await cluster.killDatanode(0)
  await writer.write(bytes.subarray(3 * MiB + 5, 7 * MiB))
  await writer.hflush()
  await cluster.killDatanode(1)
  await writer.write(bytes.subarray(7 * MiB))
  await writer.close()
  expect(digest(await fs.readFile('/f'))).toBe(digest(bytes))
})

test('a datanode dies under readers: they go on with another copy, no byte lost or repeated', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 3 })
  const fs = await cluster.connect({ localReads: false })
  const bytes = randomBytes(32 * MiB)
  await fs.writeFile('/f', bytes, { blockSize: 8 * MiB })
  await using reader = await fs.open('/f')
  const parts: Uint8Array[] = []
  let killed: Promise<void> | undefined
  const others = [collect(reader.stream()), collect(reader.stream({ start: 9 * MiB }))]
  for await (const part of reader.stream()) {
    parts.push(part)
    if (parts.length === 3) killed = cluster.killDatanode(0)
    if (parts.length === 12) await killed
  }
  await killed
  expect(digest(Buffer.concat(parts))).toBe(digest(bytes))
  const [whole, tail] = await Promise.all(others)
  expect([digest(whole!), digest(tail!)]).toEqual([digest(bytes), digest(bytes.subarray(9 * MiB))])
})

test('every copy down for a while: the read waits for one to come back', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 1 })
  const fs = await cluster.connect({ localReads: false })
  const bytes = randomBytes(MiB)
  await fs.writeFile('/f', bytes)
  await using reader = await fs.open('/f')
  await cluster.killDatanode(0)
  const reading = collect(reader.stream())
  await cluster.restartDatanode(0)
  expect((await reading).equals(bytes)).toBe(true)
})

test.each([true, false])('a rotten replica is passed over, reported, and replaced (direct reads: %s)', async (localReads) => {
  await using cluster = await MiniCluster.start({ datanodes: 4 })
  const fs = await cluster.connect({ localReads })
  const bytes = randomBytes(2 * MiB)
  await fs.writeFile('/f', bytes)
  const [block] = await fs.blockLocations('/f')
  const first = cluster.datanodes.findIndex((node) => node?.uuid === block!.hosts[0]!.uuid)
  const file = await findBlockFile(cluster.datanodeDir(first), block!.blockId)
  const handle = await open(file, 'r+')
  await handle.write(Buffer.from([bytes[1_234_567]! ^ 255]), 0, 1, 1_234_567)
  await handle.close()
  await waitFor(async () => {
    // Which of the copies is read first is the namenode's choice: sooner or later it is the rotten one.
    expect(digest(await fs.readFile('/f'))).toBe(digest(bytes))
    const hosts = (await fs.blockLocations('/f'))[0]!.hosts.map((host) => host.uuid)
    return hosts.length === 3 && !hosts.includes(block!.hosts[0]!.uuid) ? undefined : `copies on ${hosts.join(', ')}`
  }, 'a good copy in place of the bad one')
  expect(digest(await fs.readFile('/f'))).toBe(digest(bytes))
})

test('the namenode restarts under calls and an open file: nothing is done twice, nothing is lost', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 3 })
  const fs = await cluster.connect()
  const bytes = randomBytes(3 * MiB)
  const writer = await fs.create('/f', { blockSize: MiB })
  await writer.write(bytes.subarray(0, 1_500_000))
  await writer.hflush()
  const names = Array.from({ length: 300 }, (_, i) => `/d/${i}`)
  const making = Promise.all(names.map((name) => fs.mkdir(name, { recursive: true })))
  await cluster.restartNamenode()
  await making
  await cluster.waitReady()
  await writer.write(bytes.subarray(1_500_000))
  await writer.close()
  expect((await fs.readFile('/f')).equals(bytes)).toBe(true)
  expect(await fs.readdir('/d')).toHaveLength(300)
})

async function findBlockFile(dir: string, blockId: number): Promise<string> {
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && entry.name.includes(String(blockId)) && !/crc|sum|meta/i.test(entry.name))
      return path.join(entry.parentPath, entry.name)
  }
  throw new Error(`no file of block ${blockId} below ${dir}`)
}
