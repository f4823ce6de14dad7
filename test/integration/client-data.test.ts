// The SDK against real roles in one process: data written, read, appended, cut and joined, through both ways of reading.
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile, mkdir, readdir, stat } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { buffer as collect } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { FileSystem } from '../../client/index.ts'
import { MiniCluster, waitFor } from '../support/mini-cluster.ts'

let cluster: MiniCluster
let fs: FileSystem
/** Reads through the datanodes only. */
let remote: FileSystem

beforeAll(async () => {
  cluster = await MiniCluster.start({ datanodes: 3 })
  fs = await cluster.connect()
  remote = await cluster.connect({ localReads: false })
})
afterAll(() => cluster.close())

const MiB = 1024 * 1024

test('a file of many small blocks comes back byte for byte, whole and in ranges, directly and through datanodes', async () => {
  const bytes = randomBytes(5 * MiB + 4321)
  await fs.writeFile('/many/blocks', bytes, { blockSize: 256 * 1024 })
  expect(await fs.stat('/many/blocks')).toMatchObject({ length: bytes.length, replication: 3, blockSize: 256 * 1024, isOpen: false })
  expect(await fs.blockLocations('/many/blocks')).toHaveLength(21)
  for (const reader of [await fs.open('/many/blocks'), await remote.open('/many/blocks')]) {
    expect((await collect(reader.stream())).equals(bytes)).toBe(true)
    for (const [start, length] of [
      [0, 1],
      [262_143, 2],
      [262_144, 262_144],
      [1_000_001, 3_333_333],
      [bytes.length - 1, 1],
    ] as const) {
      const got = Buffer.alloc(length)
      expect(await reader.read(got, 0, length, start)).toBe(length)
      expect(got.equals(bytes.subarray(start, start + length))).toBe(true)
    }
    await reader.close()
  }
})

test('many files at the same time', async () => {
  const files = Array.from({ length: 60 }, (_, i) => ({ path: `/crowd/${i % 7}/${i}`, bytes: randomBytes(1000 * i) }))
  await Promise.all(files.map((file) => fs.writeFile(file.path, file.bytes)))
  const read = await Promise.all(files.map((file) => (file.bytes.length % 2 ? fs : remote).readFile(file.path)))
  expect(read.every((bytes, i) => bytes.equals(files[i]!.bytes))).toBe(true)
  const found: string[] = []
  for await (const entry of fs.walk('/crowd')) if (entry.isFile) found.push(entry.path)
  expect(found.sort()).toEqual(files.map((file) => file.path).sort())
  expect(await fs.contentSummary('/crowd')).toMatchObject({
    files: 60,
    directories: 8,
    length: files.reduce((sum, file) => sum + file.bytes.length, 0),
  })
})

test('what was flushed is there for readers that open afterwards, byte for byte, while the file is open', async () => {
  const bytes = randomBytes(900_000)
  const writer = await fs.create('/open', { blockSize: 512 * 1024 })
  let written = 0
  for (const to of [1, 511, 512, 700, 5000, 524_288, 524_289, 899_999]) {
    await writer.write(bytes.subarray(written, to))
    await writer.hflush()
    written = to
    const info = await fs.stat('/open')
    expect(info.isOpen).toBe(true)
    expect(info.length).toBeLessThanOrEqual(to)
    for (const one of [fs, remote]) expect((await one.readFile('/open')).equals(bytes.subarray(0, to))).toBe(true)
  }
  await writer.write(bytes.subarray(written))
  await writer.hsync()
  await writer.close()
  expect((await remote.readFile('/open')).equals(bytes)).toBe(true)
})

test.each([0, 1, 511, 512, 70_000, 131_072, 131_073])('append to a file of %i bytes, twice', async (length) => {
  const bytes = randomBytes(length + 200_000)
  const file = `/append/${length}`
  await fs.writeFile(file, bytes.subarray(0, length), { blockSize: 128 * 1024 })
  for (const [from, to] of [
    [length, length + 77],
    [length + 77, bytes.length],
  ] as const) {
    const writer = await fs.append(file)
    expect(writer.position).toBe(from)
    await writer.write(bytes.subarray(from, from + 10))
    await writer.hflush()
    await writer.write(bytes.subarray(from + 10, to))
    await writer.close()
  }
  for (const one of [fs, remote]) expect((await one.readFile(file)).equals(bytes)).toBe(true)
})

test('truncate to a block boundary is done at once, inside a block in a moment; then the file can be appended to', async () => {
  const bytes = randomBytes(3 * 65_536)
  await fs.writeFile('/cut', bytes, { blockSize: 65_536 })
  expect(await fs.truncate('/cut', 2 * 65_536)).toBe(true)
  expect((await fs.readFile('/cut')).equals(bytes.subarray(0, 2 * 65_536))).toBe(true)
  await fs.truncate('/cut', 70_001)
  await waitFor(async () => ((await fs.stat('/cut')).isOpen ? 'the last block is being cut' : undefined), 'truncate')
  for (const one of [fs, remote]) expect((await one.readFile('/cut')).equals(bytes.subarray(0, 70_001))).toBe(true)
  const writer = await fs.append('/cut')
  await writer.write(Buffer.from('tail'))
  await writer.close()
  expect((await remote.readFile('/cut')).equals(Buffer.concat([bytes.subarray(0, 70_001), Buffer.from('tail')]))).toBe(true)
})

