import { expect, it } from 'vitest'
import { CommitWindow } from './commit-window.ts'

/** Turns of an engine that takes `fsyncMs` and `changeMs` for each change, while callers have more than enough. */
function saturate(window: CommitWindow, turns: number, fsyncMs: number, changeMs: number): number {
  let nowMs = 0
  let turnMs = 0
  for (let turn = 0; turn < turns; turn++) {
    let sampled = false
    let changes = 0
    while (window.hasRoom) {
      if (window.took()) {
        window.began(nowMs)
        sampled = true
      }
      changes++
    }
    turnMs = fsyncMs + changes * changeMs
    nowMs += turnMs
    window.taken()
    if (sampled) window.measured(nowMs)
  }
  return turnMs
}

it('keeps turns short when changes are dear', () => {
  const window = new CommitWindow()
  expect(saturate(window, 100, 0.5, 0.05)).toBeLessThanOrEqual(6)
  expect(window.size).toBeGreaterThanOrEqual(64)
})

it('grows when changes are cheap', () => {
  const window = new CommitWindow()
  saturate(window, 100, 0.5, 0.002)
  expect(window.size).toBe(1024)
})

it('does not shrink because the disk alone is slow: small turns would only waste it', () => {
  const window = new CommitWindow()
  saturate(window, 200, 30, 0.01)
  expect(window.size).toBeGreaterThan(256)
})

it('learns nothing from turns that are all alike, and counts what was given', () => {
  const window = new CommitWindow()
  for (let i = 0; i < 100; i++) {
    if (window.took()) window.began(i)
    expect(window.given).toBe(1)
    window.taken()
    window.measured(i + 0.5)
  }
  expect([window.size, window.given]).toEqual([256, 0])
})

it('follows a disk that becomes slow and fast again', () => {
  const window = new CommitWindow()
  saturate(window, 200, 0.5, 0.05)
  const before = window.size
  saturate(window, 400, 60, 0.05)
  expect(window.size).toBe(1024)
  saturate(window, 400, 0.5, 0.05)
  expect(Math.abs(window.size - before)).toBeLessThanOrEqual(before / 4)
})
