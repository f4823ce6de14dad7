import { expect, test } from 'vitest'
import { SlowNodes } from './slow-nodes.ts'

const nodes = ['a', 'b', 'c']

/** The answers for these packets. */
function run(detector: SlowNodes, packets: number[][]): (string | undefined)[] {
  return packets.map((tookMs) => detector.acknowledged(nodes, tookMs)?.node)
}

test('a node that alone is slow for five packets in a row is found, with how long it and the others take', () => {
  const detector = new SlowNodes(100)
  expect(
    run(
      detector,
      Array.from({ length: 4 }, () => [3, 150, 2]),
    ),
  ).toEqual([undefined, undefined, undefined, undefined])
  expect(detector.acknowledged(nodes, [3, 170, 90])).toEqual({ node: 'b', tookMs: 170, othersMs: 90 })
})

test('one quick packet in between begins the count anew, and so does another slow node', () => {
  const slow = [3, 150, 2]
  expect(run(new SlowNodes(100), [slow, slow, slow, slow, [3, 99, 2], slow, slow, slow, slow])).not.toContain('b')
  expect(run(new SlowNodes(100), [slow, slow, slow, slow, [150, 3, 2], slow])).toEqual(Array.from({ length: 6 }))
})

test('when all are slow nobody is to blame, nor is the only node of a pipeline, nor with a threshold of 0', () => {
  const many = <T>(value: T): T[] => Array.from({ length: 20 }, () => value)
  expect(run(new SlowNodes(100), many([300, 900, 200]))).toEqual(many(undefined))
  const single = new SlowNodes(100)
  expect(many(0).map(() => single.acknowledged(['a'], [900]))).toEqual(many(undefined))
  expect(run(new SlowNodes(0), many([1, 900, 1]))).toEqual(many(undefined))
})

test('a datanode that does not measure is not judged', () => {
  const detector = new SlowNodes(100)
  expect(Array.from({ length: 9 }, () => detector.acknowledged(nodes, []))).toEqual(Array.from({ length: 9 }))
})