test('concat joins files whose blocks are full', async () => {
  const parts = [randomBytes(2 * 65_536), randomBytes(65_536), randomBytes(30_000)]
  for (const [i, part] of parts.entries()) await fs.writeFile(`/join/${i}`, part, { blockSize: 65_536 })
  await fs.concat('/join/0', ['/join/1', '/join/2'])
  for (const one of [fs, remote]) expect((await one.readFile('/join/0')).equals(Buffer.concat(parts))).toBe(true)
  expect((await fs.readdir('/join')).map((entry) => entry.name)).toEqual(['0'])
})

test('the file checksum is the one HDFS gives', async () => {
  await fs.writeFile('/bar', 'bar\n')
  expect(await fs.checksum('/bar')).toMatchObject({
    algorithm: 'MD5-of-0MD5-of-512CRC32C',
    hex: '00000200000000000000000027c076e4987344253650d3335a5d08ce',
  })
})

test('a tree is copied in and out again, times and permissions included; nothing half-copied stays behind', async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'quarry-copy-'))
  try {
    const names = ['a', 'b c', 'ü/😀', 'deep/er/est', 'per%41cent', 'back\\slash']
    for (const [i, name] of names.entries()) {
      await mkdir(path.dirname(path.join(dir, 'in', name)), { recursive: true })
      await writeFile(path.join(dir, 'in', name), randomBytes(i * 400_000), { mode: 0o640 })
    }
    let last
    await fs.copyFromLocal(path.join(dir, 'in'), '/tree', { recursive: true, preserve: true, onProgress: (progress) => (last = progress) })
    expect(last).toMatchObject({ filesDone: names.length, filesTotal: names.length, bytesDone: 15 * 400_000, bytesTotal: 15 * 400_000 })
    await remote.copyToLocal('/tree', path.join(dir, 'out'), { recursive: true, preserve: true })
    for (const name of names) {
      expect((await readFile(path.join(dir, 'out', name))).equals(await readFile(path.join(dir, 'in', name)))).toBe(true)
      const [before, after] = [await stat(path.join(dir, 'in', name)), await stat(path.join(dir, 'out', name))]
      expect([after.mode & 0o777, Math.floor(after.mtimeMs)]).toEqual([0o640, Math.floor(before.mtimeMs)])
    }
    await expect(fs.copyFromLocal(path.join(dir, 'in', 'a'), '/tree/a')).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    await fs.copyFromLocal(path.join(dir, 'in', 'a'), '/tree/a', { overwrite: true })
    await expect(fs.copyFromLocal(path.join(dir, 'in'), '/tree2')).rejects.toMatchObject({ code: 'IS_A_DIRECTORY' })
    await expect(fs.copyToLocal('/tree/a', path.join(dir, 'out', 'a'))).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    await expect(fs.copyFromLocal(path.join(dir, 'none'), '/x')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const stop = new AbortController()
    await expect(
      fs.copyFromLocal(path.join(dir, 'in'), '/stopped', { recursive: true, signal: stop.signal, onProgress: () => stop.abort() }),
    ).rejects.toMatchObject({ code: 'CANCELLED' })
    for await (const entry of fs.walk('/stopped')) expect(entry.name).not.toContain('._COPYING_')
    expect((await readdir(path.join(dir, 'out'))).filter((name) => name.includes('._COPYING_'))).toEqual([])
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})

test('verbs agree with each other on names of every kind', async () => {
  const names = [
    'with space',
    'new\nline',
    'emoji 😀',
    '%41',
    'back\\slash',
    'é',
    'e\u0301',
    '*',
    '[x]',
    '{a,b}',
    '\ufeffbom',
    'x'.repeat(255),
  ]
  for (const name of names) await fs.writeFile(`/odd/${name}`, name)
  const listed = (await fs.readdir('/odd')).map((entry) => entry.name)
  expect([...listed].sort()).toEqual([...names].sort())
  for (const name of names) {
    expect(await fs.readFile(`/odd/${name}`, { encoding: 'utf8' })).toBe(name)
    await fs.rename(`/odd/${name}`, `/odd/${name.slice(1)}_`)
    await fs.setPermission(`/odd/${name.slice(1)}_`, 'u+x,go-r')
    expect((await fs.stat(`/odd/${name.slice(1)}_`)).permission).toBe(0o700)
    expect(await fs.delete(`/odd/${name.slice(1)}_`)).toBe(true)
  }
  expect(await fs.readdir('/odd')).toEqual([])
})
