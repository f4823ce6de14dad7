// The namenode's door for Hadoop's clients, over real sockets, with a small client of our own: what Java's sees is tested in
// test/interop, where there is a JVM.
import { userInfo } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FileSystem } from '../../client/index.ts'
import { must } from '../../common/assert.ts'
import type { HadoopInit, HadoopMessage } from '../../proto/hadoop/codec.ts'
import type { MessageTypes } from '../../proto/hadoop/gen/messages.ts'
import { contextFrame, preamble, RemoteError, requestHeader, RpcTestClient } from '../../proto/hadoop/testing/rpc-client.ts'
import type { CallOptions } from '../../proto/hadoop/testing/rpc-client.ts'
import { MiniCluster } from '../support/mini-cluster.ts'

const superuser = userInfo().username
const blockSize = 1024
const nothing = new Uint8Array(0)

let cluster: MiniCluster
let fs: FileSystem
const clients: RpcTestClient[] = []

const port = (): number => Number(must(/:(\d+)$/.exec(must(cluster.namenode.hdfs)))[1])
async function connect(user = superuser, realUser?: string): Promise<RpcTestClient> {
  const client = await RpcTestClient.connect(port(), user, realUser)
  clients.push(client)
  return client
}
async function refusal(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(RemoteError)
  return `${(error as RemoteError).className.split('.').at(-1)}: ${(error as RemoteError).message.split('\n', 1)[0]}`
}

/** Calls by name, the messages of the common ones known. */
const shapes = {
  getFileInfo: ['PathRequest', 'OptionalStatus'],
  getListing: ['HdfsListingRequest', 'HdfsListingResponse'],
  getBlockLocations: ['LocationsRequest', 'LocationsResponse'],
  mkdirs: ['HdfsMkdirsRequest', 'BoolResult'],
  create: ['HdfsCreateRequest', 'OptionalStatus'],
  append: ['HdfsAppendRequest', 'HdfsAppendResponse'],
  addBlock: ['HdfsAddBlockRequest', 'LocatedBlockResponse'],
  abandonBlock: ['HdfsAbandonBlockRequest', 'Nothing'],
  complete: ['HdfsCompleteRequest', 'BoolResult'],
  rename: ['TwoPathsRequest', 'BoolResult'],
  rename2: ['Rename2HadoopRequest', 'Nothing'],
  delete: ['HdfsDeleteRequest', 'BoolResult'],
  truncate: ['HdfsTruncateRequest', 'BoolResult'],
  setTimes: ['HdfsSetTimesRequest', 'Nothing'],
  setQuota: ['HdfsSetQuotaRequest', 'Nothing'],
  getContentSummary: ['PathRequest', 'ContentSummaryResponse'],
  setSafeMode: ['HdfsSafeModeRequest', 'BoolResult'],
  getDatanodeReport: ['HdfsDatanodeReportRequest', 'HdfsDatanodeReportResponse'],
  updateBlockForPipeline: ['NewStampRequest', 'LocatedBlockResponse'],
  getServerDefaults: ['Nothing', 'ServerDefaultsResponse'],
  createSnapshot: ['SnapshotNameRequest', 'Nothing'],
  getSnapshottableDirListing: ['Nothing', 'Nothing'],
  getErasureCodingPolicies: ['Nothing', 'Nothing'],
  metaSave: ['PathRequest', 'Nothing'],
  saveNamespace: ['Nothing', 'SaveNamespaceResponse'],
} as const satisfies Record<string, readonly [HadoopMessage, HadoopMessage]>
type Shapes = typeof shapes

function ask<M extends keyof Shapes>(
  client: RpcTestClient,
  method: M,
  request: HadoopInit<MessageTypes[Shapes[M][0]]>,
  options?: CallOptions,
): Promise<MessageTypes[Shapes[M][1]]> {
  return client.call<Shapes[M][0], Shapes[M][1]>(method, shapes[method] as readonly [Shapes[M][0], Shapes[M][1]], request, options)
}

const creation = (
  src: string,
  more: HadoopInit<MessageTypes['HdfsCreateRequest']> = {},
): HadoopInit<MessageTypes['HdfsCreateRequest']> => ({
  src,
  masked: { perm: 0o644 },
  clientName: 'writer-1',
  flag: 1,
  createParent: true,
  replication: 2,
  blockSize,
  ...more,
})

