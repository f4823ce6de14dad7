import fc from 'fast-check'
import { expect, test } from 'vitest'
import { planIteration, utilization } from './plan.ts'
import type { NodeUsage } from './plan.ts'

const node = (uuid: string, used: number, capacity = 1000, rack = '/a'): NodeUsage => ({
  uuid,
  name: uuid,
  rack,
  capacity,
  used,
  remaining: capacity - used,
})
const plan = (nodes: readonly NodeUsage[], threshold = 10, perNodeMax = 1e12) => planIteration(nodes, { threshold, perNodeMax })
const pairs = (nodes: readonly NodeUsage[], threshold?: number, perNodeMax?: number) =>
  plan(nodes, threshold, perNodeMax).transfers.map(({ source, target, bytes }) => `${source.uuid}>${target.uuid} ${bytes}`)

test('nothing is planned while every node is within the threshold of the average', () => {
  expect(plan([node('a', 550), node('b', 450)])).toMatchObject({ average: 50, bytesLeft: 0, transfers: [] })
})

test('an over-utilised node gives to an under-utilised one, up to the average of both', () => {
  expect(pairs([node('a', 900), node('b', 100)])).toEqual(['a>b 400'])
})

test('utilisation is a share of each capacity, not of bytes', () => {
  // 300 of 400 and 300 of 800: the average is half.
  expect(pairs([node('small', 300, 400), node('large', 300, 800)])).toEqual(['small>large 100'])
})

test('an over-utilised node gives to nodes below the average where none is under-utilised', () => {
  expect(pairs([node('a', 750), node('b', 450), node('c', 450), node('d', 450)], 15)).toEqual(['a>b 75', 'a>c 75', 'a>d 75'])
})

test('an under-utilised node takes from nodes above the average where none is over-utilised', () => {
  expect(pairs([node('a', 250), node('b', 550), node('c', 550), node('d', 550)], 15)).toEqual(['b>a 75', 'c>a 75', 'd>a 75'])
})

test('pairs within a rack come first', () => {
  expect(pairs([node('a', 900, 1000, '/1'), node('b', 100, 1000, '/2'), node('c', 900, 1000, '/2'), node('d', 100, 1000, '/1')])).toEqual([
    'a>d 400',
    'c>b 400',
  ])
})

test('a node gives and takes at most so many bytes in one iteration', () => {
  expect(pairs([node('a', 900), node('b', 100)], 10, 30)).toEqual(['a>b 30'])
})

test('only the sources named may give', () => {
  const nodes = [node('a', 900), node('b', 800), node('c', 100)]
  const { transfers } = planIteration(nodes, { threshold: 10, perNodeMax: 1e12, isSource: ({ uuid }) => uuid === 'b' })
  expect(transfers.map(({ source }) => source.uuid)).toEqual(['b'])
})

test('a node without capacity is left out', () => {
  expect(plan([node('a', 0, 0), node('b', 500)])).toMatchObject({ bytesLeft: 0, transfers: [] })
})

test('no plan takes a node over the average from either side, and an unbalanced cluster has a plan', () => {
  const nodes = fc.array(
    fc.record({ used: fc.integer({ min: 0, max: 1000 }), spare: fc.integer({ min: 1, max: 1000 }), rack: fc.constantFrom('/a', '/b') }),
    { minLength: 2, maxLength: 8 },
  )
  fc.assert(
    fc.property(nodes, fc.integer({ min: 1, max: 50 }), (drawn, threshold) => {
      const cluster = drawn.map(({ used, spare, rack }, index) => node(`n${index}`, used, used + spare, rack))
      const { transfers, average, bytesLeft } = plan(cluster, threshold)
      const change = new Map<string, number>()
      for (const { source, target, bytes } of transfers) {
        expect(bytes).toBeGreaterThan(0)
        change.set(source.uuid, (change.get(source.uuid) ?? 0) - bytes)
        change.set(target.uuid, (change.get(target.uuid) ?? 0) + bytes)
      }
      for (const one of cluster) {
        const before = utilization(one) - average
        const after = utilization({ ...one, used: one.used + (change.get(one.uuid) ?? 0) }) - average
        expect(Math.abs(after)).toBeLessThanOrEqual(Math.abs(before) + 1e-9)
        expect(after * before).toBeGreaterThanOrEqual(-1e-9)
      }
      const isBalanced = cluster.every((one) => Math.abs(utilization(one) - average) <= threshold)
      expect(bytesLeft === 0).toBe(isBalanced)
    }),
  )
})
