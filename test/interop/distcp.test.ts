// distcp between a real HDFS and Quarry in both directions: it compares the checksums of every file, so do we; and
// NNThroughputBenchmark, Hadoop's load on a namenode, with all the operations it has for one that runs elsewhere.
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ClusterDescription } from '../../cli/cluster/description.ts'
import { must } from '../../common/assert.ts'
import { Sandbox, seededBytes } from '../support/processes.ts'
import type { Running } from '../support/processes.ts'
import { runJava, startJava } from './java.ts'

const withinMs = 120_000

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe("Hadoop's tools", () => {
  const sandbox = new Sandbox()
  const daemons: Running[] = []
  let cluster: ClusterDescription
  let real: string
  const conf = sandbox.path('conf')
  const env = sandbox.environment({ HADOOP_USER_NAME: 'root' })

  /** Runs a tool that must succeed; what it printed. */
  async function tool(name: string, args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runJava(name, args, { env, cwd: sandbox.dir, withinMs })
    expect(code, `${name} ${args.join(' ')}\n${stdout}\n${stderr}`.slice(-4000)).toBe(0)
    return stdout
  }
  const dfs = (...args: string[]) => tool('org.apache.hadoop.fs.FsShell', args)

  beforeAll(async () => {
    cluster = await sandbox.up()
    real = `hdfs://127.0.0.1:${await freePort()}`
    mkdirSync(conf)
    const settings = {
      'fs.defaultFS': real,
      'dfs.replication': '1',
      'hadoop.tmp.dir': sandbox.path('real'),
      'dfs.namenode.http-address': '127.0.0.1:0',
      'dfs.datanode.address': '127.0.0.1:0',
      'dfs.datanode.http.address': '127.0.0.1:0',
      'dfs.datanode.ipc.address': '127.0.0.1:0',
      'dfs.namenode.safemode.extension': '0',
    }
    const rows = Object.entries(settings).map(([name, value]) => `<property><name>${name}</name><value>${value}</value></property>`)
    writeFileSync(`${conf}/core-site.xml`, `<configuration>${rows.join('\n')}</configuration>`)
    const namenode = 'org.apache.hadoop.hdfs.server.namenode.NameNode'
    const options = { env, cwd: sandbox.dir, conf, log: sandbox.path('real.log') }
    await runJava(namenode, ['-format', '-nonInteractive'], { ...options, withinMs })
    daemons.push(startJava(namenode, [], options), startJava('org.apache.hadoop.hdfs.server.datanode.DataNode', [], options))
    const report = ['-D', `fs.defaultFS=${real}`, '-report']
    for (let tries = 0, seen = ''; !seen.includes('Live datanodes (1):'); tries++) {
      expect(tries, `the real HDFS has not started: ${seen}`).toBeLessThan(60)
      seen = (await runJava('org.apache.hadoop.hdfs.tools.DFSAdmin', report, { env, cwd: sandbox.dir, withinMs })).stdout
    }
    writeFileSync(sandbox.path('a'), seededBytes(3_000_000, 1))
    writeFileSync(sandbox.path('b'), 'a few bytes')
    await dfs('-mkdir', '-p', `${real}/from/sub`, `${must(cluster.hdfs)}/copy`)
    await dfs('-put', sandbox.path('a'), `${real}/from/a`)
    await dfs('-put', sandbox.path('b'), `${real}/from/sub/b`)
    await dfs('-touchz', `${real}/from/sub/empty`)
  }, 3 * withinMs)
  afterAll(async () => {
    for (const daemon of daemons) daemon.kill()
    await Promise.allSettled(daemons.map((daemon) => daemon.done))
    await sandbox[Symbol.asyncDispose]()
  })

  it('distcp copies to Quarry and back, with the checksums of the real files', { timeout: 4 * withinMs }, async () => {
    const local = ['mapreduce.framework.name=local', `hadoop.tmp.dir=${sandbox.path('job')}`].flatMap((setting) => ['-D', setting])
    const copy = (from: string, to: string) => tool('org.apache.hadoop.tools.DistCp', [...local, '-update', '-pugpb', from, to])
    await copy(`${real}/from`, `${must(cluster.hdfs)}/copy`)
    await copy(`${must(cluster.hdfs)}/copy`, `${real}/back`)
    const names = ['a', 'sub/b', 'sub/empty']
    const lines = await dfs(
      '-checksum',
      ...[`${real}/from`, `${must(cluster.hdfs)}/copy`, `${real}/back`].flatMap((at) => names.map((name) => `${at}/${name}`)),
    )
    const sums = lines
      .trim()
      .split('\n')
      .map((line) => line.split('\t').slice(1).join(' '))
    expect(sums).toHaveLength(9)
    expect(sums.slice(3, 6)).toEqual(sums.slice(0, 3))
    expect(sums.slice(6)).toEqual(sums.slice(0, 3))
  })

  it('dfsadmin and getconf speak with it', { timeout: 2 * withinMs }, async () => {
    const at = ['-D', `fs.defaultFS=${must(cluster.hdfs)}`]
    expect(await tool('org.apache.hadoop.hdfs.tools.DFSAdmin', [...at, '-report'])).toContain('Live datanodes (3):')
    expect(await tool('org.apache.hadoop.hdfs.tools.GetConf', [...at, '-nnRpcAddresses'])).toContain(new URL(must(cluster.hdfs)).port)
  })

  it('NNThroughputBenchmark runs its operations', { timeout: 6 * withinMs }, async () => {
    for (const op of ['create', 'open', 'fileStatus', 'rename', 'delete'])
      await tool('org.apache.hadoop.hdfs.server.namenode.NNThroughputBenchmark', [
        '-fs',
        must(cluster.hdfs),
        ...['-op', op, '-threads', '2', '-files', '100', '-filesPerDir', '50'],
      ])
  })
})
