import { expect, test } from 'vitest'
import { encodePath, opOf, parseTarget, Query } from './request.ts'

const pathOf = (url: string): string | undefined => parseTarget(url)?.path

test('paths are decoded as UTF-8, a plus stays a plus, slashes collapse', () => {
  expect(pathOf('/webhdfs/v1/a%20b%2Bc+d%3Be;f%25g/%C3%BC?op=OPEN')).toBe('/a b+c+d;e;f%g/ü')
  expect(pathOf('/webhdfs/v1//a///b/?op=OPEN')).toBe('/a/b')
  expect(pathOf('/webhdfs/v1?op=LISTSTATUS')).toBe('/')
  expect(pathOf('/webhdfs/v1/')).toBe('/')
})

test('the whole address, as proxies send it', () => {
  expect(pathOf('http://host:9870/webhdfs/v1/x?op=OPEN')).toBe('/x')
  expect(pathOf('http://host:9870?/webhdfs/v1/x')).toBeUndefined()
})

test('other addresses are not for WebHDFS', () => {
  for (const url of ['/', '/webhdfs', '/webhdfs/v2/x', '/webhdfs/v1x/y', '/status?/webhdfs/v1']) expect(parseTarget(url)).toBeUndefined()
})

test.each(['/webhdfs/v1/%ff', '/webhdfs/v1/%C3', '/webhdfs/v1/a%00b', '/webhdfs/v1/%zz'])('%s is no path', (url) => {
  expect(() => parseTarget(url)).toThrow(expect.objectContaining({ code: 'INVALID_PATH' }))
})

test('names of parameters are in any case, the first of two counts, empty ones are left out', () => {
  const query = new Query('OP=open&user.name=ann&User.Name=bob&length=&destination=/a+b%2Bc&flag')
  expect(opOf(query)).toBe('OPEN')
  expect(query.first('user.name')).toBe('ann')
  expect(query.all('user.name')).toEqual(['ann', 'bob'])
  expect(query.first('length')).toBeUndefined()
  expect(query.first('flag')).toBeUndefined()
  expect(query.first('destination')).toBe('/a b+c')
  expect(query.first('missing')).toBeUndefined()
})

test('a request without an op, with a broken escape or with far too many parameters is refused', () => {
  expect(() => opOf(new Query('user.name=x'))).toThrow(
    expect.objectContaining({ code: 'UNSUPPORTED', message: 'op=NULL is not supported' }),
  )
  expect(() => new Query('op=%e0%a4%a')).toThrow(expect.objectContaining({ code: 'ILLEGAL_ARGUMENT' }))
  expect(() => new Query('a=1&'.repeat(300))).toThrow(expect.objectContaining({ code: 'ILLEGAL_ARGUMENT' }))
})

test('an encoded path comes back as it was', () => {
  for (const path of ['/', '/a b/ü+%;?#&=', '/😀']) expect(pathOf(`/webhdfs/v1${encodePath(path)}?op=OPEN`)).toBe(path)
})
