// Waiting in tests: for what must come true, not for a time.
import { QuarryError } from '../../common/errors.ts'

/** Far beyond what anything here takes on a busy machine. */
const patienceMs = 60_000

/**
 * Asks `pending` until it answers undefined, every 50 ms. It answers what is still missing, which the error repeats when the time is
 * over. Errors of `pending` are thrown.
 */
export async function waitFor(
  pending: () => Promise<string | undefined> | string | undefined,
  what: string,
  withinMs: number = patienceMs,
): Promise<void> {
  const startedMs = performance.now()
  for (;;) {
    const missing = await pending()
    if (missing === undefined) return
    if (performance.now() - startedMs > withinMs) throw new QuarryError('TIMEOUT', `waited ${withinMs / 1000} s for ${what}: ${missing}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
