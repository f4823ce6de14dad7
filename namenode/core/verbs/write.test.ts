import { describe, expect, it } from 'vitest'
import type { Block } from '../../../proto/ports.ts'
import { Harness } from '../testing/harness.ts'

async function opened(request: object = {}): Promise<Harness> {
  const quarry = new Harness()
  await quarry.call('create', { path: '/f', ...request })
  return quarry
}
const add = async (quarry: Harness, previous: Block | null = null) => (await quarry.call('addBlock', { path: '/f', previous })).block!
const at = (block: { block: Block | null }, length: number): Block => ({ ...block.block!, length })

describe('addBlock', () => {
  it('commits the block before and places the next', async () => {
    const quarry = await opened()
    const first = await add(quarry)
    expect(first).toMatchObject({ block: { blockId: 2 ** 30 + 1, genstamp: 1001, length: 0 }, offset: 0 })
    expect(first.locations.map((location) => location.datanode!.uuid)).toEqual(['dn-0', 'dn-1', 'dn-2'])
    const second = await add(quarry, at(first, 1 << 20))
    expect(second).toMatchObject({ block: { blockId: 2 ** 30 + 2, genstamp: 1002 }, offset: 1 << 20 })
    expect(await quarry.stat('/f')).toMatchObject({ length: 1 << 20 })
    expect(quarry.cluster.effects.map((effect) => effect.kind)).toEqual(['block-allocated', 'block-allocated', 'block-committed'])
  })

  it('returns the same block to a retry whose first answer was lost', async () => {
    const quarry = await opened()
    const first = await add(quarry)
    expect((await add(quarry)).block).toEqual(first.block)
    const second = await add(quarry, at(first, 100))
    expect((await add(quarry, at(first, 100))).block).toEqual(second.block)
    expect(quarry.store.tx.counters().blocks).toBe(2)
    await quarry.call('fsync', { path: '/f', lastBlockLength: 5 })
    expect((await quarry.fails('addBlock', { path: '/f', previous: at(first, 100) })).message).toContain('Request looked like a retry')
  })

  it('refuses a previous block that is not in the file, and other writers', async () => {
    const quarry = await opened()
    const first = await add(quarry)
    expect((await quarry.fails('addBlock', { path: '/f', previous: { blockId: 1, genstamp: 1, length: 1 } })).message).toContain(
      'does not match actual last block in file blk_1073741825_1001',
    )
    expect((await quarry.fails('addBlock', { path: '/f', previous: { ...at(first, 5), genstamp: 999 } })).code).toBe('INVALID_ARGUMENT')
    expect((await quarry.fails('addBlock', { path: '/f', previous: at(first, (1 << 20) + 1) })).message).toContain('longer than')
    expect(await quarry.fails('addBlock', { path: '/f', holder: 'eve', previous: at(first, 5) })).toMatchObject({
      code: 'LEASE_EXPIRED',
      message: 'Client (=eve) is not the lease owner (=writer: /f (inode 16386) Holder eve does not have any open files.',
    })
    expect((await quarry.fails('addBlock', { path: '/no' })).code).toBe('NOT_FOUND')
    await quarry.write('/closed')
    expect((await quarry.fails('addBlock', { path: '/closed' })).message).toContain('File is not open for writing: /closed')
  })

  it('says of each node why it was not taken', async () => {
    const quarry = await opened()
    expect(await quarry.fails('addBlock', { path: '/f', excluded: ['dn-0', 'dn-1', 'dn-2'] })).toMatchObject({
      code: 'NO_TARGETS',
      message:
        'File /f could only be written to 0 of the 1 minReplication nodes. There are 3 datanode(s) running and 3 node(s) are excluded in this operation. dn-0: excluded by the client; dn-1: excluded by the client; dn-2: excluded by the client',
    })
    const empty = new Harness({ datanodes: 0 })
    await empty.call('create', { path: '/f' })
    expect((await empty.fails('addBlock', { path: '/f' })).message).toContain('no datanode is registered')
  })

  it('stops at the limit of blocks', async () => {
    const quarry = new Harness({ settings: { 'blocks.per.file.max': 1 } })
    await quarry.call('create', { path: '/f' })
    const first = await add(quarry)
    expect((await quarry.fails('addBlock', { path: '/f', previous: at(first, 5) })).code).toBe('TOO_MANY_BLOCKS')
  })
})

