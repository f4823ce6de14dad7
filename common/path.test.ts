// Proves that path rules and the order of names are those of raw UTF-8 bytes.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareNames, joinPath, nameOf, parentOf, splitPath, utf8Length } from './path.ts'

describe('splitPath', () => {
  it('cuts an absolute path into its components and forgives one trailing slash', () => {
    expect(splitPath('/')).toEqual([])
    expect(splitPath('/a')).toEqual(['a'])
    expect(splitPath('/a/b c/😀/')).toEqual(['a', 'b c', '😀'])
  })

  it('joins to the path it was cut from', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((n) => !n.includes('/') && n !== '.' && n !== '..')
    fc.assert(
      fc.property(fc.array(name, { maxLength: 8 }), (names) => {
        expect(splitPath(joinPath(names))).toEqual(names)
      }),
    )
  })

  it.each([
    ['a/b', 'INVALID_PATH'],
    ['', 'INVALID_PATH'],
    ['/a//b', 'INVALID_PATH'],
    ['/a/./b', 'INVALID_PATH'],
    ['/a/../b', 'INVALID_PATH'],
    ['/\ud800', 'INVALID_PATH'],
    [`/${'x'.repeat(256)}`, 'NAME_TOO_LONG'],
    [`/${'é'.repeat(128)}`, 'NAME_TOO_LONG'],
    [`/${'a/'.repeat(1001)}`, 'INVALID_PATH'],
  ])('refuses %j with %s', (path, code) => {
    expect(() => splitPath(path)).toThrow(expect.objectContaining({ code }))
  })

  it('takes a name of exactly 255 bytes', () => {
    expect(splitPath(`/${'x'.repeat(255)}`)).toHaveLength(1)
    expect(splitPath(`/${'é'.repeat(127)}x`)).toHaveLength(1)
  })
})

describe('parentOf and nameOf', () => {
  it.each([
    ['/', '/', ''],
    ['/a', '/', 'a'],
    ['/a/b', '/a', 'b'],
  ])('of %s', (path, parent, name) => {
    expect([parentOf(path), nameOf(path)]).toEqual([parent, name])
  })
})

describe('compareNames and utf8Length', () => {
  const text = fc.string({ unit: 'binary', maxLength: 12 })

  it('orders as the bytes do', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareNames(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))))
      }),
    )
  })

  it('puts an emoji after a private-use character, which UTF-16 order does not', () => {
    expect(compareNames('\u{1F600}', '\uE000')).toBeGreaterThan(0)
    expect('\u{1F600}' > '\uE000').toBe(false)
  })

  it('counts bytes without encoding', () => {
    fc.assert(
      fc.property(text, (a) => {
        expect(utf8Length(a)).toBe(Buffer.byteLength(a))
      }),
    )
  })
})
