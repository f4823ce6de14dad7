// The balancer on real datanodes: it ends within the threshold, every file keeps its bytes and its copies, one runs at a time.
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FileSystem } from '../../client/index.ts'
import { parseBalancer } from '../../cli/balancer/arguments.ts'
import { BalancerLock } from '../../cli/balancer/lock.ts'
import { balancerExit, runBalancer } from '../../cli/balancer/run.ts'
import { TextOutput } from '../../cli/output/output.ts'
import { MiniCluster, waitFor } from '../support/mini-cluster.ts'
import { seededBytes } from '../support/processes.ts'

const timeoutMs = 180_000
const capacity = 64 * 2 ** 20
const blockSize = 512 * 2 ** 10

async function balance(fs: FileSystem, uri: string, words: readonly string[], signal = new AbortController().signal) {
  const parsed = parseBalancer(words)
  if (parsed.kind !== 'run') throw new Error(`not a command line: ${words.join(' ')}`)
  const [out, err] = [new TextOutput(), new TextOutput()]
  const { FileSystem: Client } = await import('../../client/index.ts')
  const exit = await runBalancer(
    () => Client.connect(uri, { user: fs.user }),
    parsed.options,
    { out, err, input: async function* () {}, ask: async () => '', progress: undefined, signal },
    { pollMs: 50 },
  )
  return { exit, stdout: out.text, stderr: err.text }
}

async function shares(fs: FileSystem): Promise<number[]> {
  return (await fs.datanodes('live')).map((node) => (node.dfsUsed / node.capacity) * 100)
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe('with an empty datanode added', () => {
  let cluster: MiniCluster
  let fs: FileSystem
  const digests = new Map<string, string>()

  beforeAll(async () => {
    cluster = await MiniCluster.start({ datanodes: 2, settings: { capacity } })
    fs = await cluster.connect()
    for (let i = 0; i < 10; i++) {
      const bytes = seededBytes(3 * 2 ** 20 + i, i)
      await fs.writeFile(`/data/f${i}`, bytes, { replication: 2, blockSize })
      digests.set(`/data/f${i}`, digest(bytes))
    }
    await cluster.addDatanode()
    await waitFor(async () => {
      const used = await shares(fs)
      return used.length === 3 && Math.max(...used) > 40 ? undefined : `shares ${used.join(', ')}`
    }, 'the datanodes to report what they hold')
  }, timeoutMs)

  afterAll(() => cluster?.close(), timeoutMs)

  test(
    'it says -1 while another balancer holds the lease',
    async () => {
      const other = await cluster.connect()
      await using lock = await BalancerLock.take(other, new AbortController().signal)
      expect(lock).toBeDefined()
      const { exit, stdout } = await balance(fs, cluster.uri, [])
      expect(exit).toBe(balancerExit.alreadyRunning)
      expect(stdout).toMatch(/^Another Balancer is running, or one was killed within the last minute\. {2}Exiting \.\.\.\n/)
    },
    timeoutMs,
  )

  test(
    'an interrupted run exits with 130, and leaves every block with its copies',
    async () => {
      const interrupt = new AbortController()
      interrupt.abort(new Error('Interrupted'))
      expect(await balance(fs, cluster.uri, [], interrupt.signal)).toMatchObject({
        exit: 130,
        stderr: 'balancer: interrupted. No move was under way. Run it again to go on.\n',
      })
      const late = new AbortController()
      const running = balance(fs, cluster.uri, ['-threshold', '5'], late.signal)
      await waitFor(async () => ((await fs.admin.moveReplicas([])).movedBlocks > 0 ? undefined : 'none moved'), 'the first move')
      late.abort(new Error('Interrupted'))
      expect((await running).exit).toBe(130)
      await everyFileIsWhole()
    },
    timeoutMs,
  )

  test(
    'it ends with every datanode within the threshold, and every file intact',
    async () => {
      const { exit, stdout } = await balance(fs, cluster.uri, ['-threshold', '5'])
      expect(stdout).toMatch(/\nThe cluster is balanced\. Exiting\.\.\.\n.* Balancing took [\d.]+ \w+\n$/)
      expect(exit).toBe(0)
      const used = await shares(fs)
      const average = used.reduce((sum, share) => sum + share, 0) / used.length
      for (const share of used) expect(Math.abs(share - average)).toBeLessThanOrEqual(5)
      await everyFileIsWhole()
    },
    timeoutMs,
  )

  test(
    'a balanced cluster is left as it is',
    async () => {
      const { movedBlocks } = await fs.admin.moveReplicas([])
      expect((await balance(fs, cluster.uri, ['-threshold', '5'])).exit).toBe(0)
      expect((await fs.admin.moveReplicas([])).movedBlocks).toBe(movedBlocks)
    },
    timeoutMs,
  )

  async function everyFileIsWhole(): Promise<void> {
    for (const [path, wanted] of digests) expect(digest(await fs.readFile(path)), path).toBe(wanted)
    await waitFor(async () => {
      for (const path of digests.keys()) {
        for (const { hosts } of await fs.blockLocations(path)) {
          if (hosts.length !== 2 || hosts[0]?.uuid === hosts[1]?.uuid) return `${path} has a block on ${hosts.length} datanodes`
        }
      }
      return undefined
    }, 'two copies of every block')
  }
})

test(
  'it says -2 when the datanodes that may give have nothing to give',
  async () => {
    await using cluster = await MiniCluster.start({ datanodes: 1, settings: { capacity } })
    const fs = await cluster.connect()
    await fs.writeFile('/f', seededBytes(24 * 2 ** 20, 1), { blockSize })
    await cluster.addDatanode()
    await waitFor(async () => {
      const used = await shares(fs)
      return used.length === 2 && Math.max(...used) > 30 ? undefined : `shares ${used.join(', ')}`
    }, 'the datanodes to report what they hold')
    const { exit, stdout } = await balance(fs, cluster.uri, ['-threshold', '5', '-source', 'elsewhere'])
    expect(stdout).toContain('\nNo block can be moved. Exiting...\n')
    expect(exit).toBe(balancerExit.noMoveBlock)
  },
  timeoutMs,
)
