// The real clock and the real randomness.
import { randomBytes, randomInt } from 'node:crypto'
import type { Clock, Env, Logger, Random } from './env.ts'
import { silentLogger } from './env.ts'

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const onAbort = () => {
        clearTimeout(timer)
        reject(signal?.reason as Error)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, ms)
      timer.unref()
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  },
  after(ms, callback) {
    const timer = setTimeout(callback, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

export const systemRandom: Random = {
  float: () => Math.random(),
  int: (limit) => randomInt(limit),
  bytes: (length) => randomBytes(length),
}

export function systemEnv(log: Logger = silentLogger): Env {
  return { clock: systemClock, random: systemRandom, log }
}
