// `quarry up`, `down` and `status` as a user meets them: real processes, the real binary.
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { readRunning } from '../../cli/cluster/directory.ts'
import type { ClusterDescription } from '../../cli/cluster/description.ts'
import { identityOf, isAlive, waitForExit } from '../../cli/cluster/process-identity.ts'
import type { ClusterStatus } from '../../cli/cluster/status.ts'
import { Sandbox, seededBytes } from '../support/processes.ts'
import { waitFor } from '../support/mini-cluster.ts'

const lossMs = 60_000

async function status(sandbox: Sandbox, name = 'cluster'): Promise<ClusterStatus> {
  return JSON.parse((await sandbox.quarry(['status', '--dir', sandbox.path(name), '--json'])).stdout) as ClusterStatus
}

describe('quarry up --detach', () => {
  it('prints one JSON line, keeps data, address and identities over a restart, and stops with quarry down', async () => {
    await using sandbox = new Sandbox()
    const first = await sandbox.up()
    expect(first.uri).toMatch(/^quarry:\/\/127\.0\.0\.1:\d+$/)
    expect(first.dir).toBe(sandbox.path('cluster'))
    expect(first.datanodes.map((node) => node.name)).toEqual(['datanode-1', 'datanode-2', 'datanode-3'])
    expect(new Set([first.namenode.pid, ...first.datanodes.map((node) => node.pid)]).size).toBe(4)
    for (const node of [first.namenode, ...first.datanodes]) {
      expect(node.grpc).toMatch(/^127\.0\.0\.1:\d+$/)
      expect((await fetch(`http://${node.http}/health`)).status).toBe(200)
    }
    expect((await status(sandbox)).state).toBe('ready')

    const bytes = seededBytes(3_000_000, 1)
    writeFileSync(sandbox.path('in.bin'), bytes)
    const fs = ['--fs', first.uri]
    await sandbox.ok(['mkdir', ...fs, '/data'])
    await sandbox.ok(['put', ...fs, sandbox.path('in.bin'), '/data/a.bin'])
    expect(await sandbox.ok(['ls', ...fs, '/data'])).toContain('/data/a.bin')

    expect(await sandbox.ok(['down', '--dir', first.dir])).toBe(`Stopped 4 processes. The data stays in ${first.dir}.\n`)
    expect((await status(sandbox)).state).toBe('stopped')
    expect(await sandbox.ok(['down', '--dir', first.dir])).toBe(`No cluster is running in ${first.dir}.\n`)
    for (const node of [first.namenode, ...first.datanodes]) expect(identityOf(node.pid)).toBeUndefined()

    const second = await sandbox.up()
    expect(second.uri).toBe(first.uri)
    expect(second.datanodes.map((node) => node.id)).toEqual(first.datanodes.map((node) => node.id))
    await sandbox.ok(['get', ...fs, '/data/a.bin', sandbox.path('out.bin')])
    expect(readFileSync(sandbox.path('out.bin')).equals(bytes)).toBe(true)
  })

  it('keeps the addresses of its doors over restarts, takes those that are asked for, and closes one that is not wanted', async () => {
    await using sandbox = new Sandbox()
    const first = await sandbox.up({ args: ['--datanodes', '1'] })
    expect(first.hdfs).toMatch(/^hdfs:\/\/127\.0\.0\.1:\d+$/)
    expect(first.webhdfs).toBe(`http://${first.namenode.http}`)
    await sandbox.ok(['down', '--dir', first.dir])
    const second = await sandbox.up()
    expect({ hdfs: second.hdfs, webhdfs: second.webhdfs }).toEqual({ hdfs: first.hdfs, webhdfs: first.webhdfs })
    await sandbox.ok(['down', '--dir', first.dir])

    const taken = createServer()
    taken.listen(Number(new URL(first.webhdfs ?? '').port), '127.0.0.1')
    await once(taken, 'listening')
    const third = await sandbox.up({ args: ['-D', 'hdfs.port=-1'] })
    expect(third.hdfs).toBeUndefined()
    expect(third.webhdfs).not.toBe(first.webhdfs)
    await sandbox.ok(['down', '--dir', first.dir])
    const { port } = taken.address() as AddressInfo
    const refused = await sandbox.quarry(['up', '--dir', first.dir, '--detach', '--http-port', String(port)])
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toContain(`port ${port} on 127.0.0.1 is in use by another program; choose another one with --http-port`)
    taken.close()
  })

  it('started twice at the same moment, one gets the directory and the other hears who has it', async () => {
    await using sandbox = new Sandbox()
    const args = ['up', '--dir', sandbox.path('cluster'), '--datanodes', '1', '--detach', '--json']
    const outcomes = await Promise.all([sandbox.quarry(args), sandbox.quarry(args)])
    const winner = outcomes.find((outcome) => outcome.code === 0)
    const loser = outcomes.find((outcome) => outcome.code !== 0)
    expect(loser?.stderr).toContain('is in use by process')
    expect(JSON.parse(winner?.stdout ?? '')).toMatchObject({ dir: sandbox.path('cluster') })
    expect((await status(sandbox)).state).toBe('ready')
  })

  it('finds the cluster of QUARRY_DIR when a command names none', async () => {
    await using sandbox = new Sandbox()
    await sandbox.up({ args: ['--datanodes', '1'] })
    const env = { QUARRY_DIR: sandbox.path('cluster') }
    await sandbox.ok(['mkdir', '/here'], { env })
    expect(await sandbox.ok(['ls', '/'], { env })).toContain('/here')
  })

  it('starts with more datanodes than before, and with fewer', async () => {
    await using sandbox = new Sandbox()
    const one = await sandbox.up({ args: ['--datanodes', '1'] })
    writeFileSync(sandbox.path('in.txt'), 'kept')
    await sandbox.ok(['put', '--fs', one.uri, sandbox.path('in.txt'), '/kept'])
    await sandbox.ok(['down', '--dir', one.dir])
    const three = await sandbox.up({ args: ['--datanodes', '3'] })
    expect(three.datanodes.map((node) => node.id)[0]).toBe(one.datanodes[0]?.id)
    expect(three.datanodes).toHaveLength(3)
    await sandbox.ok(['down', '--dir', one.dir])
    const again = await sandbox.up()
    expect(again.datanodes.map((node) => node.id)).toEqual(three.datanodes.map((node) => node.id))
    await sandbox.ok(['down', '--dir', one.dir])
    const two = await sandbox.up({ args: ['--datanodes', '2'] })
    expect(two.datanodes.map((node) => node.id)).toEqual(three.datanodes.map((node) => node.id).slice(0, 2))
    expect(await sandbox.ok(['cat', '--fs', two.uri, '/kept'])).toBe('kept')
  })

  it('runs, read-only and with the reason, where safe mode does not end by waiting: an operator needs the cluster to end it', async () => {
    await using sandbox = new Sandbox()
    const { uri } = await sandbox.up()
    writeFileSync(sandbox.path('in.bin'), seededBytes(100_000, 2))
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f'])
      await sandbox.ok(['put', '--fs', uri, '--replication', '1', sandbox.path('in.bin'), `/${name}`])
    await sandbox.ok(['down', '--dir', sandbox.path('cluster')])
    rmSync(sandbox.path('cluster', 'datanode-1', 'data', 'current'), { recursive: true })
    rmSync(sandbox.path('cluster', 'datanode-2', 'data', 'current'), { recursive: true })
    rmSync(sandbox.path('cluster', 'datanode-3', 'data', 'current'), { recursive: true })
    const { code, stderr } = await sandbox.quarry(['up', '--dir', sandbox.path('cluster'), '--detach', '--json'])
    expect(stderr).toMatch(
      /Nothing can be changed yet, files can be read\. The reported blocks 0 needs additional 5 blocks.*-safemode leave/,
    )
    expect(code).toBe(0)
    expect((await status(sandbox)).fs?.safeMode).toBe(true)
    expect(await sandbox.quarry(['mkdir', '--fs', uri, '/g'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^quarry mkdir: .*Name node is in safe mode\. The reported blocks 0 needs additional/),
    })
    await sandbox.ok(['dfsadmin', '-fs', uri, '-safemode', 'leave'])
    await sandbox.ok(['mkdir', '--fs', uri, '/g'])
  })
})

