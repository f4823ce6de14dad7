import { expect, it } from 'vitest'
import { Gate } from './gate.ts'

const signal = new AbortController().signal

it('lets so many in, and the next ones in their order', async () => {
  const gate = new Gate(2, 10)
  const order: string[] = []
  const [a, b] = await Promise.all([gate.enter(signal), gate.enter(signal)])
  const c = gate.enter(signal).then((leave) => (order.push('c'), leave))
  const d = gate.enter(signal).then((leave) => (order.push('d'), leave))
  await Promise.resolve()
  expect(order).toEqual([])
  a()
  a()
  const leaveC = await c
  expect(order).toEqual(['c'])
  leaveC()
  b()
  ;(await d)()
  expect(order).toEqual(['c', 'd'])
  // Both places are free again.
  await Promise.all([gate.enter(signal), gate.enter(signal)])
})

it('turns away whom it cannot keep, and lets go of whom is not waiting any more', async () => {
  const gate = new Gate(1, 1)
  const leave = await gate.enter(signal)
  const abort = new AbortController()
  const waiting = gate.enter(abort.signal)
  await expect(gate.enter(signal)).rejects.toMatchObject({ code: 'OVERLOADED' })
  const reason = new Error('enough')
  abort.abort(reason)
  await expect(waiting).rejects.toBe(reason)
  leave()
  ;(await gate.enter(signal))()
  await expect(gate.enter(abort.signal)).rejects.toBe(reason)
})
