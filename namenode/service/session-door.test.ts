// A datanode that is only a gRPC stream, against a whole namenode on loopback.
import { mkdtempSync, rmSync } from 'node:fs'
import os, { tmpdir } from 'node:os'
import path from 'node:path'
import type { ClientDuplexStream } from '@grpc/grpc-js'
import { afterEach, expect, test } from 'vitest'
import { defaultSettings } from '../../common/config.ts'
import type { Settings } from '../../common/options.ts'
import { systemEnv } from '../../common/system-env.ts'
import { codec } from '../../proto/codec.ts'
import type { Init } from '../../proto/codec.ts'
import type { NameMessage, NodeMessage, Register } from '../../proto/ports.ts'
import { ReceivedKind, ReplicaState, StorageType } from '../../proto/ports.ts'
import { openChannel } from '../../proto/transport/channel.ts'
import { connectNamenode } from '../../proto/transport/metadata-session.ts'
import { protocolVersion } from '../../proto/version.ts'
import { startNamenode } from '../main.ts'
import type { RunningNamenode } from '../main.ts'

const nodeMessage = codec('NodeMessage')
const nameMessage = codec('NameMessage')
const identity = (bytes: Buffer) => bytes
const cleanups: (() => unknown)[] = []
const directories: string[] = []

afterEach(async () => {
  directories.length = 0
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function start(settings: Partial<Settings> = {}): Promise<RunningNamenode> {
  const dir = settings.dir ?? mkdtempSync(path.join(tmpdir(), 'quarry-session-'))
  directories.push(dir)
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }))
  const namenode = await startNamenode({
    settings: defaultSettings({ 'heartbeat.interval': 100, 'stale.after': 500, 'dead.after': 1_000, ...settings, dir }),
    env: systemEnv(),
  })
  cleanups.push(() => namenode.close())
  return namenode
}

async function connect(namenode: RunningNamenode) {
  const session = await connectNamenode({ uri: namenode.uri, user: 'somebody' })
  cleanups.push(() => session.close())
  return session
}

/** Speaks the session's wire; the test decides what it says. */
class WireDatanode {
  readonly uuid: string
  readonly #stream: ClientDuplexStream<Buffer, Buffer>
  readonly #messages: NameMessage[] = []
  #wake: () => void = () => {}
  ended = false

