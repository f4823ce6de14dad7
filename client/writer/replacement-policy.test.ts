import { expect, test } from 'vitest'
import { wantsReplacement } from './replacement-policy.ts'

const loss = (replication: number, survivors: number, more: { appended?: boolean; flushed?: boolean } = {}) => ({
  replication,
  survivors,
  appended: more.appended ?? false,
  flushed: more.flushed ?? false,
})

test.each([
  [loss(3, 2), false],
  [loss(3, 1), true],
  [loss(3, 2, { flushed: true }), true],
  [loss(3, 2, { appended: true }), true],
  [loss(5, 3), false],
  [loss(5, 2), true],
  [loss(2, 1), false],
  [loss(2, 1, { flushed: true, appended: true }), false],
  [loss(3, 3, { flushed: true }), false],
  [loss(3, 0, { flushed: true }), false],
])('DEFAULT: r >= 3 and (n <= floor(r/2), or appended or flushed): %o is %s', (given, expected) => {
  expect(wantsReplacement('default', given)).toBe(expected)
})

test('NEVER never does, ALWAYS does whenever fewer are left than the file should have', () => {
  expect(wantsReplacement('never', loss(3, 1, { flushed: true }))).toBe(false)
  expect([wantsReplacement('always', loss(2, 1)), wantsReplacement('always', loss(2, 2)), wantsReplacement('always', loss(1, 0))]).toEqual([
    true,
    false,
    false,
  ])
})
