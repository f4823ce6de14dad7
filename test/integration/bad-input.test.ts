// What a user gets wrong about clusters and roles: one line that says what and what to do, a code other than 0, nothing started and
// nothing left behind.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { identityOf, waitForExit } from '../../cli/cluster/process-identity.ts'
import { must } from '../../common/assert.ts'
import { Sandbox } from '../support/processes.ts'

interface Case {
  readonly title: string
  readonly args: (sandbox: Sandbox) => string[]
  readonly says: string | RegExp
  readonly env?: NodeJS.ProcessEnv
}

const up = (sandbox: Sandbox, ...more: string[]) => ['up', '--dir', sandbox.path('new'), '--detach', ...more]

const cases: Case[] = [
  {
    title: 'an option that does not exist',
    args: (s) => up(s, '-D', 'blok.size=64m'),
    says: '-D blok.size: there is no option "blok.size"; did you mean block.size?',
  },
  { title: 'an option without a value', args: (s) => up(s, '-D', 'block.size'), says: 'write -D option=value' },
  { title: 'an empty value', args: (s) => up(s, '-D', 'replication='), says: 'replication is empty' },
  {
    title: 'a value out of bounds',
    args: (s) => up(s, '-D', 'heartbeat.interval=1ms'),
    says: 'heartbeat.interval is 1ms; it must be at least 50ms',
  },
  {
    title: 'values that contradict each other',
    args: (s) => up(s, '-D', 'block.size=1000'),
    says: 'block.size (1000) must be a multiple of 512',
  },
  {
    title: 'a wrong variable',
    args: (s) => up(s),
    env: { QUARRY_BLOCKSIZE: '1m' },
    says: 'environment variable QUARRY_BLOCKSIZE: there is no such option; did you mean QUARRY_BLOCK_SIZE?',
  },
  {
    title: 'an option that up decides',
    args: (s) => up(s, '-D', 'data.dirs=/x'),
    says: '-D data.dirs: quarry up decides this for each role',
  },
  {
    title: 'more copies than datanodes',
    args: (s) => up(s, '--datanodes', '2', '--replication', '3'),
    says: 'replication 3 needs 3 datanodes, and this cluster has 2',
  },
  { title: 'no datanodes', args: (s) => up(s, '--datanodes', '0'), says: '--datanodes is 0; it must be from 1 to 64' },
  { title: 'a number that is none', args: (s) => up(s, '--port', 'http'), says: '--port is "http"; expected a whole number' },
  { title: 'a port that cannot be', args: (s) => up(s, '--port', '70000'), says: 'port is 70000; it must be at most 65535' },
  { title: 'a flag that does not exist', args: (s) => up(s, '--datanode', '3'), says: /unknown option.*--datanode/ },
  { title: 'listening beyond loopback', args: (s) => up(s, '-D', 'bind=0.0.0.0'), says: 'refusing to listen on 0.0.0.0' },
  { title: 'a role without a directory', args: () => ['namenode'], says: 'a namenode needs a directory' },
  {
    title: 'a datanode without a namenode',
    args: (s) => ['datanode', '-D', `dir=${s.path('new')}`],
    says: 'a datanode needs its namenode',
  },
  {
    title: 'a configuration file that is not there',
    args: () => ['namenode', '--config', '/nowhere/quarry.conf'],
    says: 'cannot read the configuration file /nowhere/quarry.conf: ENOENT',
  },
  {
    title: 'a namenode address that is none',
    args: (s) => ['datanode', '-D', `dir=${s.path('new')}`, '-D', 'namenode=localhost'],
    says: '"localhost" is not the address of a namenode',
  },
  {
    title: 'a role that listens beyond loopback',
    args: (s) => ['namenode', '-D', `dir=${s.path('new')}`, '-D', 'bind=0.0.0.0'],
    says: 'refusing to listen on 0.0.0.0',
  },
]