describe('abandonBlock', () => {
  it('drops the last block and its charge, once', async () => {
    const quarry = await opened()
    const first = await add(quarry)
    await quarry.call('abandonBlock', { path: '/f', block: first.block! })
    await quarry.call('abandonBlock', { path: '/f', block: first.block! })
    expect(await quarry.call('getContentSummary', { path: '/' })).toMatchObject({ spaceConsumed: 0 })
    expect((await add(quarry)).block!.blockId).toBe(first.block!.blockId + 1)
  })
})

describe('complete', () => {
  it('closes with the length that the writer gives, and again for a retry', async () => {
    const quarry = await opened()
    const first = await add(quarry)
    await quarry.clock.advance(1000)
    expect(await quarry.call('complete', { path: '/f', last: at(first, 77) })).toEqual({ value: true })
    expect(await quarry.call('complete', { path: '/f', last: at(first, 77) })).toEqual({ value: true })
    expect(await quarry.stat('/f')).toMatchObject({ length: 77, underConstruction: false, mtimeMs: quarry.clock.nowMs() })
    expect((await quarry.fails('complete', { path: '/f', last: null })).code).toBe('LEASE_EXPIRED')
    expect(quarry.engine.leases.openFiles).toBe(0)
  })

  it('drops a last block that got no byte', async () => {
    const quarry = await opened()
    const first = await add(quarry)
    await quarry.call('complete', { path: '/f', last: at(first, 0) })
    expect(await quarry.stat('/f')).toMatchObject({ length: 0, underConstruction: false })
    expect(quarry.store.tx.counters().blocks).toBe(0)
  })

  it('refuses a stale generation stamp and a length below what was made durable', async () => {
    const quarry = await opened()
    const first = await add(quarry)
    await quarry.call('fsync', { path: '/f', lastBlockLength: 50 })
    expect(await quarry.stat('/f')).toMatchObject({ length: 50, underConstruction: true })
    expect((await quarry.fails('complete', { path: '/f', last: { ...at(first, 60), genstamp: 1000 } })).code).toBe('STALE_GENERATION')
    expect((await quarry.fails('complete', { path: '/f', last: at(first, 49) })).message).toContain('shorter than what was made durable')
    expect((await quarry.fails('complete', { path: '/f', last: null })).code).toBe('STALE_GENERATION')
  })
})

describe('a pipeline that lost a node', () => {
  it('goes on under a new generation stamp, which counts only when the pipeline is updated', async () => {
    const quarry = await opened()
    const first = await add(quarry)
    const renewed = (await quarry.call('updateBlockForPipeline', { block: first.block! })).block!.block!
    expect(renewed.genstamp).toBe(1002)
    expect(quarry.store.tx.block(renewed.blockId)!.genstamp).toBe(1001)
    const update = { oldBlock: first.block!, newBlock: { ...renewed, length: 30 }, datanodes: ['dn-1', 'dn-2'], storages: ['ds-1', 'ds-2'] }
    await quarry.call('updatePipeline', update)
    expect(quarry.cluster.effects.at(-1)).toMatchObject({
      kind: 'pipeline-updated',
      block: { genstamp: 1002, length: 30 },
      targets: [{ storageUuid: 'ds-1' }, { storageUuid: 'ds-2' }],
    })
    expect((await quarry.fails('updatePipeline', update)).message).toContain('does not have a larger generation stamp')
    expect((await quarry.fails('updatePipeline', { ...update, newBlock: { ...renewed, genstamp: 5000 } })).code).toBe('INVALID_ARGUMENT')
    expect((await quarry.fails('complete', { path: '/f', last: at(first, 40) })).code).toBe('STALE_GENERATION')
    expect(await quarry.call('complete', { path: '/f', last: { ...renewed, length: 40 } })).toEqual({ value: true })
  })

  it('goes on with a datanode that is dead to the namenode; with none that is live it is asked to try again', async () => {
    const quarry = await opened()
    const first = await add(quarry)
    const renewed = (await quarry.call('updateBlockForPipeline', { block: first.block! })).block!.block!
    const update = { oldBlock: first.block!, newBlock: { ...renewed, length: 30 }, datanodes: ['gone', 'dn-2'], storages: ['ds-9', 'ds-2'] }
    const fails = await quarry.fails('updatePipeline', { ...update, datanodes: ['gone', 'also-gone'] })
    expect(fails.code).toBe('RETRY_LATER')
    await quarry.call('updatePipeline', update)
    expect(quarry.cluster.effects.at(-1)).toMatchObject({ kind: 'pipeline-updated', targets: [{ storageUuid: 'ds-2' }] })
  })

  it('may ask for a stamp that it never uses', async () => {
    const quarry = await opened()
    const first = await add(quarry)
    await quarry.call('updateBlockForPipeline', { block: first.block! })
    expect(await quarry.call('complete', { path: '/f', last: at(first, 40) })).toEqual({ value: true })
    expect((await quarry.fails('updateBlockForPipeline', { block: first.block! })).code).toBe('LEASE_EXPIRED')
  })

  it('gets another node besides those it has', async () => {
    const quarry = new Harness({ datanodes: 4 })
    await quarry.call('create', { path: '/f' })
    const first = await add(quarry)
    const request = { path: '/f', block: first.block!, existing: ['dn-0', 'dn-1'], excluded: ['dn-2'], wanted: 1 }
    const { block } = await quarry.call('additionalDatanode', request)
    expect(block!.locations.map((location) => location.datanode!.uuid)).toEqual(['dn-0', 'dn-1', 'dn-3'])
    expect((await quarry.fails('additionalDatanode', { ...request, excluded: ['dn-2', 'dn-3'] })).code).toBe('NO_TARGETS')
  })

  it("is nobody else's", async () => {
    const quarry = await opened()
    const first = await add(quarry)
    expect((await quarry.fails('updateBlockForPipeline', { block: first.block!, holder: 'eve' })).message).toContain(
      'is accessed by a non lease holder eve',
    )
  })
})

