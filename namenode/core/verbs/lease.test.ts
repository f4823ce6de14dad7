import { describe, expect, it } from 'vitest'
import type { ReportedReplica } from '../model.ts'
import { Harness } from '../testing/harness.ts'

const SOFT = 60_001
const HARD = 1_200_001
const blockId = 2 ** 30 + 1
const replica = (node: number, length: number, finalised = false, genstamp = 1001): ReportedReplica => ({
  datanodeUuid: `dn-${node}`,
  storageUuid: `ds-${node}`,
  finalised,
  genstamp,
  length,
})
const recoveries = (quarry: Harness) => quarry.cluster.effects.filter((effect) => effect.kind === 'recover-block')
const settle = () => new Promise((resolve) => setTimeout(resolve, 5))

/** A file whose writer is silent, its last block open. */
async function abandoned(reported: ReportedReplica[], fsynced = 0): Promise<Harness> {
  const quarry = new Harness()
  await quarry.call('create', { path: '/f', holder: 'dead' })
  await quarry.call('addBlock', { path: '/f', holder: 'dead' })
  if (fsynced > 0) await quarry.call('fsync', { path: '/f', holder: 'dead', lastBlockLength: fsynced })
  quarry.cluster.reported.set(blockId, reported)
  return quarry
}

describe('the lease of a writer that is gone', () => {
  it('ends at once on request, when the last block never got a byte', async () => {
    const quarry = await abandoned([])
    expect(await quarry.call('recoverLease', { path: '/f' })).toEqual({ value: true })
    expect(await quarry.stat('/f')).toMatchObject({ length: 0, underConstruction: false })
    expect(await quarry.call('recoverLease', { path: '/f' })).toEqual({ value: true })
    expect(quarry.store.tx.counters().blocks).toBe(0)
  })

  it('closes the file at the length of the replicas when all are final and agree', async () => {
    const quarry = await abandoned([replica(0, 500, true), replica(1, 500, true), replica(2, 500, true)], 100)
    expect(await quarry.call('recoverLease', { path: '/f' })).toEqual({ value: true })
    expect(await quarry.stat('/f')).toMatchObject({ length: 500, underConstruction: false })
  })

  it('has the datanodes agree when replicas were being written, and closes at their answer', async () => {
    const quarry = await abandoned([replica(0, 500), replica(1, 700), replica(2, 600, false, 900)], 400)
    expect(await quarry.call('recoverLease', { path: '/f' })).toEqual({ value: false })
    expect(quarry.cluster.effects.at(-1)).toMatchObject({
      kind: 'recover-block',
      block: { blockId, genstamp: 1001 },
      genstamp: 1002,
      length: 500,
      replicas: [{ datanodeUuid: 'dn-0' }, { datanodeUuid: 'dn-1' }],
    })
    expect((await quarry.fails('addBlock', { path: '/f', holder: 'other' })).code).toBe('LEASE_EXPIRED')
    expect((await quarry.fails('updateBlockForPipeline', { block: { blockId, genstamp: 1001, length: 0 }, holder: 'dead' })).code).toBe(
      'LEASE_EXPIRED',
    )
    quarry.engine.blockRecovered({ blockId, genstamp: 1002, length: 500 })
    await settle()
    expect(await quarry.stat('/f')).toMatchObject({ length: 500, underConstruction: false })
    expect(quarry.store.tx.block(blockId)).toMatchObject({ genstamp: 1002, state: 'committed', length: 500 })
  })

  it('has the datanodes agree when one replica is not final: it would stay behind, open for ever', async () => {
    const quarry = await abandoned([replica(0, 500, true), replica(1, 500, true), replica(2, 490)], 100)
    expect(await quarry.call('recoverLease', { path: '/f' })).toEqual({ value: false })
    expect(recoveries(quarry)).toMatchObject([{ block: { blockId, genstamp: 1001 }, genstamp: 1002 }])
  })

  it('waits with an empty block while datanodes may not have reported since the namenode started', async () => {
    const quarry = await abandoned([])
    quarry.cluster.unreported.add(blockId)
    expect(await quarry.call('recoverLease', { path: '/f' })).toEqual({ value: false })
    expect(quarry.store.tx.counters().blocks).toBe(1)
    quarry.cluster.unreported.clear()
    expect(await quarry.call('recoverLease', { path: '/f' })).toEqual({ value: true })
  })

  it('tries a recovery again when nothing is heard, and takes only the answer of the last attempt', async () => {
    const quarry = await abandoned([replica(0, 500)])
    await quarry.call('recoverLease', { path: '/f' })
    await quarry.call('recoverLease', { path: '/f' })
    expect(recoveries(quarry)).toHaveLength(1)
    await quarry.clock.advance(10_000)
    await quarry.call('recoverLease', { path: '/f' })
    expect(recoveries(quarry)).toHaveLength(2)
    quarry.engine.blockRecovered({ blockId, genstamp: 1002, length: 400 })
    await settle()
    expect(await quarry.stat('/f')).toMatchObject({ underConstruction: true })
    quarry.engine.blockRecovered({ blockId, genstamp: 1003, length: 500 })
    quarry.engine.blockRecovered({ blockId, genstamp: 1003, length: 500 })
    await settle()
    expect(await quarry.stat('/f')).toMatchObject({ length: 500, underConstruction: false })
  })

  it('waits for the datanodes when bytes are known to be durable and none of them is there', async () => {
    const quarry = await abandoned([], 100)
    expect(await quarry.call('recoverLease', { path: '/f' })).toEqual({ value: false })
    expect(await quarry.stat('/f')).toMatchObject({ length: 100, underConstruction: true })
    quarry.cluster.reported.set(blockId, [replica(0, 100)])
    await quarry.call('recoverLease', { path: '/f' })
    quarry.engine.blockRecovered({ blockId, genstamp: 1002, length: 100 })
    await settle()
    expect(await quarry.stat('/f')).toMatchObject({ length: 100, underConstruction: false })
  })

  it('is taken over by an append after the soft limit', async () => {
    const quarry = await abandoned([replica(0, 500, true)])
    await quarry.clock.advance(SOFT)
    const { lastBlock } = await quarry.call('append', { path: '/f', holder: 'next' })
    expect(lastBlock!.block).toMatchObject({ blockId, length: 500 })
    expect(quarry.engine.leases.filesOf('next')).toHaveLength(1)
    expect(quarry.engine.leases.filesOf('dead')).toHaveLength(0)
  })

  it('tells an append to come back while the datanodes agree', async () => {
    const quarry = await abandoned([replica(0, 500)])
    await quarry.clock.advance(SOFT)
    expect(await quarry.fails('append', { path: '/f', holder: 'next' })).toMatchObject({
      code: 'RECOVERY_IN_PROGRESS',
      message: 'Failed to APPEND_FILE /f for next on 127.0.0.1 because lease recovery is in progress. Try again later.',
    })
    quarry.engine.blockRecovered({ blockId, genstamp: 1002, length: 500 })
    await settle()
    await quarry.call('append', { path: '/f', holder: 'next' })
  })

  it('is ended by the namenode after the hard limit', async () => {
    const quarry = await abandoned([replica(0, 500, true)])
    await quarry.call('create', { path: '/alive', holder: 'alive' })
    await quarry.clock.advance(HARD)
    await quarry.call('renewLease', { holder: 'alive' })
    quarry.engine.checkLeases()
    await settle()
    expect(await quarry.stat('/f')).toMatchObject({ length: 500, underConstruction: false })
    expect(await quarry.stat('/alive')).toMatchObject({ underConstruction: true })
    expect(await quarry.call('isFileClosed', { path: '/f' })).toEqual({ value: true })
  })

  it('survives a restart of the namenode, with a full period to come back', async () => {
    const quarry = await abandoned([])
    await quarry.clock.advance(SOFT)
    quarry.engine = quarry.newEngine()
    expect((await quarry.fails('create', { path: '/f', holder: 'next' })).code).toBe('LEASE_CONFLICT')
    await quarry.clock.advance(SOFT)
    expect((await quarry.fails('create', { path: '/f', holder: 'next' })).code).toBe('ALREADY_EXISTS')
  })
})

