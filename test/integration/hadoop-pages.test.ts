// The pages that Hadoop's tools and exporters read from namenode and datanode, over real sockets, checked against what a client of
// the cluster knows.
import { request } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { silentLogger } from '../../common/env.ts'
import type { Logger, LogLevel } from '../../common/env.ts'
import { MiniCluster, waitFor } from '../support/mini-cluster.ts'

type Attributes = Record<string, unknown>

const level = { current: 'info' as LogLevel }
const log: Logger = { ...silentLogger, child: () => log, level: (change) => (level.current = change ?? level.current) }

let cluster: MiniCluster
beforeAll(async () => {
  cluster = await MiniCluster.start({ datanodes: 2, log, settings: { 'hdfs.port': 0, 'transfer.port': 0, 'ipc.port': 0 } })
  const fs = await cluster.connect()
  await fs.mkdir('/a/b', { recursive: true })
  await fs.writeFile('/a/b/file', Buffer.alloc(3000, 1), { blockSize: 1024 })
  await fs.readFile('/a/b/file')
})
afterAll(() => cluster.close())

const namenode = () => cluster.namenode.http
const datanode = () => cluster.datanodes[0]!.http
const get = (host: string, path: string) => fetch(`http://${host}${path}`)

async function beans(host: string, query = ''): Promise<Attributes[]> {
  const response = await get(host, `/jmx${query}`)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf8')
  return ((await response.json()) as { beans: Attributes[] }).beans
}

async function bean(host: string, name: string): Promise<Attributes> {
  const found = await beans(host, `?qry=${name}`)
  expect(found).toHaveLength(1)
  return found[0]!
}

describe('/jmx of the namenode', () => {
  it('counts what is in the namespace and the cluster', async () => {
    const fs = await cluster.connect()
    const { files, directories, blocks } = await fs.stats()
    expect(blocks).toBe(3)
    for (const name of ['FSNamesystem', 'FSNamesystemState']) {
      expect(await bean(namenode(), `Hadoop:service=NameNode,name=${name}`)).toMatchObject({
        FilesTotal: files + directories,
        BlocksTotal: 3,
        NumLiveDataNodes: 2,
        NumDeadDataNodes: 0,
        NumInServiceLiveDataNodes: 2,
        UnderReplicatedBlocks: 0,
        VolumeFailuresTotal: 0,
      })
    }
    const state = await bean(namenode(), 'Hadoop:service=NameNode,name=FSNamesystemState')
    expect(state['FSState']).toBe('Operational')
    const { capacity } = await fs.stats()
    expect(state['CapacityTotal']).toBe(capacity)
  })

  it('names the datanodes with the ports that they have', async () => {
    const info = await bean(namenode(), 'Hadoop:service=NameNode,name=NameNodeInfo')
    const live = JSON.parse(info['LiveNodes'] as string) as Record<string, Attributes>
    expect(Object.values(live).map(({ infoAddr }) => infoAddr)).toEqual(expect.arrayContaining(cluster.datanodes.map((node) => node!.http)))
    expect(Object.keys(live).sort()).toEqual(cluster.datanodes.map((node) => `localhost:${node!.transferPort}`).sort())
    expect(JSON.parse(info['DeadNodes'] as string)).toEqual({})
    expect(info).toMatchObject({
      ClusterId: cluster.namenode.clusterId,
      BlockPoolId: cluster.namenode.poolId,
      Safemode: '',
      TotalBlocks: 3,
    })
  })

  it('counts calls and answers one attribute', async () => {
    const activity = await bean(namenode(), 'Hadoop:service=NameNode,name=NameNodeActivity')
    expect(activity).toMatchObject({ CreateFileOps: 1, AddBlockOps: 3 })
    expect(activity['TransactionsNumOps']).toBeGreaterThan(4)
    const { hdfs } = cluster.namenode
    const port = hdfs?.slice(hdfs.lastIndexOf(':') + 1)
    expect(await beans(namenode(), '?get=Hadoop:service=NameNode,name=NameNodeStatus::HostAndPort')).toEqual([
      expect.objectContaining({ HostAndPort: `127.0.0.1:${port}` }),
    ])
    expect(await bean(namenode(), `Hadoop:service=NameNode,name=RpcActivityForPort${port}`)).toMatchObject({
      NumOpenConnections: 0,
      CallQueueLength: 0,
    })
  })

  it('has the beans that exporters ask for', async () => {
    const names = (await beans(namenode())).map(({ name }) => name)
    for (const name of [
      'NameNodeInfo',
      'NameNodeStatus',
      'FSNamesystem',
      'FSNamesystemState',
      'NameNodeActivity',
      'BlockStats',
      'JvmMetrics',
    ])
      expect(names).toContain(`Hadoop:service=NameNode,name=${name}`)
    expect(names).toContain('java.lang:type=Runtime')
    expect(new Set(names).size).toBe(names.length)
  })
})

