// Datanodes killed under Hadoop's own client while it writes: its own recovery, with the recovery calls of namenode and datanodes, must
// carry the write on, and every byte must be there. The client is not told to expect anything.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ClusterDescription } from '../../cli/cluster/description.ts'
import { must } from '../../common/assert.ts'
import { Sandbox } from '../support/processes.ts'
import { startJava } from './java.ts'

const places = ['first', 'middle', 'last'] as const
const withinMs = 120_000

describe('a datanode killed under the Java client', () => {
  let sandbox: Sandbox
  beforeEach(() => {
    sandbox = new Sandbox()
  })
  afterEach(() => sandbox[Symbol.asyncDispose]())

  const started = (datanodes: number): Promise<ClusterDescription> =>
    sandbox.up({ args: ['--datanodes', `${datanodes}`, '-D', 'block.size=2m'] })

  /** Writes a file while a datanode of its pipeline is killed at the moment; what the writer said last. */
  async function write(cluster: ClusterDescription, moment: string, place: number, settings: readonly string[] = []): Promise<string> {
    const writer = startJava('interop.Writer', [must(cluster.hdfs), `/${moment}-${place}`, moment, ...settings], {
      env: sandbox.environment({ HADOOP_USER_NAME: 'root' }),
    })
    const timer = setTimeout(() => writer.kill(), withinMs)
    try {
      const said = await writer.waitFor(/^pipeline(.*)\n/m)
      const ids = must(said[1]).trim().split(' ').filter(Boolean)
      const victim = ids.length === 0 ? cluster.datanodes[place] : cluster.datanodes.find(({ id }) => id === ids[place])
      process.kill(must(victim).pid, 'SIGKILL')
      writer.stdin.write('go\n')
      const { code, stdout, stderr } = await writer.done
      expect(code, stderr.slice(-3000)).toBe(0)
      return must(stdout.trim().split('\n').at(-1))
    } finally {
      clearTimeout(timer)
      writer.kill()
    }
  }

  // Three die in turn, and the third still leaves three: each recovery finds a datanode in place of the dead one.
  it.each([
    ['connect', 3_000_000],
    ['data', 3_000_000],
    ['hflush', 3_000_000],
    ['close', 1_330_000],
  ] as const)('at %s: first, middle, last', { timeout: 4 * withinMs }, async (moment, length) => {
    const cluster = await started(6)
    for (const place of places.keys()) expect(await write(cluster, moment, place), places[place]).toBe(`equal ${length}`)
  })

  it('with no other datanode, where the client is content with fewer', { timeout: 2 * withinMs }, async () => {
    const cluster = await started(3)
    const fewer = 'dfs.client.block.write.replace-datanode-on-failure.best-effort=true'
    expect(await write(cluster, 'hflush', 1, [fewer])).toBe('equal 3000000')
  })
})
