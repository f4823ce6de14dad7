// Who takes part in a block recovery, and at which length.
import { describe, expect, it } from 'vitest'
import { agreeOnLength } from './recovery-length.ts'
import type { Candidate } from './recovery-length.ts'

const replica = (from: string, length: number, more: Partial<Candidate<string>> = {}): Candidate<string> => ({
  from,
  found: true,
  genstamp: 5,
  length,
  finalized: false,
  waiting: false,
  ...more,
})
const agreed = (...candidates: Candidate<string>[]) => {
  const { length, parties } = agreeOnLength(candidates, 5)
  return { length, parties: parties.map((one) => one.from) }
}

describe('agreeOnLength', () => {
  it('takes the shortest open replica: it holds all that every node acknowledged', () => {
    expect(agreed(replica('a', 100), replica('b', 70), replica('c', 90))).toEqual({ length: 70, parties: ['a', 'b', 'c'] })
  })
  it('leaves out stale stamps, missing replicas and empty ones', () => {
    expect(agreed(replica('a', 100), replica('b', 10, { genstamp: 4 }), replica('c', 0), replica('d', 5, { found: false }))).toEqual({
      length: 100,
      parties: ['a'],
    })
  })
  it('prefers open replicas to those that were interrupted by a restart', () => {
    expect(agreed(replica('a', 100), replica('b', 40, { waiting: true }))).toEqual({ length: 100, parties: ['a'] })
    expect(agreed(replica('a', 50, { waiting: true }), replica('b', 40, { waiting: true }))).toEqual({ length: 40, parties: ['a', 'b'] })
  })
  it('lets finalised replicas decide, joined by open ones of the same length', () => {
    expect(agreed(replica('a', 100, { finalized: true }), replica('b', 100), replica('c', 60))).toEqual({
      length: 100,
      parties: ['a', 'b'],
    })
  })
  it('finds nothing when nobody has a byte', () => {
    expect(agreed(replica('a', 0), replica('b', 0, { found: false }))).toEqual({ length: 0, parties: [] })
  })
})
