// The native door on loopback, by raw messages where the messages are the subject.
import { mkdtempSync, rmSync } from 'node:fs'
import os, { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { defaultSettings } from '../../common/config.ts'
import type { Settings } from '../../common/options.ts'
import { systemEnv } from '../../common/system-env.ts'
import { codec } from '../../proto/codec.ts'
import type { Init } from '../../proto/codec.ts'
import type { CallBatch, ReplyBatch } from '../../proto/ports.ts'
import { SafeModeAction } from '../../proto/ports.ts'
import { openChannel } from '../../proto/transport/channel.ts'
import { connectNamenode } from '../../proto/transport/metadata-session.ts'
import { protocolVersion } from '../../proto/version.ts'
import { startNamenode } from '../main.ts'
import type { RunningNamenode } from '../main.ts'

const callBatch = codec('CallBatch')
const replyBatch = codec('ReplyBatch')
const identity = (bytes: Buffer) => bytes
const superuser = os.userInfo().username
const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function start(settings: Partial<Settings> = {}): Promise<RunningNamenode> {
  const dir = mkdtempSync(path.join(tmpdir(), 'quarry-door-'))
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }))
  const namenode = await startNamenode({ settings: defaultSettings({ ...settings, dir }), env: systemEnv() })
  cleanups.push(() => namenode.close())
  return namenode
}

async function connect(namenode: RunningNamenode, user = superuser) {
  const session = await connectNamenode({ uri: namenode.uri, user })
  cleanups.push(() => session.close())
  return session
}

/** A stream whose messages the test counts. */
function rawClient(namenode: RunningNamenode) {
  const client = openChannel(namenode.grpc)
  const stream = client.makeBidiStreamRequest('/quarry.v1.Namenode/Calls', identity, identity)
  const batches: ReplyBatch[] = []
  let wake = () => {}
  let ended = false
  stream.on('data', (bytes: Buffer) => {
    batches.push(replyBatch.decode(bytes))
    wake()
  })
  const end = () => {
    ended = true
    wake()
  }
  stream.on('end', end)
  stream.on('error', end)
  cleanups.push(() => {
    stream.cancel()
    client.close()
  })
  return {
    batches,
    say: (batch: Init<CallBatch>) => stream.write(callBatch.encode(batch)),
    cancel: () => stream.cancel(),
    end: () => stream.end(),
    async until(enough: () => boolean) {
      while (!enough() && !ended) await new Promise<void>((resolve) => (wake = resolve))
    },
    get ended() {
      return ended
    },
  }
}

const hello = (changes = {}) => ({ protocol: protocolVersion, user: superuser, clientId: Buffer.alloc(16, 7), ...changes })
const replies = (client: { batches: ReplyBatch[] }) => client.batches.flatMap((batch) => batch.replies)

test('a thousand calls of one message are answered in a few messages, queries and changes alike', async () => {
  const namenode = await start()
  const client = rawClient(namenode)
  client.say({ hello: hello() })
  await client.until(() => client.batches.length === 1)
  expect(client.batches[0]!.welcome).toMatchObject({ protocol: protocolVersion, clusterId: namenode.clusterId, poolId: namenode.poolId })
  client.say({
    calls: Array.from({ length: 1000 }, (_, i) =>
      i % 2 === 0 ? { id: i + 1, getFileInfo: { path: '/' } } : { id: i + 1, mkdirs: { path: `/d${i}`, permission: 0o755 } },
    ),
  })
  await client.until(() => replies(client).length === 1000)
  expect(client.batches.length).toBeLessThan(10)
  expect(new Set(replies(client).map((reply) => reply.id)).size).toBe(1000)
  expect(replies(client).filter((reply) => reply.mkdirs?.value).length).toBe(500)
})

test('calls that come with the hello are answered after the welcome', async () => {
  const namenode = await start()
  const client = rawClient(namenode)
  client.say({ hello: hello(), calls: [{ id: 1, getFileInfo: { path: '/' } }] })
  client.say({ calls: [{ id: 2, getFileInfo: { path: '/missing' } }] })
  await client.until(() => replies(client).length === 2)
  expect(client.batches[0]!.welcome).not.toBeNull()
  expect(replies(client).map((reply) => [reply.id, reply.getFileInfo?.file?.fileId])).toEqual([
    [1, 16385],
    [2, undefined],
  ])
})

test.each([
  [{ protocol: 999 }, 'VERSION'],
  [{ user: '' }, 'UNAUTHENTICATED'],
  [{ clientId: Buffer.alloc(3) }, 'INVALID_ARGUMENT'],
  [{ user: 'x'.repeat(2000) }, 'INVALID_ARGUMENT'],
])('a hello with %o is refused and the stream ends', async (changes, code) => {
  const namenode = await start()
  const client = rawClient(namenode)
  client.say({ hello: hello(changes) })
  await client.until(() => client.ended)
  expect(client.batches.map((batch) => batch.welcome?.refused?.code)).toEqual([code])
})

