import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import {
  defaultSettings,
  formatSettings,
  isLoopback,
  loadSettings,
  parseDefinitions,
  parseNamenodeUri,
  withoutOptionVariables,
} from './config.ts'
import { QuarryError } from './errors.ts'
import { nearestName } from './nearest-name.ts'
import { optionNames, options } from './options.ts'

const dir = mkdtempSync(path.join(tmpdir(), 'quarry-config-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

let files = 0
function fileWith(text: string): string {
  const file = path.join(dir, `settings-${files++}.conf`)
  writeFileSync(file, text)
  return file
}

function failure(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    expect(error).toBeInstanceOf(QuarryError)
    expect((error as QuarryError).code).toBe('CONFIG')
    return (error as QuarryError).message
  }
  throw new Error('did not fail')
}

const client = (flags: Record<string, string>) => loadSettings({ role: 'client', flags })

describe('where settings come from', () => {
  it('gives every option its default when nothing is set', () => {
    const settings = loadSettings({ role: 'client' })
    for (const name of optionNames) expect(settings[name], name).toEqual(options[name].default)
  })

  it('prefers a flag to the environment, the environment to the file, the file to the default', () => {
    const file = fileWith('# a cluster\nreplication = 2\nblock.size = 64m\r\nlog.level=debug\n\n')
    const settings = loadSettings({
      role: 'client',
      file,
      env: { QUARRY_BLOCK_SIZE: '32m', QUARRY_LOG_LEVEL: 'warn', HOME: '/x', QUARRY_FS: 'quarry://a:1', QUARRY_DEBUG: '1' },
      flags: { 'log.level': 'error' },
    })
    expect(settings['replication']).toBe(2)
    expect(settings['block.size']).toBe(32 * 2 ** 20)
    expect(settings['log.level']).toBe('error')
    expect(settings['trash.interval']).toBe(360)
  })

  it('writes a file that reads back to the same settings', () => {
    const settings = loadSettings({
      role: 'datanode',
      flags: {
        'dir': '/d',
        'namenode': 'quarry://h:1',
        'data.dirs': '["/a,b","/c"]',
        'block.size': '512',
        'dead.after': '90s',
        'trash.interval': '1h',
        'sync.on.close': 'false',
      },
    })
    expect(loadSettings({ role: 'datanode', file: fileWith(formatSettings(settings)) })).toEqual(settings)
  })

  it('reads -D texts', () => {
    expect(parseDefinitions(['a=b=c', ' x = 1 '])).toEqual({ a: 'b=c', x: '1' })
    expect(failure(() => parseDefinitions(['replication']))).toBe('-D replication: write -D option=value, such as -D replication=2')
  })

  it('keeps option variables from a child process whose settings are in a file', () => {
    expect(withoutOptionVariables({ QUARRY_PORT: '1', QUARRY_FS: 'x', PATH: 'p' })).toEqual({ QUARRY_FS: 'x', PATH: 'p' })
  })
})

describe('values', () => {
  it.each([
    ['block.size', '512', 512],
    ['block.size', '64k', 65_536],
    ['block.size', '1.5g', 1_610_612_736],
    ['block.size', '128MB', 134_217_728],
    ['block.size', '1 GiB', 2 ** 30],
    ['heartbeat.interval', '500', 500],
    ['heartbeat.interval', '500ms', 500],
    ['heartbeat.interval', '1.5s', 1500],
    ['dead.after', '2m', 120_000],
    ['trash.interval', '90', 90],
    ['trash.interval', '6h', 360],
    ['trash.interval', '7d', 10_080],
    ['trash.interval', '0', 0],
    ['permissions', 'false', false],
    ['data.dirs', '/a, /b', ['/a', '/b']],
    ['rack', '/r1/s2', '/r1/s2'],
  ] as const)('%s = %s', (name, text, value) => {
    expect(client({ [name]: text })[name]).toEqual(value)
  })

  it.each([
    ['replication', '0', '-D replication: replication is 0; it must be at least 1'],
    ['replication', '513', '-D replication: replication is 513; it must be at most 512'],
    ['replication', 'three', '-D replication: replication is "three"; expected a whole number'],
    ['replication', '2.5', '-D replication: replication is "2.5"; expected a whole number'],
    ['replication', '', '-D replication: replication is empty; give a value, or leave it out for the default (3)'],
    ['dir', '  ', '-D dir: dir is empty; give a value, or leave it out for the default (none)'],
    ['block.size', '100', '-D block.size: block.size is 100; it must be at least 512'],
    ['block.size', '12q', '-D block.size: block.size is "12q"; expected bytes, such as 512, 64k, 128m or 1g'],
    ['trash.interval', '30s', '-D trash.interval: trash.interval is "30s"; expected a duration in whole minutes, such as 30m, 6h or 7d'],
    [
      'heartbeat.interval',
      '-3s',
      '-D heartbeat.interval: heartbeat.interval is "-3s"; expected a duration in whole milliseconds, such as 500ms, 3s or 10m',
    ],
    ['permissions', 'yes', '-D permissions: permissions is "yes"; expected true or false'],
    ['data.dirs', '[1]', '-D data.dirs: data.dirs is "[1]"; expected a comma-separated list, or a JSON array of strings'],
    ['port', '70000', '-D port: port is 70000; it must be at most 65535'],
  ])('refuses %s = %j with its bound', (name, text, message) => {
    expect(failure(() => client({ [name]: text }))).toBe(message)
  })
})

describe('what cannot be meant', () => {
  it.each([
    ['blok.size', 'did you mean block.size?'],
    ['dfs.blocksize', 'did you mean block.size?'],
    ['dfs.replication', 'did you mean replication?'],
    ['heartbeatInterval', 'did you mean heartbeat.interval?'],
    ['colour', 'docs/settings.md lists them all'],
  ])('names the nearest option for %s', (name, hint) => {
    expect(failure(() => client({ [name]: '1' }))).toBe(`-D ${name}: there is no option "${name}"; ${hint}`)
  })

  it('says file and line, and refuses a name that stands twice', () => {
    const unknown = fileWith('replication = 2\nreplicaton.min = 1\n')
    expect(failure(() => loadSettings({ role: 'client', file: unknown }))).toBe(
      `${unknown}:2: there is no option "replicaton.min"; did you mean replication.min?`,
    )
    const twice = fileWith('port = 1\nport = 2\n')
    expect(failure(() => loadSettings({ role: 'client', file: twice }))).toBe(
      `${twice}:2: port is already set at ${twice}:1; keep one of them`,
    )
    const noise = fileWith('{ "port": 1 }')
    expect(failure(() => loadSettings({ role: 'client', file: noise }))).toBe(`${noise}:1: expected "name = value", found "{ "port": 1 }"`)
    expect(failure(() => loadSettings({ role: 'client', file: path.join(dir, 'none') }))).toBe(
      `cannot read the configuration file ${path.join(dir, 'none')}: ENOENT`,
    )
  })

  it('refuses an unknown variable of ours, and leaves others alone', () => {
    expect(failure(() => loadSettings({ role: 'client', env: { QUARRY_REPLICATIONS: '2' } }))).toBe(
      'environment variable QUARRY_REPLICATIONS: there is no such option; did you mean QUARRY_REPLICATION?',
    )
    expect(loadSettings({ role: 'client', env: { QUARRY_TEST_SEED: '7', QUARRYMEN: '4' } })['replication']).toBe(3)
  })

  it.each([
    [{ 'replication.min': '3', 'replication': '2' }, 'replication.min (3) must not be larger than replication (2)'],
    [{ 'block.size': '1000' }, 'block.size (1000) must be a multiple of 512, the bytes under one checksum'],
    [{ 'block.size': '1m', 'min.block.size': '2m' }, 'min.block.size (2m) must not be larger than block.size (1m)'],
    [{ 'trash.checkpoint.interval': '7h' }, 'trash.checkpoint.interval (7h) must not be larger than trash.interval (6h)'],
    [{ 'lease.soft': '2h' }, 'lease.soft (2h) must not be larger than lease.hard (20m)'],
    [{ 'stale.after': '2m' }, 'stale.after (2m) must not be larger than dead.after (1m)'],
    [
      { 'dead.after': '5s' },
      'dead.after (5s) must be at least twice heartbeat.interval (3s), or one late heartbeat declares a datanode dead',
    ],
    [{ 'safemode.threshold': '2' }, 'safemode.threshold (2) must be a share from 0 to 1'],
    [{ 'log.level': 'loud' }, 'log.level (loud) must be one of error, warn, info, debug'],
    [{ rack: 'r1' }, 'rack (r1) must be a path such as /default-rack or /room1/rack2'],
    [
      { namenode: 'localhost' },
      '"localhost" is not the address of a namenode; expected quarry://host:port, such as quarry://127.0.0.1:8021',
    ],
  ])('refuses %j', (flags, message) => {
    expect(failure(() => client(flags as Record<string, string>))).toBe(message)
  })

  it('listens beyond loopback only when told that this is insecure', () => {
    expect(failure(() => client({ bind: '0.0.0.0' }))).toContain('refusing to listen on 0.0.0.0')
    expect(client({ bind: '0.0.0.0', insecure: 'true' })['bind']).toBe('0.0.0.0')
    expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].every(isLoopback)).toBe(true)
    expect(['0.0.0.0', '::', '10.0.0.1', '127.example.org'].some(isLoopback)).toBe(false)
  })

  it('tells a role what it cannot do without', () => {
    expect(failure(() => loadSettings({ role: 'namenode' }))).toContain('a namenode needs a directory')
    expect(failure(() => loadSettings({ role: 'datanode', flags: { dir: '/d' } }))).toContain('a datanode needs its namenode')
  })
})

