import { describe, expect, it } from 'vitest'
import { contentOf } from './content.ts'
import { ClientLines, Ledger } from './ledger.ts'
import { faultKinds, schedule } from './schedule.ts'

const plan = (seed: number) => schedule({ seed, durationMs: 600_000, datanodes: 5, clients: 3 })

describe('the schedule of faults', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(plan(1)).toEqual(plan(1))
    expect(plan(1)).not.toEqual(plan(2))
  })

  it('has every kind of fault, and takes at most two datanodes out at once, none twice', () => {
    const kinds = new Set<string>()
    for (let seed = 0; seed < 50; seed++) {
      const faults = plan(seed)
      for (const fault of faults) kinds.add(fault.kind)
      const out = faults.filter(
        (fault) =>
          fault.door !== 'clients' &&
          ['kill-datanode', 'stop-datanode', 'partition', 'one-way', 'half-open', 'disk-full'].includes(fault.kind),
      )
      for (const fault of out) {
        const same = out.filter((other) => other.atMs <= fault.atMs && other.atMs + other.forMs > fault.atMs)
        expect(same.length).toBeLessThanOrEqual(2)
        expect(new Set(same.map((other) => other.target)).size).toBe(same.length)
      }
      expect(faults.every((fault) => fault.atMs + fault.forMs <= 600_000)).toBe(true)
    }
    expect(kinds).toEqual(new Set(faultKinds))
  })

  it('keeps to the kinds that are asked for', () => {
    const faults = schedule({ seed: 1, durationMs: 60_000, datanodes: 5, clients: 3, kinds: ['flip', 'reset'] })
    expect(new Set(faults.map((fault) => fault.kind))).toEqual(new Set(['flip', 'reset']))
  })
})

describe('the ledger', () => {
  it('knows what was acknowledged, and what may have happened when a client is killed in the middle of a line', () => {
    const ledger = new Ledger()
    const lines = new ClientLines(ledger)
    const say = (line: object) => lines.take(`${JSON.stringify(line)}\n`)
    say({ at: 'begin', id: 1, step: { kind: 'create', file: 1, path: '/a' } })
    say({ at: 'end', id: 1, ms: 1 })
    say({ at: 'begin', id: 2, step: { kind: 'send', file: 1, length: 100 } })
    say({ at: 'end', id: 2, ms: 1 })
    say({ at: 'begin', id: 3, step: { kind: 'flush', file: 1, length: 60 } })
    say({ at: 'end', id: 3, ms: 1 })
    say({ at: 'begin', id: 4, step: { kind: 'rename', file: 1, target: '/b' } })
    lines.take('{"at":"end","id"')
    expect(ledger.files.get(1)).toEqual({
      file: 1,
      paths: ['/a', '/b'],
      created: 'yes',
      deleted: 'no',
      acknowledged: 60,
      sent: 100,
    })
    expect(ledger.living).toBe(1)
  })
})

it('the bytes of a file are the same wherever they begin', () => {
  const whole = contentOf(7, 0, 10_000)
  for (const [start, end] of [
    [0, 1],
    [15, 17],
    [16, 32],
    [4097, 10_000],
  ] as const)
    expect(contentOf(7, start, end).equals(whole.subarray(start, end))).toBe(true)
  expect(contentOf(8, 0, 100).equals(whole.subarray(0, 100))).toBe(false)
})