beforeAll(async () => {
  cluster = await MiniCluster.start({
    datanodes: 3,
    settings: { 'hdfs.port': 0, 'transfer.port': 0, 'ipc.port': 0, 'proxy.users': ['hue=*@127.0.0.1'] },
    // A datanode that Hadoop's clients cannot reach.
    datanodeSettings: (index) => (index === 2 ? { 'transfer.port': -1, 'ipc.port': -1 } : {}),
  })
  fs = await cluster.connect()
})

afterAll(async () => {
  for (const client of clients) client.close()
  await cluster.close()
})

describe('names', () => {
  it('makes directories, with the permission bits that mean something', async () => {
    const client = await connect()
    expect(await ask(client, 'mkdirs', { src: '/names/a/b', masked: { perm: 0x800001ed }, createParent: true })).toEqual({ result: true })
    expect(await ask(client, 'mkdirs', { src: '/names/a/b', masked: { perm: 0o755 }, createParent: true })).toEqual({ result: true })
    expect((await ask(client, 'getFileInfo', { path: '/names/a/b' })).fs).toMatchObject({ fileType: 1, permission: { perm: 0o755 } })
    expect((await ask(client, 'getFileInfo', { path: '/names/missing' })).fs).toBeUndefined()
    expect(await refusal(ask(client, 'mkdirs', { src: '/names/x/y', masked: { perm: 0o755 }, createParent: false }))).toBe(
      "FileNotFoundException: Parent directory doesn't exist: /names/x",
    )
  })

  it('renames in both ways, and deletes', async () => {
    const client = await connect()
    await ask(client, 'mkdirs', { src: '/moves/into', masked: { perm: 0o755 }, createParent: true })
    await fs.writeFile('/moves/f', 'x')
    expect(await ask(client, 'rename', { first: '/moves/f', second: '/moves/into' })).toEqual({ result: true })
    expect(await ask(client, 'rename', { first: '/moves/none', second: '/moves/g' })).toEqual({ result: false })
    expect(await refusal(ask(client, 'rename2', { src: '/moves/none', dst: '/moves/g', overwrite: false }))).toBe(
      'FileNotFoundException: rename source /moves/none is not found.',
    )
    await ask(client, 'rename2', { src: '/moves/into/f', dst: '/moves/g', overwrite: true })
    expect(await ask(client, 'delete', { src: '/moves/g', recursive: false })).toEqual({ result: true })
    expect(await ask(client, 'delete', { src: '/moves/g', recursive: false })).toEqual({ result: false })
    expect(await refusal(ask(client, 'delete', { src: '/moves', recursive: false }))).toMatch(/^PathIsNotEmptyDirectoryException: /)
  })

  it('lists page by page in the order of bytes, and nothing behind the last', async () => {
    const client = await connect()
    const names = Array.from({ length: 1203 }, (_, i) => `n${String(i).padStart(5, '0')}`)
    await fs.mkdir('/many')
    for (let i = 0; i < names.length; i += 200) await Promise.all(names.slice(i, i + 200).map((name) => fs.mkdir(`/many/${name}`)))
    const seen: string[] = []
    for (let startAfter: Uint8Array = nothing, pages = 0; ; pages++) {
      const { listing } = await ask(client, 'getListing', { src: '/many', startAfter, needLocation: false })
      const page = must(listing).entries.map(({ path }) => Buffer.from(path).toString())
      if (page.length === 0) {
        expect(pages).toBe(2)
        break
      }
      expect(must(listing).remaining > 0).toBe(pages === 0)
      seen.push(...page)
      startAfter = Buffer.from(page.at(-1)!)
    }
    expect(seen).toEqual(names)
    expect((await ask(client, 'getListing', { src: '/nowhere', startAfter: nothing, needLocation: false })).listing).toBeUndefined()
  })

  it('leaves times alone that are -1, and reads quotas of 2^63 - 1 as "leave"', async () => {
    const client = await connect()
    await fs.writeFile('/attributes/f', 'abc')
    await ask(client, 'setTimes', { src: '/attributes/f', mtime: 12_345, atime: -1 })
    expect((await ask(client, 'getFileInfo', { path: '/attributes/f' })).fs!.mtime).toBe(12_345)
    await ask(client, 'setQuota', { path: '/attributes', names: 50, space: 1e9 })
    await ask(client, 'setQuota', { path: '/attributes', names: 2 ** 63 - 1024, space: -1 })
    expect((await ask(client, 'getContentSummary', { path: '/attributes' })).summary).toMatchObject({
      length: 3,
      files: 1,
      directories: 1,
      quota: 50,
      spaceQuota: -1,
      snapshotLength: 0,
    })
  })
})

