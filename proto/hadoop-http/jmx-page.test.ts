import { describe, expect, it } from 'vitest'
import { javaJson } from './java-json.ts'
import { jmxPage } from './jmx-page.ts'
import type { Bean } from './jmx-page.ts'
import { nameMatches, parseNamePattern } from './object-name.ts'
import { processBeans } from './process-beans.ts'

const status: Bean = {
  name: 'Hadoop:service=NameNode,name=NameNodeStatus',
  modelerType: 'org.apache.hadoop.hdfs.server.namenode.NameNode',
  read: () => ({ State: 'active', SecurityEnabled: false, Absent: undefined }),
}
const info: Bean = {
  name: 'Hadoop:service=NameNode,name=NameNodeInfo',
  modelerType: 'org.apache.hadoop.hdfs.server.namenode.FSNamesystem',
  read: () => ({ LiveNodes: '{"a:1":{}}', DistinctVersions: [{ key: '1', value: 2 }] }),
}
const runtime: Bean = { name: 'java.lang:type=Runtime', modelerType: 'node', read: () => ({ Uptime: 5 }) }

const ask = (query: string): unknown => JSON.parse(jmxPage([status, info, runtime], new URLSearchParams(query)).body)
const namesOf = (query: string) => (ask(query) as { beans: { name: string }[] }).beans.map(({ name }) => name)

describe('/jmx', () => {
  it('shows all beans with name, class and the attributes that have a value', () => {
    expect(ask('')).toEqual({
      beans: [
        { name: status.name, modelerType: status.modelerType, State: 'active', SecurityEnabled: false },
        { name: info.name, modelerType: info.modelerType, LiveNodes: '{"a:1":{}}', DistinctVersions: [{ key: '1', value: 2 }] },
        { name: runtime.name, modelerType: 'node', Uptime: 5 },
      ],
    })
  })

  it.each([
    ['qry=Hadoop:service=NameNode,name=NameNodeStatus', [status.name]],
    ['qry=Hadoop:name=NameNodeStatus,service=NameNode', [status.name]],
    ['qry=Hadoop:*', [status.name, info.name]],
    ['qry=Hadoop:service=NameNode,name=NameNode*', [status.name, info.name]],
    ['qry=Hadoop:*,name=NameNodeInfo', [info.name]],
    ['qry=*:type=Run?ime', [runtime.name]],
    ['qry=Hadoop:service=NameNode', []],
    ['qry=Hadoop:service=NameNode,name=Other', []],
    ['get=Hadoop:service=NameNode,name=Other::State', []],
  ])('%s names %j', (query, names) => {
    expect(namesOf(query)).toEqual(names)
  })

  it('answers one attribute, and says when there is none', () => {
    const head = { name: status.name, modelerType: status.modelerType }
    expect(ask(`get=${status.name}::State`)).toEqual({ beans: [{ ...head, State: 'active' }] })
    const message = (attribute: string) => ({ ...head, result: 'ERROR', message: `No attribute with name ${attribute} was found.` })
    expect(ask(`get=${status.name}::Nope`)).toEqual({ beans: [message('Nope')] })
    expect(ask(`get=${status.name}::constructor`)).toEqual({ beans: [message('constructor')] })
  })

  it('answers as HDFS to what is no name of a bean', () => {
    expect(ask('get=foo')).toEqual({ result: 'ERROR', message: 'query format is not as expected.' })
    expect(ask('get=a::b::c')).toEqual({ result: 'ERROR', message: 'query format is not as expected.' })
    expect(ask('qry=nope')).toEqual({})
    expect(ask('qry=Hadoop:name=')).toEqual({})
    expect(ask(`qry=Hadoop:name=${'x'.repeat(2000)}`)).toEqual({})
  })

  it('reads no bean that was not asked for', () => {
    const broken: Bean = { ...info, read: () => expect.fail('read') }
    expect(jmxPage([status, broken], new URLSearchParams(`qry=${status.name}`)).status).toBe(200)
  })

  it('matches a pattern of many stars without going through all their places', () => {
    const pattern = parseNamePattern(`d:k=${'*a'.repeat(400)}b`)
    expect(pattern && nameMatches(pattern, `d:k=${'a'.repeat(900)}`)).toBe(false)
  })
})

describe('JSON as Hadoop writes it', () => {
  it('has one member a line, with spaces around the colon', () => {
    expect(javaJson({ beans: [{ 'name': 'a"b', 'n': 1.5, 'list': [], 'none': null, 'left.out': undefined }] })).toBe(
      '{\n  "beans" : [ {\n    "name" : "a\\"b",\n    "n" : 1.5,\n    "list" : [ ],\n    "none" : null\n  } ]\n}',
    )
  })

  it('stays JSON for numbers that JSON does not know', () => {
    expect(JSON.parse(javaJson({ nan: Number.NaN, endless: Infinity, empty: {} }))).toEqual({ nan: 0, endless: 0, empty: {} })
  })
})

it('the beans of the process say how old it is and what it holds', () => {
  const beans = processBeans({ process: 'NameNode', startedMs: 1000, nowMs: () => 5000 })
  const read = (name: string) => beans.find((bean) => bean.name === name)?.read()
  expect(read('java.lang:type=Runtime')).toMatchObject({ Pid: process.pid, StartTime: 1000, Uptime: 4000 })
  const jvm = read('Hadoop:service=NameNode,name=JvmMetrics') as { MemHeapUsedM: number; MemHeapMaxM: number }
  expect(jvm.MemHeapUsedM).toBeGreaterThan(1)
  expect(jvm.MemHeapMaxM).toBeGreaterThan(jvm.MemHeapUsedM)
})
