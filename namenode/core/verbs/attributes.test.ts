import { describe, expect, it } from 'vitest'
import { Harness } from '../testing/harness.ts'

describe('attributes', () => {
  it('change what is asked for and leave the rest', async () => {
    const quarry = new Harness()
    await quarry.write('/f')
    const before = (await quarry.stat('/f'))!
    await quarry.call('setPermission', { path: '/f', permission: 0o100600 })
    await quarry.call('setOwner', { path: '/f', owner: 'bob' })
    await quarry.call('setTimes', { path: '/f', mtimeMs: 5 })
    expect(await quarry.stat('/f')).toEqual({ ...before, permission: 0o600, owner: 'bob', mtimeMs: 5 })
    await quarry.call('setOwner', { path: '/f', group: 'staff' })
    await quarry.call('setTimes', { path: '/f', atimeMs: 7 })
    expect(await quarry.stat('/f')).toEqual({ ...before, permission: 0o600, owner: 'bob', group: 'staff', mtimeMs: 5, atimeMs: 7 })
  })

  it('are refused where there is nothing', async () => {
    const quarry = new Harness()
    expect((await quarry.fails('setPermission', { path: '/no', permission: 0 })).message).toBe('Directory/File does not exist /no')
    expect((await quarry.fails('setOwner', { path: '/no', owner: 'x' })).message).toBe('Directory/File does not exist /no')
    expect((await quarry.fails('setTimes', { path: '/no', mtimeMs: 1 })).message).toBe('File/Directory /no does not exist.')
    expect(await quarry.call('setReplication', { path: '/no', replication: 2 })).toEqual({ value: false })
  })

  it('of replication tell the block layer, and are false for a directory', async () => {
    const quarry = new Harness()
    await quarry.write('/d/f', [10])
    expect(await quarry.call('setReplication', { path: '/d', replication: 2 })).toEqual({ value: false })
    expect(await quarry.call('setReplication', { path: '/d/f', replication: 2 })).toEqual({ value: true })
    expect(quarry.cluster.effects.at(-1)).toMatchObject({ kind: 'replication-changed', replication: 2, blocks: [{ length: 10 }] })
    expect(await quarry.call('getContentSummary', { path: '/' })).toMatchObject({ spaceConsumed: 20 })
  })

  it('of quotas are checked', async () => {
    const quarry = new Harness()
    await quarry.write('/f')
    expect((await quarry.fails('setQuota', { path: '/f', names: 1 })).message).toBe("`/f': Is not a directory")
    expect((await quarry.fails('setQuota', { path: '/no', names: 1 })).message).toBe('Directory does not exist: /no')
    expect((await quarry.fails('setQuota', { path: '/', names: 0 })).message).toBe('Illegal value for nsQuota or ssQuota : 0 and -2')
    expect((await quarry.fails('setQuota', { path: '/', names: -1 })).message).toBe('Cannot clear namespace quota on root.')
    await quarry.call('setQuota', { path: '/', names: 10, space: 5 })
    expect(await quarry.call('getContentSummary', { path: '/' })).toMatchObject({ quota: 10, spaceQuota: 5 })
  })
})
