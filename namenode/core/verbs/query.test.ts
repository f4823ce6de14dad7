import { describe, expect, it } from 'vitest'
import { Harness } from '../testing/harness.ts'

describe('getListing', () => {
  it('pages through a directory by the name last seen', async () => {
    const quarry = new Harness()
    for (const name of ['c', 'a', 'b']) await quarry.write(`/d/${name}`)
    const page = await quarry.call('getListing', { path: '/d', limit: 2 })
    expect({ entries: page.entries, more: page.more, exists: page.exists, isFile: page.isFile }).toEqual({
      entries: 2,
      more: true,
      exists: true,
      isFile: false,
    })
    expect(await quarry.call('getListing', { path: '/d', startAfter: 'b', limit: 2 })).toMatchObject({ entries: 1, more: false })
    expect(await quarry.call('getListing', { path: '/d', startAfter: 'c' })).toMatchObject({ exists: true, entries: 0 })
  })

  it('of a file is one entry without a name, of nothing does not exist', async () => {
    const quarry = new Harness()
    await quarry.write('/f', [5])
    expect(await quarry.call('getListing', { path: '/f' })).toMatchObject({
      exists: true,
      isFile: true,
      entries: 1,
      nameLengths: [0],
      length: [5],
    })
    expect(await quarry.call('getListing', { path: '/no' })).toMatchObject({ exists: false, entries: 0 })
  })

  it('carries locations for every file, also an empty one, and none for directories', async () => {
    const quarry = new Harness()
    await quarry.write('/d/empty')
    await quarry.write('/d/full', [5, 6])
    await quarry.call('mkdirs', { path: '/d/sub' })
    const { locations } = await quarry.call('getListing', { path: '/d', needLocations: true })
    expect(locations.map((one) => one.blocks.map((block) => block.block!.length))).toEqual([[], [5, 6]])
    expect(locations[0]).toMatchObject({ lastBlock: null, lastBlockComplete: false })
  })
})

describe('getBlockLocations', () => {
  it('gives the blocks that overlap the range', async () => {
    const quarry = new Harness()
    await quarry.write('/f', [100, 50, 30])
    const offsets = async (offset: number, length: number) =>
      (await quarry.call('getBlockLocations', { path: '/f', offset, length })).blocks!.blocks.map((block) => block.offset)
    expect(await offsets(0, 1000)).toEqual([0, 100, 150])
    expect(await offsets(100, 1)).toEqual([100])
    expect(await offsets(99, 2)).toEqual([0, 100])
    expect(await offsets(180, 10)).toEqual([])
    const { blocks, file } = await quarry.call('getBlockLocations', { path: '/f', offset: 0, length: 1 })
    expect(blocks).toMatchObject({
      poolId: 'BP-test',
      fileLength: 180,
      underConstruction: false,
      lastBlockComplete: true,
      lastBlock: { offset: 150, block: { length: 30 } },
    })
    expect(file).toMatchObject({ length: 180 })
  })

  it('keeps the open last block apart', async () => {
    const quarry = new Harness()
    await quarry.call('create', { path: '/f' })
    expect((await quarry.call('getBlockLocations', { path: '/f' })).blocks).toMatchObject({
      fileLength: 0,
      blocks: [],
      lastBlock: null,
      underConstruction: true,
      lastBlockComplete: false,
    })
    const { block } = await quarry.call('addBlock', { path: '/f' })
    await quarry.call('addBlock', { path: '/f', previous: { ...block!.block!, length: 70 } })
    expect((await quarry.call('getBlockLocations', { path: '/f' })).blocks).toMatchObject({
      fileLength: 70,
      blocks: [{ offset: 0 }],
      lastBlock: { offset: 70 },
      underConstruction: true,
      lastBlockComplete: false,
    })
  })

  it('refuses directories and what is missing', async () => {
    const quarry = new Harness()
    expect((await quarry.fails('getBlockLocations', { path: '/' })).message).toBe('Path is not a file: /')
    expect((await quarry.fails('getBlockLocations', { path: '/no' })).message).toBe('File does not exist: /no')
  })
})

describe('small questions', () => {
  it('are answered', async () => {
    const quarry = new Harness()
    await quarry.write('/d/f', [100])
    expect(await quarry.call('getContentSummary', { path: '/d' })).toEqual({
      length: 100,
      files: 1,
      directories: 1,
      spaceConsumed: 300,
      quota: -1,
      spaceQuota: -1,
      types: [],
      erasureCodingPolicy: '',
    })
    expect(await quarry.call('getContentSummary', { path: '/d/f' })).toMatchObject({ length: 100, files: 1, directories: 0 })
    expect(await quarry.call('isFileClosed', { path: '/d/f' })).toEqual({ value: true })
    expect(await quarry.call('getServerDefaults', {})).toMatchObject({
      blockSize: 128 << 20,
      replication: 3,
      superuser: 'root',
      supergroup: 'supergroup',
    })
    expect((await quarry.fails('checkAccess', { path: '/no', mode: 4 })).code).toBe('NOT_FOUND')
    expect((await quarry.fails('getContentSummary', { path: '/no' })).message).toBe('File does not exist: /no')
  })
})

describe('a file named by the id of its inode', () => {
  it('is found where it is now, until it is deleted', async () => {
    const quarry = new Harness()
    const { fileId } = await quarry.write('/d/f', [5])
    const path = `/.reserved/.inodes/${fileId}`
    await quarry.call('rename', { source: '/d/f', target: '/g' })
    expect((await quarry.call('getFileInfo', { path })).file).toMatchObject({ length: 5, fileId })
    await quarry.call('delete', { path: '/g' })
    expect((await quarry.fails('getFileInfo', { path })).message).toBe(`File for given inode path does not exist: ${path}`)
    expect((await quarry.fails('getFileInfo', { path: '/.reserved/.inodes/x' })).code).toBe('NOT_FOUND')
  })
})
