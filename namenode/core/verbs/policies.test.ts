// Storage policies and quotas by type of storage; texts as a real HDFS 3.4.3 gave them for the same calls.
import { beforeEach, describe, expect, it } from 'vitest'
import { SnapshotOperation, StorageType } from '../../../proto/ports.ts'
import { Harness } from '../testing/harness.ts'
import type { Who } from '../testing/harness.ts'

const MIB = 1 << 20
const { STORAGE_DISK: DISK, STORAGE_ARCHIVE: ARCHIVE, STORAGE_SSD: SSD, STORAGE_RAM_DISK: RAM_DISK } = StorageType
const bob: Who = { user: 'bob' }

let quarry: Harness
beforeEach(async () => {
  quarry = new Harness()
  await quarry.call('mkdirs', { path: '/d/e' })
  await quarry.write('/d/f', [100])
})

const policy = (path: string, name: string) => quarry.call('setStoragePolicy', { path, policy: name })
const inForce = async (path: string): Promise<string> => (await quarry.call('getStoragePolicy', { path })).policy!.name

describe('a storage policy', () => {
  it('is HOT where none was set, and else that of the nearest directory above', async () => {
    expect([await inForce('/'), await inForce('/d/f'), (await quarry.stat('/d/f'))!.storagePolicy]).toEqual(['HOT', 'HOT', 0])
    await policy('/d', 'cold')
    await quarry.write('/d/e/g')
    expect([await inForce('/d/f'), await inForce('/d/e/g'), (await quarry.stat('/d/e/g'))!.storagePolicy]).toEqual(['COLD', 'COLD', 2])
    await policy('/d/e', 'ALL_SSD')
    await policy('/d/f', 'ONE_SSD')
    const page = async () => (await quarry.call('getListing', { path: '/d' }, bob)).storagePolicy
    expect(await page()).toEqual([12, 10])
    await quarry.call('unsetStoragePolicy', { path: '/d/f' })
    await quarry.call('unsetStoragePolicy', { path: '/d/f' })
    expect(await page()).toEqual([12, 2])
    await policy('/d/e', 'WARM')
    expect(await page()).toEqual([5, 2])
    await quarry.call('unsetStoragePolicy', { path: '/d' })
    await quarry.call('unsetStoragePolicy', { path: '/d/e' })
    expect(await page()).toEqual([])
  })

  it('may be given to a file when it is made; one of them stays with the file', async () => {
    const made = await quarry.call('create', { path: '/d/new', storagePolicy: 'one_ssd' })
    expect(made.file!.storagePolicy).toBe(10)
    expect(await inForce('/d/new')).toBe('ONE_SSD')
    await policy('/d', 'LAZY_PERSIST')
    expect((await quarry.call('create', { path: '/d/copied' })).file!.storagePolicy).toBe(15)
    await policy('/d', 'HOT')
    expect([await inForce('/d/copied'), await inForce('/d/f')]).toEqual(['LAZY_PERSIST', 'HOT'])
    const text = 'BlockStoragePolicy{LAZY_PERSIST:15, storageTypes=[RAM_DISK, DISK], creationFallbacks=[DISK], replicationFallbacks=[DISK]}'
    const refused = (path: string, name: string) => quarry.fails('setStoragePolicy', { path, policy: name })
    expect((await refused('/d/f', 'LAZY_PERSIST')).message).toBe(`Policy ${text} cannot be set after file creation.`)
    expect((await refused('/d/copied', 'HOT')).message).toBe(`Existing policy ${text} cannot be changed after file creation.`)
  })

  it('is refused by name, path and right', async () => {
    for (const method of ['setStoragePolicy', 'create'] as const) {
      const request = method === 'create' ? { path: '/n', storagePolicy: 'NOPE' } : { path: '/d', policy: 'NOPE' }
      expect(await quarry.fails(method, request)).toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: 'Cannot find a block policy with the name NOPE',
      })
    }
    for (const method of ['setStoragePolicy', 'getStoragePolicy', 'unsetStoragePolicy'] as const)
      expect((await quarry.fails(method, { path: '/no', policy: 'HOT' })).message).toBe('File/Directory does not exist: /no')
    expect((await quarry.fails('setStoragePolicy', { path: '/d/f', policy: 'HOT' }, bob)).message).toContain('access=WRITE')
    expect((await quarry.call('getStoragePolicies', {})).policies.map((one) => `${one.id} ${one.name}`)).toEqual([
      '1 PROVIDED',
      '2 COLD',
      '5 WARM',
      '7 HOT',
      '10 ONE_SSD',
      '12 ALL_SSD',
      '14 ALL_NVDIMM',
      '15 LAZY_PERSIST',
    ])
  })
})

