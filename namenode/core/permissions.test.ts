import { describe, expect, it } from 'vitest'
import { Harness } from './testing/harness.ts'
import { permissionText } from './permissions.ts'

const bob = { user: 'bob', groups: ['staff'] }

async function prepared(): Promise<Harness> {
  const quarry = new Harness()
  await quarry.call('mkdirs', { path: '/a', permission: 0o755 })
  await quarry.call('mkdirs', { path: '/secret', permission: 0o700 })
  await quarry.write('/secret/f')
  await quarry.write('/a/f')
  await quarry.call('mkdirs', { path: '/staff', permission: 0o770 })
  await quarry.call('setOwner', { path: '/staff', group: 'staff' })
  return quarry
}

describe('permissions', () => {
  it('print like ls', () => {
    expect([0o755, 0o644, 0o1777, 0o1776, 0o000].map(permissionText)).toEqual([
      'rwxr-xr-x',
      'rw-r--r--',
      'rwxrwxrwt',
      'rwxrwxrwT',
      '---------',
    ])
  })

  it('speak with the words of HDFS', async () => {
    const quarry = await prepared()
    const denied = async (...call: Parameters<Harness['fails']>) => {
      const error = await quarry.fails(call[0], call[1], bob)
      expect(error.code).toBe('PERMISSION_DENIED')
      return error.message
    }
    expect(await denied('mkdirs', { path: '/a/x' })).toBe(
      'Permission denied: user=bob, access=WRITE, inode="/a":root:supergroup:drwxr-xr-x',
    )
    expect(await denied('mkdirs', { path: '/a/x/y/z' })).toBe(
      'Permission denied: user=bob, access=WRITE, inode="/a":root:supergroup:drwxr-xr-x',
    )
    expect(await denied('getFileInfo', { path: '/secret/f' })).toBe(
      'Permission denied: user=bob, access=EXECUTE, inode="/secret":root:supergroup:drwx------',
    )
    expect(await denied('getListing', { path: '/secret' })).toBe(
      'Permission denied: user=bob, access=READ_EXECUTE, inode="/secret":root:supergroup:drwx------',
    )
    expect(await denied('append', { path: '/a/f' })).toBe(
      'Permission denied: user=bob, access=WRITE, inode="/a/f":root:supergroup:-rw-r--r--',
    )
    expect(await denied('setPermission', { path: '/a/f', permission: 0o777 })).toBe(
      'Permission denied. user=bob is not the owner of inode=/a/f',
    )
    expect(await denied('delete', { path: '/a/f' })).toBe(
      'Permission denied: user=bob, access=WRITE, inode="/a":root:supergroup:drwxr-xr-x',
    )
    expect(await denied('setQuota', { path: '/a', names: 5, space: -2 })).toBe(
      'Access denied for user bob. Superuser privilege is required for operation setQuota',
    )
    expect(await denied('setQuota', { path: '/a', names: 5, space: 1 << 30 })).toBe(
      'Access denied for user bob. Superuser privilege is required for operation setSpaceQuota',
    )
    // Denied before it is looked at what it is.
    expect(await denied('truncate', { path: '/a', newLength: 0 })).toBe(
      'Permission denied: user=bob, access=WRITE, inode="/a":root:supergroup:drwxr-xr-x',
    )
    expect(await denied('getContentSummary', { path: '/' })).toBe(
      'Permission denied: user=bob, access=READ_EXECUTE, inode="/secret":root:supergroup:drwx------',
    )
    expect(await denied('checkAccess', { path: '/a/f', mode: 2 })).toBe(
      'Permission denied: user=bob, access=WRITE, inode="/a/f":root:supergroup:-rw-r--r--',
    )
    await quarry.call('checkAccess', { path: '/a/f', mode: 4 }, bob)
  })

  it('go by owner first, then group, then others', async () => {
    const quarry = await prepared()
    await quarry.write('/staff/mine', [], { permission: 0o077 }, bob)
    expect((await quarry.stat('/staff/mine'))!.group).toBe('staff')
    expect((await quarry.fails('getBlockLocations', { path: '/staff/mine' }, bob)).code).toBe('PERMISSION_DENIED')
    await quarry.call('getBlockLocations', { path: '/staff/mine' }, { user: 'eve', groups: ['staff'] })
    expect((await quarry.fails('getBlockLocations', { path: '/staff/mine' }, { user: 'mallory' })).message).toContain(
      'inode="/staff":root:staff:drwxrwx---',
    )
  })

  it("let members of the supergroup and the namenode's own user pass", async () => {
    const quarry = await prepared()
    await quarry.call('mkdirs', { path: '/secret/x' }, { user: 'admin', groups: ['supergroup'] })
    await quarry.call('setOwner', { path: '/secret/x', owner: 'bob', group: 'anything' }, { user: 'root' })
    expect(await quarry.stat('/secret/x')).toMatchObject({ owner: 'bob', group: 'anything' })
  })

  it('let only owners take entries out of a sticky directory', async () => {
    const quarry = await prepared()
    await quarry.call('mkdirs', { path: '/tmp', permission: 0o1777 })
    await quarry.write('/tmp/of-bob', [], {}, bob)
    const eve = { user: 'eve' }
    expect((await quarry.fails('delete', { path: '/tmp/of-bob' }, eve)).message).toBe(
      'Permission denied by sticky bit: user=eve, path="/tmp/of-bob":bob:supergroup:-rw-r--r--, parent="/tmp":root:supergroup:drwxrwxrwt',
    )
    expect((await quarry.fails('rename', { source: '/tmp/of-bob', target: '/tmp/x' }, eve)).code).toBe('PERMISSION_DENIED')
    expect(await quarry.call('rename', { source: '/tmp/of-bob', target: '/tmp/x' }, bob)).toEqual({ value: true })
  })

  it('ask for rwx on every directory below what a user deletes', async () => {
    const quarry = await prepared()
    await quarry.call('mkdirs', { path: '/home', permission: 0o777 })
    await quarry.call('mkdirs', { path: '/home/d/e' }, bob)
    await quarry.call('mkdirs', { path: '/home/d/empty', permission: 0 }, bob)
    expect(await quarry.call('delete', { path: '/home/d/empty' }, bob)).toEqual({ value: true })
    await quarry.write('/home/d/e/f', [], {}, bob)
    await quarry.call('setPermission', { path: '/home/d/e', permission: 0o500 }, bob)
    expect((await quarry.fails('delete', { path: '/home/d' }, bob)).message).toBe(
      'Permission denied: user=bob, access=ALL, inode="/home/d/e":bob:supergroup:dr-x------',
    )
  })

  it('let owners give to groups they are in, and only superusers give away', async () => {
    const quarry = await prepared()
    await quarry.call('setPermission', { path: '/a', permission: 0o777 })
    await quarry.write('/a/mine', [], {}, bob)
    await quarry.call('setOwner', { path: '/a/mine', group: 'staff' }, bob)
    expect((await quarry.fails('setOwner', { path: '/a/mine', group: 'wheel' }, bob)).message).toBe('User bob does not belong to wheel')
    expect((await quarry.fails('setOwner', { path: '/a/mine', owner: 'eve' }, bob)).message).toBe(
      'User bob is not a super user (non-super user cannot change owner).',
    )
  })

  it('tell of a path through a file as HDFS does', async () => {
    const quarry = await prepared()
    expect(await quarry.stat('/a/f/x')).toBeNull()
    expect(await quarry.fails('getFileInfo', { path: '/a/f/x' }, bob)).toMatchObject({
      code: 'PERMISSION_DENIED',
      message: '/a/f (is not a directory)',
    })
    expect(await quarry.fails('getListing', { path: '/a/f/x' })).toMatchObject({
      code: 'PERMISSION_DENIED',
      message: '/a/f (is not a directory)',
    })
  })

  it('can be turned off', async () => {
    const quarry = new Harness({ settings: { permissions: false } })
    await quarry.call('mkdirs', { path: '/a', permission: 0 })
    await quarry.call('mkdirs', { path: '/a/b' }, bob)
  })
})
