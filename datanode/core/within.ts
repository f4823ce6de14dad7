// A promise with a bound on the clock that was handed in.
import type { Clock } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'

/** `promise`, or TIMEOUT after `ms`. */
export async function within<T>(clock: Clock, ms: number, promise: Promise<T>, message: string): Promise<T> {
  let stop = () => {}
  const late = new Promise<never>((_, reject) => {
    stop = clock.after(ms, () => reject(new QuarryError('TIMEOUT', message)))
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    stop()
  }
}
