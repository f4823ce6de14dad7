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

  it('closes the file at the length of final replicas', async () => {
    const quarry = await abandoned([replica(0, 500, true), replica(1, 500, true), replica(2, 490)], 100)
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

  it('tries a recovery again when nothing is heard, and takes only the answer of the last attempt', async () => {
    const quarry = await abandoned([replica(0, 500)])
    const attempts = () => quarry.cluster.effects.filter((effect) => effect.kind === 'recover-block').length
    await quarry.call('recoverLease', { path: '/f' })
    await quarry.call('recoverLease', { path: '/f' })
    expect(attempts()).toBe(1)
    await quarry.clock.advance(10_000)
    await quarry.call('recoverLease', { path: '/f' })
    expect(attempts()).toBe(2)
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
