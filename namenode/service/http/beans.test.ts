import { describe, expect, it } from 'vitest'
import type { DatanodeReport } from '../../../proto/ports.ts'
import { nodeMaps, nodeUsage, versions } from './node-maps.ts'

const node = (own: Partial<DatanodeReport> = {}, name = 'a'): DatanodeReport => ({
  datanode: {
    uuid: name,
    ip: '10.0.0.1',
    hostname: name,
    grpcPort: 1,
    transferPort: 9866,
    httpPort: 9864,
    ipcPort: 9867,
    rack: '/rack',
    hostId: 'h',
    httpAddress: '',
  },
  live: true,
  stale: false,
  adminState: 'In Service',
  storages: [],
  capacity: 1000,
  dfsUsed: 100,
  nonDfsUsed: 50,
  remaining: 850,
  xceivers: 2,
  lastContactMs: 8_500,
  lastBlockReportMs: 0,
  blocks: 7,
  softwareVersion: '1',
  maintenanceUntilMs: 0,
  failedVolumes: 1,
  blocksToLeave: 3,
  slow: false,
  slowLatencyMs: 0,
  ...own,
})

const maps = (...nodes: DatanodeReport[]) =>
  Object.fromEntries(Object.entries(nodeMaps(nodes, 130_000)).map(([key, text]) => [key, JSON.parse(text) as object]))

describe('datanodes in NameNodeInfo', () => {
  it('are under the name and the port of the transfer door, as HDFS shows them', () => {
    expect(maps(node())).toEqual({
      LiveNodes: {
        'a:9866': {
          infoAddr: '10.0.0.1:9864',
          xferaddr: '10.0.0.1:9866',
          location: '/rack',
          lastContact: 121,
          usedSpace: 100,
          adminState: 'In Service',
          nonDfsUsedSpace: 50,
          capacity: 1000,
          numBlocks: 7,
          version: '1',
          used: 100,
          remaining: 850,
          blockPoolUsed: 100,
          blockPoolUsedPercent: 10,
          volfails: 1,
          lastBlockReport: 2,
        },
      },
      DeadNodes: {},
      DecomNodes: {},
      EnteringMaintenanceNodes: {},
    })
  })

  it('are in the list of what becomes of them', () => {
    const shown = maps(
      node({ live: false, adminState: 'Decommissioned' }, 'dead'),
      node({ adminState: 'Decommission In Progress' }, 'leaving'),
      node({ adminState: 'Entering Maintenance' }, 'entering'),
    )
    expect(Object.keys(shown['LiveNodes']!)).toEqual(['leaving:9866', 'entering:9866'])
    expect(shown['DeadNodes']).toMatchObject({ 'dead:9866': { lastContact: 121, decommissioned: true, xferaddr: '10.0.0.1:9866' } })
    expect(shown['DecomNodes']).toEqual({ 'leaving:9866': { xferaddr: '10.0.0.1:9866', location: '/rack', underReplicatedBlocks: 3 } })
    expect(Object.keys(shown['EnteringMaintenanceNodes']!)).toEqual(['entering:9866'])
  })

  it('have the native port where the transfer door is closed', () => {
    const { datanode } = node()
    expect(Object.keys(maps(node({ datanode: { ...datanode!, transferPort: 0, grpcPort: 4711 } }))['LiveNodes']!)).toEqual(['a:4711'])
  })

  it('are counted by release, and measured by how full they are', () => {
    const nodes = [node(), node({ softwareVersion: '2', dfsUsed: 300 }), node({ dfsUsed: 200 }), node({ live: false, dfsUsed: 1000 })]
    expect(versions(nodes)).toEqual([
      { key: '1', value: 2 },
      { key: '2', value: 1 },
    ])
    expect(JSON.parse(nodeUsage(nodes))).toEqual({ nodeUsage: { min: '10.00%', median: '20.00%', max: '30.00%', stdDev: '8.16%' } })
    expect(JSON.parse(nodeUsage([]))).toEqual({ nodeUsage: { min: '0.00%', median: '0.00%', max: '0.00%', stdDev: '0.00%' } })
  })
})