describe('one writer a file', () => {
  it('refuses the holder itself, and others before the soft limit, with the host of the holder', async () => {
    const quarry = await abandoned([replica(0, 500)])
    expect(await quarry.fails('create', { path: '/f', holder: 'dead' })).toMatchObject({
      code: 'LEASE_CONFLICT',
      message: 'Failed to CREATE_FILE /f for dead on 127.0.0.1 because dead is already the current lease holder.',
    })
    expect(await quarry.fails('append', { path: '/f', holder: 'next' })).toMatchObject({
      code: 'LEASE_CONFLICT',
      message: 'Failed to APPEND_FILE /f for next on 127.0.0.1 because this file lease is currently owned by dead on 127.0.0.1',
    })
  })

  it('says that a recovery is in progress, to the old holder too', async () => {
    const quarry = await abandoned([replica(0, 500)])
    await quarry.call('recoverLease', { path: '/f' })
    for (const holder of ['next', 'dead'])
      expect(await quarry.fails('append', { path: '/f', holder })).toMatchObject({
        code: 'RECOVERY_IN_PROGRESS',
        message: `Failed to APPEND_FILE /f for ${holder} on 127.0.0.1 because another recovery is in progress by dead on 127.0.0.1`,
      })
  })

  it('takes every call from a writer whose block is being recovered, also a complete() that waited for replicas', async () => {
    const quarry = await abandoned([replica(0, 500)])
    const block = { blockId, genstamp: 1001, length: 700 }
    quarry.cluster.live.set(blockId, 0)
    const closing = quarry.fails('complete', { path: '/f', holder: 'dead', last: block })
    await settle()
    await quarry.call('recoverLease', { path: '/f' })
    quarry.cluster.live.delete(blockId)
    quarry.engine.blockReported(blockId)
    expect((await closing).code).toBe('LEASE_EXPIRED')
    const refused = await Promise.all([
      quarry.fails('addBlock', { path: '/f', holder: 'dead', previous: block }),
      quarry.fails('complete', { path: '/f', holder: 'dead', last: block }),
      quarry.fails('fsync', { path: '/f', holder: 'dead', lastBlockLength: 700 }),
      quarry.fails('abandonBlock', { path: '/f', holder: 'dead', block }),
      quarry.fails('additionalDatanode', { path: '/f', holder: 'dead', block }),
      quarry.fails('updatePipeline', { holder: 'dead', oldBlock: block, newBlock: { ...block, genstamp: 1002 } }),
    ])
    expect(refused.map((error) => error.code)).toEqual(Array.from(refused, () => 'LEASE_EXPIRED'))
    quarry.engine.blockRecovered({ blockId, genstamp: 1002, length: 500 })
    await settle()
    expect(await quarry.stat('/f')).toMatchObject({ length: 500, underConstruction: false })
  })

  it('is not taken from its writer by a wall clock that jumps, nor kept alive by one', async () => {
    const quarry = await abandoned([replica(0, 500, true)])
    quarry.clock.jump(HARD)
    quarry.engine.checkLeases()
    await settle()
    expect((await quarry.fails('create', { path: '/f', holder: 'next' })).code).toBe('LEASE_CONFLICT')
    quarry.clock.jump(-2 * HARD)
    await quarry.clock.advance(SOFT)
    expect((await quarry.fails('create', { path: '/f', holder: 'next' })).code).toBe('ALREADY_EXISTS')
  })
})

