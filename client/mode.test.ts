import { expect, test } from 'vitest'
import { applyMode, formatMode, parseOctal } from './mode.ts'

test.each([
  ['644', 0o777, false, 0o644],
  ['1777', 0, true, 0o1777],
  ['0755', 0, true, 0o755],
  ['u+x', 0o644, false, 0o744],
  ['u+rwx,g-w,o=r', 0o067, false, 0o744],
  ['+x', 0o644, false, 0o755],
  ['a-w', 0o777, false, 0o555],
  ['go=', 0o777, false, 0o700],
  ['u+x-w', 0o644, false, 0o544],
  ['a+X', 0o644, false, 0o644],
  ['a+X', 0o744, false, 0o755],
  ['a+X', 0o644, true, 0o755],
  ['+t', 0o755, true, 0o1755],
  ['-t', 0o1755, true, 0o755],
  ['u+w', 0o1555, true, 0o1755],
])('%s of %o (directory: %s) is %o', (mode, current, isDirectory, wanted) => {
  expect(applyMode(mode, current, isDirectory).toString(8)).toBe(wanted.toString(8))
})

test.each(['', '8', '99', '7777', 'u', 'u+q', 'u+r,', 'rw', 'u~r', '+', '2755'].filter((mode) => mode !== '+'))(
  '%j is refused with what to write instead',
  (mode) => {
    expect(() => applyMode(mode, 0o644, false)).toThrow(`Invalid mode '${mode}'. Use octal such as 755, or clauses such as u+rwx,g-w,o=r.`)
  },
)

test('formats bits as ls shows them', () => {
  expect([0o755, 0o640, 0o1777, 0o1776, 0].map(formatMode)).toEqual(['rwxr-xr-x', 'rw-r-----', 'rwxrwxrwt', 'rwxrwxrwT', '---------'])
})

test('reads octal', () => {
  expect(parseOctal('022')).toBe(0o022)
  expect(() => parseOctal('9')).toThrow("Invalid mode '9'")
})
