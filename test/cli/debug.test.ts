// `quarry debug recoverLease` and `verifyMeta` in the words of `hdfs debug`.
import { readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { FileSystem } from '../../client/index.ts'
import { runRecoverLease } from '../../cli/debug/recover-lease.ts'
import { runVerifyMeta } from '../../cli/debug/verify-meta.ts'
import { TextOutput } from '../../cli/output/output.ts'
import { verifyMetaFile } from '../../datanode/main.ts'
import { MiniCluster, waitFor } from '../support/mini-cluster.ts'

const timeoutMs = 120_000
let cluster: MiniCluster
let fs: FileSystem

beforeAll(async () => {
  cluster = await MiniCluster.start({ datanodes: 1 })
  fs = await cluster.connect()
  await fs.writeFile('/closed', 'hello\n')
}, timeoutMs)
afterAll(() => cluster?.close(), timeoutMs)

function streams() {
  const [out, err] = [new TextOutput(), new TextOutput()]
  return { out, err, input: async function* () {}, ask: async () => '', progress: undefined, signal: new AbortController().signal }
}

async function recoverLease(...words: string[]) {
  const { FileSystem: Client } = await import('../../client/index.ts')
  const own = streams()
  const exit = await runRecoverLease(words, () => Client.connect(cluster.uri, { user: fs.user }), own, 20)
  return { exit, stdout: own.out.text, stderr: own.err.text }
}

async function verifyMeta(...words: string[]) {
  const own = streams()
  const exit = await runVerifyMeta(words, verifyMetaFile, own)
  return { exit, stdout: own.out.text, stderr: own.err.text }
}

const usage = `recoverLease -path <path> [-retries <num-retries>]
  Recover the lease on the specified path.  The path must reside on an
  HDFS filesystem.  The default number of retries is 1.

`

test('recoverLease answers as hdfs debug does', async () => {
  expect(await recoverLease()).toEqual({ exit: 1, stdout: usage, stderr: '' })
  expect(await recoverLease('-retries', '1')).toEqual({
    exit: 1,
    stdout: '',
    stderr: 'You must supply a -path argument to recoverLease.\n',
  })
  expect(await recoverLease('-path', '/closed')).toEqual({ exit: 0, stdout: 'recoverLease SUCCEEDED on /closed\n', stderr: '' })
  expect(await recoverLease('-path', '/missing', '-retries', '2')).toEqual({
    exit: 1,
    stdout: '',
    stderr: 'recoverLease got exception: File does not exist: /missing\nGiving up on recoverLease for /missing after 1 try\n',
  })
  expect((await recoverLease('-path', '/closed', '-retries', 'x')).stderr).toBe(
    'Failed to parse the argument to -retries: "x" is not a whole number\n',
  )
})

test(
  'recoverLease closes the file of a writer that is gone, with every byte it flushed',
  async () => {
    const writer = await fs.create('/left')
    await writer.write('flushed')
    await writer.hflush()
    await writer.abort()
    const { exit, stdout } = await recoverLease('-path', '/left', '-retries', '500')
    expect([exit, stdout]).toEqual([0, 'recoverLease SUCCEEDED on /left\n'])
    await waitFor(async () => ((await fs.stat('/left')).isOpen ? 'open' : undefined), 'the file to be closed')
    expect(await fs.readFile('/left', { encoding: 'utf8' })).toBe('flushed')
  },
  timeoutMs,
)

test('verifyMeta tells a whole pair of files from a damaged one', async () => {
  const blockId = (await fs.blockLocations('/closed'))[0]?.blockId
  const dir = cluster.datanodeDir(0)
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((name) => path.join(dir, name))
  const block = names.find((name) => path.basename(name) === `blk_${blockId}`) ?? ''
  const meta = names.find((name) => path.basename(name).startsWith(`blk_${blockId}_`)) ?? ''
  const type = 'Checksum type: DataChecksum(type=CRC32C, chunkSize=512)\n'
  expect(await verifyMeta('-meta', meta)).toEqual({ exit: 0, stdout: type, stderr: '' })
  expect(await verifyMeta('-meta', meta, '-block', block)).toEqual({
    exit: 0,
    stdout: `${type}Checksum verification succeeded on block file ${block}\n`,
    stderr: '',
  })
  const bad = path.join(dir, 'bad')
  writeFileSync(bad, 'hellO\n')
  const damaged = await verifyMeta('-meta', meta, '-block', bad)
  expect(damaged.exit).toBe(1)
  expect(damaged.stdout.startsWith(`${type}verifyChunkedSums error: `)).toBe(true)
  expect(await verifyMeta('-block', block)).toMatchObject({ exit: 1, stderr: 'You must specify a meta file with -meta\n' })
  expect((await verifyMeta('-meta', '/nonexistent')).stderr).toMatch(/^Failed to read HDFS metadata file header for \/nonexistent: /)
  expect((await verifyMeta('-meta', meta, '-block', '/nonexistent')).stderr).toMatch(/^Failed to open HDFS block file for \/nonexistent: /)
})
