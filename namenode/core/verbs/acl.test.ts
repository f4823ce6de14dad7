// Entries, masks, inheritance and texts as a real HDFS 3.4.3 gave them for the same calls.
import { beforeEach, describe, expect, it } from 'vitest'
import { AclEntryType, AclScope } from '../../../proto/ports.ts'
import type { AclEntry } from '../../../proto/ports.ts'
import { aclEntryText } from '../../../common/acl-text.ts'
import { Harness } from '../testing/harness.ts'
import type { Who } from '../testing/harness.ts'

const types = { user: AclEntryType.ACL_USER, group: AclEntryType.ACL_GROUP, mask: AclEntryType.ACL_MASK, other: AclEntryType.ACL_OTHER }

/** `default:user:bob:rwx,mask::r--` as entries. */
function spec(text: string): AclEntry[] {
  return text.split(',').map((one) => {
    const isDefault = one.startsWith('default:')
    const [type, name, bits = '---'] = one.replace('default:', '').split(':')
    const permission = (bits.includes('r') ? 4 : 0) | (bits.includes('w') ? 2 : 0) | (bits.includes('x') ? 1 : 0)
    return {
      scope: isDefault ? AclScope.ACL_DEFAULT : AclScope.ACL_ACCESS,
      type: types[type as keyof typeof types],
      name: name!,
      permission,
    }
  })
}

let quarry: Harness
beforeEach(async () => {
  quarry = new Harness()
  await quarry.call('mkdirs', { path: '/d', permission: 0o777 })
  await quarry.write('/d/f')
})

const bob: Who = { user: 'bob' }

/** Entries and permission, as text. */
async function acl(path: string): Promise<string> {
  const { entries, permission } = await quarry.call('getAclStatus', { path })
  const file = (await quarry.stat(path))!
  expect(file.permission).toBe(permission)
  expect(file.flags).toBe(entries.length > 0 ? 1 : 0)
  return `${entries.map((one) => aclEntryText({ ...one })).join(',')} ${permission.toString(8)}`
}

const modify = (path: string, text: string, who: Who = {}) => quarry.call('modifyAclEntries', { path, entries: spec(text) }, who)
const set = (path: string, text: string) => quarry.call('setAcl', { path, entries: spec(text) })
const remove = (path: string, text: string) => quarry.call('removeAclEntries', { path, entries: spec(text) })