describe('/jmx of a datanode', () => {
  it('says who it is and what it holds', async () => {
    const own = cluster.datanodes[0]!
    expect(await bean(datanode(), 'Hadoop:service=DataNode,name=DataNodeInfo')).toMatchObject({
      ClusterId: cluster.namenode.clusterId,
      DataPort: String(own.transferPort),
      RpcPort: String(own.ipcPort),
      HttpPort: own.http.split(':')[1],
      DatanodeHostname: 'localhost',
    })
    const info = await bean(datanode(), 'Hadoop:service=DataNode,name=DataNodeInfo')
    expect(JSON.parse(info['BPServiceActorInfo'] as string)).toEqual([
      { NamenodeAddress: cluster.namenode.grpc, BlockPoolID: cluster.namenode.poolId, ActorState: 'RUNNING' },
    ])
    expect(JSON.parse(info['NamenodeAddresses'] as string)).toEqual({ '127.0.0.1': cluster.namenode.poolId })
    await waitFor(async () => {
      const state = await bean(datanode(), `Hadoop:service=DataNode,name=FSDatasetState-${own.uuid}`)
      return (state['DfsUsed'] as number) >= 3000 ? undefined : `${String(state['DfsUsed'])} bytes`
    }, 'the bytes to be counted')
    const activity = await bean(datanode(), `Hadoop:service=DataNode,name=DataNodeActivity-localhost-${own.transferPort}`)
    expect(activity['BytesWritten']).toBe(3000)
  })
})

describe('the other pages', () => {
  it('/conf shows what the role runs with', async () => {
    const xml = await (await get(namenode(), '/conf')).text()
    expect(xml).toContain('<name>dfs.replication</name><value>2</value>')
    expect(xml).toContain(`<name>fs.defaultFS</name><value>${cluster.namenode.hdfs}</value>`)
    const json = (await (await get(datanode(), '/conf?format=json&name=dfs.heartbeat.interval')).json()) as object
    expect(json).toEqual({ property: { key: 'dfs.heartbeat.interval', value: '200ms', isFinal: false, resource: 'quarry' } })
  })

  it('/logLevel changes what is logged from now on, from this machine', async () => {
    const text = await (await get(namenode(), '/logLevel?log=BlockStateChange&level=DEBUG')).text()
    expect(text).toContain('Effective Level: <b>DEBUG</b>')
    expect(level.current).toBe('debug')
  })

  it('/ leads to pages that are there', async () => {
    for (const host of [namenode(), datanode()]) {
      const response = await get(host, '/')
      expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
      const links = [...(await response.text()).matchAll(/href="([^"]+)"/g)].map((match) => match[1]!)
      expect(links).toContain('/jmx')
      for (const link of links) expect({ link, status: (await get(host, link)).status }).toEqual({ link, status: 200 })
    }
  })

  it('take no other methods, say that nobody must authenticate, and are kept by nobody', async () => {
    for (const host of [namenode(), datanode()]) {
      for (const path of ['/', '/jmx', '/conf', '/logLevel']) {
        expect((await fetch(`http://${host}${path}`, { method: 'POST', body: 'x' })).status).toBe(405)
        expect((await fetch(`http://${host}${path}`, { method: 'OPTIONS' })).status).toBe(200)
        const head = await fetch(`http://${host}${path}`, { method: 'HEAD' })
        expect([head.status, await head.text()]).toEqual([200, ''])
        expect(head.headers.get('cache-control')).toBe('no-store')
        expect(head.headers.get('x-content-type-options')).toBe('nosniff')
        expect(Number(head.headers.get('content-length'))).toBeGreaterThan(100)
      }
    }
  })

  it('outlive addresses that are none', async () => {
    const { hostname, port } = new URL(`http://${namenode()}`)
    const status = (path: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        request({ hostname, port, path }, (response) => {
          response.resume()
          resolve(response.statusCode)
        })
          .on('error', reject)
          .end()
      })
    for (const path of ['/jmx?qry=%ff%', '/jmx?get=%00::%00', `/jmx?qry=${'*'.repeat(6000)}`, '/conf?name=%3Cscript%3E', '/logLevel?log=%'])
      expect([200, 404]).toContain(await status(path))
  })

  it('/metrics and /jmx count the connections of Hadoop clients', async () => {
    const { hostname, port } = new URL(cluster.namenode.hdfs!.replace('hdfs:', 'http:'))
    const counted = async () => {
      const metrics = await (await get(namenode(), '/metrics')).text()
      const rpc = await bean(namenode(), `Hadoop:service=NameNode,name=RpcActivityForPort${port}`)
      return [/^quarry_namenode_hadoop_connections (\d+)$/m.exec(metrics)?.[1], rpc['NumOpenConnections']]
    }
    expect(await counted()).toEqual(['0', 0])
    const socket = connect(Number(port), hostname)
    try {
      await waitFor(async () => ((await counted())[1] === 1 ? undefined : 'none is counted'), 'the connection to be counted')
      expect(await counted()).toEqual(['1', 1])
    } finally {
      socket.destroy()
    }
    await waitFor(async () => ((await counted())[1] === 0 ? undefined : 'it is still counted'), 'the connection to be gone')
  })
})
