import { expect, test } from 'vitest'
import { normalizePath } from './path.ts'

test.each([
  ['/a/b', '/a/b'],
  ['/', '/'],
  ['a', '/user/me/a'],
  ['.', '/user/me'],
  ['a/../b', '/user/me/b'],
  ['/a//b/', '/a/b'],
  ['/a/./b/../c', '/a/c'],
  ['/.hidden', '/.hidden'],
  ['/a/...', '/a/...'],
  ['quarry://host:1/x/y', '/x/y'],
  ['quarry:///x/', '/x'],
  ['hdfs:///x', '/x'],
  ['hdfs://nn', '/'],
  ['/with space/%41\\b', '/with space/%41\\b'],
  ['file:name', '/user/me/file:name'],
])('%s is %s', (typed, absolute) => {
  expect(normalizePath(typed, '/user/me', 'quarry://host:1')).toBe(absolute)
})

test('a path that leads above the root is refused', () => {
  expect(() => normalizePath('/../x', '/user/me', 'quarry://host:1')).toThrow("Invalid path name: '/../x' leads above the root")
  expect(() => normalizePath('', '/user/me', 'quarry://host:1')).toThrow('Can not create a Path from an empty string')
})

test('a URI of another cluster is refused', () => {
  expect(() => normalizePath('quarry://other:1/x', '/user/me', 'quarry://host:1')).toThrow(
    'Wrong FS: quarry://other:1/x, expected: quarry://host:1',
  )
})
