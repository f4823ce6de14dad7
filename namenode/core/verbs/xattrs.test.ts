// Rights, limits and texts as a real HDFS 3.4.3 gave them for the same calls.
import { beforeEach, describe, expect, it } from 'vitest'
import type { XAttr, XAttrNamespace } from '../../../proto/ports.ts'
import { Harness } from '../testing/harness.ts'
import type { Who } from '../testing/harness.ts'

const namespaces = ['user', 'trusted', 'security', 'system', 'raw']
const named = (name: string, value: string | Uint8Array = ''): XAttr => {
  const at = name.indexOf('.')
  return {
    namespace: namespaces.indexOf(name.slice(0, at)) as XAttrNamespace,
    name: name.slice(at + 1),
    value: typeof value === 'string' ? new TextEncoder().encode(value) : value,
  }
}
const unreadable = 'security.hdfs.unreadable.by.superuser'

let quarry: Harness
beforeEach(async () => {
  quarry = new Harness()
  await quarry.call('mkdirs', { path: '/d', permission: 0o777 })
  await quarry.write('/f', [10])
})

const bob: Who = { user: 'bob' }
const set = (name: string, value: string | Uint8Array = '', who: Who = {}, path = '/f', flag = 3) =>
  quarry.call('setXAttr', { path, xattr: named(name, value), flag }, who)
const refusal = async (name: string, value: string | Uint8Array = '', who: Who = {}, path = '/f', flag = 3) => {
  const { code, message } = await quarry.fails('setXAttr', { path, xattr: named(name, value), flag }, who)
  return `${code} ${message}`
}
const names = async (who: Who = {}, path = '/f'): Promise<string[]> =>
  (await quarry.call('listXAttrs', { path }, who)).xattrs.map((one) => `${namespaces[one.namespace]}.${one.name}`)
const get = async (wanted: readonly string[], who: Who = {}): Promise<string[]> =>
  (await quarry.call('getXAttrs', { path: '/f', xattrs: wanted.map((name) => named(name)) }, who)).xattrs.map(
    (one) => `${one.name}=${new TextDecoder().decode(one.value)}`,
  )

