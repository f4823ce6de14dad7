import { describe, expect, it } from 'vitest'
import { defaultSettings } from '../../common/config.ts'
import { confPage } from './conf-page.ts'
import { configuration, hadoopKeys } from './hadoop-keys.ts'

const page = (query: string, accept = '') =>
  confPage(
    [
      { name: 'dfs.replication', value: '3' },
      { name: 'quarry.rack', value: '<a>&"\'\u0001' },
    ],
    new URLSearchParams(query),
    accept,
  )

describe('/conf', () => {
  it('is XML that Hadoop reads, with everything escaped', () => {
    expect(page('')).toEqual({
      status: 200,
      type: 'text/xml; charset=utf-8',
      body:
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?><configuration>\n' +
        '<property><name>dfs.replication</name><value>3</value><final>false</final><source>quarry</source></property>\n' +
        '<property><name>quarry.rack</name><value>&lt;a&gt;&amp;&quot;&#39;?</value><final>false</final><source>quarry</source></property>\n' +
        '</configuration>\n',
    })
  })

  it('is JSON where that is asked for, by the address or by what the client accepts', () => {
    const replication = { key: 'dfs.replication', value: '3', isFinal: false, resource: 'quarry' }
    expect(JSON.parse(page('format=json').body)).toMatchObject({ properties: [replication, { key: 'quarry.rack' }] })
    expect(JSON.parse(page('name=dfs.replication', 'application/json').body)).toEqual({ property: replication })
    expect(page('format=xml', 'application/json').type).toBe('text/xml; charset=utf-8')
  })

  it('shows one property, and refuses what it does not know', () => {
    expect(page('name=dfs.replication').body.match(/<property>/g)).toHaveLength(1)
    expect(page('name=nope').status).toBe(404)
    expect(page('format=html').status).toBe(400)
  })
})

describe('settings by the names of Hadoop', () => {
  const valueOf = (list: ReturnType<typeof configuration>, name: string) => list.find((property) => property.name === name)?.value

  it('are in the units that Hadoop counts them in', () => {
    const list = configuration(defaultSettings({ 'block.size': 2 ** 20, 'heartbeat.interval': 3000, 'dir': '/d' }), 'namenode', [])
    expect(valueOf(list, 'dfs.blocksize')).toBe('1048576')
    expect(valueOf(list, 'quarry.block.size')).toBe('1m')
    expect(valueOf(list, 'dfs.heartbeat.interval')).toBe('3')
    expect(valueOf(list, 'fs.trash.interval')).toBe('360')
    expect(valueOf(list, 'dfs.permissions.enabled')).toBe('true')
    expect(valueOf(list, 'dfs.hosts')).toBeUndefined()
    const odd = configuration(defaultSettings({ 'heartbeat.interval': 200, 'scan.period': 90_000 }), 'datanode', [])
    expect(valueOf(odd, 'dfs.heartbeat.interval')).toBe('200ms')
    expect(valueOf(odd, 'dfs.datanode.scan.period.hours')).toBeUndefined()
  })

  it('are those of the role', () => {
    const datanode = configuration(defaultSettings({ 'data.dirs': ['/a', '/b'] }), 'datanode', [{ name: 'x', value: 'y' }])
    expect(valueOf(datanode, 'dfs.datanode.data.dir')).toBe('/a,/b')
    expect(valueOf(datanode, 'x')).toBe('y')
    expect(valueOf(datanode, 'quarry.cache.entries')).toBeUndefined()
    expect(valueOf(configuration(defaultSettings(), 'namenode', []), 'quarry.cache.entries')).toBe('200000')
  })

  it('name each key once, and count only durations in units of time', () => {
    expect(new Set(hadoopKeys.map(({ key }) => key)).size).toBe(hadoopKeys.length)
    for (const { key, spec, unit } of hadoopKeys) if (unit !== 'as') expect({ key, unit: spec.unit }).toEqual({ key, unit: 'ms' })
  })
})
