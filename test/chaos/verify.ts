// The end of a run: the cluster heals by itself within a bound, and then every promise of the ledger is looked at.
import { spawn } from 'node:child_process'
import type { FileInfo, FileSystem } from '../../client/index.ts'
import { waitFor } from '../support/wait-for.ts'
import type { ChaosCluster } from './cluster.ts'
import { contentOf, hashOf, sha256 } from './content.ts'
import { replicasByBlock, type DiskDamage } from './disk-damage.ts'
import type { ExpectedFile, Ledger } from './ledger.ts'
import { environment } from './role.ts'

/** Lease limits, scanners and copies together take a few tens of seconds; a cluster that needs longer is stuck. */
const healWithinMs = 180_000

/** Waits until the cluster is whole again without anybody's help: all live, all files closed, all copies good. */
export async function healed(cluster: ChaosCluster, fs: FileSystem, damage: DiskDamage, say: (text: string) => void): Promise<void> {
  const { length } = cluster.datanodes
  await waitFor(
    async () => {
      const live = await fs.datanodes('live')
      const stats = await fs.stats()
      return live.length === length && !stats.safeMode
        ? undefined
        : `${live.length} of ${length} datanodes live, safe mode ${stats.safeMode}`
    },
    'all datanodes to be live',
    healWithinMs,
  )
  say('all datanodes are live')
  await waitFor(
    async () => {
      const open = (await allFiles(fs, '/')).filter((file) => file.isOpen)
      return open.length === 0 ? undefined : `${open.length} files are open, such as ${open[0]?.path}`
    },
    'the files of lost writers to be closed',
    healWithinMs,
  )
  say('all files are closed')
  await waitFor(
    async () => {
      const stats = await fs.stats()
      const wrong = stats.underReplicated + stats.missingBlocks + stats.corruptBlocks
      if (wrong > 0)
        return `${stats.underReplicated} blocks short of copies, ${stats.missingBlocks} missing, ${stats.corruptBlocks} corrupt`
      const bad = [...damage.remaining(), ...(await shortOnDisk(cluster, fs))]
      return bad.length === 0 ? undefined : `what the namenode holds for whole is not whole on the disks: ${bad.slice(0, 3).join(', ')}`
    },
    'every block to have its copies',
    healWithinMs,
  )
  say('every block has its copies, and no damage is left')
}

/** What does not hold. */
export async function broken(cluster: ChaosCluster, fs: FileSystem, ledger: Ledger, program: string): Promise<string[]> {
  const found: string[] = []
  const fsck = await run(program, ['fsck', '--fs', cluster.uri, '/'])
  if (fsck.code !== 0 || !/is HEALTHY/.test(fsck.out)) found.push(`fsck ended with ${fsck.code}:\n${fsck.out.slice(-2_000)}`)
  const present = new Map((await allFiles(fs, '/chaos')).map((file) => [file.path, file]))
  for (const expected of ledger.files.values()) found.push(...(await brokenFile(fs, expected, present)))
  for (const path of present.keys()) if (!path.endsWith('._COPYING_')) found.push(`${path} is there, and nobody made it`)
  return found
}

/** Takes what it finds out of `present`. */
async function brokenFile(fs: FileSystem, expected: ExpectedFile, present: Map<string, FileInfo>): Promise<string[]> {
  const name = `file ${expected.file} (${expected.paths.join(' or ')})`
  const there = [...new Set(expected.paths)].filter((path) => present.has(path))
  const infos = there.map((path) => present.get(path) as FileInfo)
  for (const path of there) present.delete(path)
  if (expected.deleted === 'yes') return infos.length === 0 ? [] : [`${name} is there again after it was deleted`]
  if (infos.length > 1) return [`${name} is there under ${infos.length} names`]
  const [info] = infos
  if (info === undefined)
    return expected.deleted === 'no' && expected.created === 'yes'
      ? [`${name} is gone, ${expected.acknowledged} bytes were acknowledged`]
      : []
  let bytes: Buffer
  try {
    bytes = await fs.readFile(info.path)
  } catch (error) {
    return [`${name} cannot be read: ${String(error)}`]
  }
  const { length } = bytes
  if (length < expected.acknowledged) return [`${name} has ${length} bytes, ${expected.acknowledged} were acknowledged`]
  if (length > expected.sent) return [`${name} has ${length} bytes, only ${expected.sent} were ever sent`]
  if (sha256(bytes) !== hashOf(expected.file, length))
    return [`${name}: its ${length} bytes are not those that were written (first difference at ${firstDifference(bytes, expected.file)})`]
  return []
}

function firstDifference(bytes: Buffer, file: number): number {
  const step = 4096
  for (let at = 0; at < bytes.length; at += step) {
    const want = contentOf(file, at, Math.min(bytes.length, at + step))
    const got = bytes.subarray(at, at + step)
    if (!got.equals(want)) return at + got.findIndex((byte, index) => byte !== want[index])
  }
  return -1
}

/** Blocks that have fewer whole files on the disks than they should, whatever the namenode believes. */
async function shortOnDisk(cluster: ChaosCluster, fs: FileSystem): Promise<string[]> {
  const onDisk = replicasByBlock(cluster.dataDirs)
  const found: string[] = []
  for (const file of await allFiles(fs, '/chaos')) {
    for (const block of await fs.blockLocations(file.path)) {
      const copies = (onDisk.get(block.blockId) ?? []).filter((copy) => copy.genstamp === block.genstamp && copy.length === block.length)
      if (copies.length < file.replication)
        found.push(`block ${block.blockId} of ${file.path} has ${copies.length} whole copies on disk, not ${file.replication}`)
    }
  }
  return found
}

export async function allFiles(fs: FileSystem, root: string): Promise<FileInfo[]> {
  const files: FileInfo[] = []
  const waiting = [root]
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const entry of await fs.readdir(directory)) {
      if (entry.isDirectory) waiting.push(entry.path)
      else files.push(entry)
    }
  }
  return files
}

/** Runs a command of the CLI to its end. */
export function run(program: string, args: readonly string[], withinMs = 120_000): Promise<{ code: number | null; out: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: environment() })
    const timer = setTimeout(() => child.kill('SIGKILL'), withinMs)
    let out = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (out += text))
    child.once('close', (code) => {
      clearTimeout(timer)
      resolve({ code, out })
    })
  })
}