describe('a recovery of a block', () => {
  it('is tried again at once when its primary failed, with doubling pauses, without anybody asking', async () => {
    const quarry = await abandoned([replica(0, 500)])
    await quarry.call('recoverLease', { path: '/f' })
    for (const [attempt, pauseMs] of [200, 400, 800].entries()) {
      quarry.engine.recoveryFailed({ blockId, genstamp: 1002 + attempt })
      quarry.engine.recoveryFailed({ blockId, genstamp: 1002 + attempt })
      await quarry.clock.advance(pauseMs - 1)
      await settle()
      expect(recoveries(quarry)).toHaveLength(attempt + 1)
      await quarry.clock.advance(1)
      await settle()
      expect(recoveries(quarry)).toHaveLength(attempt + 2)
    }
    quarry.engine.blockRecovered({ blockId, genstamp: 1004, length: 500 })
    await settle()
    expect(await quarry.stat('/f')).toMatchObject({ underConstruction: true })
    quarry.engine.blockRecovered({ blockId, genstamp: 1005, length: 500 })
    await settle()
    expect(await quarry.stat('/f')).toMatchObject({ length: 500, underConstruction: false })
  })

  it('that a restart of the namenode interrupted is begun again; answers of before are not taken', async () => {
    const quarry = await abandoned([replica(0, 500)])
    await quarry.call('recoverLease', { path: '/f' })
    quarry.engine = quarry.newEngine()
    quarry.engine.blockRecovered({ blockId, genstamp: 1002, length: 500 })
    await settle()
    expect(await quarry.stat('/f')).toMatchObject({ underConstruction: true })
    quarry.engine.checkLeases()
    await settle()
    expect(recoveries(quarry).at(-1)).toMatchObject({ genstamp: 1003 })
    quarry.engine.blockRecovered({ blockId, genstamp: 1003, length: 500 })
    await settle()
    expect(await quarry.stat('/f')).toMatchObject({ length: 500, underConstruction: false })
  })

  it('that finds no byte does not make the namenode forget what an fsync made known', async () => {
    const quarry = await abandoned([replica(0, 500)], 400)
    await quarry.call('recoverLease', { path: '/f' })
    quarry.engine.blockRecovered({ blockId, genstamp: 1002, length: 0 })
    await settle()
    expect(await quarry.stat('/f')).toMatchObject({ length: 400, underConstruction: true })
  })

  it('ends when the file is deleted', async () => {
    const quarry = await abandoned([replica(0, 500)])
    await quarry.call('recoverLease', { path: '/f' })
    await quarry.call('delete', { path: '/f' })
    expect(quarry.engine.leases.recoveries.size).toBe(0)
  })

  it('of many silent writers goes round: files that cannot be closed yet do not hold up the others', async () => {
    const quarry = new Harness()
    for (let i = 0; i < 1200; i++) {
      await quarry.call('create', { path: `/d/${i}`, holder: `h${i}` })
      if (i >= 1000) continue
      const { block } = await quarry.call('addBlock', { path: `/d/${i}`, holder: `h${i}` })
      quarry.cluster.unreported.add(block!.block!.blockId)
    }
    await quarry.clock.advance(HARD)
    quarry.engine.checkLeases()
    await settle()
    quarry.engine.checkLeases()
    await settle()
    expect(quarry.engine.leases.openFiles).toBe(1000)
  })
})