describe('files with data', () => {
  it('tells locations that Hadoop’s clients can use: transfer and ipc ports, storages, racks', async () => {
    const client = await connect()
    const data = Buffer.alloc(2500, 7)
    await fs.writeFile('/data/f', data, { blockSize, replication: 3 })
    await fs.writeFile('/data/empty', '')
    const { locations } = await ask(client, 'getBlockLocations', { src: '/data/f', offset: 0, length: 10_000 })
    const { blocks } = must(locations)
    expect(blocks.map(({ offset, block }) => [offset, block.numBytes])).toEqual([
      [0, 1024],
      [1024, 1024],
      [2048, 452],
    ])
    for (const block of blocks) {
      expect(block.block.poolId).toBe(cluster.namenode.poolId)
      // Two of the three can be reached.
      expect(block.locations).toHaveLength(2)
      expect(block.storageIds).toHaveLength(2)
      expect(block.storageTypes).toEqual([1, 1])
      for (const { id, location } of block.locations) {
        expect(id.ipAddr).toBe('127.0.0.1')
        expect(id.xferPort).toBeGreaterThan(0)
        expect(id.ipcPort).toBeGreaterThan(0)
        expect(location).toBe('/default-rack')
      }
    }
    const middle = await ask(client, 'getBlockLocations', { src: '/data/f', offset: 1100, length: 1 })
    expect(must(middle.locations).blocks.map(({ offset }) => offset)).toEqual([1024])
    const { listing } = await ask(client, 'getListing', { src: '/data', startAfter: nothing, needLocation: true })
    expect(must(listing).entries.map((entry) => entry.locations?.blocks.length)).toEqual([0, 3])
    expect(await refusal(ask(client, 'getBlockLocations', { src: '/data', offset: 0, length: 1 }))).toBe(
      'FileNotFoundException: Path is not a file: /data',
    )
  })

  it('places new blocks only where the writer can go, and follows it by path or by id', async () => {
    const client = await connect()
    const { fs: made } = await ask(client, 'create', creation('/writes/f', { replication: 3 }))
    expect(made).toMatchObject({ fileType: 2, length: 0, replication: 3, blockSize })
    const first = await ask(client, 'addBlock', { src: '/writes/f', clientName: 'writer-1' })
    expect(first.block.locations).toHaveLength(2)
    expect(first.block.storageIds).toHaveLength(2)
    const again = await ask(client, 'addBlock', { src: '/writes/f', clientName: 'writer-1', fileId: must(made).fileId })
    expect(again.block.block.blockId).toBe(first.block.block.blockId)
    const stamped = await ask(client, 'updateBlockForPipeline', { block: first.block.block, clientName: 'writer-1' })
    expect(stamped.block.block.generationStamp).toBeGreaterThan(first.block.block.generationStamp)
    await ask(client, 'abandonBlock', { block: first.block.block, src: '/writes/f', holder: 'writer-1' })
    const excluded = first.block.locations.slice(0, 1)
    const next = await ask(client, 'addBlock', { src: '/writes/f', clientName: 'writer-1', excluded })
    expect(next.block.locations.map(({ id }) => id.datanodeUuid)).toEqual([first.block.locations[1]!.id.datanodeUuid])
    await ask(client, 'abandonBlock', { block: next.block.block, src: '/writes/f', holder: 'writer-1' })
    expect(await ask(client, 'complete', { src: '/writes/f', clientName: 'writer-1' })).toEqual({ result: true })
    expect(await refusal(ask(client, 'addBlock', { src: '/writes/f', clientName: 'writer-1' }))).toMatch(/^LeaseExpiredException: /)
    expect(await refusal(ask(client, 'create', creation('/writes/f')))).toBe(
      'FileAlreadyExistsException: /writes/f for client 127.0.0.1 already exists',
    )
  })

  it('refuses to overwrite what is not there, and a replication of nothing', async () => {
    const client = await connect()
    expect(await refusal(ask(client, 'create', creation('/writes/new', { flag: 2 })))).toBe(
      "FileNotFoundException: Can't overwrite non-existent /writes/new",
    )
    expect(await refusal(ask(client, 'create', creation('/writes/new', { replication: 0 })))).toMatch(
      /^IOException: Requested replication factor of 0 is less than the required minimum of 1 for \/writes\/new/,
    )
    expect(await refusal(ask(client, 'create', creation('/writes/new', { ecPolicy: 'RS-6-3-1024k' })))).toMatch(
      /^HadoopIllegalArgumentException: Policy 'RS-6-3-1024k'/,
    )
    expect((await ask(client, 'getFileInfo', { path: '/writes/new' })).fs).toBeUndefined()
  })

  it('reopens the last block for an append, and tells readers that it is open', async () => {
    const client = await connect()
    await fs.writeFile('/appends/f', Buffer.alloc(1500, 3), { blockSize, replication: 2 })
    const { block, stat } = await ask(client, 'append', { src: '/appends/f', clientName: 'writer-2', flag: 4 })
    expect(must(block).block.numBytes).toBe(476)
    expect(must(stat).length).toBe(1500)
    const { locations } = await ask(client, 'getBlockLocations', { src: '/appends/f', offset: 0, length: 5000 })
    expect(locations).toMatchObject({ fileLength: 1024, underConstruction: true, lastBlockComplete: false })
    expect(must(must(locations).lastBlock).offset).toBe(1024)
    expect(await refusal(ask(client, 'append', { src: '/appends/f', clientName: 'other', flag: 4 }))).toMatch(
      /^AlreadyBeingCreatedException: /,
    )
  })

  it('cuts a file inside a block', async () => {
    const client = await connect()
    const data = Buffer.from(Array.from({ length: 3000 }, (_, i) => i & 0xff))
    await fs.writeFile('/cuts/f', data, { blockSize, replication: 2 })
    expect(await ask(client, 'truncate', { src: '/cuts/f', newLength: 1500, clientName: 'writer-3' })).toEqual({ result: true })
    expect(await fs.readFile('/cuts/f')).toEqual(data.subarray(0, 1500))
    expect(await ask(client, 'truncate', { src: '/cuts/f', newLength: 1024, clientName: 'writer-3' })).toEqual({ result: true })
    expect(await fs.readFile('/cuts/f')).toEqual(data.subarray(0, 1024))
    expect(await refusal(ask(client, 'truncate', { src: '/cuts/f', newLength: 1025, clientName: 'writer-3' }))).toBe(
      'HadoopIllegalArgumentException: Cannot truncate to a larger file size. Current size: 1024, truncate size: 1025.',
    )
    const stranger = await connect('stranger')
    expect(await refusal(ask(stranger, 'truncate', { src: '/cuts/f', newLength: 1000, clientName: 'writer-3' }))).toMatch(
      /^AccessControlException: Permission denied: user=stranger, access=WRITE/,
    )
  })
})