  constructor(namenode: RunningNamenode, uuid: string) {
    this.uuid = uuid
    const client = openChannel(namenode.grpc)
    this.#stream = client.makeBidiStreamRequest('/quarry.v1.DatanodeSession/Session', identity, identity)
    this.#stream.on('data', (bytes: Buffer) => {
      this.#messages.push(nameMessage.decode(bytes))
      this.#wake()
    })
    const end = () => {
      this.ended = true
      this.#wake()
    }
    this.#stream.on('end', end)
    this.#stream.on('error', end)
    cleanups.push(() => {
      this.#stream.cancel()
      client.close()
    })
  }

  say(message: Init<NodeMessage>): void {
    this.#stream.write(nodeMessage.encode(message))
  }

  breakOff(): void {
    this.#stream.cancel()
  }

  register(changes: Partial<Init<Register>> = {}): void {
    this.say({
      register: {
        protocol: protocolVersion,
        softwareVersion: 'test',
        startedMs: 1,
        datanode: { uuid: this.uuid, ip: '127.0.0.1', hostname: 'localhost', grpcPort: 1, rack: '/default-rack' },
        storages: [{ storageUuid: `${this.uuid}-s`, type: StorageType.STORAGE_DISK, capacity: 1e12, remaining: 1e12 }],
        ...changes,
      },
    })
  }

  /** The next message of this kind; others before it are dropped. Undefined when the stream ended without one. */
  async next<K extends NonNullable<NameMessage['body']>>(kind: K): Promise<NonNullable<NameMessage[K]> | undefined> {
    for (;;) {
      for (let message = this.#messages.shift(); message; message = this.#messages.shift()) {
        if (message.body === kind) return message[kind] as NonNullable<NameMessage[K]>
      }
      if (this.ended) return undefined
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  report(blocks: readonly { blockId: number; genstamp: number; length: number }[]): void {
    this.say({
      blockReport: {
        storageUuid: `${this.uuid}-s`,
        reportId: 1,
        part: 0,
        parts: 1,
        blockIds: blocks.map((b) => b.blockId),
        genstamps: blocks.map((b) => b.genstamp),
        lengths: blocks.map((b) => b.length),
        states: blocks.map(() => ReplicaState.REPLICA_FINALIZED),
      },
    })
  }

  received(block: { blockId: number; genstamp: number; length: number }, kind: ReceivedKind = ReceivedKind.RECEIVED): void {
    this.say({ received: { blocks: [{ storageUuid: `${this.uuid}-s`, block, kind }] } })
  }
}

async function registered(namenode: RunningNamenode, uuid: string): Promise<WireDatanode> {
  const datanode = new WireDatanode(namenode, uuid)
  datanode.register()
  await datanode.next('registered')
  datanode.report([])
  return datanode
}

test('a new datanode is told who it belongs to and how to behave', async () => {
  const namenode = await start({ 'sync.on.close': false })
  const datanode = new WireDatanode(namenode, 'dn-1')
  datanode.register()
  expect(await datanode.next('registered')).toEqual({
    poolId: namenode.poolId,
    clusterId: namenode.clusterId,
    heartbeatIntervalMs: 100,
    syncOnClose: false,
  })
  datanode.say({ heartbeat: { storages: [{ storageUuid: 'dn-1-s', capacity: 1e12, remaining: 1e12 }] } })
  expect(await datanode.next('heartbeat')).toEqual({ staleStorages: true })
  datanode.report([])
  datanode.say({ heartbeat: { storages: [{ storageUuid: 'dn-1-s', capacity: 1e12, remaining: 1e12 }] } })
  expect(await datanode.next('heartbeat')).toEqual({ staleStorages: false })
})

test.each([
  [{ clusterId: 'CID-other' }, 'WRONG_CLUSTER'],
  [{ poolId: 'BP-other' }, 'WRONG_CLUSTER'],
  [{ protocol: 999 }, 'VERSION'],
] as const)('a datanode that registers with %o is refused and its stream ends', async (changes, code) => {
  const namenode = await start()
  const datanode = new WireDatanode(namenode, 'dn-1')
  datanode.register(changes)
  expect((await datanode.next('refused'))?.error?.code).toBe(code)
  expect(await datanode.next('heartbeat')).toBeUndefined()
})

test('a second process with the same uuid is refused; the same one coming back replaces its session', async () => {
  const namenode = await start()
  const first = await registered(namenode, 'dn-1')
  const second = new WireDatanode(namenode, 'dn-1')
  second.register({ startedMs: 2 })
  expect((await second.next('refused'))?.error).toMatchObject({
    code: 'IN_USE',
    message: 'Datanode dn-1 is already connected from 127.0.0.1:1. Two datanodes must not share a directory: stop one of them.',
  })
  const again = new WireDatanode(namenode, 'dn-1')
  again.register()
  expect(await again.next('registered')).toBeDefined()
  expect(await first.next('refused')).toBeUndefined()
  expect(first.ended).toBe(true)
})

test('anything but a registration first is refused', async () => {
  const namenode = await start()
  const datanode = new WireDatanode(namenode, 'dn-1')
  datanode.say({ heartbeat: {} })
  expect((await datanode.next('refused'))?.error?.code).toBe('VERSION')
})

test('a file is written, closed when its replica is reported, replicated to a newcomer, and deleted from both', async () => {
  const namenode = await start()
  const one = await registered(namenode, 'dn-1')
  const client = await connectNamenode({ uri: namenode.uri, user: os.userInfo().username })
  cleanups.push(() => client.close())
  await client.call('mkdirs', { path: '/tmp', permission: 0o777, createParent: true })
  const { file } = await client.call('create', { path: '/tmp/f', permission: 0o644, holder: 'h', createParent: true, replication: 2 })
  const { block: located } = await client.call('addBlock', { path: '/tmp/f', fileId: file!.fileId, holder: 'h' })
  const block = { ...located!.block!, length: 42 }
  expect(located!.locations.map((place) => place.datanode!.uuid)).toEqual(['dn-1'])

  let closed = false
  const closing = client.call('complete', { path: '/tmp/f', fileId: file!.fileId, holder: 'h', last: block }).then((reply) => {
    closed = true
    return reply
  })
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(closed).toBe(false)
  one.received(block)
  expect((await closing).value).toBe(true)

  const two = await registered(namenode, 'dn-2')
  const order = await one.next('replicate')
  expect([order!.block, order!.targets.map((target) => target.datanode!.uuid)]).toEqual([block, ['dn-2']])
  two.received(block)
  while ((await client.call('getFsStats', {})).underReplicated > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  const { blocks } = await client.call('getBlockLocations', { path: '/tmp/f', offset: 0, length: 42 })
  expect(blocks!.blocks[0]!.locations.map((place) => place.datanode!.uuid).toSorted()).toEqual(['dn-1', 'dn-2'])

  await client.call('delete', { path: '/tmp/f', recursive: false })
  expect((await one.next('invalidate'))?.blocks.map((b) => b.blockId)).toEqual([block.blockId])
  expect((await two.next('invalidate'))?.blocks.map((b) => b.blockId)).toEqual([block.blockId])
})

test('a broken stream makes a datanode stale at once and dead after dead.after; one that speaks stays live', async () => {
  const namenode = await start()
  const gone = await registered(namenode, 'dn-1')
  const stays = await registered(namenode, 'dn-2')
  const beat = setInterval(() => stays.say({ heartbeat: { storages: [{ storageUuid: 'dn-2-s', capacity: 1e12, remaining: 1e12 }] } }), 50)
  cleanups.push(() => clearInterval(beat))
  const client = await connect(namenode)
  const states = async () =>
    Object.fromEntries(
      (await client.call('getDatanodeReport', {})).datanodes.map((node) => [
        node.datanode!.uuid,
        node.live ? (node.stale ? 'stale' : 'live') : 'dead',
      ]),
    )
  expect(await states()).toEqual({ 'dn-1': 'live', 'dn-2': 'live' })
  gone.breakOff()
  while ((await states())['dn-1'] === 'live') await new Promise((resolve) => setTimeout(resolve, 5))
  expect((await states())['dn-1']).toBe('stale')
  while ((await states())['dn-1'] === 'stale') await new Promise((resolve) => setTimeout(resolve, 20))
  expect(await states()).toEqual({ 'dn-1': 'dead', 'dn-2': 'live' })
})

test('blocks of a storage it never registered end the session', async () => {
  const namenode = await start()
  const datanode = await registered(namenode, 'dn-1')
  datanode.say({ received: { blocks: [{ storageUuid: 'other', block: { blockId: 1, genstamp: 1, length: 1 } }] } })
  expect((await datanode.next('refused'))?.error?.code).toBe('INVALID_ARGUMENT')
})

test('a file being written survives a restart: its writer is put off until the datanode has reported', async () => {
  const first = await start()
  const before = await registered(first, 'dn-1')
  const client = await connectNamenode({ uri: first.uri, user: os.userInfo().username })
  cleanups.push(() => client.close())
  const create = async (path: string) => {
    const { file } = await client.call('create', { path, permission: 0o644, holder: 'h', createParent: true, replication: 1 })
    const { block } = await client.call('addBlock', { path, fileId: file!.fileId, holder: 'h' })
    const written = { ...block!.block!, length: 42 }
    before.received(written)
    return { fileId: file!.fileId, written }
  }
  // A closed file keeps the namenode in safe mode after its restart; the open one goes on.
  const closed = await Promise.all(['/a', '/b'].map(create))
  for (const [i, { fileId, written }] of closed.entries())
    expect((await client.call('complete', { path: ['/a', '/b'][i], fileId, holder: 'h', last: written })).value).toBe(true)
  const open = await create('/open')
  await first.close()
  const second = await start({ dir: directories[0]!, port: Number(first.grpc.split(':')[1]) })

  let answered = false
  const adding = client
    .call('addBlock', { path: '/open', fileId: open.fileId, holder: 'h', previous: open.written })
    .finally(() => (answered = true))
  await expect(client.call('mkdirs', { path: '/d', permission: 0o755 })).rejects.toMatchObject({ code: 'SAFE_MODE' })
  expect(answered).toBe(false)
  const after = new WireDatanode(second, 'dn-1')
  after.register()
  await after.next('registered')
  after.report([...closed, open].map(({ written }) => written))
  expect((await adding).block?.locations.map((place) => place.datanode?.uuid)).toEqual(['dn-1'])
})