describe('the list of open files', () => {
  it('tells holder, host and age of every file below a path, in pages, to the superuser only', async () => {
    const quarry = new Harness()
    await quarry.call('create', { path: '/a/x', holder: 'one' })
    await quarry.clock.advance(5000)
    await quarry.call('create', { path: '/a/y', holder: 'two' })
    await quarry.call('create', { path: '/ab', holder: 'two' })
    await quarry.write('/closed')
    const all = await quarry.call('listOpenFiles', {})
    expect(all.files.map(({ path, holder, client }) => [path, holder, client])).toEqual([
      ['/a/x', 'one', '127.0.0.1'],
      ['/a/y', 'two', '127.0.0.1'],
      ['/ab', 'two', '127.0.0.1'],
    ])
    expect(all.files[1]!.renewedMs - all.files[0]!.renewedMs).toBe(5000)
    const first = await quarry.call('listOpenFiles', { path: '/a', limit: 1 })
    expect(first).toMatchObject({ files: [{ path: '/a/x' }], more: true })
    const rest = await quarry.call('listOpenFiles', { path: '/a', limit: 1, afterFileId: first.files[0]!.fileId })
    expect(rest).toMatchObject({ files: [{ path: '/a/y' }], more: false })
    expect((await quarry.fails('listOpenFiles', {}, { user: 'somebody' })).code).toBe('PERMISSION_DENIED')
    expect((await quarry.fails('listOpenFiles', { path: '/nowhere' })).code).toBe('NOT_FOUND')
  })

  it('can be of those files only whose last block keeps a node from leaving', async () => {
    const quarry = new Harness()
    for (const path of ['/a', '/b', '/empty']) await quarry.call('create', { path })
    const { block } = await quarry.call('addBlock', { path: '/a' })
    await quarry.call('addBlock', { path: '/b' })
    quarry.cluster.blocking.add(block!.block!.blockId)
    expect(await quarry.call('listOpenFiles', { blockingDecommission: true })).toMatchObject({ files: [{ path: '/a' }], more: false })
  })
})
