import { expect, test } from 'vitest'
import { FileSystem } from './filesystem.ts'
import { compileComponent, expandSlashGroups } from './glob.ts'
import { FakeCluster } from './testing/fake-cluster.ts'

const matches = (glob: string, name: string): boolean => {
  const component = compileComponent(glob)
  return component.kind === 'literal' ? component.name === name : component.matches(name)
}

test.each([
  ['*', 'anything', true],
  ['*', '.hidden', true],
  ['a*c', 'abbc', true],
  ['a*c', 'abb', false],
  ['?', 'x', true],
  ['?', '😀', true],
  ['?', 'xy', false],
  ['a?', 'a\n', true],
  ['[a-c]x', 'bx', true],
  ['[a-c]x', 'dx', false],
  ['[^a-c]', 'd', true],
  ['[!a-c]', 'a', false],
  ['[]x]', ']', true],
  ['[a-]', '-', true],
  ['[\\]]', ']', true],
  ['{jpg,png}', 'png', true],
  ['{jpg,png}', 'gif', false],
  ['x{,y}', 'x', true],
  ['{a,{b,c}d}', 'cd', true],
  ['{a*,b?}', 'bz', true],
  ['a\\*b', 'a*b', true],
  ['a\\*b', 'axb', false],
  ['a.b', 'axb', false],
  ['a+(b)|$^', 'a+(b)|$^', true],
  ['a,b}', 'a,b}', true],
  ['a-b', 'a-b', true],
])('%s on %s: %s', (glob, name, wanted) => {
  expect(matches(glob, name)).toBe(wanted)
})

test.each([
  ['[a', 'a [ is not closed'],
  ['{a', 'a { is not closed'],
  ['a\\', 'there is nothing after the last backslash'],
  ['[z-a]', 'a range in [ ] runs backwards'],
])('%s is refused: %s', (glob, why) => {
  expect(() => compileComponent(glob)).toThrow(`Illegal file pattern '${glob}': ${why}.`)
})

test('groups with slashes become several patterns, others stay', () => {
  expect(expandSlashGroups('/{a/b,c}/d')).toEqual(['/a/b/d', '/c/d'])
  expect(expandSlashGroups('/{a,b}/c')).toEqual(['/{a,b}/c'])
  expect(expandSlashGroups('/{a,{b/x,c}}/d')).toEqual(['/a/d', '/b/x/d', '/c/d'])
  expect(expandSlashGroups('/\\{a/b}')).toEqual(['/\\{a/b}'])
})

test('expands component by component, sorted, over listings of several pages', async () => {
  const cluster = new FakeCluster()
  for (const path of [
    '/data/2024/a.csv',
    '/data/2024/b.csv',
    '/data/2024/c.txt',
    '/data/2025/a.csv',
    '/data/x',
    '/data/2024/d e.csv',
    '/data/2024/*.csv',
  ])
    cluster.addFile(path, Buffer.from('x'))
  const fs = new FileSystem({ uri: 'quarry://x:1', user: 'me', namenode: cluster.namenode, datanodes: cluster })
  const glob = async (pattern: string): Promise<string[]> => (await fs.glob(pattern)).map((info) => info.path)
  expect(await glob('/data/*/a.csv')).toEqual(['/data/2024/a.csv', '/data/2025/a.csv'])
  expect(await glob('/data/20*/[ab].csv')).toEqual(['/data/2024/a.csv', '/data/2024/b.csv', '/data/2025/a.csv'])
  expect(await glob('/data/{2024/c.txt,x}')).toEqual(['/data/2024/c.txt', '/data/x'])
  expect(await glob('/data/2024/\\*.csv')).toEqual(['/data/2024/*.csv'])
  expect(await glob('/data/2024/*')).toHaveLength(5)
  expect(await glob('/data/x/*')).toEqual([])
  expect(await glob('/nowhere/*')).toEqual([])
  expect(await glob('/nowhere')).toEqual([])
  expect(await glob('/data')).toEqual(['/data'])
  expect(await glob('/')).toEqual(['/'])
  await fs.close()
})