describe('quarry up in the foreground', () => {
  it('leaves alone a role that somebody stopped, and drains on Ctrl-C', async () => {
    await using sandbox = new Sandbox()
    const up = sandbox.start([
      'up',
      '--dir',
      sandbox.path('cluster'),
      '--datanodes',
      '2',
      '-D',
      'dead.after=3s',
      '-D',
      'heartbeat.interval=500ms',
    ])
    await up.waitFor(/Quarry is ready after/)
    const roles = readRunning(sandbox.path('cluster'))?.roles ?? []
    expect(roles.map((role) => role.name)).toEqual(['namenode', 'datanode-1', 'datanode-2'])
    process.kill(roles[2]?.pid ?? 0, 'SIGTERM')
    await up.waitFor(/datanode-2 \(pid \d+\) was stopped by somebody else; it is not started again/)
    await up.waitFor(/1\/2 datanodes live/)
    expect((await status(sandbox)).state).toBe('degraded')
    up.kill('SIGINT')
    const outcome = await up.done
    expect(outcome.code).toBe(0)
    expect(outcome.stderr).toContain(`Stopped. The data stays in ${sandbox.path('cluster')}.`)
    for (const role of roles) expect(isAlive(role), role.name).toBe(false)
    expect(existsSync(sandbox.path('cluster', 'running.json'))).toBe(false)
  })

  it('starts a role that died again, the namenode too, says what it last logged, and status counts it', async () => {
    await using sandbox = new Sandbox()
    const up = sandbox.start([
      'up',
      '--dir',
      sandbox.path('cluster'),
      '--datanodes',
      '2',
      '-D',
      'dead.after=3s',
      '-D',
      'heartbeat.interval=500ms',
    ])
    await up.waitFor(/Quarry is ready after/)
    const before = readRunning(sandbox.path('cluster'))
    const fs = ['--fs', before?.uri ?? '']
    writeFileSync(sandbox.path('in.txt'), 'kept')
    await sandbox.ok(['put', ...fs, sandbox.path('in.txt'), '/kept'])
    for (const name of ['datanode-2', 'namenode']) {
      process.kill(before?.roles.find((role) => role.name === name)?.pid ?? 0, 'SIGKILL')
      await up.waitFor(new RegExp(`${name} \\(pid \\d+\\) is gone: killed by SIGKILL. It is started again[\\s\\S]*role\\.ready`))
      await up.waitFor(new RegExp(`${name} runs again`))
    }
    await waitFor(async () => {
      const { state } = await status(sandbox)
      return state === 'ready' ? undefined : state
    }, 'the cluster to be whole again')
    const now = await status(sandbox)
    expect(now.roles.map((role) => [role.name, role.restarts ?? 0])).toEqual([
      ['namenode', 1],
      ['datanode-1', 0],
      ['datanode-2', 1],
    ])
    expect(now.uri).toBe(before?.uri)
    expect((await sandbox.quarry(['status', '--dir', sandbox.path('cluster')])).stdout).toMatch(
      /datanode-2 .*restarted once, last 0:\d\d ago/,
    )
    expect(await sandbox.ok(['cat', ...fs, '/kept'])).toBe('kept')
    const roles = readRunning(sandbox.path('cluster'))?.roles ?? []
    await sandbox.ok(['down', '--dir', sandbox.path('cluster')])
    expect((await up.done).code).toBe(0)
    for (const role of roles) expect(isAlive(role), role.name).toBe(false)
  })

  it('gives up a role that cannot run: its refusal is said once, and it is not started again', async () => {
    await using sandbox = new Sandbox()
    const up = sandbox.start(['up', '--dir', sandbox.path('cluster'), '--datanodes', '2', '--replication', '1'])
    await up.waitFor(/Quarry is ready after/)
    const victim = readRunning(sandbox.path('cluster'))?.roles[2]
    // What it finds at its next start is the directory of another layout.
    writeFileSync(
      sandbox.path('cluster', 'datanode-2', 'data', 'identity.json'),
      JSON.stringify({ layout: 99, datanodeUuid: 'x', storageUuid: 'y' }),
    )
    process.kill(victim?.pid ?? 0, 'SIGKILL')
    await up.waitFor(/datanode-2 .* It cannot run: .*layout 99[\s\S]*Start it with: quarry datanode --config/)
    up.kill('SIGINT')
    expect((await up.done).code).toBe(0)
  })

  it('killed with SIGKILL leaves no orphans, and the directory is free again', async () => {
    await using sandbox = new Sandbox()
    const up = sandbox.start(['up', '--dir', sandbox.path('cluster'), '--datanodes', '1', '--json'])
    const [line] = await up.waitFor(/\{"uri".*\}/)
    const description = JSON.parse(line) as ClusterDescription
    const roles = readRunning(description.dir)?.roles ?? []
    up.kill('SIGKILL')
    for (const role of roles) expect(await waitForExit(role, lossMs), role.name).toBe(true)
    expect((await sandbox.up()).uri).toBe(description.uri)
  })

  it('stops a cluster that another terminal runs', async () => {
    await using sandbox = new Sandbox()
    const up = sandbox.start(['up', '--dir', sandbox.path('cluster'), '--datanodes', '1'])
    await up.waitFor(/Quarry is ready after/)
    await sandbox.ok(['down', '--dir', sandbox.path('cluster')])
    expect((await up.done).code).toBe(0)
  })
})

