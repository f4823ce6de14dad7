import { expect, test } from 'vitest'
import { Throttle } from './throttle.ts'

const MiB = 1024 * 1024

/** How long it takes to send `packets` of 1 MiB one after another, waiting as told. */
function send(throttle: Throttle, packets: number, fromMs = 0): number {
  let nowMs = fromMs
  for (let i = 0; i < packets; i++) nowMs += throttle.waitMs(throttle.take(MiB, nowMs), nowMs)
  return nowMs - fromMs
}

test('bytes flow at the rate, and a pause saves up no more than a tenth of a second', () => {
  const throttle = new Throttle(10 * MiB)
  expect(send(throttle, 100)).toBe(9_900)
  expect(send(throttle, 100, 60_000)).toBe(9_900)
})

test('several streams share the rate', () => {
  const throttle = new Throttle(10 * MiB)
  const due = [0, 0]
  for (let i = 0; i < 100; i++) {
    const stream = due[0]! <= due[1]! ? 0 : 1
    due[stream]! += throttle.waitMs(throttle.take(MiB, due[stream]!), due[stream]!)
  }
  expect(Math.max(...due)).toBeGreaterThanOrEqual(9_800)
  expect(Math.max(...due)).toBeLessThanOrEqual(10_000)
})

test('another rate holds at once, also for what was taken before', () => {
  const throttle = new Throttle(MiB)
  expect(send(throttle, 2)).toBe(1_900)
  throttle.setRate(100 * MiB, 1_900)
  expect(send(throttle, 100, 1_900)).toBe(1_000)
  const slow = new Throttle(1024)
  const ticket = slow.take(MiB, 0)
  expect(slow.waitMs(ticket, 0)).toBe(1_023_900)
  slow.setRate(MiB, 1_000)
  expect(slow.waitMs(ticket, 1_000)).toBe(999)
})
