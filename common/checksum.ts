// CRC32C (Castagnoli) of stored data: native where the addon compiled, slicing-by-8 in JavaScript otherwise.
import { createRequire } from 'node:module'
import { assert } from './assert.ts'

const POLYNOMIAL = 0x82f63b78

const tables: Uint32Array[] = (() => {
  const out = [new Uint32Array(256)]
  for (let n = 0; n < 256; n++) {
    let c = n
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ POLYNOMIAL : c >>> 1
    out[0]![n] = c >>> 0
  }
  for (let t = 1; t < 8; t++) {
    const table = new Uint32Array(256)
    for (let n = 0; n < 256; n++) {
      const previous = out[t - 1]![n]!
      table[n] = (previous >>> 8) ^ out[0]![previous & 0xff]!
    }
    out.push(table)
  }
  return out
})()

/** The reference in plain JavaScript; `seed` is the CRC of the bytes before. */
export function crc32cPortable(data: Uint8Array, seed = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ]
  let crc = ~seed
  let i = 0
  for (; i + 8 <= data.length; i += 8) {
    const low = crc ^ (data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24))
    crc =
      t7[low & 0xff]! ^
      t6[(low >>> 8) & 0xff]! ^
      t5[(low >>> 16) & 0xff]! ^
      t4[low >>> 24]! ^
      t3[data[i + 4]!]! ^
      t2[data[i + 5]!]! ^
      t1[data[i + 6]!]! ^
      t0[data[i + 7]!]!
  }
  for (; i < data.length; i++) crc = (crc >>> 8) ^ t0[(crc ^ data[i]!) & 0xff]!
  return ~crc >>> 0
}

type Crc32c = (data: Uint8Array, seed?: number) => number

function loadNative(): Crc32c | undefined {
  try {
    // The package's own loader hides which implementation it took; ask for the native one by name.
    const addon = createRequire(import.meta.url)('fast-crc32c/impls/sse4_crc32c.js') as {
      calculate(data: Uint8Array, seed?: number): number
    }
    const crc: Crc32c = (data, seed = 0) => addon.calculate(data, seed)
    return crc(Buffer.from('123456789')) === 0xe3069283 ? crc : undefined
  } catch {
    return undefined
  }
}

const native = loadNative()

/** CRC32C of `data`; `seed` is the CRC of the bytes before. */
export const crc32c: Crc32c = native ?? crc32cPortable

/** The checksums of `data` cut into chunks: 4 bytes big-endian each, the last chunk may be short. */
export function chunkChecksums(data: Uint8Array, bytesPerChunk: number): Buffer {
  const chunks = Math.ceil(data.length / bytesPerChunk)
  const out = Buffer.allocUnsafe(chunks * 4)
  const { buffer, byteOffset, length } = data
  for (let i = 0; i < chunks; i++) {
    const from = i * bytesPerChunk
    // A plain view: subarray() of a Buffer makes another Buffer, which costs a fifth of the whole.
    const chunk = new Uint8Array(buffer, byteOffset + from, Math.min(bytesPerChunk, length - from))
    out.writeUInt32BE(crc32c(chunk), i * 4)
  }
  return out
}

/**
 * Tables that carry a CRC over `bytes` zero bytes: carry(x) = t[0][x & 255] ^ t[1][x >>> 8 & 255] ^ ...; CRCs are linear, so
 * crc(a ++ b) = carry(crc(a)) ^ crc(b) when b has `bytes` bytes.
 */
function carryTables(bytes: number): Uint32Array {
  const out = new Uint32Array(1024)
  const [table] = tables as [Uint32Array]
  for (let bit = 0; bit < 32; bit++) {
    let crc = (1 << bit) >>> 0
    for (let i = 0; i < bytes; i++) crc = (crc >>> 8) ^ table[crc & 0xff]!
    const from = 256 * (bit >>> 3)
    const low = 1 << (bit & 7)
    for (let value = 0; value < 256; value++) if (value & low) out[from + value]! ^= crc
  }
  return out
}

/** Larger chunks gain nothing from the tables, which take longer to make. */
export const carriedChunkMax = 16 * 1024
const carries = new Map<number, Uint32Array>()

/** The CRC32C of whole chunks put together from their own: a few nanoseconds a chunk, whatever its size. At least one chunk. */
export function joinedChecksum(stored: Uint8Array, chunks: number, bytesPerChunk: number): number {
  const checksums = new DataView(stored.buffer, stored.byteOffset, stored.byteLength)
  let t = carries.get(bytesPerChunk)
  if (t === undefined) {
    t = carryTables(bytesPerChunk)
    if (carries.size < 8) carries.set(bytesPerChunk, t)
  }
  let crc = checksums.getUint32(0)
  for (let i = 1; i < chunks; i++) {
    crc =
      t[crc & 0xff]! ^
      t[256 + ((crc >>> 8) & 0xff)]! ^
      t[512 + ((crc >>> 16) & 0xff)]! ^
      t[768 + (crc >>> 24)]! ^
      checksums.getUint32(i * 4)
  }
  return crc >>> 0
}

/**
 * The index of the first chunk whose checksum does not match, or -1 when all do.
 *
 * The native CRC is three times as fast over a megabyte as over 512 bytes at a time, so all whole chunks are checked in one go
 * against their checksums put together; only a mismatch is looked for chunk by chunk.
 */
export function firstBadChunk(data: Uint8Array, checksums: Uint8Array, bytesPerChunk: number): number {
  const chunks = Math.ceil(data.length / bytesPerChunk)
  assert(checksums.length >= chunks * 4, () => `${checksums.length} checksum bytes for ${chunks} chunks`)
  const view = new DataView(checksums.buffer, checksums.byteOffset, checksums.byteLength)
  const whole = Math.floor(data.length / bytesPerChunk)
  let from = 0
  if (
    whole > 1 &&
    bytesPerChunk <= carriedChunkMax &&
    crc32c(data.subarray(0, whole * bytesPerChunk)) === joinedChecksum(checksums, whole, bytesPerChunk)
  )
    from = whole
  for (let i = from; i < chunks; i++) {
    if (crc32c(data.subarray(i * bytesPerChunk, (i + 1) * bytesPerChunk)) !== view.getUint32(i * 4)) return i
  }
  return -1
}