test('who acts for somebody else is refused, unless a rule of proxy.users allows it', async () => {
  const refused = async (namenode: RunningNamenode, realUser: string) => {
    const client = rawClient(namenode)
    client.say({ hello: hello({ user: 'ann', realUser }), calls: [{ id: 1, mkdirs: { path: '/ann', permission: 0o755 } }] })
    await client.until(() => client.ended || replies(client).length === 1)
    return client.batches[0]!.welcome?.refused
  }
  const strict = await start()
  expect(await refused(strict, superuser)).toMatchObject({
    code: 'NOT_AUTHORIZED',
    message: `User: ${superuser} is not allowed to impersonate ann`,
  })
  expect(await refused(strict, 'ann')).toBeNull()
  const allowing = await start({ 'proxy.users': ['hue=*@127.0.0.1', 'knox=*@10.0.0.1'] })
  expect(await refused(allowing, 'hue')).toBeNull()
  expect(await refused(allowing, 'knox')).toMatchObject({ code: 'NOT_AUTHORIZED', message: expect.stringContaining('from IP 127.0.0.1') })
})

test('a stream that does not begin with a hello is refused', async () => {
  const namenode = await start()
  const client = rawClient(namenode)
  client.say({ calls: [{ id: 1, getFileInfo: { path: '/' } }] })
  await client.until(() => client.ended)
  expect(client.batches[0]?.welcome?.refused?.code).toBe('VERSION')
})

test('no more clients are served than connections.max: the next is told so, and served when another has gone', async () => {
  const namenode = await start({ 'connections.max': 2 })
  await connect(namenode)
  const second = await connect(namenode)
  const raw = rawClient(namenode)
  raw.say({ hello: hello() })
  await raw.until(() => raw.ended)
  expect(raw.batches.map((batch) => batch.welcome?.refused)).toEqual([
    expect.objectContaining({
      code: 'OVERLOADED',
      message:
        'The namenode serves 2 clients at a time (connections.max), and as many are connected. Try again later, or have it restarted with -D connections.max=N.',
    }),
  ])
  expect((await second.call('getFileInfo', { path: '/' })).file?.fileId).toBe(16385)

  const waiting = connectNamenode({ uri: namenode.uri, user: superuser, connectTimeoutMs: 60_000 })
  await second.close()
  const third = await waiting
  cleanups.push(() => third.close())
  expect((await third.call('getFileInfo', { path: '/' })).file?.fileId).toBe(16385)
})

test('a client that closes its half is still answered what it asked, then the stream ends', async () => {
  const namenode = await start()
  const client = rawClient(namenode)
  client.say({ hello: hello(), calls: [{ id: 1, mkdirs: { path: '/d', permission: 0o755 } }] })
  client.end()
  await client.until(() => client.ended)
  expect(replies(client).map((reply) => [reply.id, reply.mkdirs?.value])).toEqual([[1, true]])
})

test('a call without a known method fails alone', async () => {
  const namenode = await start()
  const client = rawClient(namenode)
  client.say({ hello: hello(), calls: [{ id: 1 }, { id: 2, getFileInfo: { path: '/' } }] })
  await client.until(() => replies(client).length === 2)
  expect(replies(client).map((reply) => reply.error?.code)).toEqual(['UNSUPPORTED', undefined])
})

test('a client that comes back with its id gets the answer it lost, and the call is not done again', async () => {
  const namenode = await start()
  const call = { id: 5, create: { path: '/f', permission: 0o644, holder: 'h', createParent: true } }
  const first = rawClient(namenode)
  first.say({ hello: hello(), calls: [call] })
  await first.until(() => replies(first).length === 1)
  const fileId = replies(first)[0]!.create!.file!.fileId
  first.cancel()
  const second = rawClient(namenode)
  second.say({ hello: hello(), calls: [{ ...call, retryCount: 1 }] })
  await second.until(() => replies(second).length === 1)
  expect(replies(second)[0]!.create?.file?.fileId).toBe(fileId)
  const other = rawClient(namenode)
  other.say({ hello: hello({ clientId: Buffer.alloc(16, 8) }), calls: [{ ...call, retryCount: 1 }] })
  await other.until(() => replies(other).length === 1)
  expect(replies(other)[0]!.error?.code).toBe('LEASE_CONFLICT')
})

test('safe mode is shown to everybody and changed by the superuser only', async () => {
  const namenode = await start()
  const root = await connect(namenode)
  const other = await connect(namenode, 'somebody-else')
  await expect(other.call('setSafeMode', { action: SafeModeAction.SAFE_MODE_ENTER })).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  expect(await root.call('setSafeMode', { action: SafeModeAction.SAFE_MODE_ENTER })).toMatchObject({ on: true })
  await expect(root.call('mkdirs', { path: '/x', permission: 0o755 })).rejects.toMatchObject({ code: 'SAFE_MODE' })
  expect(await other.call('setSafeMode', { action: SafeModeAction.SAFE_MODE_GET })).toMatchObject({ on: true })
  expect(await root.call('getFsStats', {})).toMatchObject({ safeMode: true, directories: 1, files: 0 })
  expect(await root.call('setSafeMode', { action: SafeModeAction.SAFE_MODE_LEAVE })).toMatchObject({ on: false })
})

test('while draining, changes are put off and queries answered', async () => {
  const namenode = await start()
  const client = rawClient(namenode)
  client.say({ hello: hello() })
  await client.until(() => client.batches.length === 1)
  await namenode.drain()
  client.say({
    calls: [
      { id: 1, mkdirs: { path: '/d', permission: 0o755 } },
      { id: 2, getFileInfo: { path: '/' } },
    ],
  })
  await client.until(() => replies(client).length === 2)
  expect(replies(client).map((reply) => reply.error?.code ?? reply.op)).toEqual(['RETRY_LATER', 'getFileInfo'])
})
