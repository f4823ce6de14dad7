// One seed, many independent streams of chance: each purpose draws from its own, so that a new draw in one place does not change
// what happens in all others.
import type { Random } from '../../../common/env.ts'
import { SeededRandom } from '../../../common/testing/seeded-random.ts'

/** The stream of chance for a purpose, such as 'network' or 'actor:writer-2'. */
export function streamOf(seed: number, purpose: string): Random {
  let hash = (0x811c9dc5 ^ seed) >>> 0
  for (let i = 0; i < purpose.length; i++) hash = Math.imul(hash ^ purpose.charCodeAt(i), 0x01000193) >>> 0
  const random = new SeededRandom(hash)
  // Neighbouring seeds begin alike.
  for (let i = 0; i < 4; i++) random.float()
  return random
}

/** In [from, to). */
export function between(random: Random, from: number, to: number): number {
  return from + (to - from) * random.float()
}

export function pick<T>(random: Random, from: readonly T[]): T | undefined {
  return from[random.int(from.length)]
}

export function chance(random: Random, probability: number): boolean {
  return random.float() < probability
}