describe('extended attributes', () => {
  it('come back with their bytes, the last one set first, and go', async () => {
    await set('user.a', 'one')
    await set('trusted.b', new Uint8Array([0, 1, 254, 255]))
    await set('user.é', '')
    await set('user.a', 'two')
    expect(await names()).toEqual(['user.a', 'user.é', 'trusted.b'])
    expect(await get(['user.é', 'user.a'])).toEqual(['é=', 'a=two'])
    const all = await quarry.call('getXAttrs', { path: '/f' })
    expect([...all.xattrs[2]!.value]).toEqual([0, 1, 254, 255])
    await quarry.call('removeXAttr', { path: '/f', xattr: named('user.a') })
    expect(await names()).toEqual(['user.é', 'trusted.b'])
    expect(await quarry.fails('removeXAttr', { path: '/f', xattr: named('user.a') })).toMatchObject({
      code: 'REFUSED',
      message: 'No matching attributes found for remove operation',
    })
  })

  it('that are asked for must be there', async () => {
    const text = 'At least one of the attributes provided was not found.'
    await set('user.a', 'one')
    for (const xattrs of [[named('user.no')], [named('user.a'), named('user.no')], [named('trusted.a')]])
      expect(await quarry.fails('getXAttrs', { path: '/f', xattrs })).toMatchObject({ code: 'XATTR_NOT_FOUND', message: text })
    for (const method of ['getXAttrs', 'listXAttrs'] as const)
      expect(await quarry.fails(method, { path: '/no' })).toMatchObject({ code: 'NOT_FOUND', message: 'cannot find /no' })
    expect(await refusal('user.a', '', {}, '/no')).toBe('NOT_FOUND cannot find /no')
  })

  it('are created or replaced as the flags say', async () => {
    expect(await refusal('user.a', '', {}, '/f', 0)).toBe('INVALID_ARGUMENT A flag must be specified.')
    expect(await refusal('user.a', '', {}, '/f', 2)).toBe('REFUSED XAttr: a does not exist. The CREATE flag must be specified.')
    await set('user.a', 'v', {}, '/f', 1)
    expect(await refusal('user.a', '', {}, '/f', 1)).toBe('REFUSED XAttr: a already exists. The REPLACE flag must be specified.')
    await set('user.a', 'w', {}, '/f', 2)
    expect(await get(['user.a'])).toEqual(['a=w'])
  })

  it('have names, and are bounded in size and number', async () => {
    expect(await refusal('user.', 'v')).toBe('INVALID_ARGUMENT XAttr name cannot be empty.')
    await set('user.big', new Uint8Array(16_384 - 3))
    expect(await refusal('user.big', new Uint8Array(16_384 - 2))).toBe(
      'INVALID_ARGUMENT The XAttr is too big. The maximum combined size of the name and value is 16384, but the total size is 16385',
    )
    for (let n = 0; n < 31; n++) await set(`user.n${n}`)
    expect(await refusal('trusted.more')).toBe('REFUSED Cannot add additional XAttr to inode, would exceed limit of 32')
    await set('user.n3', 'again')
    expect(await names()).toHaveLength(32)
  })

  it('of the system are out of reach', async () => {
    for (const name of ['system.a', 'security.a', 'raw.a']) {
      expect(await refusal(name)).toBe(`PERMISSION_DENIED User doesn't have permission for xattr: ${name}`)
      expect((await quarry.fails('getXAttrs', { path: '/f', xattrs: [named(name)] })).code).toBe('PERMISSION_DENIED')
    }
  })

  it('that are trusted are seen and changed by superusers only', async () => {
    await set('trusted.b', 'v')
    await set('user.a', 'v')
    expect(await names(bob)).toEqual(['user.a'])
    expect(await get([], bob)).toEqual(['a=v'])
    expect((await quarry.fails('getXAttrs', { path: '/f', xattrs: [named('trusted.b')] }, bob)).message).toBe(
      "User doesn't have permission for xattr: trusted.b",
    )
    expect(await refusal('trusted.b', '', bob)).toContain('PERMISSION_DENIED')
  })

  it('of users need the right to write, to read, and in a sticky directory to be its owner', async () => {
    expect(await refusal('user.b', '', bob)).toBe(
      'PERMISSION_DENIED Permission denied: user=bob, access=WRITE, inode="/f":root:supergroup:-rw-r--r--',
    )
    await set('user.b', '', bob, '/d')
    await quarry.call('setPermission', { path: '/d', permission: 0o1777 })
    expect(await refusal('user.b', '', bob, '/d')).toBe('PERMISSION_DENIED Permission denied. user=bob is not the owner of inode=/d')
    await quarry.call('setPermission', { path: '/f', permission: 0o600 })
    expect((await quarry.fails('listXAttrs', { path: '/f' }, bob)).message).toContain('access=READ,')
  })

  it('may keep superusers from reading a file, for good', async () => {
    expect(await refusal(unreadable, 'v')).toBe(
      `PERMISSION_DENIED Attempt to set a value for '${unreadable}'. Values are not allowed for this xattr.`,
    )
    expect(await refusal(unreadable, '', {}, '/d')).toBe(`REFUSED Can only set '${unreadable}' on a file.`)
    await set(unreadable)
    expect(await names(bob)).toEqual([unreadable])
    expect((await quarry.fails('getBlockLocations', { path: '/f' })).message).toBe(
      'Access is denied for root since the superuser is not allowed to perform this operation.',
    )
    await quarry.call('getBlockLocations', { path: '/f' }, bob)
    expect((await quarry.fails('removeXAttr', { path: '/f', xattr: named(unreadable) })).message).toBe(
      `The xattr '${unreadable}' can not be deleted.`,
    )
  })
})