describe('a quota by type of storage', () => {
  const quota = (path: string, type: StorageType, space: number) => quarry.call('setQuota', { path, type, space })
  const uses = async (path: string): Promise<string[]> => {
    const usage = (await quarry.call('getQuotaUsage', { path })).types
    expect((await quarry.call('getContentSummary', { path })).types).toEqual(usage)
    return usage.map((one) => `${one.type}: ${one.consumed} of ${one.quota}`)
  }

  it('counts what is below under a policy, and follows every change of it', async () => {
    await quota('/d', DISK, 1 << 30)
    await quota('/d', ARCHIVE, 1 << 30)
    expect(await uses('/d')).toEqual([`${DISK}: 0 of ${1 << 30}`, `${ARCHIVE}: 0 of ${1 << 30}`])
    await policy('/d', 'WARM')
    const now = async () => (await uses('/d')).map((one) => one.split(' ')[1])
    expect(await now()).toEqual(['100', '200'])
    expect(await uses('/d/f')).toEqual([`${DISK}: 100 of -1`, `${ARCHIVE}: 200 of -1`])
    await quarry.call('setReplication', { path: '/d/f', replication: 1 })
    expect(await now()).toEqual(['100', '0'])
    await policy('/d', 'COLD')
    expect(await now()).toEqual(['0', '100'])
    await quarry.call('rename2', { source: '/d/f', target: '/f' })
    expect(await now()).toEqual(['0', '0'])
    await quarry.call('rename2', { source: '/f', target: '/d/e/f' })
    await policy('/d/e', 'HOT')
    expect(await now()).toEqual(['100', '0'])
    await quarry.call('delete', { path: '/d/e' })
    expect(await now()).toEqual(['0', '0'])
    await quota('/d', DISK, -1)
    expect(await uses('/d')).toEqual([`${ARCHIVE}: 0 of ${1 << 30}`])
  })

  it('is not passed by writes, copies, appends and moves', async () => {
    await policy('/', 'HOT')
    await quota('/d', DISK, 3 * MIB + 300)
    const text = (count: string) => `Quota by storage type : DISK on path : /d is exceeded. quota = 3.00 MB but space consumed = ${count}`
    await quarry.write('/d/g', [10])
    await quota('/d', DISK, 3 * MIB)
    await quarry.call('create', { path: '/d/h' })
    const full = await quarry.fails('addBlock', { path: '/d/h' })
    expect([full.code, full.message]).toEqual(['TYPE_QUOTA', text('3.00 MB').replace('quota = 3.00 MB', 'quota = 3 MB')])
    await quota('/d', DISK, 1000)
    expect((await quarry.fails('append', { path: '/d/f' })).code).toBe('TYPE_QUOTA')
    expect((await quarry.fails('setReplication', { path: '/d/f', replication: 10 })).code).toBe('TYPE_QUOTA')
    await quarry.write('/elsewhere', [1000])
    expect((await quarry.fails('rename2', { source: '/elsewhere', target: '/d/x' })).code).toBe('TYPE_QUOTA')
    await quarry.call('rename2', { source: '/d/f', target: '/d/e/f' })
  })

  it('counts a move below it by what the policy there makes of the same bytes', async () => {
    await quarry.call('mkdirs', { path: '/d/disk' })
    await policy('/d/e', 'COLD')
    await policy('/d/disk', 'HOT')
    await quarry.call('rename2', { source: '/d/f', target: '/d/e/f' })
    await quota('/d', DISK, 200)
    expect((await quarry.fails('rename2', { source: '/d/e/f', target: '/d/disk/f' })).code).toBe('TYPE_QUOTA')
    await quota('/d', DISK, 300)
    await quarry.call('rename2', { source: '/d/e/f', target: '/d/disk/f' })
    expect(await uses('/d')).toEqual([`${DISK}: 300 of 300`])
  })

  it('is set by the superuser, on directories, for types that have quotas', async () => {
    const refused = (request: object, who: Who = {}) => quarry.fails('setQuota', { path: '/d', type: SSD, space: 5, ...request }, who)
    expect((await refused({}, bob)).message).toBe('Access denied for user bob. Superuser privilege is required for operation setSpaceQuota')
    expect(await refused({ type: RAM_DISK })).toMatchObject({
      code: 'ILLEGAL_ARGUMENT',
      message: "Don't support Quota for storage type : RAM_DISK",
    })
    expect(await refused({ path: '/d/f' })).toMatchObject({ code: 'PATH_NOT_A_DIRECTORY', message: "`/d/f': Is not a directory" })
    expect((await refused({ names: 5 })).code).toBe('REFUSED')
    expect((await quarry.fails('getQuotaUsage', { path: '/no' })).message).toBe('File/Directory does not exist: /no')
  })
})

