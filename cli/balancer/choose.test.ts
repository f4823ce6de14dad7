import { expect, test } from 'vitest'
import { chooseTarget } from './choose.ts'
import type { MovableBlock, Target } from './choose.ts'

const place = (uuid: string, rack = '/a') => ({ uuid, rack })
const usage = (uuid: string, rack = '/a') => ({ uuid, name: uuid, rack, capacity: 1000, used: 0, remaining: 1000 })
const target = (uuid: string, left: number, rack = '/a'): Target => ({ node: usage(uuid, rack), left })
const block = (length: number, ...locations: { uuid: string; rack: string }[]): MovableBlock => ({
  blockId: 1,
  genstamp: 1001,
  length,
  locations,
})
const source = usage('s')

test('a node that has a replica never gets a second one', () => {
  expect(chooseTarget(block(10, place('s'), place('t')), source, [target('t', 100)])).toBeUndefined()
  expect(chooseTarget(block(10, place('s'), place('t')), source, [target('t', 100), target('u', 100)])?.node.uuid).toBe('u')
})

test('a block never lies on fewer racks afterwards', () => {
  const spread = block(10, place('s', '/a'), place('t', '/b'))
  expect(chooseTarget(spread, source, [target('u', 100, '/b')])).toBeUndefined()
  expect(chooseTarget(spread, source, [target('u', 100, '/c')])?.node.uuid).toBe('u')
})

test("the source's rack is preferred", () => {
  const targets = [target('far', 100, '/b'), target('near', 100, '/a')]
  expect(chooseTarget(block(10, place('s')), source, targets)?.node.uuid).toBe('near')
})

test('a block that would take the target farther from its share than it is, is left', () => {
  expect(chooseTarget(block(199, place('s')), source, [target('t', 100)])?.node.uuid).toBe('t')
  expect(chooseTarget(block(200, place('s')), source, [target('t', 100)])).toBeUndefined()
  expect(chooseTarget(block(1, place('s')), source, [target('t', 0)])).toBeUndefined()
})
