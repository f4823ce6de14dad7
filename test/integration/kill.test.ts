// SIGKILL of any one process while work is under way: nothing that was acknowledged is lost, and nobody has to do anything but start
// the process again.
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { ClusterDescription } from '../../cli/cluster/description.ts'
import { identityOf, waitForExit } from '../../cli/cluster/process-identity.ts'
import { FileSystem } from '../../client/index.ts'
import { must } from '../../common/assert.ts'
import { isQuarryError } from '../../common/errors.ts'
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import { waitFor } from '../support/mini-cluster.ts'
import { printedSeed, Sandbox, seededBytes } from '../support/processes.ts'

const mib = 2 ** 20
const smallBlocks = ['-D', 'block.size=4m']
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** SIGKILL, and the process is gone. */
async function killNow(pid: number): Promise<void> {
  const identity = must(identityOf(pid), `process ${pid} runs`)
  process.kill(pid, 'SIGKILL')
  expect(await waitForExit(identity, 60_000)).toBe(true)
}

/** Starts a killed role of the cluster again, by hand as an operator would, and waits until it says so. */
async function startAgain(sandbox: Sandbox, cluster: ClusterDescription, role: string): Promise<number> {
  const running = sandbox.start([role.startsWith('datanode') ? 'datanode' : 'namenode', '--config', `${cluster.dir}/${role}/role.conf`])
  await running.waitFor(/"kind":"ready"/)
  return running.pid
}

async function allLive(fs: FileSystem, count: number): Promise<void> {
  await waitFor(async () => {
    const live = await fs.datanodes('live')
    const stats = await fs.stats()
    return live.length === count && !stats.safeMode ? undefined : `${live.length} of ${count} live, safe mode ${stats.safeMode}`
  }, 'all datanodes to be live')
}

async function wholeAgain(fs: FileSystem): Promise<void> {
  await waitFor(async () => {
    const stats = await fs.stats()
    return stats.underReplicated + stats.missingBlocks + stats.corruptBlocks === 0
      ? undefined
      : `${stats.underReplicated} short, ${stats.missingBlocks} missing, ${stats.corruptBlocks} corrupt`
  }, 'every block to have its copies')
}

describe('a datanode killed with SIGKILL', () => {
  it('during put: each datanode in turn, the file arrives whole', async () => {
    await using sandbox = new Sandbox()
    const seed = printedSeed('kill during put')
    const cluster = await sandbox.up({ args: ['--datanodes', '4', '--replication', '3', ...smallBlocks] })
    await using fs = await FileSystem.connect(cluster.uri)
    for (const [index, datanode] of cluster.datanodes.entries()) {
      const bytes = seededBytes(40 * mib, seed + index)
      const put = sandbox.start(['put', '--fs', cluster.uri, '-', `/put-${index}`], { openInput: true })
      put.stdin.write(bytes.subarray(0, 22 * mib))
      await waitFor(
        async () =>
          (await fs.readdir('/')).some((file) => file.name.startsWith(`put-${index}`) && file.length >= 8 * mib) ? undefined : 'not begun',
        'put to be under way',
      )
      await killNow(datanode.pid)
      put.stdin.end(bytes.subarray(22 * mib))
      const outcome = await put.done
      expect(outcome.stderr).toBe('')
      expect(outcome.code).toBe(0)
      expect(sha256(await fs.readFile(`/put-${index}`))).toBe(sha256(bytes))
      await startAgain(sandbox, cluster, datanode.name)
      await allLive(fs, 4)
    }
    await wholeAgain(fs)
    for (const index of cluster.datanodes.keys())
      expect(sha256(await fs.readFile(`/put-${index}`))).toBe(sha256(seededBytes(40 * mib, seed + index)))
  })

  it('during get: each datanode in turn, the reader goes on with another copy', async () => {
    await using sandbox = new Sandbox()
    const seed = printedSeed('kill during get')
    const cluster = await sandbox.up({ args: [...smallBlocks] })
    await using fs = await FileSystem.connect(cluster.uri, { localReads: false })
    const bytes = seededBytes(48 * mib, seed)
    await fs.writeFile('/large', bytes)
    for (const datanode of cluster.datanodes) {
      const hash = createHash('sha256')
      let done = 0
      await using reader = await fs.open('/large')
      for await (const piece of reader.stream()) {
        hash.update(piece)
        const before = done
        done += piece.length
        if (before < 10 * mib && done >= 10 * mib) await killNow(datanode.pid)
      }
      expect(done).toBe(bytes.length)
      expect(hash.digest('hex')).toBe(sha256(bytes))
      await startAgain(sandbox, cluster, datanode.name)
      await allLive(fs, 3)
    }
  })
})