describe('what there is none of', () => {
  it('is refused as by an HDFS without: links and snapshots', async () => {
    const told = async (...call: Parameters<typeof quarry.fails>) => {
      const { code, message } = await quarry.fails(...call)
      return `${code} ${message}`
    }
    expect(await told('createSymlink', { target: '/d/f', link: '/l' })).toBe('UNSUPPORTED Symlinks not supported')
    expect(await told('getLinkTarget', { path: '/d/f' })).toBe('REFUSED Path /d/f is not a symbolic link')
    expect(await told('getLinkTarget', { path: '/no' })).toBe('NOT_FOUND File does not exist: /no')
    const { SNAPSHOT_ALLOW, SNAPSHOT_DISALLOW, SNAPSHOT_CREATE, SNAPSHOT_DELETE, SNAPSHOT_RENAME, SNAPSHOT_LIST, SNAPSHOT_DIFF } =
      SnapshotOperation
    for (const operation of [SNAPSHOT_CREATE, SNAPSHOT_DELETE, SNAPSHOT_RENAME, SNAPSHOT_LIST])
      expect(await told('snapshot', { operation, path: '/d' })).toBe('SNAPSHOT Directory is not a snapshottable directory: /d')
    expect(await told('snapshot', { operation: SNAPSHOT_DIFF, path: '/d' })).toBe(
      'SNAPSHOT The path /d is neither snapshottable nor under a snapshot root!',
    )
    expect(await told('snapshot', { operation: SNAPSHOT_CREATE, path: '/no' })).toBe('NOT_FOUND Directory/File does not exist /no')
    expect(await told('snapshot', { operation: SNAPSHOT_CREATE, path: '/d/f' })).toBe("PATH_NOT_A_DIRECTORY `/d/f': Is not a directory")
    expect(await told('snapshot', { operation: SNAPSHOT_CREATE, path: '/d', name: 'a/b' })).toBe(
      'INVALID_PATH Invalid path name Invalid snapshot name: a/b',
    )
    expect(await told('snapshot', { operation: SNAPSHOT_CREATE, path: '/d' }, bob)).toContain('user=bob is not the owner')
    expect(await told('snapshot', { operation: SNAPSHOT_ALLOW, path: '/d' }, bob)).toContain('for operation allowSnapshot')
    expect(await told('snapshot', { operation: SNAPSHOT_ALLOW, path: '/d' })).toContain('SNAPSHOT ')
    await quarry.call('snapshot', { operation: SNAPSHOT_DISALLOW, path: '/d' })
    expect(await quarry.call('getEnclosingRoot', { path: '/d/no' })).toEqual({ path: '/' })
  })

  it('keeps its name free: no entry is called .snapshot', async () => {
    const text = '".snapshot" is a reserved name.'
    expect((await quarry.fails('mkdirs', { path: '/d/.snapshot/x' })).message).toBe(text)
    expect((await quarry.fails('create', { path: '/d/.snapshot' })).message).toBe(text)
    expect((await quarry.fails('rename2', { source: '/d/f', target: '/d/.snapshot' })).message).toBe(text)
    expect((await quarry.fails('rename', { source: '/d/f', target: '/d/.snapshot' })).message).toBe(text)
    expect((await quarry.fails('getListing', { path: '/d/.snapshot' })).message).toBe('Directory is not a snapshottable directory: /d')
    expect(await quarry.stat('/d/.snapshot')).toBeNull()
  })
})
