import { describe, expect, it } from 'vitest'
import { scanPauseMs, ScanSchedule } from './scan-schedule.ts'

const ids = Float64Array.from([10, 20, 30])

/** Reads until the schedule rests; answers what was read and how long the rest is. */
function pass(schedule: ScanSchedule, nowMs: number, replicas = ids): { read: number[]; restMs: number } {
  const read: number[] = []
  for (let i = 0; i < 100; i++) {
    const step = schedule.next(nowMs)
    if (step.kind === 'rest') return { read, restMs: step.ms }
    if (step.kind === 'list') schedule.list(replicas)
    else {
      read.push(step.blockId)
      if (!step.suspect) schedule.read(step.blockId)
    }
  }
  throw new Error('no rest')
}

describe('a pass of the scanner', () => {
  it('reads every replica once, and again a period after it began', () => {
    const schedule = new ScanSchedule(10_000, undefined, 1000)
    expect(pass(schedule, 4000)).toEqual({ read: [10, 20, 30], restMs: 7000 })
    expect(pass(schedule, 10_999)).toEqual({ read: [], restMs: 1 })
    expect(pass(schedule, 11_000, Float64Array.from([20, 40]))).toEqual({ read: [20, 40], restMs: 10_000 })
  })

  it('begins again at once when it took longer than the period', () => {
    const schedule = new ScanSchedule(10_000, undefined, 1000)
    schedule.next(1000)
    schedule.list(ids)
    for (const id of ids) schedule.read(id)
    expect(schedule.next(50_000)).toEqual({ kind: 'list' })
    expect(schedule.cursor).toEqual({ startedMs: 50_000, afterBlockId: 0, done: false })
  })

  it('goes on behind its cursor after a restart, with the replicas that are there then', () => {
    const schedule = new ScanSchedule(10_000, { startedMs: 500, afterBlockId: 20, done: false }, 9000)
    expect(pass(schedule, 9000, Float64Array.from([5, 20, 25, 30]))).toEqual({ read: [25, 30], restMs: 1500 })
    const rested = new ScanSchedule(10_000, schedule.cursor, 9100)
    expect(pass(rested, 9100)).toEqual({ read: [], restMs: 1400 })
  })

  it('names a block again until it was read: a stop in its middle loses nothing', () => {
    const schedule = new ScanSchedule(10_000, undefined, 0)
    schedule.next(0)
    schedule.list(ids)
    expect(schedule.next(0)).toEqual({ kind: 'block', blockId: 10, suspect: false })
    expect(schedule.cursor.afterBlockId).toBe(0)
    expect(schedule.next(0)).toEqual({ kind: 'block', blockId: 10, suspect: false })
    schedule.read(10)
    expect(schedule.next(0)).toEqual({ kind: 'block', blockId: 20, suspect: false })
    expect(schedule.progress).toEqual({ total: 3, read: 1, suspects: 0 })
  })

  it('is not put off by a clock that was set back', () => {
    const schedule = new ScanSchedule(10_000, { startedMs: 1_000_000, afterBlockId: 30, done: true }, 5000)
    expect(pass(schedule, 5000)).toEqual({ read: [], restMs: 10_000 })
  })

  it('never comes when the period is 0', () => {
    const schedule = new ScanSchedule(0, undefined, 0)
    expect(pass(schedule, 0).read).toEqual([])
    schedule.suspect(7, 0)
    expect(pass(schedule, 0).read).toEqual([7])
  })
})

describe('suspects', () => {
  it('are read before everything else, each once', () => {
    const schedule = new ScanSchedule(10_000, undefined, 0)
    schedule.next(0)
    schedule.list(ids)
    schedule.next(0)
    schedule.read(10)
    expect([schedule.suspect(99, 0), schedule.suspect(98, 0), schedule.suspect(99, 0)]).toEqual([true, true, false])
    expect(pass(schedule, 0).read).toEqual([99, 98, 20, 30])
  })

  it('are not read again within ten minutes, however many complain', () => {
    const schedule = new ScanSchedule(0, undefined, 0)
    schedule.suspect(99, 0)
    expect(pass(schedule, 5).read).toEqual([99])
    expect(schedule.suspect(99, 599_999)).toBe(false)
    expect(schedule.suspect(99, 600_005)).toBe(true)
  })

  it('are bounded', () => {
    const schedule = new ScanSchedule(0, undefined, 0)
    for (let id = 1; id <= 2000; id++) schedule.suspect(id, 0)
    expect(schedule.progress.suspects).toBe(1000)
  })
})

describe('the pause after a read', () => {
  it('is what the rate asks for while nobody else uses the disk', () => {
    expect(scanPauseMs({ tookMs: 40, rateMs: 250, streams: 0 })).toBe(250)
    expect(scanPauseMs({ tookMs: 40, rateMs: 0, streams: 0 })).toBe(0)
  })

  it('leaves nineteen parts of twenty to block streams while there are any, and gets on under any load', () => {
    expect(scanPauseMs({ tookMs: 10, rateMs: 100, streams: 3 })).toBe(190)
    expect(scanPauseMs({ tookMs: 10, rateMs: 250, streams: 3 })).toBe(250)
    expect(scanPauseMs({ tookMs: 60_000, rateMs: 0, streams: 1 })).toBe(2000)
  })
})