describe('what follows from other values', () => {
  it('lets staleness follow a lowered dead.after, and the smallest block a lowered block size', () => {
    const settings = client({ 'dead.after': '4s', 'heartbeat.interval': '1s', 'block.size': '64k' })
    expect(settings['stale.after']).toBe(2000)
    expect(settings['min.block.size']).toBe(65_536)
  })

  it('tells others the name of the host when it listens on all addresses', () => {
    expect(client({ bind: '0.0.0.0', insecure: 'true' })['advertise']).toBe(hostname())
    expect(client({ bind: '0.0.0.0', insecure: 'true', advertise: 'node7' })['advertise']).toBe('node7')
    expect(client({})['advertise']).toBe('')
  })

  it('keeps the blocks of a datanode below its directory unless told otherwise', () => {
    expect(client({ dir: '/srv/dn' })['data.dirs']).toEqual(['/srv/dn/data'])
    expect(client({ dir: '/srv/dn', 'data.dirs': '/disk1' })['data.dirs']).toEqual(['/disk1'])
  })
})

it('defaultSettings takes overrides as they are', () => {
  expect(defaultSettings({ 'lease.soft': 1 })['lease.soft']).toBe(1)
})

it('parses the address of a namenode', () => {
  expect(parseNamenodeUri('quarry://127.0.0.1:8021')).toEqual({ host: '127.0.0.1', port: 8021 })
  expect(parseNamenodeUri('quarry://[::1]:1/')).toEqual({ host: '::1', port: 1 })
  expect(failure(() => parseNamenodeUri('hdfs://a:1'))).toContain('expected quarry://host:port')
})

it('suggests nothing when nothing is near', () => {
  expect(nearestName('zzzzzzzz', ['port', 'dir'])).toBeUndefined()
})
