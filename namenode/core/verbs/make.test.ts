import { describe, expect, it } from 'vitest'
import { Harness } from '../testing/harness.ts'

describe('mkdirs', () => {
  it('makes what is missing, with the owner able to go on below', async () => {
    const quarry = new Harness()
    expect(await quarry.call('mkdirs', { path: '/a/b/c', permission: 0o500 })).toEqual({ value: true })
    expect(await quarry.stat('/a/b')).toMatchObject({ permission: 0o700, owner: 'root', group: 'supergroup', children: 1 })
    expect(await quarry.stat('/a/b/c')).toMatchObject({ permission: 0o500, children: 0 })
    expect(await quarry.call('mkdirs', { path: '/a/b/c' })).toEqual({ value: true })
  })

  it('takes the group of the directory above and the user of the call', async () => {
    const quarry = new Harness()
    await quarry.call('mkdirs', { path: '/home', permission: 0o777 })
    await quarry.call('setOwner', { path: '/home', group: 'people' })
    await quarry.call('mkdirs', { path: '/home/bob' }, { user: 'bob' })
    expect(await quarry.stat('/home/bob')).toMatchObject({ owner: 'bob', group: 'people' })
  })

  it('keeps the sticky bit and drops junk above it', async () => {
    const quarry = new Harness()
    await quarry.call('mkdirs', { path: '/tmp', permission: 0x80000000 + 0o1777 })
    expect((await quarry.stat('/tmp'))!.permission).toBe(0o1777)
  })

  it('refuses a missing parent when asked to, and files in the way', async () => {
    const quarry = new Harness()
    await quarry.write('/f')
    expect(await quarry.fails('mkdirs', { path: '/x/y', createParent: false })).toMatchObject({
      code: 'NOT_FOUND',
      message: "Parent directory doesn't exist: /x",
    })
    expect(await quarry.fails('mkdirs', { path: '/f' })).toMatchObject({ code: 'ALREADY_EXISTS', message: 'Path is not a directory: /f' })
    expect(await quarry.fails('mkdirs', { path: '/f/g' })).toMatchObject({ code: 'NOT_A_DIRECTORY', message: '/f (is not a directory)' })
  })

  it('refuses names that are too long and directories that are too full', async () => {
    const quarry = new Harness({ settings: { 'directory.entries.max': 2 } })
    expect((await quarry.fails('mkdirs', { path: `/${'ü'.repeat(128)}` })).code).toBe('NAME_TOO_LONG')
    await quarry.call('mkdirs', { path: `/${'ü'.repeat(127)}` })
    await quarry.call('mkdirs', { path: '/b' })
    expect(await quarry.fails('mkdirs', { path: '/c' })).toMatchObject({
      code: 'DIRECTORY_FULL',
      message: 'The directory item limit of / is exceeded: limit=2 items=3',
    })
  })

  it('changes nothing in safe mode', async () => {
    const quarry = new Harness()
    quarry.cluster.safeModeReason = 'Waiting for reports.'
    expect(await quarry.fails('mkdirs', { path: '/a' })).toMatchObject({
      code: 'SAFE_MODE',
      message: 'Cannot create directory /a. Name node is in safe mode.\nWaiting for reports.',
    })
    expect(await quarry.stat('/a')).toBeNull()
  })
})

describe('create', () => {
  it('opens an empty file that is visible at once', async () => {
    const quarry = new Harness()
    const { file } = await quarry.call('create', { path: '/d/f', permission: 0o1640, replication: 0, blockSize: 0 })
    expect(file).toMatchObject({
      kind: 2,
      name: '',
      length: 0,
      permission: 0o640,
      owner: 'root',
      group: 'supergroup',
      replication: 3,
      blockSize: 128 << 20,
      underConstruction: true,
    })
    expect(await quarry.stat('/d/f')).toEqual(file)
    expect(await quarry.call('complete', { path: '/d/f' })).toEqual({ value: true })
    expect(await quarry.stat('/d/f')).toEqual({ ...file, underConstruction: false })
  })

  it('replaces a file only when asked, and frees its blocks', async () => {
    const quarry = new Harness()
    const old = await quarry.write('/f', [10])
    const [block] = quarry.store.tx.blocks(old.fileId)
    expect(await quarry.fails('create', { path: '/f' })).toMatchObject({
      code: 'ALREADY_EXISTS',
      message: '/f for client 127.0.0.1 already exists',
    })
    const { file } = await quarry.call('create', { path: '/f', overwrite: true })
    expect(file!.fileId).toBeGreaterThan(old.fileId)
    expect(quarry.cluster.effects.at(-1)).toEqual({
      kind: 'blocks-deleted',
      blocks: [{ blockId: block!.blockId, genstamp: block!.genstamp, length: 10 }],
    })
  })

  it('refuses directories, missing parents and bad sizes', async () => {
    const quarry = new Harness()
    await quarry.call('mkdirs', { path: '/d' })
    expect(await quarry.fails('create', { path: '/d', overwrite: true })).toMatchObject({
      code: 'ALREADY_EXISTS',
      message: '/d already exists as a directory',
    })
    expect(await quarry.fails('create', { path: '/x/f', createParent: false })).toMatchObject({
      code: 'NOT_FOUND',
      message: "Parent directory doesn't exist: /x",
    })
    expect(await quarry.fails('create', { path: '/f', blockSize: 1000 })).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'Specified block size is less than configured minimum value (min.block.size): 1000 < 1048576',
    })
    expect((await quarry.fails('create', { path: '/f', blockSize: (1 << 20) + 1 })).code).toBe('INVALID_ARGUMENT')
    expect(await quarry.fails('create', { path: '/f', replication: 513 })).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'Requested replication factor of 513 exceeds maximum of 512 for /f',
    })
  })

  it('refuses a file that is being written until its writer has been silent for the soft limit', async () => {
    const quarry = new Harness()
    await quarry.call('create', { path: '/f', holder: 'one' })
    expect(await quarry.fails('create', { path: '/f', holder: 'two' })).toMatchObject({
      code: 'LEASE_CONFLICT',
      message: 'Failed to CREATE_FILE /f for two on 127.0.0.1 because this file lease is currently owned by one on 127.0.0.1',
    })
    expect(await quarry.fails('create', { path: '/f', holder: 'one' })).toMatchObject({
      code: 'LEASE_CONFLICT',
      message: 'Failed to CREATE_FILE /f for one on 127.0.0.1 because one is already the current lease holder.',
    })
    await quarry.clock.advance(50_000)
    await quarry.call('renewLease', { holder: 'one' })
    await quarry.clock.advance(50_000)
    expect((await quarry.fails('create', { path: '/f', holder: 'two' })).code).toBe('LEASE_CONFLICT')
    await quarry.clock.advance(20_000)
    expect((await quarry.fails('create', { path: '/f', holder: 'two' })).code).toBe('ALREADY_EXISTS')
    expect(await quarry.stat('/f')).toMatchObject({ underConstruction: false })
    expect((await quarry.fails('complete', { path: '/f', holder: 'one', last: { blockId: 1, genstamp: 1, length: 1 } })).code).toBe(
      'LEASE_EXPIRED',
    )
  })
})

