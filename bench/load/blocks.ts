// The block metadata of one very large file: blocks of 128 MiB that a datanode of words reports, without a byte of data.
import { mkdtempSync, rmSync } from 'node:fs'
import os, { tmpdir } from 'node:os'
import path from 'node:path'
import { defaultSettings } from '../../common/config.ts'
import { systemEnv } from '../../common/system-env.ts'
import { startNamenode } from '../../namenode/main.ts'
import type { Block, LocatedBlockReply } from '../../proto/ports.ts'
import { ReceivedKind } from '../../proto/ports.ts'
import { connectNamenode } from '../../proto/transport/metadata-session.ts'
import { summaryOf } from './latencies.ts'
import { WireDatanode } from './wire-datanode.ts'

const blockBytes = 128 * 2 ** 20
const capacity = 2 ** 50

export async function blocks(options: { readonly count: number }): Promise<void> {
  const dir = mkdtempSync(path.join(tmpdir(), 'quarry-blocks-'))
  const namenode = await startNamenode({ settings: defaultSettings({ dir, 'replication': 1 }), env: systemEnv() })
  try {
    const user = os.userInfo().username
    const port = await connectNamenode({ uri: namenode.uri, user })
    const node = await WireDatanode.join(namenode.grpc, capacity)
    const { file } = await port.call('create', {
      path: '/large',
      permission: 0o644,
      holder: 'load',
      createParent: true,
      replication: 1,
      blockSize: blockBytes,
    })
    const fileId = file!.fileId
    let previous: Block | null = null
    const addMs: number[] = []
    const startedMs = performance.now()
    for (let i = 0; i < options.count; i++) {
      const fromMs = performance.now()
      const added: LocatedBlockReply = await port.call('addBlock', { path: '/large', fileId, holder: 'load', previous })
      addMs.push(performance.now() - fromMs)
      previous = { ...added.block!.block!, length: blockBytes }
      node.say({ received: { blocks: [{ storageUuid: node.storageUuid, block: previous, kind: ReceivedKind.RECEIVED }] } })
    }
    await port.call('complete', { path: '/large', fileId, holder: 'load', last: previous })
    const spentMs = performance.now() - startedMs
    const add = summaryOf(addMs)
    console.log(
      `${options.count} blocks (${(options.count * blockBytes) / 2 ** 30} GiB) in ${(spentMs / 1000).toFixed(2)} s; addBlock p50 ${add.p50Ms.toFixed(2)} ms, p99 ${add.p99Ms.toFixed(2)} ms`,
    )
    for (const time of ['first', 'again']) {
      const fromMs = performance.now()
      const reply = await port.call('getBlockLocations', { path: '/large', offset: 0, length: options.count * blockBytes })
      if (reply.blocks?.blocks.length !== options.count) throw new Error('not every block is located')
      console.log(`all locations, ${time}: ${(performance.now() - fromMs).toFixed(1)} ms`)
    }
    const fromMs = performance.now()
    await port.call('delete', { path: '/large', recursive: false })
    console.log(`delete: ${(performance.now() - fromMs).toFixed(1)} ms`)
    node.close()
    await port.close()
  } finally {
    await namenode.close()
    rmSync(dir, { recursive: true, force: true })
  }
}
