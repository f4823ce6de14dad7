import { describe, expect, it } from 'vitest'
import { decodeHadoop } from '../../../proto/hadoop/codec.ts'
import { FileKind, StorageType } from '../../../proto/ports.ts'
import type { DatanodeId, FileStatus, ListingReply, LocatedBlock, ReplicaLocation } from '../../../proto/ports.ts'
import { appendResponse, blockResponse, listingResponse, locationsResponse, statusResponse } from './statuses.ts'

const node = (uuid: string, transferPort: number): DatanodeId => ({
  uuid,
  ip: '127.0.0.1',
  hostname: 'host',
  grpcPort: 9868,
  transferPort,
  httpPort: 9864,
  ipcPort: 9867,
  rack: '/r1',
  hostId: '',
  httpAddress: '',
})
const place = (uuid: string, transferPort = 9866, storageType: StorageType = StorageType.STORAGE_SSD): ReplicaLocation => ({
  datanode: node(uuid, transferPort),
  storageUuid: `DS-${uuid}`,
  storageType,
})
const located = (locations: ReplicaLocation[], offset = 0): LocatedBlock => ({
  block: { blockId: 2 ** 30 + 5, genstamp: 1007, length: 5_000_000_000 },
  offset,
  locations,
  corrupt: false,
  token: new Uint8Array(0),
  leaseFileId: 0,
})
const file: FileStatus = {
  kind: FileKind.KIND_FILE,
  name: '',
  length: 5_000_000_000,
  permission: 0o1640,
  owner: 'anna',
  group: 'größe',
  mtimeMs: 1_700_000_000_000,
  atimeMs: 1_700_000_000_001,
  replication: 3,
  blockSize: 2 ** 27,
  fileId: 16_390,
  children: 0,
  storagePolicy: 2,
  underConstruction: false,
  locations: null,
  flags: 1,
}

