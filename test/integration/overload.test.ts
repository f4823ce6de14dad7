// A namenode that is asked far more than it can do, by clients without manners: others are served, datanodes stay live, refusals say
// when to come back, and when the flood ends all is as before.
import { expect, it } from 'vitest'
import { rudePort } from '../../bench/load/rude-port.ts'
import { WireDatanode } from '../../bench/load/wire-datanode.ts'
import { FileSystem } from '../../client/index.ts'
import { isQuarryError } from '../../common/errors.ts'
import { must } from '../../common/assert.ts'
import type { QuarryError } from '../../common/errors.ts'
import type { NamenodePort } from '../../proto/ports.ts'
import { waitFor } from '../support/wait-for.ts'
import { Sandbox } from '../support/processes.ts'

/** 16,000 calls in four messages, again and again. */
const connections = 4
const inFlight = 4000

it('a flood of one user: others are served, no datanode is lost, refusals are retryable with a hint, and it recovers by itself', async () => {
  await using sandbox = new Sandbox()
  const { uri } = await sandbox.up({ args: ['-D', 'stale.after=30s', '-D', 'dead.after=60s'] })
  await using fs = await FileSystem.connect(uri)
  await fs.mkdir('/list/1', { recursive: true })
  const ports = await Promise.all(Array.from({ length: connections }, () => rudePort(uri, 'greedy')))
  const refusals: QuarryError[] = []
  let answered = 0
  let refused = 0
  const stop = new AbortController()
  const ask = async (port: NamenodePort): Promise<void> => {
    try {
      await port.call('getFileInfo', { path: '/list/1' })
      answered++
    } catch (error) {
      if (!isQuarryError(error)) throw error
      refused++
      if (refusals.length < 100) refusals.push(error)
    }
  }
  const floodFrom = async (port: NamenodePort): Promise<void> => {
    while (!stop.signal.aborted) await Promise.all(Array.from({ length: inFlight }, () => ask(port)))
  }
  const flood = ports.map((port) => floodFrom(port))
  await waitFor(() => (answered > 5000 && refused > 100 ? undefined : `${answered} answered, ${refused} refused`), 'a flood')

  // The same user on a connection of his own, another user, a datanode: all are served while it lasts.
  await using same = await FileSystem.connect(uri, { user: 'greedy' })
  await using other = await FileSystem.connect(uri, { user: 'other' })
  const node = await WireDatanode.join(new URL(uri).host)
  for (let i = 0; i < 5; i++) {
    await same.stat('/list/1')
    await other.stat('/list/1')
    await node.heartbeat()
    await fs.writeFile(`/written-${i}`, 'in the middle of it')
  }
  node.close()
  expect(await fs.datanodes('dead')).toEqual([])
  for (const refusal of refusals) {
    expect([refusal.code, refusal.advice]).toEqual(['OVERLOADED', 'retry'])
    expect(refusal.details['retryAfterMs']).toBeGreaterThanOrEqual(20)
  }

  stop.abort()
  await Promise.all(flood)
  await Promise.all(ports.map((port) => port.close()))
  const before = refused
  for (let i = 0; i < 200; i++) await same.stat('/list/1')
  expect(refused).toBe(before)
  expect(must((await fs.readdir('/')).find(({ name }) => name === 'written-4')).length).toBe(19)
})

it('a program that awaits ten thousand calls at once gets every one of them done, once', async () => {
  await using sandbox = new Sandbox()
  const { uri } = await sandbox.up()
  await using fs = await FileSystem.connect(uri)
  await Promise.all(Array.from({ length: 10_000 }, (_, i) => fs.mkdir(`/many/${i}`, { recursive: true })))
  expect(await fs.readdir('/many')).toHaveLength(10_000)
  const created = await Promise.allSettled(Array.from({ length: 3000 }, (_, i) => fs.create(`/files/${i % 1500}`, { overwrite: false })))
  expect(created.filter(({ status }) => status === 'fulfilled')).toHaveLength(1500)
})
