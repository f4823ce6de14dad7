import { expect, test } from 'vitest'
import { JavaRandom, scatter } from './java-random.ts'

// Expected values printed by java.util.Random of JDK 17.

test('gives the bytes of java.util.Random', () => {
  const bytes = new Uint8Array(10)
  JavaRandom.ofSeed(42).nextBytes(bytes)
  expect([...new Int8Array(bytes.buffer)]).toEqual([53, -99, 65, -70, -9, -118, -2, 13, -31, -69])
})

test('scatters reads over the files as the Java benchmark does', () => {
  const reads = [0, 1, 2, 3, 7, 100, 19_999]
  expect(reads.map((i) => scatter(i, 5000))).toEqual([1360, 4075, 3366, 1025, 760, 3331, 3328])
  expect(reads.map((i) => scatter(i, 1024))).toEqual([748, 841, 389, 941, 589, 863, 671])
  expect(reads.map((i) => scatter(i, 2_000_000_000))).toEqual([
    1569741360, 1765244075, 815963366, 1974561025, 1235250760, 1810438331, 1407273328,
  ])
})
