// A writer has much to lose: it waits out a namenode that has just restarted and is in safe mode, or does not
// hear from its datanodes yet, where a single call would fail.
import { backoffMs } from '../common/backoff.ts'
import { isQuarryError } from '../common/errors.ts'
import type { Env } from '../common/env.ts'
import { namenodePatienceMs } from '../common/limits.ts'
import type { Init, Method, NamenodePort, ReplyOf, Request } from '../proto/ports.ts'

/** Waits while replicas are being reported: first a moment, then as long as HDFS's clients do. */
export const patienceBackoff = { baseMs: 5, maxMs: 2_000 }

export async function callPatiently<M extends Method>(
  namenode: NamenodePort,
  env: Env,
  method: M,
  request: Init<Request<M>>,
): Promise<ReplyOf<M>> {
  const giveUpAtMs = env.clock.monotonicMs() + namenodePatienceMs
  for (let attempt = 0; ; attempt++) {
    try {
      return await namenode.call(method, request)
    } catch (error) {
      const waits = isQuarryError(error, 'SAFE_MODE') || isQuarryError(error, 'RETRY_LATER')
      if (!waits || env.clock.monotonicMs() >= giveUpAtMs) throw error
      await env.clock.sleep(backoffMs(attempt, patienceBackoff, env.random))
    }
  }
}