describe('answers in Hadoop’s messages', () => {
  it('tells the status of a file with every field that clients look at, zeros included', () => {
    expect(decodeHadoop('OptionalStatus', statusResponse(file)).fs).toMatchObject({
      fileType: 2,
      length: 5_000_000_000,
      permission: { perm: 0o1640 },
      owner: 'anna',
      group: 'größe',
      mtime: 1_700_000_000_000,
      atime: 1_700_000_000_001,
      replication: 3,
      blockSize: 2 ** 27,
      fileId: 16_390,
      children: 0,
      storagePolicy: 2,
      flags: 1,
    })
    const directory = { ...file, kind: FileKind.KIND_DIRECTORY, children: 7, flags: 0, length: 0, replication: 0, blockSize: 0 }
    const { fs } = decodeHadoop('OptionalStatus', statusResponse(directory))
    expect(fs).toMatchObject({ fileType: 1, children: 7, replication: 0, blockSize: 0, flags: 0 })
    expect(fs!.locations).toBeUndefined()
  })

  it('leaves a missing file out', () => {
    expect(statusResponse(null)).toHaveLength(0)
    expect(decodeHadoop('OptionalStatus', statusResponse(null)).fs).toBeUndefined()
  })

  it('gives each location an address, a rack, a storage and its type; one that Hadoop cannot reach is none', () => {
    const bytes = blockResponse('BP-1', located([place('a'), place('b', 0), place('c', 9866, StorageType.STORAGE_UNSPECIFIED)], 7))
    const { block } = decodeHadoop('LocatedBlockResponse', bytes)
    expect(block.block).toEqual({ poolId: 'BP-1', blockId: 2 ** 30 + 5, generationStamp: 1007, numBytes: 5_000_000_000 })
    expect(block.offset).toBe(7)
    expect(block.locations.map(({ id }) => id)).toMatchObject([
      { ipAddr: '127.0.0.1', hostName: 'host', datanodeUuid: 'a', xferPort: 9866, infoPort: 9864, ipcPort: 9867 },
      { datanodeUuid: 'c' },
    ])
    expect(block.locations.map(({ location }) => location)).toEqual(['/r1', '/r1'])
    expect(block.storageIds).toEqual(['DS-a', 'DS-c'])
    expect(block.storageTypes).toEqual([2, 1])
    expect(block.token).toMatchObject({ kind: '', service: '' })
  })

  it('tells a node’s new ports after it registered again', () => {
    const read = (location: ReplicaLocation): number =>
      decodeHadoop('LocatedBlockResponse', blockResponse('BP-1', located([location]))).block.locations[0]!.id.xferPort
    expect([read(place('a', 1000)), read(place('a', 1000)), read(place('a', 2000))]).toEqual([1000, 1000, 2000])
  })

  it('tells of an open file where its last block is, beside the finished ones', () => {
    const blocks = {
      poolId: 'BP-1',
      fileLength: 10,
      blocks: [located([place('a')])],
      underConstruction: true,
      lastBlock: located([], 10),
      lastBlockComplete: false,
    }
    const { locations } = decodeHadoop('LocationsResponse', locationsResponse(blocks))
    expect(locations).toMatchObject({ fileLength: 10, underConstruction: true, lastBlockComplete: false })
    expect(locations!.blocks).toHaveLength(1)
    expect(locations!.lastBlock!.offset).toBe(10)
    const empty = { poolId: 'BP-1', fileLength: 0, blocks: [], underConstruction: false, lastBlock: null, lastBlockComplete: false }
    expect(decodeHadoop('LocationsResponse', locationsResponse(empty)).locations!.lastBlock).toBeUndefined()
  })

  it('gives an append the block to go on with, where there is one', () => {
    expect(decodeHadoop('HdfsAppendResponse', appendResponse('BP-1', null, file)).block).toBeUndefined()
    const both = decodeHadoop('HdfsAppendResponse', appendResponse('BP-1', located([place('a')]), file))
    expect(both.block!.block.generationStamp).toBe(1007)
    expect(both.stat!.fileId).toBe(16_390)
  })

  const page = (more: boolean): ListingReply => ({
    exists: true,
    isFile: false,
    more,
    entries: 3,
    names: Buffer.from('dirfügnull'),
    nameLengths: [3, 4, 4],
    kindPermission: [
      (FileKind.KIND_DIRECTORY << 16) | (1 << 14) | 0o1777,
      (FileKind.KIND_FILE << 16) | (1 << 15) | 0o644,
      (FileKind.KIND_FILE << 16) | 0o600,
    ],
    length: [0, 11, 0],
    mtimeMs: [1, 2, 3],
    atimeMs: [0, 5, 6],
    owner: [0, 1, 1],
    group: [1, 1, 1],
    principals: ['anna', 'staff'],
    replication: [0, 3, 1],
    blockSize: [0, 1024, 512],
    fileId: [20_001, 20_002, 20_003],
    children: [9, 0, 0],
    locations: [
      {
        poolId: 'BP-1',
        fileLength: 11,
        blocks: [located([place('a')])],
        underConstruction: true,
        lastBlock: null,
        lastBlockComplete: true,
      },
      { poolId: 'BP-1', fileLength: 0, blocks: [], underConstruction: false, lastBlock: null, lastBlockComplete: false },
    ],
    storagePolicy: [],
  })

  it('makes a listing of columns, its locations with every file and no directory', () => {
    const { listing } = decodeHadoop('HdfsListingResponse', listingResponse(page(true), true))
    expect(listing!.remaining).toBe(1)
    expect(listing!.entries.map(({ path }) => Buffer.from(path).toString())).toEqual(['dir', 'füg', 'null'])
    expect(listing!.entries[0]).toMatchObject({
      fileType: 1,
      permission: { perm: 0o1777 },
      owner: 'anna',
      group: 'staff',
      children: 9,
      flags: 1,
    })
    expect(listing!.entries[1]).toMatchObject({
      fileType: 2,
      permission: { perm: 0o644 },
      owner: 'staff',
      length: 11,
      replication: 3,
      flags: 0,
    })
    expect(listing!.entries.map(({ locations }) => locations?.blocks.length)).toEqual([undefined, 1, 0])
  })

  it('makes it once for each page that is shown again', () => {
    const shown = page(false)
    const first = listingResponse(shown, false)
    expect(listingResponse(shown, false)).toBe(first)
    statusResponse(file)
    const { listing } = decodeHadoop('HdfsListingResponse', listingResponse(shown, false))
    expect(listing!.remaining).toBe(0)
    expect(listing!.entries.every(({ locations }) => locations === undefined)).toBe(true)
  })

  it('leaves the listing of what is missing out', () => {
    expect(listingResponse({ ...page(false), exists: false, entries: 0 }, false)).toHaveLength(0)
  })
})
