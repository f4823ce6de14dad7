// How long to wait before trying again.
import type { Random } from './env.ts'

export interface Backoff {
  readonly baseMs: number
  readonly maxMs: number
}

/** Milliseconds before retry number `attempt` (from 0): doubling, capped, and spread over its upper half so that callers part ways. */
export function backoffMs(attempt: number, { baseMs, maxMs }: Backoff, random: Random): number {
  const fullMs = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30))
  return fullMs / 2 + (fullMs / 2) * random.float()
}