describe('names', () => {
  const odd = [
    ' ',
    'a b',
    ' leading',
    'new\nline',
    'tab\t',
    '%41',
    '100%',
    'back\\slash',
    'quote"\'',
    'é',
    'e\u0301',
    '中文',
    '😀',
    '\uFF5E',
    '-rf',
    '*',
    '?[a]{b,c}',
    '\u0000',
    '\u007f',
    '...',
    '.a',
  ]

  it('may be any UTF-8 but "/", "." and "..", through every verb', async () => {
    const quarry = new Harness()
    for (const name of odd) {
      await quarry.write(`/odd/${name}`, [3])
      await quarry.call('rename', { source: `/odd/${name}`, target: `/odd/${name}.moved` })
      await quarry.call('rename2', { source: `/odd/${name}.moved`, target: `/odd/${name}` })
      expect(await quarry.stat(`/odd/${name}`)).toMatchObject({ length: 3 })
    }
    expect(await quarry.names('/odd')).toEqual(odd.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
    for (const name of odd) expect(await quarry.call('delete', { path: `/odd/${name}` })).toEqual({ value: true })
    expect(await quarry.names('/odd')).toEqual([])
  })

  it('are refused clearly otherwise', async () => {
    const quarry = new Harness()
    for (const path of ['', 'relative', '/a/../b', '/.', '//a', '/\ud800']) {
      expect((await quarry.fails('mkdirs', { path })).code).toBe('INVALID_PATH')
    }
  })
})

describe('quotas', () => {
  it('refuse one name too many, with the text of HDFS', async () => {
    const quarry = new Harness()
    await quarry.call('mkdirs', { path: '/q' })
    await quarry.call('setQuota', { path: '/q', names: 3 })
    await quarry.write('/q/1')
    await quarry.call('mkdirs', { path: '/q/2' })
    const error = await quarry.fails('create', { path: '/q/3' })
    expect(error).toMatchObject({
      code: 'NAME_QUOTA',
      message: 'The NameSpace quota (directories and files) of directory /q is exceeded: quota=3 file count=4',
    })
    expect((await quarry.fails('mkdirs', { path: '/q/2/deep/er' })).message).toContain('quota=3 file count=5')
    await quarry.write('/elsewhere')
    expect((await quarry.fails('rename', { source: '/elsewhere', target: '/q/2/x' })).code).toBe('NAME_QUOTA')
    await quarry.call('rename', { source: '/q/1', target: '/q/2/1' })
    await quarry.call('setQuota', { path: '/q', names: -1 })
    await quarry.write('/q/3')
  })

  it('charge a full block for every replica while it is written', async () => {
    const quarry = new Harness()
    await quarry.call('mkdirs', { path: '/q' })
    await quarry.call('setQuota', { path: '/q', space: 4 << 20 })
    await quarry.call('create', { path: '/q/f' })
    const { block } = await quarry.call('addBlock', { path: '/q/f' })
    expect(await quarry.call('getContentSummary', { path: '/q' })).toMatchObject({ length: 0, spaceConsumed: 3 << 20, spaceQuota: 4 << 20 })
    await quarry.call('create', { path: '/q/g', holder: 'other' })
    expect(await quarry.fails('addBlock', { path: '/q/g', holder: 'other' })).toMatchObject({
      code: 'SPACE_QUOTA',
      message: 'The DiskSpace quota of /q is exceeded: quota = 4194304 B = 4 MB but diskspace consumed = 6291456 B = 6 MB',
    })
    await quarry.call('complete', { path: '/q/f', last: { ...block!.block!, length: 1000 } })
    expect(await quarry.call('getContentSummary', { path: '/q' })).toMatchObject({ length: 1000, spaceConsumed: 3000 })
    await quarry.call('addBlock', { path: '/q/g', holder: 'other' })
    await quarry.call('setReplication', { path: '/q/f', replication: 500 })
  })
})
