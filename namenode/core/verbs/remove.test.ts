import { describe, expect, it } from 'vitest'
import { Harness } from '../testing/harness.ts'

describe('delete', () => {
  it('tells whether there was something, and wants to be asked for whole trees', async () => {
    const quarry = new Harness()
    await quarry.write('/d/f', [5])
    expect(await quarry.call('delete', { path: '/nothing' })).toEqual({ value: false })
    expect(await quarry.fails('delete', { path: '/d', recursive: false })).toMatchObject({
      code: 'NOT_EMPTY',
      message: "`/d is non empty': Directory is not empty",
    })
    expect(await quarry.call('delete', { path: '/d' })).toEqual({ value: true })
    expect(await quarry.call('delete', { path: '/' })).toEqual({ value: false })
    expect(quarry.store.tx.counters()).toMatchObject({ files: 0, directories: 1, blocks: 0 })
  })

  it('takes the lease away from a writer', async () => {
    const quarry = new Harness()
    const { file } = await quarry.call('create', { path: '/d/f' })
    const { block } = await quarry.call('addBlock', { path: '/d/f' })
    await quarry.call('delete', { path: '/d' })
    expect(quarry.engine.leases.openFiles).toBe(0)
    expect((await quarry.fails('complete', { path: '/d/f', fileId: file!.fileId, last: { ...block!.block!, length: 1 } })).code).toBe(
      'NOT_FOUND',
    )
  })
})

describe('delete of a large tree', () => {
  it('takes it out at once, removes its records part by part, and its writers are out', async () => {
    const quarry = new Harness({ removeAtOnceMax: 3 })
    for (const n of [1, 2, 3, 4, 5]) await quarry.write(`/d/${n}/f`, [10])
    const { file } = await quarry.call('create', { path: '/d/6/open' })
    const { block } = await quarry.call('addBlock', { path: '/d/6/open' })
    await quarry.call('mkdirs', { path: '/kept' })
    expect(await quarry.call('delete', { path: '/d' })).toEqual({ value: true })
    expect(quarry.store.tx.counters()).toMatchObject({ files: 0, directories: 2, blocks: 6 })
    expect(await quarry.names('/')).toEqual(['kept'])
    expect(await quarry.call('getContentSummary', { path: '/' })).toEqual({
      length: 0,
      files: 0,
      directories: 2,
      spaceConsumed: 0,
      quota: -1,
      spaceQuota: -1,
      types: [],
      erasureCodingPolicy: '',
    })
    expect((await quarry.fails('complete', { path: '/d/6/open', fileId: file!.fileId, last: { ...block!.block!, length: 1 } })).code).toBe(
      'NOT_FOUND',
    )
    expect((await quarry.fails('updateBlockForPipeline', { block: block!.block! })).code).toBe('LEASE_EXPIRED')
    quarry.engine.close()
    quarry.engine = quarry.newEngine()
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(quarry.store.tx.counters().blocks).toBe(0)
    expect(quarry.store.tx.openFiles(0, 10)).toEqual([])
    expect(quarry.engine.leases.openFiles).toBe(0)
    const deleted = quarry.cluster.effects.flatMap((effect) => (effect.kind === 'blocks-deleted' ? effect.blocks : []))
    expect(new Set(deleted.map((one) => one.blockId)).size).toBe(6)
  })
})

describe('rename, the first of Hadoop', () => {
  it('moves into an existing directory, and says false to what is ordinary', async () => {
    const quarry = new Harness()
    await quarry.write('/f')
    await quarry.write('/g')
    await quarry.call('mkdirs', { path: '/d/sub' })
    const rename = async (source: string, target: string): Promise<boolean> => (await quarry.call('rename', { source, target })).value
    expect(await rename('/f', '/d')).toBe(true)
    expect(await quarry.names('/d')).toEqual(['f', 'sub'])
    expect(await rename('/missing', '/x')).toBe(false)
    expect(await rename('/g', '/no/where')).toBe(false)
    expect(await rename('/g', '/d/f')).toBe(false)
    expect(await rename('/g', '/g')).toBe(true)
    expect(await rename('/d', '/d')).toBe(false)
    expect(await rename('/d', '/d/sub/deep')).toBe(false)
    expect(await rename('/d', '/dd')).toBe(true)
    expect(await rename('/', '/dd')).toBe(false)
    expect(await quarry.names('/')).toEqual(['dd', 'g'])
  })

  it('keeps the writer of an open file', async () => {
    const quarry = new Harness()
    const { file } = await quarry.call('create', { path: '/d/f' })
    await quarry.call('rename', { source: '/d', target: '/e' })
    const { block } = await quarry.call('addBlock', { path: '/d/f', fileId: file!.fileId })
    await quarry.call('complete', { path: '/d/f', fileId: file!.fileId, last: { ...block!.block!, length: 8 } })
    expect(await quarry.stat('/e/f')).toMatchObject({ length: 8, underConstruction: false })
  })
})

describe('rename2, the strict one', () => {
  it('says what is wrong', async () => {
    const quarry = new Harness()
    await quarry.write('/f')
    await quarry.write('/g')
    await quarry.write('/full/x')
    await quarry.call('mkdirs', { path: '/d' })
    const fails = async (source: string, target: string, overwrite = false) => {
      const { code, message } = await quarry.fails('rename2', { source, target, overwrite })
      return [code, message]
    }
    expect(await fails('/missing', '/x')).toEqual(['NOT_FOUND', 'rename source /missing is not found.'])
    expect(await fails('/f', '/g')).toEqual(['ALREADY_EXISTS', 'rename destination /g already exists'])
    expect(await fails('/f', '/f')).toEqual(['ALREADY_EXISTS', 'The source /f and destination /f are the same'])
    expect(await fails('/f', '/d', true)).toEqual(['IS_A_DIRECTORY', 'Source /f and destination /d must both be directories or files'])
    expect(await fails('/d', '/f', true)).toEqual(['NOT_A_DIRECTORY', 'Source /d and destination /f must both be directories or files'])
    expect(await fails('/d', '/full', true)).toEqual(['NOT_EMPTY', 'rename destination directory is not empty: /full'])
    expect(await fails('/d', '/d/e')).toEqual(['INVALID_ARGUMENT', 'Rename destination /d/e is a directory or file under source /d'])
    expect(await fails('/f', '/no/where')).toEqual(['NOT_FOUND', 'rename destination parent /no/where not found.'])
    expect(await fails('/f', '/g/h')).toEqual(['NOT_A_DIRECTORY', 'rename destination parent /g/h is a file.'])
    expect(await fails('/', '/x')).toEqual(['INVALID_ARGUMENT', 'rename source cannot be the root'])
    expect(await fails('/f', '/', true)).toEqual(['INVALID_ARGUMENT', 'rename destination cannot be the root'])
  })

  it('replaces a file or an empty directory, also from inside it', async () => {
    const quarry = new Harness()
    const f = await quarry.write('/f', [4])
    await quarry.write('/g', [5])
    await quarry.call('rename2', { source: '/f', target: '/g', overwrite: true })
    expect(await quarry.stat('/g')).toMatchObject({ fileId: f.fileId, length: 4 })
    await quarry.call('mkdirs', { path: '/a' })
    await quarry.call('mkdirs', { path: '/b' })
    await quarry.call('rename2', { source: '/a', target: '/b', overwrite: true })
    expect(await quarry.names('/')).toEqual(['b', 'g'])
    expect(await quarry.call('getContentSummary', { path: '/' })).toMatchObject({ files: 1, directories: 2, length: 4 })
  })
})
