// integrity.md, Idempotence: of HDFS's 29 at-most-once calls those that exist here. A repeated call gets the first answer and does
// nothing, from the retry cache and, after a restart, from the edits. addBlock and complete are safe by rules of their own.
import { describe, expect, it } from 'vitest'
import type { Method, Request } from '../../../proto/ports.ts'
import { XAttrNamespace } from '../../../proto/ports.ts'
import { atMostOnce } from '../commands.ts'
import { Harness } from '../testing/harness.ts'

const who = { clientId: '00112233445566778899aabbccddeeff', callId: 7 }
const again = { ...who, retryCount: 1 }
const kib = 1024

interface Case<M extends Method = Method> {
  readonly method: M
  readonly prepare: (quarry: Harness) => Promise<Partial<Request<M>>>
}

const one = <M extends Method>(method: M, prepare: (quarry: Harness) => Promise<Partial<Request<M>>>): Case =>
  ({ method, prepare }) as unknown as Case

const cases: readonly Case[] = [
  one('create', async () => ({ path: '/new', holder: 'me' })),
  one('append', async (quarry) => {
    await quarry.write('/f', [kib])
    return { path: '/f', holder: 'me' }
  }),
  one('concat', async (quarry) => {
    await quarry.write('/a', [1 << 20])
    await quarry.write('/b', [kib])
    return { target: '/a', sources: ['/b'] }
  }),
  one('rename', async (quarry) => {
    await quarry.write('/from')
    return { source: '/from', target: '/to' }
  }),
  one('rename2', async (quarry) => {
    await quarry.write('/from')
    return { source: '/from', target: '/to' }
  }),
  one('delete', async (quarry) => {
    await quarry.write('/gone')
    return { path: '/gone' }
  }),
  one('truncate', async (quarry) => {
    await quarry.write('/f', [1 << 20, kib])
    return { path: '/f', newLength: 1 << 20 }
  }),
  one('setXAttr', async (quarry) => {
    await quarry.write('/f')
    return { path: '/f', xattr: { namespace: XAttrNamespace.XATTR_USER, name: 'a', value: new Uint8Array([1]) }, flag: 1 }
  }),
  one('removeXAttr', async (quarry) => {
    const xattr = { namespace: XAttrNamespace.XATTR_USER, name: 'a', value: new Uint8Array(0) }
    await quarry.write('/f')
    await quarry.call('setXAttr', { path: '/f', xattr })
    return { path: '/f', xattr }
  }),
  one('updatePipeline', async (quarry) => {
    await quarry.call('create', { path: '/f' })
    const { block } = await quarry.call('addBlock', { path: '/f' })
    const renewed = (await quarry.call('updateBlockForPipeline', { block: block!.block! })).block!.block!
    return { oldBlock: block!.block!, newBlock: { ...renewed, length: 0 }, datanodes: ['dn-0'], storages: ['ds-0'] }
  }),
]

it('covers every call that is at-most-once', () => {
  expect(new Set(cases.map(({ method }) => method))).toEqual(atMostOnce)
})

describe.each(cases)('$method', ({ method, prepare }) => {
  it.each(['in the same namenode', 'after a restart'])('repeated %s gets the first answer and changes nothing', async (where) => {
    const quarry = new Harness()
    const request = await prepare(quarry)
    const first = await quarry.call(method, request as never, who)
    const { lastTxid } = quarry.store.tx.counters()
    if (where === 'after a restart') quarry.engine = quarry.newEngine()
    const second = await quarry.call(method, request as never, again)
    expect(quarry.store.tx.counters().lastTxid).toBe(lastTxid)
    expect(JSON.parse(JSON.stringify(second))).toMatchObject(JSON.parse(JSON.stringify(first)) as object)
  })
})
