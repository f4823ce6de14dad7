// `quarry admin` for datanodes, in process: what is printed, what happens, and what programs get.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { FileSystem } from '../../client/index.ts'
import { changeNodes } from '../../cli/nodes/change.ts'
import type { ChangeOptions } from '../../cli/nodes/change.ts'
import { nodeName, nodeRecord, nodeRows } from '../../cli/nodes/node.ts'
import { TextOutput } from '../../cli/output/output.ts'
import { MiniCluster, waitFor } from '../support/mini-cluster.ts'
import { seededBytes } from '../support/processes.ts'

const timeoutMs = 120_000
let cluster: MiniCluster
let fs: FileSystem

beforeAll(async () => {
  cluster = await MiniCluster.start({ datanodes: 4 })
  fs = await cluster.connect()
}, timeoutMs)
afterAll(() => cluster?.close(), timeoutMs)

async function change(options: Partial<ChangeOptions> & Pick<ChangeOptions, 'order' | 'nodes'>, signal = new AbortController().signal) {
  const [out, err] = [new TextOutput(), new TextOutput()]
  const streams = { out, err, input: async function* () {}, ask: async () => '', progress: undefined, signal }
  const exit = await changeNodes(fs, { wait: false, json: false, pollMs: 50, ...options }, streams)
  return { exit, stdout: out.text, stderr: err.text }
}

async function nameOf(index: number): Promise<string> {
  const node = (await fs.datanodes('all')).find((one) => one.datanode?.uuid === cluster.datanodes[index]?.uuid)
  return node ? nodeName(node) : ''
}

test(
  'a decommission with --wait ends when every block has its copies elsewhere',
  async () => {
    for (let i = 0; i < 8; i++) await fs.writeFile(`/f${i}`, seededBytes(100_000, i), { replication: 3, blockSize: 64 * 1024 })
    const name = await nameOf(0)
    const { exit, stdout } = await change({ order: 'decommission', nodes: [name], wait: true })
    expect(exit).toBe(0)
    expect(stdout).toMatch(new RegExp(`^(${name}: decommissioning(, \\d+ blocks? to copy)?\\n)?${name}: decommissioned\\n$`))
    const uuid = cluster.datanodes[0]?.uuid
    for (let i = 0; i < 8; i++) {
      for (const { hosts } of await fs.blockLocations(`/f${i}`)) expect(hosts.filter((host) => host.uuid !== uuid)).toHaveLength(3)
    }
    expect((await change({ order: 'recommission', nodes: [name], wait: true })).stdout).toBe(`${name}: in service\n`)
  },
  timeoutMs,
)

test(
  'a maintenance has its end, and programs get objects',
  async () => {
    const name = await nameOf(1)
    const { stdout } = await change({ order: 'maintenance', nodes: [name], forMs: 3_600_000, wait: true, json: true })
    const [node] = JSON.parse(stdout) as Record<string, unknown>[]
    expect(node).toMatchObject({ name, uuid: cluster.datanodes[1]?.uuid, state: 'in-maintenance', live: true })
    expect(Number(node?.['maintenanceUntilMs'])).toBeGreaterThan(Date.now())
    const rows = nodeRows(await fs.datanodes('all'), Date.now())
    expect(rows.find((row) => row[0] === name)?.slice(0, 4)).toEqual([name, 'live', 'in maintenance', '/default-rack'])
    expect(rows.find((row) => row[0] === name)?.at(-1)).toMatch(/^until \d{4}-\d\d-\d\dT\d\d:\d\dZ$/)
    await change({ order: 'recommission', nodes: [name] })
    expect(nodeRecord((await fs.datanodes('all')).find((one) => nodeName(one) === name)!)).toMatchObject({
      state: 'in-service',
      maintenanceUntilMs: null,
    })
  },
  timeoutMs,
)

test('a name that no datanode has changes nothing, and the answer names those there are', async () => {
  const name = await nameOf(0)
  await expect(change({ order: 'decommission', nodes: [name, 'nowhere'] })).rejects.toThrow(
    /^There is no datanode 'nowhere'\. There are: .*127\.0\.0\.1:/,
  )
  expect((await fs.datanodes('decommissioning')).length).toBe(0)
})

test(
  'an interrupted wait says that the order goes on; one that was taken back by others ends',
  async () => {
    // Four copies cannot leave four datanodes: this decommission waits.
    await fs.writeFile('/everywhere', 'x', { replication: 4 })
    await waitFor(async () => ((await fs.blockLocations('/everywhere'))[0]?.hosts.length === 4 ? undefined : 'not yet'), 'four copies')
    const name = await nameOf(2)
    const interrupt = new AbortController()
    const first = begin(name, interrupt.signal)
    await waitFor(() => (first.out.text === '' ? 'nothing printed' : undefined), 'the decommission to begin')
    interrupt.abort(new Error('Interrupted'))
    expect(await first.outcome).toBeInstanceOf(Error)
    expect(first.err.text).toBe('quarry: interrupted; the decommission goes on, see: quarry admin nodes\n')
    expect((await fs.datanodes('decommissioning')).map(nodeName)).toEqual([name])
    const second = begin(name, new AbortController().signal)
    await waitFor(() => (second.out.text === '' ? 'nothing printed' : undefined), 'the second wait to begin')
    await change({ order: 'recommission', nodes: [name] })
    expect(await second.outcome).toMatchObject({ message: `${name} was set in service again; the decommission is over.` })
  },
  timeoutMs,
)

/** A decommission that waits, and what it ends with. */
function begin(name: string, signal: AbortSignal) {
  const [out, err] = [new TextOutput(), new TextOutput()]
  const streams = { out, err, input: async function* () {}, ask: async () => '', progress: undefined, signal }
  const running = changeNodes(fs, { order: 'decommission', nodes: [name], wait: true, json: false, pollMs: 50 }, streams)
  return { out, err, outcome: running.catch((error: unknown) => error) }
}
