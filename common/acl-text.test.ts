import { expect, it } from 'vitest'
import { aclEntryText, parseAclSpec } from './acl-text.ts'

it('reads what it writes', () => {
  const text = ['user::rwx', 'user:bob:r-x', 'group::---', 'mask::-w-', 'default:other::r--', 'default:group:g 1:rwx']
  expect(parseAclSpec(text.join(','), true).map(aclEntryText)).toEqual(text)
})

it('reads entries without a permission where they are to be removed', () => {
  expect(parseAclSpec('user:bob,,default:mask::,group', false).map(aclEntryText)).toEqual([
    'user:bob:---',
    'default:mask::---',
    'group::---',
  ])
})

it.each([
  ['default', true, 'Invalid <aclSpec> : default'],
  ['user:bob', true, 'Invalid <aclSpec> : user:bob'],
  ['user:bob:rwx:x', true, 'Invalid <aclSpec> : user:bob:rwx:x'],
  ['user:bob:rwx', false, 'Invalid <aclSpec> : user:bob:rwx'],
  ['frob:bob:rwx', true, 'Invalid type of acl in <aclSpec> :frob:bob:rwx'],
  ['user:bob:rwz', true, 'Invalid permission in <aclSpec> : user:bob:rwz'],
  [':', true, 'Invalid <aclSpec> : :'],
  ['user::r--, group::r--', true, 'Invalid type of acl in <aclSpec> : group::r--'],
])('refuses %s', (text, withPermission, message) => {
  expect(() => parseAclSpec(text, withPermission)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', message }))
})