describe('append', () => {
  it('reopens a partial last block at its length and charges it in full', async () => {
    const quarry = new Harness()
    await quarry.write('/f', [100])
    const { lastBlock, file } = await quarry.call('append', { path: '/f' })
    expect(lastBlock).toMatchObject({ block: { genstamp: 1001, length: 100 }, offset: 0 })
    expect(file).toMatchObject({ length: 100, underConstruction: true })
    expect(await quarry.call('getContentSummary', { path: '/' })).toMatchObject({ length: 100, spaceConsumed: 3 << 20 })
    expect((await quarry.call('getBlockLocations', { path: '/f' })).blocks).toMatchObject({
      fileLength: 0,
      underConstruction: true,
      lastBlockComplete: false,
      lastBlock: { block: { length: 100 } },
      blocks: [],
    })
    await quarry.call('complete', { path: '/f', last: { ...lastBlock!.block!, length: 150 } })
    expect(await quarry.call('getContentSummary', { path: '/' })).toMatchObject({ length: 150, spaceConsumed: 450 })
  })

  it('asks for a new block when the last is full, or when told to', async () => {
    const quarry = new Harness()
    await quarry.write('/full', [1 << 20])
    expect((await quarry.call('append', { path: '/full' })).lastBlock).toBeNull()
    const { block } = await quarry.call('addBlock', { path: '/full' })
    expect(block!.offset).toBe(1 << 20)
    await quarry.write('/f', [100])
    expect((await quarry.call('append', { path: '/f', newBlock: true })).lastBlock).toBeNull()
    const next = (await quarry.call('addBlock', { path: '/f' })).block!
    await quarry.call('complete', { path: '/f', last: { ...next.block!, length: 5 } })
    expect(await quarry.stat('/f')).toMatchObject({ length: 105 })
  })

  it('refuses what cannot be appended to', async () => {
    const quarry = new Harness()
    await quarry.call('mkdirs', { path: '/d' })
    await quarry.write('/f', [100])
    expect((await quarry.fails('append', { path: '/d' })).message).toBe('Cannot append to directory /d; already exists as a directory.')
    expect((await quarry.fails('append', { path: '/no' })).message).toBe('Failed to append to non-existent file /no for client 127.0.0.1')
    quarry.cluster.live.set(2 ** 30 + 1, 0)
    expect((await quarry.fails('append', { path: '/f' })).code).toBe('RETRY_LATER')
    quarry.cluster.live.clear()
    await quarry.call('append', { path: '/f', holder: 'one' })
    expect((await quarry.fails('append', { path: '/f', holder: 'two' })).message).toBe(
      'Failed to APPEND_FILE /f for two on 127.0.0.1 because this file lease is currently owned by one on 127.0.0.1',
    )
  })
})
