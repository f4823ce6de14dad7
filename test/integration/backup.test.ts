// The namenode's store is backed up over the wire while writers run, destroyed, and restored: every file of the backup is there, byte
// for byte, on the datanodes that went on meanwhile; and what came after the backup is not deleted before the operator says so.
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runBackup } from '../../cli/admin/backup.ts'
import { editSource, exportEdits } from '../../cli/admin/edit-sources.ts'
import { runCheck, runChecksum } from '../../cli/admin/look.ts'
import { runRestore } from '../../cli/admin/restore.ts'
import { TextOutput } from '../../cli/output/output.ts'
import type { ShellStreams } from '../../cli/shell/shell.ts'
import type { FileSystem } from '../../client/index.ts'
import { MiniCluster, waitFor } from '../support/mini-cluster.ts'

let dir = ''
let cluster: MiniCluster
let fs: FileSystem
const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const streams = (): ShellStreams & { readonly out: TextOutput } => ({
  out: new TextOutput(),
  err: new TextOutput(),
  input: () => process.stdin,
  ask: async () => '',
  progress: new TextOutput(),
  signal: new AbortController().signal,
})
/** What a command with --json printed. */
async function json<T>(run: (to: ShellStreams) => Promise<number>, exitCode = 0): Promise<T> {
  const to = streams()
  expect(await run(to)).toBe(exitCode)
  return JSON.parse(to.out.text) as T
}
interface Made {
  readonly path: string
  readonly removed: readonly string[]
  readonly manifest: { readonly txid: number; readonly namespaceChecksum: string; readonly files: number }
}
const backUp = (keep?: number) => json<Made>((to) => runBackup(fs, { dir: path.join(dir, 'backups'), keep, json: true }, to))
const checksum = (source: FileSystem | string) => json<{ txid: number; hex: string }>((to) => runChecksum(source, true, to))

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'quarry-backup-'))
  cluster = await MiniCluster.start({ datanodes: 3 })
  fs = await cluster.connect()
})
afterEach(async () => {
  await cluster.close()
  await rm(dir, { recursive: true, force: true })
})

/** Writes files until stopped; the content hashes of those that were closed, with the last transaction known then. */
function startWriters(prefix: string, count: number) {
  const written = new Map<string, { hash: string; afterTxid: number }>()
  let going = true
  const loops = Array.from({ length: count }, async (_, w) => {
    for (let n = 0; going; n++) {
      const bytes = randomBytes(1 + ((n * 7919) % 20_000))
      const file = `${prefix}/w${w}/f${n}`
      await fs.writeFile(file, bytes)
      written.set(file, { hash: hash(bytes), afterTxid: (await fs.namenode.call('getFsStats', {})).lastTxid })
    }
  })
  return {
    written,
    async stop() {
      going = false
      await Promise.all(loops)
    },
  }
}

function blocksOnDisk(): number {
  let blocks = 0
  for (let i = 0; i < 3; i++) {
    for (const name of readdirSync(cluster.datanodeDir(i), { recursive: true, encoding: 'utf8' }))
      if (/\/finalized\/.*blk_\d+$/.test(name)) blocks++
  }
  return blocks
}

/** Puts another directory in the namenode's place. */
async function startOn(restored: string): Promise<void> {
  renameSync(restored, path.join(cluster.dir, 'namenode'))
  await cluster.restartNamenode()
}

async function destroyNamenode(): Promise<void> {
  await cluster.killNamenode()
  rmSync(path.join(cluster.dir, 'namenode'), { recursive: true })
}