describe('an ACL', () => {
  it('gets a mask that is the union of what groups and names may, shown as the group bits', async () => {
    expect(await acl('/d/f')).toBe(' 644')
    await modify('/d/f', 'user:bob:rwx,group:g1:r--')
    expect(await acl('/d/f')).toBe('user:bob:rwx,group::r--,group:g1:r-- 674')
    await remove('/d/f', 'user:bob')
    expect(await acl('/d/f')).toBe('group::r--,group:g1:r-- 644')
    await modify('/d/f', 'mask::r--')
    await quarry.call('setPermission', { path: '/d/f', permission: 0o771 })
    expect(await acl('/d/f')).toBe('group::r--,group:g1:r-- 771')
    await quarry.call('removeAcl', { path: '/d/f' })
    expect(await acl('/d/f')).toBe(' 741')
  })

  it('that is set replaces its scope, and with no entries is removed', async () => {
    await set('/d/f', 'user::rwx,group::r--,other::r--,mask::rwx')
    expect(await acl('/d/f')).toBe('group::r-- 774')
    await quarry.call('setAcl', { path: '/d/f', entries: [] })
    expect(await acl('/d/f')).toBe(' 744')
    await modify('/d', 'default:user:bob:r-x')
    await set('/d', 'user::rwx,group::r--,other::---,user:ann:rw-')
    expect(await acl('/d')).toBe(
      'user:ann:rw-,group::r--,default:user::rwx,default:user:bob:r-x,default:group::rwx,default:mask::rwx,default:other::rwx 760',
    )
    await quarry.call('removeDefaultAcl', { path: '/d' })
    expect(await acl('/d')).toBe('user:ann:rw-,group::r-- 760')
  })

  it('that is wrong is refused in the words of HDFS', async () => {
    const refusal = async (text: string, how: 'setAcl' | 'modifyAclEntries' | 'removeAclEntries' = 'setAcl', path = '/d/f') => {
      const error = await quarry.fails(how, { path, entries: spec(text) })
      expect(error.code).toBe('ACL')
      return error.message
    }
    expect(await refusal('user:bob:rwx')).toBe('Invalid ACL: the user, group and other entries are required. Path: /d/f')
    expect(await refusal('user::rwx,group::r--,other::r--,user:bob:rwx,user:bob:r--')).toBe(
      'Invalid ACL: multiple entries with same scope, type and name. Path: /d/f',
    )
    expect(await refusal('mask:x:r--', 'modifyAclEntries')).toBe(
      'Invalid ACL: this entry type must not have a name: mask:x:r--. Path: /d/f',
    )
    expect(await refusal('default:user:bob:rwx', 'modifyAclEntries')).toBe(
      'Invalid ACL: only directories may have a default ACL. Path: /d/f Path: /d/f',
    )
    await modify('/d/f', 'user:bob:rwx')
    expect(await refusal('mask::', 'removeAclEntries')).toBe('Invalid ACL: mask is required and cannot be deleted. Path: /d/f')
    expect(await refusal('user::', 'removeAclEntries')).toBe('Invalid ACL: the user, group and other entries are required. Path: /d/f')
    await modify('/d', 'default:user:bob:rwx')
    // An unnamed default entry that is taken away comes back as a copy of the access entry.
    await remove('/d', 'default:group::')
    expect(await acl('/d')).toContain('default:group::rwx')
  })

  it('has at most 32 entries of each scope', async () => {
    const many = Array.from({ length: 29 }, (_, n) => `user:u${n}:r--`).join(',')
    expect((await quarry.fails('modifyAclEntries', { path: '/d/f', entries: spec(many) })).message).toBe(
      'Invalid ACL: ACL has 33 access entries, which exceeds maximum of 32. Path: /d/f',
    )
    const defaults = Array.from({ length: 33 }, (_, n) => `default:user:u${n}:r--`).join(',')
    expect((await quarry.fails('modifyAclEntries', { path: '/d', entries: spec(defaults) })).message).toBe(
      'Invalid ACL: ACL has 33 default entries, which exceeds maximum of 32. Path: /d',
    )
  })

  it('is read by who reaches the path, changed by its owner, and is not of what is missing', async () => {
    await quarry.call('getAclStatus', { path: '/d/f' }, bob)
    const denied = await quarry.fails('modifyAclEntries', { path: '/d/f', entries: spec('user:bob:rwx') }, bob)
    expect(denied.message).toBe('Permission denied. user=bob is not the owner of inode=/d/f')
    expect(await quarry.fails('getAclStatus', { path: '/no' })).toMatchObject({ code: 'NOT_FOUND', message: 'cannot find /no' })
    const missing = { code: 'NOT_FOUND', message: 'Directory/File does not exist /no' }
    for (const method of ['removeAcl', 'removeDefaultAcl'] as const)
      expect(await quarry.fails(method, { path: '/no' })).toMatchObject(missing)
  })
})

describe('a default ACL', () => {
  it('is handed down, cut by what the creator asks for in place of the umask', async () => {
    await modify('/d', 'default:user:bob:rwx,default:group:g1:r-x')
    const inherited = 'user:bob:rwx,group::rwx,group:g1:r-x'
    const defaults = 'default:user::rwx,default:user:bob:rwx,default:group::rwx,default:group:g1:r-x,default:mask::rwx,default:other::rwx'
    await quarry.call('mkdirs', { path: '/d/x/y', permission: 0o750, hasUnmasked: true, unmasked: 0o750 })
    expect(await acl('/d/x')).toBe(`${inherited},${defaults} 750`)
    expect(await acl('/d/x/y')).toBe(`${inherited},${defaults} 750`)
    await quarry.write('/d/x/file', [], { permission: 0o644, hasUnmasked: true, unmasked: 0o666 })
    expect(await acl('/d/x/file')).toBe(`${inherited} 666`)
    await quarry.write('/d/p/q/file', [], { permission: 0o644, hasUnmasked: true, unmasked: 0o666 })
    expect(await acl('/d/p')).toBe(`${inherited},${defaults} 777`)
    expect(await acl('/d/p/q/file')).toBe(`${inherited} 666`)
    await quarry.write('/d/masked', [], { permission: 0o640 })
    expect(await acl('/d/masked')).toBe(`${inherited} 640`)
  })

  it('of three entries leaves a file with a plain permission', async () => {
    await modify('/d', 'default:user::rwx,default:group::rwx,default:other::---')
    await quarry.write('/d/file', [], { permission: 0o644, hasUnmasked: true, unmasked: 0o666 })
    await quarry.call('mkdirs', { path: '/d/s', permission: 0o755, hasUnmasked: true, unmasked: 0o777 })
    expect(await acl('/d/file')).toBe(' 660')
    expect(await acl('/d/s')).toBe('default:user::rwx,default:group::rwx,default:other::--- 770')
  })

  it('does not decide who may enter the directory itself', async () => {
    await quarry.call('setPermission', { path: '/d', permission: 0o700 })
    await modify('/d', 'default:user:bob:rwx')
    expect((await quarry.fails('getListing', { path: '/d' }, bob)).code).toBe('PERMISSION_DENIED')
  })
})

