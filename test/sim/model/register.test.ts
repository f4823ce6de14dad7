import { expect, test } from 'vitest'
import { isLinearizable } from './register.ts'
import type { NameCall } from './register.ts'

const call = (kind: NameCall['kind'], id: number, begin: number, end: number, result: NameCall['result']): NameCall => ({
  kind,
  id,
  begin,
  end,
  result,
})

test('calls that follow one another must agree', () => {
  expect(isLinearizable([call('put', 1, 0, 1, true), call('get', 0, 2, 3, 1)])).toBe(true)
  expect(isLinearizable([call('put', 1, 0, 1, true), call('get', 0, 2, 3, 0)])).toBe(false)
  expect(isLinearizable([call('put', 1, 0, 1, true), call('put', 2, 2, 3, true)])).toBe(false)
})

test('calls that overlap may have happened in any order', () => {
  expect(isLinearizable([call('put', 1, 0, 5, true), call('get', 0, 1, 2, 0), call('get', 0, 3, 4, 1)])).toBe(true)
  expect(isLinearizable([call('put', 1, 0, 5, true), call('get', 0, 1, 2, 1), call('get', 0, 3, 4, 0)])).toBe(false)
})

test('a call of unknown outcome may have happened, later or never', () => {
  const lost = call('take', 0, 2, Infinity, undefined)
  expect(isLinearizable([call('put', 1, 0, 1, true), lost, call('get', 0, 3, 4, 1), call('get', 0, 5, 6, 0)])).toBe(true)
  expect(isLinearizable([call('put', 1, 0, 1, true), lost, call('get', 0, 3, 4, 0), call('get', 0, 5, 6, 1)])).toBe(false)
  expect(isLinearizable([call('put', 1, 0, 1, true), lost, call('get', 0, 3, 4, 1)])).toBe(true)
})
