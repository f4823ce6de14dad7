// ACLs, extended attributes, storage policies and quotas by type through the SDK, over the wire, and over a restart of the namenode.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { FileSystem } from '../../client/index.ts'
import { MiniCluster } from '../support/mini-cluster.ts'

const text = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString()

let cluster: MiniCluster
let fs: FileSystem

beforeAll(async () => {
  cluster = await MiniCluster.start({ datanodes: 1 })
  fs = await cluster.connect()
})
afterAll(() => cluster.close())

it('a default ACL takes the place of the umask, and lets in whom it names', async () => {
  await fs.mkdir('/shared', { permission: 0o700 })
  await fs.modifyAcl('/shared', 'user:bob:r-x,default:user:bob:r-x')
  await fs.modifyAcl('/shared', [{ scope: 'default', type: 'group', name: 'staff', permission: 6 }])
  await fs.writeFile('/shared/file', 'text')
  await fs.mkdir('/shared/below')
  expect((await fs.readdir('/shared')).map((entry) => [entry.name, entry.hasAcl, entry.permission.toString(8)])).toEqual([
    ['below', true, '770'],
    ['file', true, '660'],
  ])
  expect(await fs.aclStatus('/shared/file')).toMatchObject({
    permission: 0o660,
    entries: [
      { scope: 'access', type: 'user', name: 'bob', permission: 5 },
      { scope: 'access', type: 'group', name: '', permission: 0 },
      { scope: 'access', type: 'group', name: 'staff', permission: 6 },
    ],
  })
  await using bob = await FileSystem.connect(cluster.uri, { user: 'bob' })
  expect((await bob.readFile('/shared/file')).toString()).toBe('text')
  await using eve = await FileSystem.connect(cluster.uri, { user: 'eve' })
  await expect(eve.readFile('/shared/file')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  await fs.removeAclEntries('/shared/file', 'user:bob')
  await expect(bob.readFile('/shared/file')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  await fs.setAcl('/shared/below', 'user::rwx,group::r-x,other::---')
  await fs.removeDefaultAcl('/shared/below')
  expect(await fs.stat('/shared/below')).toMatchObject({ hasAcl: false, permission: 0o750 })
  await fs.removeAcl('/shared')
  expect(await fs.stat('/shared')).toMatchObject({ hasAcl: false, permission: 0o700 })
})

it('extended attributes are bytes under names with a namespace', async () => {
  await fs.writeFile('/x', '')
  await fs.setXAttr('/x', 'USER.author', Buffer.from('ann'))
  await fs.setXAttr('/x', 'trusted.é', Uint8Array.of(0, 255, 128), { only: 'create' })
  await expect(fs.setXAttr('/x', 'user.author', Buffer.from('bob'), { only: 'create' })).rejects.toMatchObject({ code: 'REFUSED' })
  expect(await fs.listXAttrs('/x')).toEqual(['trusted.é', 'user.author'])
  const all = await fs.xattrs('/x')
  expect([[...(all.get('trusted.é') ?? [])], text(all.get('user.author'))]).toEqual([[0, 255, 128], 'ann'])
  expect(text((await fs.xattrs('/x', ['user.author'])).get('user.author'))).toBe('ann')
  await expect(fs.xattrs('/x', ['user.no'])).rejects.toMatchObject({ code: 'XATTR_NOT_FOUND' })
  for (const name of ['author', 'frob.author', 'user.'])
    await expect(fs.setXAttr('/x', name, Buffer.from(''))).rejects.toThrow(/XAttr name/)
  await fs.removeXAttr('/x', 'trusted.é')
  expect(await fs.listXAttrs('/x')).toEqual(['user.author'])
})

it('a storage policy is inherited, and its bytes count against the quota of their type', async () => {
  await fs.mkdir('/policies')
  await fs.setStoragePolicy('/policies', 'ONE_SSD')
  await fs.writeFile('/policies/own', 'x', { storagePolicy: 'HOT' })
  await fs.writeFile('/policies/inherited', '12345')
  expect([(await fs.storagePolicy('/policies/own')).name, (await fs.storagePolicy('/policies/inherited')).types]).toEqual([
    'HOT',
    ['SSD', 'DISK'],
  ])
  await fs.setQuota('/policies', { type: 'SSD', space: 4096 })
  expect((await fs.quotaUsage('/policies')).types).toEqual([{ type: 'SSD', quota: 4096, consumed: 5 }])
  await expect(fs.writeFile('/policies/more', 'x')).rejects.toMatchObject({ code: 'TYPE_QUOTA' })
  await fs.setStoragePolicy('/policies', undefined)
  expect((await fs.storagePolicy('/policies/inherited')).name).toBe('HOT')
  expect((await fs.storagePolicies()).length).toBe(8)
})

it('all of it is there again after a restart', async () => {
  await fs.mkdir('/kept')
  await fs.modifyAcl('/kept', 'user:bob:rwx')
  await fs.setXAttr('/kept', 'user.a', Buffer.from('b'))
  await fs.setStoragePolicy('/kept', 'COLD')
  await fs.setQuota('/kept', { type: 'ARCHIVE', space: 1 << 30 })
  await cluster.restartNamenode()
  await cluster.waitReady()
  expect((await fs.aclStatus('/kept')).entries).toHaveLength(2)
  expect(text((await fs.xattrs('/kept')).get('user.a'))).toBe('b')
  expect((await fs.storagePolicy('/kept')).name).toBe('COLD')
  expect((await fs.contentSummary('/kept')).types).toEqual([{ type: 'ARCHIVE', quota: 1 << 30, consumed: 0 }])
})