describe('permission by ACL', () => {
  const may = async (who: Who, mode: number): Promise<boolean> => {
    try {
      await quarry.call('checkAccess', { path: '/d/f', mode }, who)
      return true
    } catch {
      return false
    }
  }

  it('goes by owner, named users, groups, other, and cuts by the mask all but owner and other', async () => {
    await quarry.call('setOwner', { path: '/d/f', owner: 'ann', group: 'staff' })
    await set('/d/f', 'user::r--,user:bob:rwx,user:eve:---,group::-w-,group:g1:r-x,mask::r-x,other::rw-')
    expect(await may({ user: 'ann' }, 4)).toBe(true)
    expect(await may({ user: 'ann', groups: ['g1'] }, 1)).toBe(false)
    expect(await may(bob, 5)).toBe(true)
    expect(await may(bob, 2)).toBe(false)
    expect(await may({ user: 'eve' }, 4)).toBe(false)
    expect(await may({ user: 'eve', groups: ['g1'] }, 4)).toBe(false)
    expect(await may({ user: 'tom', groups: ['staff'] }, 2)).toBe(false)
    expect(await may({ user: 'tom', groups: ['staff', 'g1'] }, 5)).toBe(true)
    expect(await may({ user: 'tom', groups: ['staff', 'g1'] }, 2)).toBe(false)
    expect(await may({ user: 'sam' }, 6)).toBe(true)
  })

  it('counts on the way and at the target of changes, with the text of HDFS', async () => {
    await quarry.call('setPermission', { path: '/d', permission: 0o700 })
    await modify('/d', 'user:bob:-wx')
    await quarry.call('rename2', { source: '/d/f', target: '/d/g' }, bob)
    expect((await quarry.fails('getListing', { path: '/d' }, bob)).message).toBe(
      'Permission denied: user=bob, access=READ_EXECUTE, inode="/d":root:supergroup:drwx-wx---',
    )
  })
})

it('goes with a rename, and away with a delete, an overwrite and a concat', async () => {
  await modify('/d/f', 'user:bob:rwx')
  const id = (await quarry.stat('/d/f'))!.fileId
  await quarry.call('rename2', { source: '/d/f', target: '/g' })
  expect(await acl('/g')).toBe('user:bob:rwx,group::r-- 674')
  await quarry.write('/g', [], { overwrite: true })
  expect(await acl('/g')).toBe(' 644')
  expect(quarry.store.tx.extras(id)).toBeUndefined()
  await quarry.write('/one', [1 << 20])
  const two = await quarry.write('/two', [9])
  await modify('/two', 'user:bob:rwx')
  await quarry.call('concat', { target: '/one', sources: ['/two'] })
  expect(quarry.store.tx.extras(two.fileId)).toBeUndefined()
})

it('marks the entries of a listing that have one', async () => {
  await quarry.write('/d/g')
  await modify('/d/f', 'user:bob:r--')
  const { kindPermission } = await quarry.call('getListing', { path: '/d' })
  expect(kindPermission.map((one) => (one >> 14) & 1)).toEqual([1, 0])
})
