import { expect, it } from 'vitest'
import { SafeModeAction } from '../../../proto/ports.ts'
import { LostStamps, withRange } from './lost-stamps.ts'
import { ClusterFixture } from './testing/cluster-fixture.ts'

it('knows the stamps of the history that was taken back, over restarts, until they are given up', () => {
  let text: string | undefined = withRange(withRange(undefined, { from: 1010, to: 2000 }), { from: 2050, to: 3000 })
  const records = { load: () => text, save: (now: string) => void (text = now) }
  const known = (lost: LostStamps) => [1009, 1010, 1999, 2000, 2049, 2050, 2999, 3000].filter((stamp) => lost.has(stamp))
  const lost = new LostStamps(records)
  expect(known(lost)).toEqual([1010, 1999, 2050, 2999])
  expect(known(new LostStamps(records))).toEqual([1010, 1999, 2050, 2999])
  lost.accept()
  expect([known(lost), known(new LostStamps(records))]).toEqual([[], []])
})

it('knows none where nothing was restored, and writes nothing then', () => {
  let saved = 0
  const lost = new LostStamps({ load: () => undefined, save: () => void saved++ })
  lost.accept()
  expect([lost.has(1001), saved]).toEqual([false, 0])
})

it('replicas of the lost history hold safe mode and are deleted only after they were given up, also at the next start', () => {
  let text: string | undefined = withRange(undefined, { from: 3_000, to: 5_000 })
  const records = { load: () => text, save: (now: string) => void (text = now) }
  const cluster = new ClusterFixture({ safeMode: { threshold: 0.999, datanodesMin: 0, extensionMs: 30_000 } })
  cluster.lost = new LostStamps(records)
  const kept = cluster.addBlock(1, { replication: 1 })
  const [node] = cluster.addNodes(1, undefined, false)
  const of = { blockId: 77, genstamp: 4_000, length: 100 }
  const everything = () => node!.report([{ block: kept }, { block: of }])
  everything()
  expect(cluster.manager.safeMode()).toMatchObject({ on: true, reason: expect.stringContaining('generation stamps in future') })
  expect(cluster.manager.setSafeMode(SafeModeAction.SAFE_MODE_LEAVE).on).toBe(true)
  everything()
  expect(node!.invalidated()).toEqual([])
  expect(cluster.manager.setSafeMode(SafeModeAction.SAFE_MODE_FORCE_EXIT).on).toBe(false)
  cluster.settle()
  // The namenode asks for another report, and now knows what to do with what it names.
  everything()
  expect(node!.invalidated()).toEqual([77])
  expect(cluster.manager.liveReplicas(kept)).toBe(1)
  expect(new LostStamps(records).has(4_000)).toBe(false)
})

it('a full disk is a safe mode that ends by itself and keeps nobody from looking after replicas', async () => {
  const cluster = new ClusterFixture()
  const block = cluster.addBlock(1, { replication: 2 })
  const [one] = cluster.addNodes(2, undefined, false)
  for (const node of cluster.nodes) node.report(node === one ? [{ block }] : [])
  expect(cluster.manager.safeMode().on).toBe(false)
  cluster.manager.diskReason = 'The disk of the namenode is full'
  expect([cluster.manager.safeMode(), cluster.manager.starting]).toEqual([{ on: true, reason: 'The disk of the namenode is full' }, true])
  for (let i = 0; i < 3; i++) {
    await cluster.clock.advance(25_000)
    for (const node of cluster.nodes) cluster.manager.contact(node.node)
  }
  cluster.manager.redundancyRound()
  cluster.settle()
  expect(one!.copies().map((copy) => copy.blockId)).toEqual([1])
  cluster.manager.diskReason = ''
  expect([cluster.manager.safeMode().on, cluster.manager.starting]).toEqual([false, false])
})

it('replicas of the lost history that are reported after safe mode has ended are kept as well', () => {
  let text: string | undefined = withRange(undefined, { from: 3_000, to: 5_000 })
  const cluster = new ClusterFixture()
  cluster.lost = new LostStamps({ load: () => text, save: (now: string) => void (text = now) })
  const [node] = cluster.addNodes(1)
  expect(cluster.manager.safeMode().on).toBe(false)
  const orphans = [2_999, 3_000, 4_999].map((genstamp) => ({ block: { blockId: genstamp, genstamp, length: 100 } }))
  for (let i = 0; i < 3; i++) node!.report(orphans)
  expect(new Set(node!.invalidated())).toEqual(new Set([2_999]))
  cluster.manager.setSafeMode(SafeModeAction.SAFE_MODE_FORCE_EXIT)
  node!.report(orphans)
  expect(new Set(node!.invalidated())).toEqual(new Set([2_999, 3_000, 4_999]))
})
