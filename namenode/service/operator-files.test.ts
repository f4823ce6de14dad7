import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defaultSettings } from '../../common/config.ts'
import { silentLogger } from '../../common/env.ts'
import type { Settings } from '../../common/options.ts'
import { operatorFiles } from './operator-files.ts'

let dir: string
const warnings: string[] = []
const log = { ...silentLogger, warn: (event: string) => void warnings.push(event) }
const open = (settings: Partial<Settings>) => operatorFiles(defaultSettings({ dir, ...settings }), log)

const datanode = (ip: string) => ({
  uuid: 'u',
  ip,
  hostname: 'node7',
  grpcPort: 9868,
  transferPort: 0,
  httpPort: 0,
  ipcPort: 0,
  rack: '/own',
  hostId: '',
  httpAddress: '',
})

function script(text: string): string {
  const file = path.join(dir, 'racks')
  writeFileSync(file, `#!/bin/sh\n${text}\n`)
  chmodSync(file, 0o755)
  return file
}

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'quarry-operator-'))
  warnings.length = 0
})

afterEach(() => rmSync(dir, { recursive: true, force: true }))

describe('racks', () => {
  test('without map or program a datanode keeps what it says', async () => {
    expect(await open({}).rackOf(datanode('10.0.0.7'))).toBeUndefined()
  })

  test('the map knows addresses, host names and either with a port', async () => {
    const files = open({ 'topology.map': ['10.0.0.7=/a', 'node7:9868 = /room/b', 'elsewhere=/c'] })
    expect(await files.rackOf(datanode('10.0.0.7'))).toBe('/a')
    expect(await files.rackOf(datanode('10.0.0.8'))).toBe('/room/b')
  })

  test.each(['node7', 'node7=rack', '=/rack', 'node7=/a b'])('a map with %j is refused', (entry) => {
    expect(() => open({ 'topology.map': [entry] })).toThrow(`topology.map: '${entry}' is not host=/rack`)
  })

  test('the program wins over the map and is asked once for an address', async () => {
    const files = open({ 'topology.map': ['10.0.0.7=/a'], 'topology.script': script(`echo "$1" >> ${dir}/asked\necho /by-script`) })
    expect(await Promise.all([files.rackOf(datanode('10.0.0.7')), files.rackOf(datanode('10.0.0.7'))])).toEqual([
      '/by-script',
      '/by-script',
    ])
    expect(readFileSync(path.join(dir, 'asked'), 'utf8')).toBe('10.0.0.7\n')
  })

  test('a program that fails, or prints no rack, gives the default rack with a warning, and is asked again', async () => {
    const file = script('exit 3')
    const files = open({ 'topology.script': file })
    expect(await files.rackOf(datanode('10.0.0.7'))).toBe('/default-rack')
    script('echo no-rack')
    expect(await files.rackOf(datanode('10.0.0.7'))).toBe('/default-rack')
    expect(warnings).toEqual(['topology.script.failed', 'topology.script.failed'])
    script('echo /well')
    expect(await files.rackOf(datanode('10.0.0.7'))).toBe('/well')
    expect(await open({ 'topology.script': path.join(dir, 'none') }).rackOf(datanode('10.0.0.7'))).toBe('/default-rack')
  })
})

describe('lists of hosts', () => {
  test('are words of a file, with comments, read anew each time', async () => {
    const file = path.join(dir, 'exclude')
    writeFileSync(file, '# broken\nnode1 10.0.0.2:9868\n\nnode3 # soon\n')
    const files = open({ 'hosts.exclude': file })
    expect(await files.hostLists()).toEqual({ include: [], exclude: ['node1', '10.0.0.2:9868', 'node3'] })
    writeFileSync(file, '')
    expect(await files.hostLists()).toEqual({ include: [], exclude: [] })
  })

  test('a file that is named and not there is an error, not an empty list', async () => {
    await expect(open({ 'hosts.include': path.join(dir, 'none') }).hostLists()).rejects.toThrow('The file of hosts.include cannot be read')
  })
})

describe('texts for people', () => {
  test('go into the log folder under plain names only', async () => {
    const files = open({})
    expect(await files.save('now.txt', 'x')).toBe(path.join(dir, 'log', 'now.txt'))
    expect(readFileSync(path.join(dir, 'log', 'now.txt'), 'utf8')).toBe('x')
    for (const name of ['', '..', '../up', 'a/b', '/etc/x', '.hidden', 'a\0b', 'x'.repeat(200)])
      await expect(files.save(name, '')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})
