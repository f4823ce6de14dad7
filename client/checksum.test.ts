import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { chunkChecksums } from '../common/checksum.ts'
import { ChecksumType } from '../proto/ports.ts'
import { combineDigests } from './checksum.ts'

const digest = (bytes: Buffer, type: ChecksumType = ChecksumType.CHECKSUM_CRC32C) => ({
  type,
  bytesPerChunk: 512,
  chunks: Math.ceil(bytes.length / 512),
  md5: createHash('md5').update(chunkChecksums(bytes, 512)).digest(),
})

test('four bytes in one block give the checksum that HDFS gives', () => {
  const { algorithm, hex } = combineDigests([digest(Buffer.from('bar\n'))])
  expect(algorithm).toBe('MD5-of-0MD5-of-512CRC32C')
  expect(hex).toBe('00000200000000000000000027c076e4987344253650d3335a5d08ce')
})

test('an empty file has the MD5 of 32 zero bytes', () => {
  const { algorithm, hex } = combineDigests([])
  expect(algorithm).toBe('MD5-of-0MD5-of-0CRC32')
  expect(hex).toBe('00000000000000000000000070bc8f4b72a86921468bf8e8441dce51')
})

test('several blocks name the chunks of the first and pad their digests to 32, 64, 128 bytes', () => {
  const block = digest(Buffer.alloc(1024, 7))
  for (const [count, buffer] of [
    [2, 32],
    [3, 64],
    [4, 64],
    [5, 128],
  ] as const) {
    const padded = Buffer.alloc(buffer)
    for (let i = 0; i < count; i++) padded.set(block.md5, i * 16)
    const { algorithm, bytes } = combineDigests(new Array(count).fill(block))
    expect(algorithm).toBe('MD5-of-2MD5-of-512CRC32C')
    expect(Buffer.from(bytes).subarray(12)).toEqual(createHash('md5').update(padded).digest())
    expect(Buffer.from(bytes).readBigInt64BE(4)).toBe(2n)
  }
})