describe('refused with one line', () => {
  it.each(cases)('$title', async ({ args, says, env }) => {
    await using sandbox = new Sandbox()
    const { code, stdout, stderr } = await sandbox.quarry(args(sandbox), env === undefined ? {} : { env })
    expect(stderr).toMatch(says instanceof RegExp ? says : new RegExp(says.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')))
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(stdout).toBe('')
    expect(code).not.toBe(0)
    expect(existsSync(sandbox.path('new'))).toBe(false)
  })

  it('a port that another program has', async () => {
    await using sandbox = new Sandbox()
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const { code, stderr } = await sandbox.quarry(up(sandbox, '--port', String(port)))
    server.close()
    expect(stderr).toContain(`port ${port} on 127.0.0.1 is in use by another program; choose another one with --port`)
    expect(code).not.toBe(0)
    expect(existsSync(sandbox.path('new'))).toBe(false)
  })

  it('a directory of other things, and one of another version', async () => {
    await using sandbox = new Sandbox()
    mkdirSync(sandbox.path('photos'))
    writeFileSync(sandbox.path('photos', 'cat.jpg'), '')
    const photos = await sandbox.quarry(['up', '--dir', sandbox.path('photos'), '--detach'])
    expect(photos.stderr).toContain('is not empty and holds no Quarry cluster (found cat.jpg)')
    expect(photos.code).not.toBe(0)
    mkdirSync(sandbox.path('later'))
    writeFileSync(sandbox.path('later', 'cluster.json'), '{"layout":7,"port":1,"datanodes":1}')
    const later = await sandbox.quarry(['up', '--dir', sandbox.path('later'), '--detach'])
    expect(later.stderr).toContain('was written in layout 7, and this program reads layout 1')
    expect(later.code).not.toBe(0)
  })

  it('a directory that a running cluster has, by its pid', async () => {
    await using sandbox = new Sandbox()
    const first = await sandbox.up({ args: ['--datanodes', '1'] })
    const second = await sandbox.quarry(['up', '--dir', first.dir, '--detach'])
    expect(second.stderr).toContain(
      `${first.dir} is in use by process ${first.namenode.pid} (namenode); stop it with: quarry down --dir ${first.dir}`,
    )
    expect(second.code).not.toBe(0)
    const role = await sandbox.quarry(['namenode', '-D', `dir=${first.dir}/namenode`])
    expect(role.stderr).toContain(String(first.namenode.pid))
    expect(role.code).not.toBe(0)
  })
})

describe('what cannot work now says so and leaves nothing half-written', () => {
  it('a put that no longer fits, and one without any datanode', async () => {
    await using sandbox = new Sandbox()
    const cluster = await sandbox.up({ args: ['--datanodes', '1', '-D', 'capacity=8m', '-D', 'block.size=4m'] })
    const fs = ['--fs', cluster.uri]
    writeFileSync(sandbox.path('large'), Buffer.alloc(20_000_000))
    const full = await sandbox.quarry(['put', ...fs, sandbox.path('large'), '/large'])
    expect(full.stderr).toContain('is full')
    expect(full.stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(full.code).toBe(1)
    const datanode = cluster.datanodes[0]
    const identity = must(identityOf(datanode?.pid ?? 0))
    process.kill(identity.pid, 'SIGKILL')
    await waitForExit(identity, 60_000)
    const none = await sandbox.quarry(['put', ...fs, sandbox.path('large'), '/none'])
    expect(none.stderr).toContain('could only be written to 0 of the 1 minReplication nodes')
    expect(none.code).toBe(1)
    expect(await sandbox.ok(['ls', ...fs, '/'])).toBe('')
  })

  it('a datanode that belongs to another cluster', async () => {
    await using sandbox = new Sandbox()
    const first = await sandbox.up({ name: 'first', args: ['--datanodes', '1'] })
    await sandbox.ok(['down', '--dir', first.dir])
    const second = await sandbox.up({ name: 'second', args: ['--datanodes', '1'] })
    const stranger = await sandbox.quarry(['datanode', '--config', `${first.dir}/datanode-1/role.conf`, '-D', `namenode=${second.uri}`])
    expect(stranger.stderr).toMatch(/quarry: The datanode belongs to cluster CID-\w+, this namenode to CID-\w+\. Check its setting/)
    expect(stranger.code).not.toBe(0)
  })
})