describe('who calls', () => {
  it('is who the connection says, and is checked', async () => {
    await fs.mkdir('/private', { permission: 0o700 })
    const stranger = await connect('stranger')
    expect(await refusal(ask(stranger, 'getListing', { src: '/private', startAfter: nothing, needLocation: false }))).toMatch(
      /^AccessControlException: Permission denied: user=stranger, access=READ_EXECUTE, inode="\/private":/,
    )
    expect(await refusal(ask(stranger, 'saveNamespace', {}))).toBe(
      'AccessControlException: Access denied for user stranger. Superuser privilege is required for operation saveNamespace',
    )
  })

  it('acts for others only where proxy.users says so', async () => {
    const refused = await RpcTestClient.open(port())
    clients.push(refused)
    const answer = refused.reply(-3)
    refused.send(preamble(), contextFrame('anna', 'mallory'))
    expect((await answer).header).toMatchObject({
      status: 2,
      errorDetail: 15,
      exceptionClass: 'org.apache.hadoop.security.authorize.AuthorizationException',
      errorMessage: 'User: mallory is not allowed to impersonate anna',
    })
    await refused.ended()
    const allowed = await connect('anna', 'hue')
    await ask(await connect(), 'mkdirs', { src: '/home', masked: { perm: 0o777 }, createParent: false })
    await ask(allowed, 'mkdirs', { src: '/home/anna', masked: { perm: 0o755 }, createParent: false })
    expect((await fs.stat('/home/anna')).owner).toBe('anna')
  })

  it('gets the first answer again for a call that it repeats, also over another connection', async () => {
    const header = requestHeader(77, { clientId: Buffer.from('fedcba9876543210') })
    const client = await connect()
    await fs.writeFile('/once', 'x')
    expect(await ask(client, 'delete', { src: '/once', recursive: false }, { header })).toEqual({ result: true })
    const second = await connect()
    const repeated = { ...header, retryCount: 1 }
    expect(await ask(second, 'delete', { src: '/once', recursive: false }, { header: repeated })).toEqual({ result: true })
    expect(await ask(second, 'delete', { src: '/once', recursive: false })).toEqual({ result: false })
  })
})

