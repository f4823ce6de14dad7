// Runs what waits on a virtual clock: whenever nothing else goes on, time does.
import type { VirtualClock } from '../../common/testing/virtual-clock.ts'

/** How far the clock moves at a time. */
const tickMs = 50

/** The outcome of `work`, and how much virtual time it took. Fails when it is not done after `limitMs` of it. */
export async function drive<T>(clock: VirtualClock, work: Promise<T>, limitMs = 600_000): Promise<{ value: T; tookMs: number }> {
  const startedMs = clock.monotonicMs()
  let over = false
  const ended = work.finally(() => (over = true))
  ended.catch(() => {})
  for (;;) {
    // Everything that can go on without time does so first.
    for (let i = 0; i < 20 && !over; i++) await new Promise((resolve) => setImmediate(resolve))
    if (over) break
    const tookMs = clock.monotonicMs() - startedMs
    if (tookMs > limitMs) throw new Error(`not done after ${tookMs} ms`)
    await clock.advance(tickMs)
  }
  return { value: await ended, tookMs: clock.monotonicMs() - startedMs }
}
