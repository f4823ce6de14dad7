import { expect, test } from 'vitest'
import { absolutePath, boolean, createParameters, fsAction, integer, permission, required, userOf } from './parameters.ts'
import { Query } from './request.ts'

const q = (text: string): Query => new Query(text)
const refusal = (message: string) => expect.objectContaining({ code: 'ILLEGAL_ARGUMENT', message })

test('whole numbers, with the refusals of HDFS', () => {
  expect(integer(q('offset=12'), 'offset', 0)).toBe(12)
  expect(integer(q(''), 'offset', 0)).toBeUndefined()
  expect(integer(q('offset=null'), 'offset', 0)).toBeUndefined()
  expect(integer(q('n=9223372036854775807'), 'n')).toBe(Number.MAX_SAFE_INTEGER)
  expect(() => integer(q('offset=-1'), 'offset', 0)).toThrow(
    refusal('Invalid value for webhdfs parameter "offset": Invalid parameter range: offset = -1 < 0'),
  )
  expect(() => integer(q('offset=abc'), 'offset', 0)).toThrow(
    refusal('Invalid value for webhdfs parameter "offset": Failed to parse "abc" as a radix-10 long integer.'),
  )
  for (const bad of ['1.5', '0x10', '1e3', '99999999999999999999', ' 1']) expect(() => integer(q(`n=${bad}`), 'n')).toThrow()
  expect(() => integer(q('replication=40000'), 'replication', 1, 'short')).toThrow(/radix-10 short integer/)
})

test('permissions are octal, with or without a zero before them', () => {
  expect(permission(q('permission=644'))).toBe(0o644)
  expect(permission(q('permission=01777'))).toBe(0o1777)
  expect(() => permission(q('permission=999'))).toThrow(
    refusal('Invalid value for webhdfs parameter "permission": Failed to parse "999" as a radix-8 short integer.'),
  )
  expect(() => permission(q('permission=2000'))).toThrow(/2000 > 1777/)
})

test('truth in any case, and nothing else', () => {
  expect(boolean(q('overwrite=False'), 'overwrite', true)).toBe(false)
  expect(boolean(q('overwrite=TRUE'), 'overwrite', false)).toBe(true)
  expect(boolean(q(''), 'overwrite', true)).toBe(true)
  expect(() => boolean(q('overwrite=maybe'), 'overwrite', true)).toThrow(
    refusal('Invalid value for webhdfs parameter "overwrite": Failed to parse "maybe" to Boolean.'),
  )
})

test('what an op cannot do without', () => {
  expect(required(q('destination=/x'), 'destination', 'RENAME')).toBe('/x')
  expect(() => required(q(''), 'destination', 'RENAME')).toThrow(refusal('Required param destination for op: RENAME is null or empty'))
})

test('targets are absolute', () => {
  expect(absolutePath(q('destination=//a//b/'), 'destination')).toBe('/a/b')
  expect(() => absolutePath(q('destination=relative'), 'destination')).toThrow(/"relative" is not an absolute path/)
})

test('access in letters', () => {
  expect(fsAction('r-x')).toBe(5)
  expect(() => fsAction('abc')).toThrow(
    refusal('Invalid value for webhdfs parameter "fsaction": Invalid value: "abc" does not belong to the domain [r-][w-][x-]'),
  )
})

test('CREATE without parameters, with all of them, and with createflag', () => {
  expect(createParameters(q('op=CREATE'))).toEqual({
    permission: 0o644,
    unmasked: undefined,
    overwrite: false,
    createParent: true,
    replication: undefined,
    blockSize: undefined,
  })
  expect(
    createParameters(q('permission=600&unmaskedpermission=666&overwrite=true&createparent=false&replication=2&blocksize=1048576')),
  ).toEqual({
    permission: 0o600,
    unmasked: 0o666,
    overwrite: true,
    createParent: false,
    replication: 2,
    blockSize: 1_048_576,
  })
  expect(createParameters(q('createflag=create,overwrite')).overwrite).toBe(true)
  expect(createParameters(q('createflag=CREATE%252COVERWRITE')).overwrite).toBe(true)
  expect(createParameters(q('overwrite=true&createflag=CREATE')).overwrite).toBe(false)
  expect(() => createParameters(q('createflag=BOGUS'))).toThrow(/CreateFlag.BOGUS/)
  expect(() => createParameters(q('createflag=OVERWRITE'))).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
})

test('who calls: named, nobody, or one for another', () => {
  expect(userOf(q('user.name=ann'))).toEqual({ user: 'ann', realUser: '' })
  expect(userOf(q(''))).toEqual({ user: 'dr.who', realUser: '' })
  expect(userOf(q('user.name=hue&doas=ann'))).toEqual({ user: 'ann', realUser: 'hue' })
  expect(userOf(q('user.name=ann&doas=ann'))).toEqual({ user: 'ann', realUser: '' })
  for (const bad of ['user.name=_bad!name', 'user.name=hue&doas=1x', `user.name=${'x'.repeat(300)}`]) {
    expect(() => userOf(q(bad))).toThrow(/does not belong to the domain \^\[A-Za-z_\]/)
  }
})