describe('backup and restore', () => {
  test('a cluster whose namenode lost its disk has every file of the backup again, byte for byte, and goes on', async () => {
    const first = startWriters('/data', 4)
    await waitFor(() => (first.written.size >= 40 ? undefined : `${first.written.size} files`), 'some files')
    const { path: backup, manifest } = await backUp()
    await waitFor(() => (first.written.size >= 80 ? undefined : `${first.written.size} files`), 'files after the backup')
    await first.stop()
    const inBackup = [...first.written].filter(([, { afterTxid }]) => afterTxid <= manifest.txid)
    expect(inBackup.length).toBeGreaterThanOrEqual(30)
    expect(inBackup.length).toBeLessThan(first.written.size)
    await waitFor(async () => {
      const { underReplicated } = await fs.stats()
      return underReplicated === 0 ? undefined : `${underReplicated} blocks lack copies`
    }, 'all copies')

    await destroyNamenode()
    const restored = path.join(dir, 'restored')
    const report = await json<{ txid: number; checksum: { hex: string } }>((to) => runRestore(backup, { into: restored, json: true }, to))
    expect(report).toMatchObject({ txid: manifest.txid, checksum: { hex: manifest.namespaceChecksum } })
    const before = blocksOnDisk()
    await startOn(restored)

    // Blocks of the lost history hold safe mode; nothing of them is deleted, however often datanodes report.
    await waitFor(async () => {
      const { reason } = await fs.safeMode()
      return /generation stamps in future/.test(reason) ? undefined : reason
    }, 'the namenode to see what it does not know')
    for (let i = 0; i < 3; i++) await cluster.restartDatanode(i)
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(await fs.safeMode('leave')).toMatchObject({ on: true })
    expect(blocksOnDisk()).toBe(before)
    for (const [file, { hash: expected }] of inBackup) expect(hash(await fs.readFile(file)), file).toBe(expected)
    await expect(fs.mkdir('/no')).rejects.toMatchObject({ code: 'SAFE_MODE' })

    // The operator gives them up: they go, and what is in the namespace stays.
    expect(await fs.safeMode('force-exit')).toEqual({ on: false, reason: '' })
    await waitFor(() => (blocksOnDisk() < before ? undefined : `${blocksOnDisk()} blocks on disk`), 'blocks of no file to go')
    const second = startWriters('/new', 2)
    await waitFor(() => (second.written.size >= 10 ? undefined : `${second.written.size} files`), 'new files')
    await second.stop()
    for (const [file, { hash: expected }] of [...inBackup, ...second.written]) expect(hash(await fs.readFile(file)), file).toBe(expected)
    await waitFor(() => {
      const known = new Set([...first.written.keys()]).size
      return blocksOnDisk() <= 3 * (known + second.written.size) ? undefined : 'too many blocks'
    }, 'only blocks of files')

    // What the operator gave up does not hold the next start.
    await cluster.restartNamenode()
    await cluster.waitReady()
    for (const [file, { hash: expected }] of inBackup) expect(hash(await fs.readFile(file)), file).toBe(expected)
  })

  test('a restore to a point in time brings back what a mistake deleted, with edits of the running namenode or an export', async () => {
    const contents = new Map<string, string>()
    for (let i = 0; i < 5; i++) {
      const bytes = randomBytes(1000)
      contents.set(`/keep/${i}`, hash(bytes))
      await fs.writeFile(`/keep/${i}`, bytes)
      if (i === 2) await backUp()
    }
    const [backup] = readdirSync(path.join(dir, 'backups'))
    const { txid: last, hex } = await checksum(fs)
    // The mistake is one that only names know of: the blocks are still there, as with a rename or a change of rights.
    await fs.rename('/keep', '/oops')
    await fs.setPermission('/oops', 0o000)
    const target = path.join(dir, 'edits.jsonl')
    await exportEdits(editSource(cluster.uri, undefined)(0), target)
    await expect(exportEdits(editSource(cluster.uri, undefined)(0), target)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' })
    for (const [into, edits] of [
      ['by-wire', cluster.uri],
      ['by-file', target],
    ] as const) {
      const report = await json<{ txid: number; replayedEdits: number; checksum: { hex: string } }>((to) =>
        runRestore(path.join(dir, 'backups', backup!), { into: path.join(dir, into), toTxid: last, edits, json: true }, to),
      )
      expect(report).toMatchObject({ txid: last, checksum: { hex } })
      expect(report.replayedEdits).toBeGreaterThan(0)
    }
    writeFileSync(path.join(dir, 'cut.jsonl'), readFileSync(target, 'utf8').slice(0, -20))
    const cut = runRestore(
      path.join(dir, 'backups', backup!),
      { into: path.join(dir, 'cut'), edits: path.join(dir, 'cut.jsonl'), json: true },
      streams(),
    )
    await expect(cut).rejects.toMatchObject({ code: 'CONFIG', message: expect.stringMatching(/cut\.jsonl:\d+ is not an edit/) })
    await destroyNamenode()
    await startOn(path.join(dir, 'by-wire'))
    await cluster.waitReady()
    for (const [file, expected] of contents) expect(hash(await fs.readFile(file)), file).toBe(expected)
  })

  test('backups are verified, never overwritten, kept to a number, and end even when their reader is gone', async () => {
    await fs.writeFile('/one', 'x')
    const one = await backUp()
    expect(readdirSync(one.path).toSorted()).toEqual(['manifest.json', 'namespace.db'])
    expect(await checksum(one.path)).toEqual(await checksum(fs))
    expect(await json((to) => runCheck(one.path, true, to))).toMatchObject({ problems: [] })
    const later = async () => new Promise((resolve) => setTimeout(resolve, 1100))
    await later()
    await fs.writeFile('/two', 'y')
    const two = await backUp(2)
    await later()
    const three = await backUp(2)
    expect([two.removed, three.removed]).toEqual([[], [one.path]])
    expect(readdirSync(path.join(dir, 'backups')).toSorted()).toEqual([path.basename(two.path), path.basename(three.path)])
    const interrupted = new AbortController()
    const reader = streams()
    const aborted = runBackup(fs, { dir: path.join(dir, 'backups'), json: true }, { ...reader, signal: interrupted.signal })
    interrupted.abort(new Error('Interrupted'))
    await expect(aborted).rejects.toThrow()
    expect(readdirSync(path.join(dir, 'backups'))).toHaveLength(2)
    const held = await waitForBackup()
    expect(existsSync(held.path)).toBe(true)
    writeFileSync(path.join(two.path, 'namespace.db'), 'damaged')
    const broken = runRestore(two.path, { into: path.join(dir, 'never'), json: true }, streams())
    await expect(broken).rejects.toMatchObject({ code: 'CHECKSUM', message: expect.stringContaining('Use another backup') })
  })

  test('only the superuser gets copies of the namespace', async () => {
    const other = await cluster.connect({ user: 'mallory' })
    await expect(other.admin.beginBackup()).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    await expect(other.admin.readBackup('1', 0, 10)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    await expect(other.admin.endBackup('1')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    await expect(other.admin.namespaceChecksum()).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  })
})

/** The call that was interrupted may still be made into a backup that nobody will read: another is refused until it is ended. */
async function waitForBackup(): Promise<Made> {
  let made: Made | undefined
  await waitFor(async () => {
    try {
      made = await backUp()
      return undefined
    } catch (error) {
      const message = (error as Error).message
      const held = /Another backup \((\S+)\) is being read/.exec(message)?.[1]
      if (held !== undefined) await fs.admin.endBackup(held)
      return message
    }
  }, 'another backup')
  return made!
}
