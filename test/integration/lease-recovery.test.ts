// Writers killed with SIGKILL at random moments: the file closes by itself or on request, with every byte that was flushed, and the
// next writer gets the documented error first and the file then.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { readRunning } from '../../cli/cluster/directory.ts'
import { identityOf, waitForExit } from '../../cli/cluster/process-identity.ts'
import { FileSystem } from '../../client/index.ts'
import { must } from '../../common/assert.ts'
import { isQuarryError } from '../../common/errors.ts'
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import { waitFor } from '../support/wait-for.ts'
import { printedSeed, Running, Sandbox, seededBytes } from '../support/processes.ts'

const program = fileURLToPath(new URL('../support/writer-child.mjs', import.meta.url))
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const longest = 64 * 2 ** 20

type Mode = 'flush' | 'stream' | 'close'

function startWriter(sandbox: Sandbox, uri: string, path: string, seed: number, mode: Mode) {
  const child = spawn(process.execPath, [program, uri, path, `${seed}`, mode], {
    env: sandbox.environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return new Running(child)
}

/** SIGKILL; answers what it had printed. */
async function killed(writer: Running): Promise<string> {
  writer.kill('SIGKILL')
  return (await writer.done).stdout
}

const lastNumber = (printed: string, word: string): number =>
  Number(
    printed
      .match(new RegExp(`${word} (\\d+)`, 'g'))
      ?.at(-1)
      ?.split(' ')[1] ?? 0,
  )

async function openFiles(fs: FileSystem): Promise<{ path: string; client: string; holder: string }[]> {
  const found = []
  for await (const { path, client, holder } of fs.admin.openFiles()) found.push({ path, client, holder })
  return found
}

/** Waits for the namenode to close everything by itself. */
const allClosed = (fs: FileSystem) =>
  waitFor(async () => ((await openFiles(fs)).length === 0 ? undefined : 'open'), 'the namenode to close the file by itself')

/** Asks until the file is closed; answers the milliseconds that took. */
async function recover(fs: FileSystem, path: string): Promise<number> {
  const startedMs = performance.now()
  await waitFor(async () => ((await fs.recoverLease(path)) ? undefined : 'open'), `${path} to be closed`)
  return performance.now() - startedMs
}

async function expectContent(fs: FileSystem, path: string, seed: number, atLeast: number, atMost: number): Promise<number> {
  const { length } = await fs.stat(path)
  expect(length, `${path} at least what was flushed`).toBeGreaterThanOrEqual(atLeast)
  expect(length, `${path} at most what was written`).toBeLessThanOrEqual(atMost)
  const bytes = await fs.readFile(path)
  expect(bytes.length).toBe(length)
  expect(bytes.equals(seededBytes(length, seed)), `${path} has the bytes that were written`).toBe(true)
  return length
}

async function killRole(pid: number): Promise<void> {
  const identity = must(identityOf(pid), `process ${pid} runs`)
  process.kill(pid, 'SIGKILL')
  expect(await waitForExit(identity, 60_000)).toBe(true)
}

describe('a writer killed with SIGKILL', () => {
  it('at any moment leaves a file that recoverLease closes, with at least every flushed byte', async () => {
    await using sandbox = new Sandbox()
    const seed = printedSeed('writers killed at random moments')
    const random = new SeededRandom(seed)
    const { uri } = await sandbox.up()
    await using fs = await FileSystem.connect(uri)
    const tookMs: number[] = []
    const modes: readonly Mode[] = ['flush', 'stream', 'close', 'flush', 'stream', 'close', 'flush', 'close']
    for (const [round, mode] of modes.entries()) {
      const path = `/${round}-${mode}`
      const writer = startWriter(sandbox, uri, path, seed + round, mode)
      await writer.waitFor(mode === 'flush' ? /flushed/ : mode === 'stream' ? /written/ : /closing/)
      await sleep(random.int(mode === 'close' ? 25 : 400))
      const printed = await killed(writer)
      tookMs.push(await recover(fs, path))
      const closed = /closed/.test(printed)
      const flushed = mode === 'close' ? (closed ? 300_000 : 0) : lastNumber(printed, 'flushed')
      await expectContent(fs, path, seed + round, flushed, mode === 'close' ? 300_000 : longest)
    }
    console.log(`closed after ${tookMs.map((ms) => ms.toFixed(0)).join(', ')} ms`)
    for (const { length, name } of await fs.readdir('/')) {
      await fs.append(`/${name}`).then(async (again) => {
        await again.write('more')
        await again.close()
      })
      expect((await fs.stat(`/${name}`)).length).toBe(length + 4)
    }
  })

  it('keeps others out until the soft limit, with the documented errors; then the next writer gets the file', async () => {
    await using sandbox = new Sandbox()
    const seed = printedSeed('takeover')
    const { uri } = await sandbox.up({ args: ['-D', 'lease.soft=3s'] })
    await using fs = await FileSystem.connect(uri)
    const writer = startWriter(sandbox, uri, '/f', seed, 'flush')
    await writer.waitFor(/flushed/)
    const [open] = await openFiles(fs)
    expect(open).toMatchObject({ path: '/f', client: '127.0.0.1' })
    await expect(fs.append('/f')).rejects.toMatchObject({
      code: 'LEASE_CONFLICT',
      message: expect.stringMatching(
        new RegExp(
          `^Failed to APPEND_FILE /f for \\S+ on 127\\.0\\.0\\.1 because this file lease is currently owned by ${must(open).holder} on 127`,
        ),
      ),
    })
    const flushed = lastNumber(await killed(writer), 'flushed')
    const seen = new Set<string>()
    await waitFor(async () => {
      try {
        const next = await fs.append('/f')
        await next.write('mine now')
        await next.close()
        return undefined
      } catch (error) {
        if (!isQuarryError(error)) throw error
        seen.add(error.code)
        return error.message
      }
    }, 'the file to be taken over')
    for (const code of seen) expect(['LEASE_CONFLICT', 'RECOVERY_IN_PROGRESS', 'RETRY_LATER', 'TIMEOUT']).toContain(code)
    const { length } = await fs.stat('/f')
    expect(length - 8).toBeGreaterThanOrEqual(flushed)
    const bytes = await fs.readFile('/f')
    expect(bytes.subarray(0, length - 8).equals(seededBytes(length - 8, seed))).toBe(true)
    expect(bytes.subarray(length - 8).toString()).toBe('mine now')
  })

  it('and nobody asks: the namenode closes its file after the hard limit', async () => {
    await using sandbox = new Sandbox()
    const seed = printedSeed('hard limit')
    const { uri } = await sandbox.up({ args: ['-D', 'lease.soft=1s', '-D', 'lease.hard=2s'] })
    await using fs = await FileSystem.connect(uri)
    const writer = startWriter(sandbox, uri, '/f', seed, 'flush')
    await writer.waitFor(/flushed/)
    const flushed = lastNumber(await killed(writer), 'flushed')
    await allClosed(fs)
    await expectContent(fs, '/f', seed, flushed, longest)
  })
})

describe('a recovery', () => {
  it('goes on when a datanode of the block dies in its middle, and when two clients ask at once', async () => {
    await using sandbox = new Sandbox()
    const seed = printedSeed('datanode killed during recovery')
    const random = new SeededRandom(seed)
    const cluster = await sandbox.up()
    await using fs = await FileSystem.connect(cluster.uri)
    await using other = await FileSystem.connect(cluster.uri)
    const writer = startWriter(sandbox, cluster.uri, '/f', seed, 'flush')
    await writer.waitFor(/flushed/)
    await sleep(random.int(200))
    const flushed = lastNumber(await killed(writer), 'flushed')
    const victim = must(cluster.datanodes[random.int(3)])
    const asked = Promise.all([fs.recoverLease('/f'), other.recoverLease('/f')])
    await sleep(random.int(5))
    await killRole(victim.pid)
    await asked
    const [mine, theirs] = await Promise.all([recover(fs, '/f'), recover(other, '/f')])
    console.log(`closed after ${mine.toFixed(0)} and ${theirs.toFixed(0)} ms`)
    await expectContent(fs, '/f', seed, flushed, longest)
  })

  it('that is asked for once is carried through by the namenode, also over its own restart', async () => {
    await using sandbox = new Sandbox()
    const seed = printedSeed('namenode killed during recovery')
    const random = new SeededRandom(seed)
    const cluster = await sandbox.up()
    await using fs = await FileSystem.connect(cluster.uri)
    const writer = startWriter(sandbox, cluster.uri, '/f', seed, 'flush')
    await writer.waitFor(/flushed/)
    const flushed = lastNumber(await killed(writer), 'flushed')
    const closed = await fs.recoverLease('/f')
    await sleep(random.int(10))
    const namenode = must(readRunning(cluster.dir)?.roles.find(({ pid }) => pid === cluster.namenode.pid))
    await killRole(namenode.pid)
    const again = sandbox.start(['namenode', '--config', `${cluster.dir}/namenode/role.conf`])
    await again.waitFor(/"kind":"ready"/)
    console.log(`the recovery ${closed ? 'was over' : 'was under way'} when the namenode was killed`)
    await allClosed(fs)
    await expectContent(fs, '/f', seed, flushed, longest)
  })
})