describe('the cluster', () => {
  it('tells clients its defaults', async () => {
    const client = await connect()
    expect((await ask(client, 'getServerDefaults', {})).defaults).toMatchObject({
      bytesPerChecksum: 512,
      writePacketSize: 65_536,
      encryptDataTransfer: false,
      checksumType: 2,
      keyProviderUri: '',
    })
  })

  it('reports its datanodes', async () => {
    const client = await connect()
    const { datanodes } = await ask(client, 'getDatanodeReport', { type: 2 })
    expect(datanodes).toHaveLength(3)
    expect(datanodes.map(({ adminState, location }) => [adminState, location])).toEqual(Array(3).fill([0, '/default-rack']))
    expect(datanodes.every(({ capacity, lastUpdate }) => must(capacity) > 0 && must(lastUpdate) > 0)).toBe(true)
    expect((await ask(client, 'getDatanodeReport', { type: 3 })).datanodes).toEqual([])
    expect(await refusal(ask(client, 'getDatanodeReport', { type: 99 }))).toMatch(/^HadoopIllegalArgumentException: /)
  })

  it('enters and leaves safe mode, in which changes fail with HDFS’s class', async () => {
    const client = await connect()
    const [leave, enter, get] = [1, 2, 3] as const
    expect(await ask(client, 'setSafeMode', { action: get })).toEqual({ result: false })
    expect(await ask(client, 'setSafeMode', { action: enter })).toEqual({ result: true })
    try {
      expect(await refusal(ask(client, 'mkdirs', { src: '/safe', masked: { perm: 0o755 }, createParent: true }))).toBe(
        'SafeModeException: Cannot create directory /safe. Name node is in safe mode.',
      )
      expect(await ask(client, 'saveNamespace', {})).toEqual({ saved: true })
    } finally {
      expect(await ask(client, 'setSafeMode', { action: leave })).toEqual({ result: false })
    }
    expect(await refusal(ask(client, 'saveNamespace', {}))).toMatch(/^IOException: Safe mode should be turned ON/)
  })

  it('has no snapshots and no erasure coding, and says so without ending the connection', async () => {
    const client = await connect()
    expect(await ask(client, 'getSnapshottableDirListing', {})).toEqual({})
    expect(await ask(client, 'getErasureCodingPolicies', {})).toEqual({})
    expect(await refusal(ask(client, 'createSnapshot', { root: '/', name: 's' }))).toMatch(/^SnapshotException: /)
    expect(await refusal(client.call('setErasureCodingPolicy', ['PathRequest', 'Nothing'], { path: '/' }))).toMatch(
      /^UnsupportedOperationException: /,
    )
    expect(await refusal(client.call('getEditsFromTxid', ['ZonesRequest', 'Nothing'], { id: 1 }))).toMatch(/^RpcNoSuchMethodException: /)
    expect(await ask(client, 'getSnapshottableDirListing', {})).toEqual({})
  })

  it('refreshes what administrators ask it to', async () => {
    const client = await connect()
    const none = ['Nothing', 'Nothing'] as const
    const mappings = { protocol: 'org.apache.hadoop.security.RefreshUserMappingsProtocol' }
    await client.call('refreshUserToGroupsMappings', none, {}, mappings)
    await client.call('refreshSuperUserGroupsConfiguration', none, {}, mappings)
    await client.call('refreshCallQueue', none, {}, { protocol: 'org.apache.hadoop.ipc.RefreshCallQueueProtocol' })
    await client.call('refreshNodes', none, {})
    const groups = await client.call(
      'getGroupsForUser',
      ['UserRequest', 'GroupsResponse'],
      { user: superuser },
      { protocol: 'org.apache.hadoop.tools.GetUserMappingsProtocol' },
    )
    expect(groups.groups.length).toBeGreaterThan(0)
    const stranger = await connect('stranger')
    expect(await refusal(stranger.call('refreshUserToGroupsMappings', none, {}, mappings))).toMatch(/^AccessControlException: /)
  })
})

it('counts Hadoop’s clients and their calls with the others', async () => {
  const client = await connect()
  await ask(client, 'getFileInfo', { path: '/' })
  const status = (await (await fetch(`http://${cluster.namenode.http}/status`)).json()) as { load: { clients: number } }
  expect(status.load.clients).toBeGreaterThan(1)
})