describe('roles alone', () => {
  it('a namenode and a datanode started by hand find each other and stop on SIGTERM with 0', async () => {
    await using sandbox = new Sandbox()
    writeFileSync(sandbox.path('nn.conf'), `dir = ${sandbox.path('nn')}\n`)
    const namenode = sandbox.start(['namenode', '--config', sandbox.path('nn.conf')])
    const ready = JSON.parse((await namenode.waitFor(/\{"kind":"ready".*\}/))[0]) as { uri: string; http: string; pid: number }
    expect(ready.pid).toBe(namenode.pid)
    const datanode = sandbox.start(['datanode', '-D', `dir=${sandbox.path('dn')}`, '-D', 'reserved=0'], {
      env: { QUARRY_NAMENODE: ready.uri, QUARRY_HEARTBEAT_INTERVAL: '300ms' },
    })
    await datanode.waitFor(/\{"kind":"ready".*\}/)
    await waitFor(
      async () =>
        (await sandbox.quarry(['dfsadmin', '-fs', ready.uri, '-report'])).stdout.includes('Live datanodes (1)') ? undefined : 'not live',
      'the datanode to be live',
    )
    expect(existsSync(path.join(sandbox.path('dn'), 'data'))).toBe(true)
    for (const role of [datanode, namenode]) {
      role.kill('SIGTERM')
      expect((await role.done).code).toBe(0)
    }
  })
})
