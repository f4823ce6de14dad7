// Whole datanodes whose disks fail or rot, with a namenode that only keeps their sessions.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Closer } from '../common/closer.ts'
import { defaultSettings } from '../common/config.ts'
import { silentLogger } from '../common/env.ts'
import type { QuarryError } from '../common/errors.ts'
import type { Settings } from '../common/options.ts'
import { systemEnv } from '../common/system-env.ts'
import { PipelineStatus } from '../proto/ports.ts'
import type { NodeMessage, StorageReport } from '../proto/ports.ts'
import { DatanodeClients } from '../proto/transport/datanode-client.ts'
import type { DatanodeClient } from '../proto/transport/datanode-client.ts'
import { startDatanode } from './main.ts'
import type { RunningDatanode } from './main.ts'
import { checksum, nextReply, patternBytes, writeWhole } from './testing/blocks.ts'
import { FakeNamenode } from './testing/fake-namenode.ts'

let closer = new Closer()
afterEach(async () => {
  const closing = closer
  closer = new Closer()
  await closing.close()
})

const poolId = 'BP-test-127.0.0.1-1'

function temporary(): string {
  const dir = mkdtempSync(join(tmpdir(), 'quarry-disks-'))
  closer.add(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

interface Node {
  readonly node: RunningDatanode
  readonly client: DatanodeClient
  readonly dirs: readonly string[]
  readonly ended: Promise<QuarryError>
}

async function twoDisks(namenode: FakeNamenode, settings: Partial<Settings> = {}): Promise<Node> {
  const root = temporary()
  const dirs = [join(root, 'a'), join(root, 'b')]
  let end: (error: QuarryError) => void = () => {}
  const ended = new Promise<QuarryError>((resolve) => (end = resolve))
  const node = closer.use(
    await startDatanode({
      settings: defaultSettings({ 'dir': root, 'data.dirs': dirs, 'reserved': 0, 'namenode': namenode.uri, ...settings }),
      env: systemEnv(silentLogger),
      onFailed: (error) => end(error),
    }),
  )
  const clients = closer.use(new DatanodeClients())
  return { node, client: clients.get({ ip: '127.0.0.1', grpcPort: Number(node.grpc.split(':')[1]) }), dirs, ended }
}

/** A namenode that wants a heartbeat an hour: what is heard in time came out of turn. */
async function patientNamenode(): Promise<FakeNamenode> {
  return closer.use(
    await FakeNamenode.start({
      answer: (message) =>
        message.register ? { registered: { poolId, clusterId: 'CID-test', heartbeatIntervalMs: 3_600_000, syncOnClose: true } } : undefined,
    }),
  )
}

const failedIn = (message: NodeMessage): readonly StorageReport[] => message.heartbeat?.storages.filter((storage) => storage.failed) ?? []

describe('a disk that fails under a datanode', () => {
  it('is told to the namenode at once, ends its writers with an error, and the node goes on', async () => {
    const namenode = await patientNamenode()
    const { client, dirs, node } = await twoDisks(namenode, { 'failed.volumes.tolerated': 1 })
    const { storages } = (await namenode.hear((message) => message.register !== null && message.register !== undefined)).register!
    const [first, second] = storages.map((storage) => storage.storageUuid)
    const stream = client.writeBlock({ poolId, checksum, block: { blockId: 1, genstamp: 1001 }, storageUuid: first! })
    const replies = stream.replies[Symbol.asyncIterator]()
    expect((await nextReply(replies)).setup).toMatchObject({ status: PipelineStatus.PIPELINE_SUCCESS, storages: [first] })

    rmSync(dirs[0]!, { recursive: true })
    // The first who wants something of that disk finds out; it gets its block on the other.
    await writeWhole(client, { poolId, block: { blockId: 2, genstamp: 1001 }, storageUuid: first! }, patternBytes(5000))
    const [failed] = failedIn(await namenode.hear((message) => failedIn(message).length > 0))
    expect(failed).toMatchObject({ storageUuid: first, remaining: 0, blocks: 0, failure: expect.stringContaining('identity.json is gone') })
    expect((await nextReply(replies)).ack?.statuses).toEqual([PipelineStatus.PIPELINE_ERROR])
    stream.cancel()
    const received = await namenode.hear((message) => message.received?.blocks[0]?.block?.blockId === 2)
    expect(received.received?.blocks[0]?.storageUuid).toBe(second)
    const status = (await (await fetch(`http://${node.http}/status`)).json()) as { failedVolumes: unknown }
    expect(status.failedVolumes).toEqual([{ dir: dirs[0], reason: expect.stringContaining('identity.json is gone') }])
    expect(await (await fetch(`http://${node.http}/metrics`)).text()).toContain('quarry_datanode_failed_volumes 1\n')
  })

  it('stops the datanode when failed.volumes.tolerated allows none, with the reason', async () => {
    const namenode = await patientNamenode()
    const { client, dirs, ended, node } = await twoDisks(namenode)
    rmSync(dirs[1]!, { recursive: true })
    const uuids = (await namenode.hear((message) => message.register !== null && message.register !== undefined)).register!.storages
    await writeWhole(client, { poolId, block: { blockId: 2, genstamp: 1001 }, storageUuid: uuids[1]!.storageUuid }, patternBytes(50)).catch(
      () => {},
    )
    const error = await ended
    expect(error.code).toBe('CONFIG')
    expect(error.message).toMatch(/^1 of 2 storage directories has failed, and failed\.volumes\.tolerated allows 0\. .*\/b: /)
    // The namenode knows why, and the node is gone.
    expect(await namenode.hear((message) => failedIn(message).length > 0)).toBeDefined()
    await expect(fetch(`http://${node.http}/health`)).rejects.toThrow('fetch failed')
  })
})

describe('failed.volumes.tolerated', () => {
  it('must leave one disk', async () => {
    const namenode = closer.use(await FakeNamenode.start())
    await expect(twoDisks(namenode, { 'failed.volumes.tolerated': 2 })).rejects.toMatchObject({
      code: 'CONFIG',
      message: 'failed.volumes.tolerated is 2, but the datanode has only 2 storage directories: set it to 1 or less.',
    })
  })
})

describe('damage that the scanner finds', () => {
  it('is told to the namenode, and kept for it while it is away', async () => {
    const first = await FakeNamenode.start()
    const { client, dirs, node } = await twoDisks(first, { 'scan.period': 200, 'scan.bytes.per.second': 2 ** 30 })
    await writeWhole(client, { poolId, block: { blockId: 7, genstamp: 1001 } }, patternBytes(100_000))
    await first.close()
    const data = dirs
      .flatMap((dir) => readdirSync(dir, { recursive: true, withFileTypes: true }))
      .find((entry) => entry.isFile() && entry.name === 'blk_7')!
    const file = join(data.parentPath, data.name)
    const bytes = readFileSync(file)
    bytes[99_999]! ^= 128
    writeFileSync(file, bytes)
    const badReplicas = async () => ((await (await fetch(`http://${node.http}/status`)).json()) as { badReplicas: number }).badReplicas
    while ((await badReplicas()) === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    const second = closer.use(await FakeNamenode.start({ port: Number(first.uri.split(':').at(-1)) }))
    const { badReplicas: told } = await second.hear((message) => (message.badReplicas?.replicas.length ?? 0) > 0)
    expect(told!.replicas[0]).toMatchObject({
      block: { blockId: 7, genstamp: 1001, length: 100_000 },
      reason: 'the scanner found bytes 99840 and on not matching their checksum',
    })
  })
})
