import { expect, it } from 'vitest'
import { distinctNames, rowToJson, valueToJson, valueToText, type Column, type Shape } from './values.ts'

const plain: Shape = { kind: 'plain' }
const decimal: Shape = { kind: 'decimal' }

it('writes numbers with all their digits', () => {
  expect(valueToJson(170141183460469231731687303715884105727n, plain)).toBe('170141183460469231731687303715884105727')
  expect(valueToJson('12345678901234567890.50', decimal)).toBe('12345678901234567890.50')
  expect(valueToJson(0.1, plain)).toBe('0.1')
  expect(valueToJson(Number.NaN, plain)).toBe('"NaN"')
  expect(valueToJson(Number.NEGATIVE_INFINITY, plain)).toBe('"-Infinity"')
})

it('writes what is inside lists, structs and maps by its own type', () => {
  expect(valueToJson(['1.50', null], { kind: 'list', of: decimal })).toBe('[1.50,null]')
  expect(valueToJson({ a: '1.50', b: 'x' }, { kind: 'struct', fields: { a: decimal, b: plain } })).toBe('{"a":1.50,"b":"x"}')
  expect(valueToJson([{ key: 'k', value: '2.0' }], { kind: 'map', key: plain, value: decimal })).toBe('[{"key":"k","value":2.0}]')
  expect(valueToJson(new Uint8Array([1, 2]), plain)).toBe('"AQI="')
})

it('tells columns of one name apart', () => {
  const columns: Column[] = ['a', 'a', 'a_1', 'b'].map((name) => ({ name, type: 'INTEGER', shape: plain }))
  expect(distinctNames(columns)).toEqual(['a', 'a_1', 'a_1_1', 'b'])
  expect(rowToJson([1, 2, 3, null], columns)).toBe('{"a":1,"a_1":2,"a_1_1":3,"b":null}')
})

it('shows values to people without quotes', () => {
  expect([
    valueToText(null, plain),
    valueToText('text', plain),
    valueToText(Number.NaN, plain),
    valueToText(['a'], { kind: 'list', of: plain }),
  ]).toEqual(['NULL', 'text', 'NaN', '["a"]'])
})
