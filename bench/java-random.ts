// java.util.Random, number for number: the benchmarks read the same files in the same order, and write the same bytes, as their
// counterparts that drive Hadoop's client. A linear congruential generator of 48 bits, kept as two halves of 24 so that every
// product stays below 2^53.

const HALF = 2 ** 24
const MASK = HALF - 1
const MULTIPLIER_HIGH = 0x5de
const MULTIPLIER_LOW = 0xece66d
const INCREMENT = 0xb

export class JavaRandom {
  #high: number
  #low: number

  /** `seed` as two halves: bits 24 … 47 and bits 0 … 23. */
  constructor(seedHigh: number, seedLow: number) {
    this.#high = (seedHigh ^ MULTIPLIER_HIGH) & MASK
    this.#low = (seedLow ^ MULTIPLIER_LOW) & MASK
  }

  static ofSeed(seed: number): JavaRandom {
    return new JavaRandom(Math.floor(seed / HALF) & MASK, seed & MASK)
  }

  /** The top `bits` (1 … 32) of the next state, as a signed 32-bit integer. */
  next(bits: number): number {
    const low = this.#low * MULTIPLIER_LOW + INCREMENT
    const high = this.#high * MULTIPLIER_LOW + this.#low * MULTIPLIER_HIGH + Math.floor(low / HALF)
    this.#low = low % HALF
    this.#high = high % HALF
    const top32 = (this.#high * 256 + (this.#low >>> 16)) | 0
    return bits === 32 ? top32 : top32 >>> (32 - bits)
  }

  /** In [0, bound). */
  nextInt(bound: number): number {
    if ((bound & -bound) === bound) return Math.floor((bound * this.next(31)) / 2 ** 31)
    for (;;) {
      const bits = this.next(31)
      const value = bits % bound
      // The last, incomplete run of `bound` numbers below 2^31 would favour small values.
      if (bits - value + (bound - 1) < 2 ** 31) return value
    }
  }

  nextBytes(target: Uint8Array): void {
    for (let i = 0; i < target.length;) {
      for (let word = this.next(32), n = Math.min(target.length - i, 4); n > 0; n--, word >>= 8) target[i++] = word
    }
  }
}

/** The low 48 bits of 2^64 divided by the golden ratio, as two halves. */
const GOLDEN_HIGH = 0x79b97f
const GOLDEN_LOW = 0x4a7c15

/** A random but repeatable number below `bound` for the i-th read. */
export function scatter(i: number, bound: number): number {
  const low = GOLDEN_LOW * i
  const high = GOLDEN_HIGH * i + Math.floor(low / HALF)
  return new JavaRandom(high % HALF, low % HALF).nextInt(bound)
}
