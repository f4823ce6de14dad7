// A real namenode whose disk fills: it becomes read-only with the reason, loses nothing that it acknowledged, and goes on by itself.
//
// The disk is a limit on the size of the process's files (as a quota is: the file system itself has plenty of room), which needs no
// root: the signal that would end the process is ignored, so that a write beyond it fails, and the limit is lifted from outside.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FileSystem } from '../../client/index.ts'
import { isQuarryError } from '../../common/errors.ts'
import type { QuarryError } from '../../common/errors.ts'
import { rootInodeId } from '../../common/limits.ts'
import { resolve } from '../../namenode/core/resolve.ts'
import { inspectOffline } from '../../namenode/store/offline.ts'
import { SqliteStore } from '../../namenode/store/sqlite-store.ts'
import { binary, Running } from '../support/processes.ts'
import { waitFor } from '../support/mini-cluster.ts'

let dir = ''
const running: Running[] = []
const connections: FileSystem[] = []

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'quarry-full-'))
})
afterEach(async () => {
  await Promise.all(connections.splice(0).map((fs) => fs.close()))
  for (const one of running.splice(0)) {
    one.kill()
    await one.done
  }
  rmSync(dir, { recursive: true, force: true })
})

/** A namenode none of whose files may have more than `kib` KiB. */
async function start(kib: number | 'unlimited'): Promise<{ fs: FileSystem; process: Running; http: string }> {
  const settings = ['dir=' + dir, 'port=0', 'http.port=0', 'resource.check.interval=100ms', 'resource.reserved=0', 'log.level=error']
  const words = [process.execPath, binary, 'namenode', ...settings.flatMap((one) => ['-D', one])]
  const limited = `trap '' XFSZ; ulimit -S -f ${kib}; exec "$@"`
  const one = new Running(spawn('bash', ['-c', limited, 'bash', ...words], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env } }))
  running.push(one)
  const [, ready = ''] = await one.waitFor(/^(\{"kind":"ready".*\})$/m)
  const { uri, http } = JSON.parse(ready) as { uri: string; http: string }
  const fs = await FileSystem.connect(uri, { user: userInfo().username })
  connections.push(fs)
  return { fs, process: one, http }
}

function liftLimit(pid: number): void {
  const { status, stderr } = spawnSync('prlimit', ['--pid', String(pid), '--fsize=unlimited:'], { encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(status).toBe(0)
}

/** Makes trees until the disk is full; those that were acknowledged and the first refusal. */
async function fill(fs: FileSystem, prefix: string): Promise<{ made: string[]; refusal: QuarryError }> {
  const made: string[] = []
  for (let round = 0; round < 2000; round++) {
    const batch = Array.from({ length: 20 }, (_, n) => `${prefix}/${round}-${n}-${'x'.repeat(120)}/below`)
    const outcomes = await Promise.allSettled(batch.map((at) => fs.mkdir(at, { recursive: true })))
    for (const [i, outcome] of outcomes.entries()) if (outcome.status === 'fulfilled') made.push(batch[i]!)
    const refused = outcomes.find((outcome) => outcome.status === 'rejected')
    if (refused !== undefined) return { made, refusal: refused.reason as QuarryError }
  }
  throw new Error('the disk did not fill')
}

const reason = /^The disk of the namenode is full \(\d+ bytes free in .+\): free some space; the namenode goes on by itself/

test('a full disk makes the namespace read-only with the reason, nothing acknowledged is lost, and it goes on by itself', async () => {
  const { fs, process: namenode, http } = await start(1024)
  const first = await fill(fs, '/first')
  expect(first.made.length).toBeGreaterThan(100)
  expect(first.refusal).toMatchObject({ code: 'SAFE_MODE', advice: 'retry' })
  expect(first.refusal.message).toMatch(reason)

  // Read-only, and says so wherever one looks.
  expect((await fs.safeMode()).reason).toMatch(reason)
  const refusals = await Promise.allSettled([fs.mkdir('/no'), fs.rename('/first', '/second'), fs.delete('/first', { recursive: true })])
  for (const refusal of refusals) {
    expect(refusal.status === 'rejected' && isQuarryError(refusal.reason, 'SAFE_MODE')).toBe(true)
    expect((refusal as PromiseRejectedResult).reason.message).toContain('The disk of the namenode is full')
  }
  const health = await fetch(`http://${http}/health`)
  expect([health.status, await health.text()]).toEqual([503, expect.stringContaining('safe mode: The disk of the namenode is full')])
  for (const at of first.made) expect((await fs.stat(at)).kind).toBe('directory')
  expect(await fs.exists('/no')).toBe(false)

  // Looks at the disk again and again, and stays: nothing has become better.
  await new Promise((wait) => setTimeout(wait, 500))
  expect((await fs.safeMode()).on).toBe(true)
  liftLimit(namenode.pid)
  await waitFor(async () => ((await fs.safeMode()).on ? 'safe mode' : undefined), 'the namenode to go on')
  await fs.mkdir('/room')
  for (const at of [...first.made, '/room']) expect(await fs.exists(at)).toBe(true)

  namenode.kill()
  await namenode.done
  const { problems, checksum } = inspectOffline(dir)
  expect(problems).toEqual([])
  const store = new SqliteStore({ directory: dir, cacheEntries: 1000, pageCacheBytes: 1 << 20 })
  for (const at of first.made) expect(resolve(store, at).last, at).toBeDefined()
  expect(store.child(rootInodeId, 'no')).toBeUndefined()
  expect(store.counters().directories).toBe(checksum.directories)
  store.close()
})

test('a namenode that is killed while its disk is full starts again on the full disk, serves what is there, and goes on when there is room', async () => {
  const first = await start(512)
  const { made } = await fill(first.fs, '/first')
  first.process.kill()
  await first.process.done
  const database = path.join(dir, 'namespace.db')
  // Nothing may grow: not even what a start would write.
  const largest = Math.max(statSync(database).size, existsSync(`${database}-wal`) ? statSync(`${database}-wal`).size : 0)
  const second = await start(Math.floor(largest / 1024))
  for (const at of made) expect((await second.fs.stat(at)).kind).toBe('directory')
  const { refusal } = await fill(second.fs, '/second')
  expect(refusal.message).toMatch(reason)
  for (const at of made) expect(await second.fs.exists(at)).toBe(true)
  liftLimit(second.process.pid)
  await waitFor(async () => ((await second.fs.safeMode()).on ? 'safe mode' : undefined), 'the namenode to go on')
  await second.fs.mkdir('/room')
})
