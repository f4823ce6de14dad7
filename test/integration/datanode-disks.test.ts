// Disks of datanodes that fail, rot, or lose files, with a real namenode: it hears of it without a reader, and the copies are made
// good. And a node that comes back with old data.
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import type { FileSystem } from '../../client/index.ts'
import { MiniCluster, waitFor } from '../support/mini-cluster.ts'

const MiB = 1024 * 1024
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Block files below a directory: path by name. */
function blockFiles(dir: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true }))
    if (entry.isFile() && entry.name.startsWith('blk_')) found.set(entry.name, path.join(entry.parentPath, entry.name))
  return found
}

function fullyCopied(fs: FileSystem, file: string, copies: number): Promise<void> {
  return waitFor(async () => {
    const short = (await fs.blockLocations(file)).filter((one) => one.hosts.length !== copies || one.corrupt)
    return short.length === 0 ? undefined : `${short.length} blocks do not have ${copies} good copies`
  }, `every block of ${file} to have ${copies} copies`)
}

test('a disk of a datanode fails: its blocks are copied elsewhere, the node goes on with its other disk', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 3 })
  // Every node gets a second disk.
  for (const index of [0, 1, 2]) {
    const dir = cluster.datanodeDir(index)
    await cluster.restartDatanode(index, { 'data.dirs': [path.join(dir, 'data'), path.join(dir, 'second')], 'failed.volumes.tolerated': 1 })
  }
  await cluster.waitReady()
  const fs = await cluster.connect({ localReads: false, blockSize: MiB })
  const bytes = randomBytes(12 * MiB)
  await fs.writeFile('/f', bytes, { replication: 2 })
  rmSync(path.join(cluster.datanodeDir(0), 'data'), { recursive: true })
  await waitFor(async () => {
    const reports = await fs.datanodes('live')
    const failed = reports.map((report) => report.failedVolumes).sort()
    return failed.join() === '0,0,1' ? undefined : `failed volumes are ${failed.join()}`
  }, 'the namenode to hear of the failed disk')
  await fullyCopied(fs, '/f', 2)
  expect(digest(await fs.readFile('/f'))).toBe(digest(bytes))
  await fs.writeFile('/g', bytes, { replication: 3 })
  await fullyCopied(fs, '/g', 3)
  expect(digest(await fs.readFile('/g'))).toBe(digest(bytes))
})

test('a bit rots in a block that nobody reads: the scanner finds it, and a good copy takes its place', async () => {
  await using cluster = await MiniCluster.start({
    datanodes: 3,
    settings: { 'scan.period': 500, 'scan.bytes.per.second': 1024 * MiB },
  })
  const fs = await cluster.connect()
  const bytes = randomBytes(2 * MiB)
  await fs.writeFile('/f', bytes)
  await fullyCopied(fs, '/f', 3)
  const [name, file] = [...blockFiles(cluster.datanodeDir(1))].find(([one]) => !one.endsWith('.meta'))!
  const rotten = readFileSync(file)
  rotten[777_777]! ^= 2
  writeFileSync(file, rotten)
  const good = digest(bytes)
  await waitFor(() => {
    const now = blockFiles(cluster.datanodeDir(1)).get(name)
    if (now === undefined) return 'no copy at the moment'
    return digest(readFileSync(now)) === good ? undefined : 'the copy is still the rotten one'
  }, 'a good copy on the node whose disk rotted')
  await fullyCopied(fs, '/f', 3)
})

test('block files are deleted by hand: a scan of the directories tells, and they are copied again', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 2 })
  const fs = await cluster.connect()
  const bytes = randomBytes(5 * MiB)
  await fs.writeFile('/f', bytes, { blockSize: MiB })
  await fullyCopied(fs, '/f', 2)
  const before = blockFiles(cluster.datanodeDir(1))
  const victims = [...before].filter(([name]) => !name.endsWith('.meta')).slice(0, 3)
  for (const [, file] of victims) rmSync(file)
  expect(await cluster.datanodes[1]!.rescan()).toMatchObject({ checked: 5, lost: 3 })
  await waitFor(() => {
    const missing = victims.filter(([name]) => !blockFiles(cluster.datanodeDir(1)).has(name))
    return missing.length === 0 ? undefined : `${missing.length} blocks are still missing`
  }, 'the deleted blocks to come back')
  await fullyCopied(fs, '/f', 2)
  expect(digest(await fs.readFile('/f'))).toBe(digest(bytes))
})

test('a datanode comes back with old data, replicas of an older generation and deleted blocks: it ends consistent', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 3 })
  const fs = await cluster.connect({ localReads: false })
  const [gone, head, tail] = [randomBytes(MiB), randomBytes(700_001), randomBytes(MiB)]
  await fs.writeFile('/gone', gone)
  await fs.writeFile('/grown', head)
  for (const file of ['/gone', '/grown']) await fullyCopied(fs, file, 3)
  const old = [...blockFiles(cluster.datanodeDir(2)).keys()].sort()
  expect(old).toHaveLength(4)
  await cluster.killDatanode(2)
  await fs.delete('/gone')
  const writer = await fs.append('/grown')
  await writer.write(tail)
  await writer.close()
  await cluster.restartDatanode(2)
  await fullyCopied(fs, '/grown', 3)
  await waitFor(() => {
    const names = [...blockFiles(cluster.datanodeDir(2)).keys()]
    const left = names.filter((name) => name.endsWith('.meta') && old.includes(name))
    return left.length === 0 && names.length === 2 ? undefined : `the node has ${names.join(', ')}`
  }, 'the old replicas to go')
  expect(digest(await fs.readFile('/grown'))).toBe(digest(Buffer.concat([head, tail])))
  // The copy that came back is the new one, byte for byte.
  const data = [...blockFiles(cluster.datanodeDir(2))].find(([name]) => !name.endsWith('.meta'))!
  expect(digest(readFileSync(data[1]))).toBe(digest(Buffer.concat([head, tail])))
})

test('a datanode stops while a file is written and comes back with an open replica: the file is read in full, from every copy', async () => {
  await using cluster = await MiniCluster.start({ datanodes: 3 })
  const fs = await cluster.connect({ localReads: false })
  const bytes = randomBytes(3 * MiB)
  const writer = await fs.create('/f')
  await writer.write(bytes.subarray(0, MiB))
  await writer.hflush()
  await cluster.killDatanode(1)
  await writer.write(bytes.subarray(MiB))
  await writer.close()
  await cluster.restartDatanode(1)
  await fullyCopied(fs, '/f', 3)
  await waitFor(() => {
    const copies = [0, 1, 2].map((index) => [...blockFiles(cluster.datanodeDir(index))].filter(([name]) => !name.endsWith('.meta')))
    const good = copies.filter((files) => files.length === 1 && digest(readFileSync(files[0]![1])) === digest(bytes))
    return good.length === 3 ? undefined : `${good.length} of 3 nodes have exactly the whole block`
  }, 'three equal copies and nothing else')
})
