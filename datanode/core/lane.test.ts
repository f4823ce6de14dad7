import { expect, test } from 'vitest'
import { Lane } from './lane.ts'

test('so many run, the others wait in order, more than may wait are refused, and places are handed on after failures too', async () => {
  const lane = new Lane(2, 2)
  const log: string[] = []
  const gates: (() => void)[] = []
  const work = (name: string, fails = false) =>
    lane.run(async () => {
      log.push(name)
      await new Promise<void>((resolve) => gates.push(resolve))
      if (fails) throw new Error(name)
    })
  const [a, b, c, d] = [work('a', true), work('b'), work('c'), work('d')]
  await expect(work('e')).rejects.toMatchObject({ code: 'OVERLOADED' })
  expect([log, lane.running, lane.waiting]).toEqual([['a', 'b'], 2, 2])
  gates.shift()!()
  await expect(a).rejects.toThrow('a')
  expect([log, lane.running, lane.waiting]).toEqual([['a', 'b', 'c'], 2, 1])
  gates.shift()!()
  await b
  await Promise.resolve()
  expect(log).toEqual(['a', 'b', 'c', 'd'])
  for (const gate of gates) gate()
  await Promise.all([c, d])
  expect([lane.running, lane.waiting]).toEqual([0, 0])
})
