import { describe, expect, it } from 'vitest'
import { Harness } from '../testing/harness.ts'

describe('truncate', () => {
  it('drops blocks beyond a boundary', async () => {
    const quarry = new Harness()
    await quarry.write('/f', [1000, 500, 300])
    expect(await quarry.call('truncate', { path: '/f', newLength: 1800 })).toEqual({ value: true })
    expect(await quarry.call('truncate', { path: '/f', newLength: 1500 })).toEqual({ value: true })
    expect(await quarry.stat('/f')).toMatchObject({ length: 1500 })
    expect(quarry.cluster.effects.at(-1)).toMatchObject({ kind: 'blocks-deleted', blocks: [{ length: 300 }] })
    await quarry.call('truncate', { path: '/f', newLength: 0 })
    expect(await quarry.call('getContentSummary', { path: '/' })).toMatchObject({ length: 0, spaceConsumed: 0 })
    expect(quarry.store.tx.counters().blocks).toBe(0)
  })

  it('inside a block takes the copied part that the client names, in one step', async () => {
    const quarry = new Harness()
    const { fileId } = await quarry.write('/f', [1000, 500, 300])
    const error = await quarry.fails('truncate', { path: '/f', newLength: 1200 })
    const [, cut] = quarry.store.tx.blocks(fileId)
    expect(error).toMatchObject({ code: 'UNSUPPORTED', details: { blockId: cut!.blockId, start: 1000 } })
    await quarry.write('/tail', [200], { replication: 2 })
    const request = { path: '/f', newLength: 1200, tailPath: '/tail' }
    expect((await quarry.fails('truncate', { ...request, tailOfBlock: 5 })).code).toBe('RETRY_LATER')
    expect((await quarry.fails('truncate', { ...request, newLength: 1201, tailOfBlock: cut!.blockId })).message).toContain(
      'must be one block of 201 bytes',
    )
    expect(await quarry.call('truncate', { ...request, tailOfBlock: cut!.blockId })).toEqual({ value: true })
    expect(await quarry.names('/')).toEqual(['f'])
    expect(quarry.store.tx.blocks(fileId).map((block) => [block.index, block.length])).toEqual([
      [0, 1000],
      [1, 200],
    ])
    expect(await quarry.call('getContentSummary', { path: '/' })).toMatchObject({ length: 1200, spaceConsumed: 3600, files: 1 })
    expect(quarry.cluster.effects.filter((effect) => effect.kind === 'replication-changed')).toHaveLength(1)
  })

  it('refuses to grow and directories', async () => {
    const quarry = new Harness()
    await quarry.write('/d/f', [10])
    expect((await quarry.fails('truncate', { path: '/d/f', newLength: 11 })).message).toBe(
      'Cannot truncate to a larger file size. Current size: 10, truncate size: 11.',
    )
    expect((await quarry.fails('truncate', { path: '/d', newLength: 0 })).message).toBe('Path is not a file: /d')
    expect((await quarry.fails('truncate', { path: '/no', newLength: 0 })).message).toBe('File does not exist: /no')
  })
})

describe('concat', () => {
  it('moves the blocks of the sources to the end of the target', async () => {
    const quarry = new Harness()
    const target = await quarry.write('/d/t', [1000])
    await quarry.write('/d/a', [10, 20], { replication: 1 })
    await quarry.write('/d/b', [30])
    await quarry.call('concat', { target: '/d/t', sources: ['/d/b', '/d/a'] })
    expect(await quarry.names('/d')).toEqual(['t'])
    expect(quarry.store.tx.blocks(target.fileId).map((block) => block.length)).toEqual([1000, 30, 10, 20])
    expect(await quarry.call('getContentSummary', { path: '/' })).toMatchObject({ length: 1060, spaceConsumed: 3180, files: 1 })
  })

  it('fills an empty file', async () => {
    const quarry = new Harness()
    await quarry.write('/d/t')
    await quarry.write('/d/a', [10, 20])
    await quarry.call('concat', { target: '/d/t', sources: ['/d/a'] })
    expect(await quarry.call('getContentSummary', { path: '/' })).toMatchObject({ length: 30, files: 1 })
  })

  it('refuses what HDFS refuses', async () => {
    const quarry = new Harness()
    await quarry.write('/d/t', [10])
    await quarry.write('/d/a', [10])
    await quarry.write('/d/empty')
    await quarry.write('/e/x', [10])
    await quarry.write('/d/big', [10], { blockSize: 2 << 20 })
    const fails = async (target: string, ...sources: string[]) => (await quarry.fails('concat', { target, sources })).message
    expect(await fails('/d/t')).toBe('No sources given')
    expect(await fails('/d/t', '/e/x')).toContain('is not in the same directory')
    expect(await fails('/d/t', '/d/t')).toContain('is the same with the target file')
    expect(await fails('/d/t', '/d/a', '/d/a')).toBe('concat: at least two of the source files are the same')
    expect(await fails('/d/t', '/d/empty')).toBe('concat: source file /d/empty is invalid or empty or underConstruction')
    expect(await fails('/d/t', '/d/big')).toContain('greater than the target file')
    expect(await fails('/d/t', '/d/no')).toBe('File does not exist: /d/no')
  })
})
