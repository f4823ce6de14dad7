import { expect, it } from 'vitest'
import { LostStamps, withRange } from './lost-stamps.ts'

it('knows the stamps of the history that was taken back, over restarts, until they are given up', () => {
  let text: string | undefined = withRange(withRange(undefined, { from: 1010, to: 2000 }), { from: 2050, to: 3000 })
  const records = { load: () => text, save: (now: string) => void (text = now) }
  const known = (lost: LostStamps) => [1009, 1010, 1999, 2000, 2049, 2050, 2999, 3000].filter((stamp) => lost.has(stamp))
  const lost = new LostStamps(records)
  expect(known(lost)).toEqual([1010, 1999, 2050, 2999])
  expect(known(new LostStamps(records))).toEqual([1010, 1999, 2050, 2999])
  lost.accept()
  expect([known(lost), known(new LostStamps(records))]).toEqual([[], []])
})

it('knows none where nothing was restored, and writes nothing then', () => {
  let saved = 0
  const lost = new LostStamps({ load: () => undefined, save: () => void saved++ })
  lost.accept()
  expect([lost.has(1001), saved]).toEqual([false, 0])
})
