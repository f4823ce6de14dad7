import os from 'node:os'
import { expect, test } from 'vitest'
import { VirtualClock } from '../../common/testing/virtual-clock.ts'
import { Groups, groupsOfSystemUser } from './groups.ts'

test('a user is asked for once, and again in the background after five minutes', async () => {
  const clock = new VirtualClock()
  const asked: string[] = []
  let answer = ['a']
  const groups = new Groups(clock, (user) => {
    asked.push(user)
    return Promise.resolve(answer)
  })
  expect(await Promise.all([groups.prepare('u'), groups.prepare('u')])).toEqual([['a'], ['a']])
  expect(groups.prepare('u')).toBeUndefined()
  expect(groups.current('u')).toEqual(['a'])
  expect(asked).toEqual(['u'])
  answer = ['b']
  await clock.advance(300_000)
  expect(groups.current('u')).toEqual(['a'])
  await new Promise((resolve) => setImmediate(resolve))
  expect(groups.current('u')).toEqual(['b'])
  expect(asked).toEqual(['u', 'u'])
})

test('a look-up that fails leaves what was known', async () => {
  const clock = new VirtualClock()
  let fail = false
  const groups = new Groups(clock, () => (fail ? Promise.reject(new Error('no')) : Promise.resolve(['a'])))
  await groups.prepare('u')
  fail = true
  await clock.advance(300_000)
  groups.current('u')
  await new Promise((resolve) => setImmediate(resolve))
  expect(groups.current('u')).toEqual(['a'])
})

test('the operating system knows who runs this test, and no such user', async () => {
  expect((await groupsOfSystemUser(os.userInfo().username)).length).toBeGreaterThan(0)
  expect(await groupsOfSystemUser('no-such-user-here')).toEqual([])
})

test.each(['0', '+0', '-G', '--help', '', 'a b', 'x\ny', '../x'])(
  '%j is no name to ask the system for: a number would give the groups of that user id',
  async (user) => {
    expect(await groupsOfSystemUser(user)).toEqual([])
  },
)
