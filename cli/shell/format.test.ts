import { describe, expect, test } from 'vitest'
import { humanSize, javaDate, percent, printable, table, utcSecond, javaFloat } from './format.ts'
import { relativeTo } from './shell.ts'

test.each([
  [0, '0'],
  [1023, '1023'],
  [1024, '1 K'],
  [1536, '1.5 K'],
  [1_048_575, '1.0 M'],
  [64 * 1024 ** 2, '64 M'],
  [1_234_567_890, '1.1 G'],
  [1024 ** 5 * 3, '3 P'],
  [-2048, '-2 K'],
])('humanSize(%d) is %s, as Hadoop rounds', (bytes, text) => {
  expect(humanSize(bytes)).toBe(text)
})

test.each([
  [0, '0 B'],
  [73_728, '72 KB'],
  [811_659_522_048, '755.92 GB'],
  [242_057, '236.38 KB'],
])('with unit and two decimals %d is %s, as dfsadmin prints', (bytes, text) => {
  expect(humanSize(bytes, 2, 'B')).toBe(text)
})

test('percent of nothing is NaN, as Java has it', () => {
  expect([percent(0.3143, 2), percent(0, 2), percent(0 / 0, 0)]).toEqual(['31.43%', '0.00%', 'NaN%'])
})

test('a table pads by the widest cell and leaves the last column as it is', () => {
  expect(
    table([
      ['1', 'aaa', 'x'],
      ['1000', 'b', 'long name'],
    ]),
  ).toBe('1     aaa  x\n1000  b    long name\n')
  expect(
    table(
      [
        ['a', 'b'],
        ['1', '22'],
      ],
      [1],
    ),
  ).toBe('a   b\n1  22\n')
})

test("dates are UTC for stat and Java's for reports", () => {
  expect(utcSecond(0)).toBe('1970-01-01 00:00:00')
  expect(javaDate(Date.UTC(2026, 10, 22, 12))).toMatch(
    /^(Sat|Sun|Mon) Nov 2\d \d\d:00:00 \S+ 2026$|^(Sat|Sun|Mon) Nov 2\d \d\d:\d\d:00 \S+ 2026$/,
  )
})

test('printable hides control and format characters, not letters of any script', () => {
  expect(printable('a\tb\u200bü日🎉')).toBe('a?b?ü日🎉')
})

test.each([
  [100, '100.0'],
  [100 / 3, '33.333332'],
  [0, '0.0'],
  [2.5, '2.5'],
  [200 / 3, '66.666664'],
])('javaFloat(%d) is %s', (value, text) => {
  expect(javaFloat(value)).toBe(text)
})

describe('relativeTo', () => {
  test.each([
    ['/user/a', '/user/a', '.'],
    ['/user/a', '/user/a/b/c', 'b/c'],
    ['/user/a', '/user/b', '../b'],
    ['/user/a', '/', '../..'],
    ['/user/a', '/user/ab', '../ab'],
  ])('from %s to %s is %s', (from, path, text) => {
    expect(relativeTo(from, path)).toBe(text)
  })
})
