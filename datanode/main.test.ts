// Whole datanodes over loopback, with a namenode that only keeps their sessions.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Closer } from '../common/closer.ts'
import { defaultSettings } from '../common/config.ts'
import { silentLogger } from '../common/env.ts'
import type { Settings } from '../common/options.ts'
import { systemEnv } from '../common/system-env.ts'
import { DatanodeClients } from '../proto/transport/datanode-client.ts'
import type { DatanodeClient } from '../proto/transport/datanode-client.ts'
import { startDatanode } from './main.ts'
import type { RunningDatanode } from './main.ts'
import { patternBytes, readWhole, writeWhole, location } from './testing/blocks.ts'
import { FakeNamenode } from './testing/fake-namenode.ts'

let closer = new Closer()
afterEach(async () => {
  const closing = closer
  closer = new Closer()
  await closing.close()
})

function temporary(): string {
  const dir = mkdtempSync(join(tmpdir(), 'quarry-datanode-'))
  closer.add(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

async function datanode(namenode: FakeNamenode, settings: Partial<Settings> = {}): Promise<RunningDatanode> {
  return closer.use(await startDatanode({ settings: defaultSettings({ dir: temporary(), reserved: 0, namenode: namenode.uri, ...settings }), env: systemEnv(silentLogger) }))
}

function client(node: RunningDatanode): DatanodeClient {
  const clients = closer.use(new DatanodeClients())
  return clients.get({ ip: '127.0.0.1', grpcPort: Number(node.grpc.split(':')[1]) })
}

const block = { blockId: 1073741825, genstamp: 1001, length: 0 }

describe('one datanode', () => {
  it('takes a block, reports it before the last ack, and gives every byte back', async () => {
    const namenode = closer.use(await FakeNamenode.start())
    const node = await datanode(namenode)
    const data = patternBytes(3 * 1024 * 1024 + 777)
    await writeWhole(client(node), { poolId: namenode.poolId, block }, data)
    await namenode.hear((message) => message.received?.blocks.some((one) => one.kind === 0 && one.block?.blockId === block.blockId && one.block.length === data.length) ?? false)
    expect((await readWhole(client(node), namenode.poolId, block, 0, data.length)).equals(data)).toBe(true)
    expect((await readWhole(client(node), namenode.poolId, block, 1000, 2_000_000)).equals(data.subarray(1000, 2_001_000))).toBe(true)
  })
})

describe('three datanodes', () => {
  it('hold the same bytes when the last packet is acknowledged', async () => {
    const namenode = closer.use(await FakeNamenode.start())
    const nodes = await Promise.all([datanode(namenode), datanode(namenode), datanode(namenode)])
    const data = patternBytes(2 * 1024 * 1024 + 5)
    await writeWhole(client(nodes[0]!), { poolId: namenode.poolId, block, targets: nodes.slice(1).map(location) }, data)
    for (const node of nodes) expect((await readWhole(client(node), namenode.poolId, block, 0, data.length)).equals(data)).toBe(true)
  })
})