describe('a namenode killed with SIGKILL under load', () => {
  it('has every acknowledged file after it is started again, and the writers go on', async () => {
    await using sandbox = new Sandbox()
    const random = new SeededRandom(printedSeed('kill the namenode'))
    const cluster = await sandbox.up()
    await using fs = await FileSystem.connect(cluster.uri)
    const acknowledged = new Map<string, string>()
    const stop = new AbortController()
    const writer = async (name: string) => {
      for (let number = 0; !stop.signal.aborted; number++) {
        const content = `${name} ${number} ${'x'.repeat(number % 1000)}`
        const path = `/load/${name}/${number}`
        try {
          await fs.writeFile(path, content, { overwrite: true })
        } catch (error) {
          // A call that was on its way when the process died may fail, but only with an error that says: try again.
          expect(isQuarryError(error) && ['retry', 'reopen', 'operator'].includes(error.advice), String(error)).toBe(true)
          continue
        }
        acknowledged.set(path, content)
      }
    }
    const writers = ['a', 'b', 'c', 'd'].map((name) => writer(name))
    let pid = cluster.namenode.pid
    for (let round = 0; round < 3; round++) {
      const before = acknowledged.size
      await waitFor(() => (acknowledged.size > before + 20 ? undefined : `${acknowledged.size - before} files`), 'writers to get on')
      await new Promise((resolve) => setTimeout(resolve, random.int(300)))
      await killNow(pid)
      pid = await startAgain(sandbox, cluster, 'namenode')
    }
    const before = acknowledged.size
    await waitFor(
      () => (acknowledged.size > before + 20 ? undefined : `${acknowledged.size - before} files`),
      'writers to get on after the last start',
    )
    stop.abort()
    await Promise.all(writers)
    await allLive(fs, 3)
    for (const [path, content] of acknowledged) expect((await fs.readFile(path)).toString(), path).toBe(content)
  })

  it('and everything else killed too: the same cluster comes back with its data', async () => {
    await using sandbox = new Sandbox()
    const cluster = await sandbox.up()
    const bytes = seededBytes(5 * mib, printedSeed('kill everything'))
    {
      await using fs = await FileSystem.connect(cluster.uri)
      await fs.writeFile('/kept', bytes)
    }
    await Promise.all([cluster.namenode, ...cluster.datanodes].map(({ pid }) => killNow(pid)))
    const again = await sandbox.up()
    expect(again.uri).toBe(cluster.uri)
    await using fs = await FileSystem.connect(again.uri)
    expect(sha256(await fs.readFile('/kept'))).toBe(sha256(bytes))
  })
})

describe('SIGTERM', () => {
  it('lets an open file be finished before the cluster stops', async () => {
    await using sandbox = new Sandbox()
    const cluster = await sandbox.up({ args: ['-D', 'drain.timeout=20s'] })
    const fs = await FileSystem.connect(cluster.uri)
    const bytes = seededBytes(2 * mib, 3)
    const writer = await fs.create('/open')
    await writer.write(bytes.subarray(0, mib))
    await writer.hflush()
    const down = sandbox.start(['down', '--dir', cluster.dir])
    await new Promise((resolve) => setTimeout(resolve, 500))
    await writer.write(bytes.subarray(mib))
    await writer.close()
    await fs.close()
    expect((await down.done).code).toBe(0)
    const again = await sandbox.up()
    await using after = await FileSystem.connect(again.uri)
    expect(sha256(await after.readFile('/open'))).toBe(sha256(bytes))
  })
})
