// Where the bytes of a packet go: the rules of HDFS's BlockReceiver as a pure value.
//
// A replica grows at its end. Packets may overlap what is there, because a writer sends the last partial chunk again after a
// flush, and everything unacknowledged again after a recovery; they may never leave a hole. The checksums of a packet cover its
// data cut at the chunk boundaries of the block. Where a packet goes on in the middle of a chunk, the checksum of that chunk is
// computed anew over the old and the new bytes, so that the stored checksums always cover whole chunks from their beginning.
//
//   block      |--------|--------|-----...
//   on disk    ==============|                 length
//   packet              |==========|           begins on a chunk: its own checksum of the second chunk replaces the stored one
//   packet                   |=====|           goes on in a chunk: stored = crc(old bytes of the chunk ++ new bytes)
//
//   R1  the length never shrinks, and grows only by bytes handed out in a placement
//   R2  #tail is always the bytes of the last, partial chunk
import { assert } from '../../common/assert.ts'
import { QuarryError } from '../../common/errors.ts'

/** How a replica's data is checksummed; `crc` continues from `seed`. */
export interface Checksummer {
  /** Number of ChecksumType. */
  readonly type: number
  readonly bytesPerChunk: number
  /** Absent for CHECKSUM_NULL. */
  readonly crc?: ((data: Uint8Array, seed?: number) => number) | undefined
  /** The checksum of whole chunks put together from their own (common/checksum.ts), where that is possible and worth it. */
  readonly joined?: ((checksums: Uint8Array, chunks: number, bytesPerChunk: number) => number) | undefined
}

export interface PacketData {
  readonly offset: number
  /** The bytes, in the pieces they came in. */
  readonly data: readonly Uint8Array[]
  /** Bytes of data in all. */
  readonly length: number
  readonly checksums: Uint8Array
}

/** What to write where. Both fields are empty when everything is on disk already. */
export interface Placement {
  readonly data: readonly Uint8Array[]
  /** Bytes of data in all. */
  readonly length: number
  /** Offset of `data` in the block. */
  readonly at: number
  readonly checksums: Uint8Array
  /** Chunk that the first checksum belongs to. */
  readonly chunk: number
}

const nothing = new Uint8Array(0)

export class PacketReceiver {
  readonly #sum: Checksummer
  #length: number
  #tail: Uint8Array

  /** `tail` is the bytes of the last, partial chunk when `length` is not a multiple of the chunk. */
  constructor(sum: Checksummer, length = 0, tail: Uint8Array = nothing) {
    assert(tail.length === length % sum.bytesPerChunk, 'the tail is the bytes of the partial chunk (R2)')
    this.#sum = sum
    this.#length = length
    this.#tail = tail
  }

  /** Bytes placed so far. */
  get length(): number {
    return this.#length
  }

  /** Index of the first bad chunk of the packet, or -1. */
  firstBad(packet: PacketData): number {
    const { crc, bytesPerChunk, joined } = this.#sum
    if (crc === undefined) return -1
    const { offset, length, checksums } = packet
    const view = new DataView(checksums.buffer, checksums.byteOffset, checksums.byteLength)
    const whole = Math.floor(length / bytesPerChunk)
    // The usual packet: one CRC over all its whole chunks, against their checksums put together.
    if (
      joined !== undefined &&
      whole > 1 &&
      offset % bytesPerChunk === 0 &&
      crcOf(crc, packet.data, whole * bytesPerChunk) === joined(checksums, whole, bytesPerChunk)
    ) {
      const rest = slice(packet.data, whole * bytesPerChunk, length)
      return rest.length === 0 || crc(flat(rest)) === view.getUint32(whole * 4) ? -1 : whole
    }
    const data = flat(packet.data)
    let from = 0
    for (let i = 0; from < length; i++) {
      const to = Math.min(length, from + bytesPerChunk - ((offset + from) % bytesPerChunk))
      if (crc(data.subarray(from, to)) !== view.getUint32(i * 4)) return i
      from = to
    }
    return -1
  }

  /** Throws when the packet cannot be part of this block: a hole, or checksums that do not fit its data. */
  check(packet: PacketData): void {
    const { bytesPerChunk, crc } = this.#sum
    const { offset, length, checksums } = packet
    if (!(offset >= 0) || offset > this.#length) {
      throw new QuarryError('INVALID_ARGUMENT', `A packet begins at byte ${offset}, but the replica has only ${this.#length} bytes.`)
    }
    const chunks = length === 0 ? 0 : Math.ceil((offset + length) / bytesPerChunk) - Math.floor(offset / bytesPerChunk)
    const wanted = crc === undefined ? 0 : chunks * 4
    if (checksums.length !== wanted) {
      throw new QuarryError(
        'INVALID_ARGUMENT',
        `A packet of ${length} bytes at ${offset} carries ${checksums.length} checksum bytes instead of ${wanted}.`,
      )
    }
  }

  /** Takes a checked packet and says what of it is new. The views stay valid as long as the packet does. */
  place(packet: PacketData): Placement {
    const { bytesPerChunk, crc } = this.#sum
    const { offset } = packet
    const end = offset + packet.length
    const from = this.#length
    if (end <= from) return { data: [], length: 0, at: from, checksums: nothing, chunk: 0 }
    const chunk = Math.floor(from / bytesPerChunk)
    const chunkStart = chunk * bytesPerChunk
    let checksums: Uint8Array = nothing
    if (crc !== undefined) {
      checksums = packet.checksums.subarray((chunk - Math.floor(offset / bytesPerChunk)) * 4)
      // The packet does not have the beginning of the chunk that it goes on in.
      if (offset > chunkStart) checksums = this.#rejoin(packet, checksums, chunkStart, crc)
    }
    this.#keepTail(packet, end)
    this.#length = end
    return { data: slice(packet.data, from - offset, packet.length), length: end - from, at: from, checksums, chunk }
  }

  #rejoin(packet: PacketData, checksums: Uint8Array, chunkStart: number, crc: NonNullable<Checksummer['crc']>): Uint8Array {
    const old = this.#tail.subarray(0, packet.offset - chunkStart)
    const fresh = flat(slice(packet.data, 0, Math.min(packet.length, chunkStart + this.#sum.bytesPerChunk - packet.offset)))
    const out = copyOf(checksums)
    new DataView(out.buffer, out.byteOffset).setUint32(0, crc(fresh, old.length === 0 ? 0 : crc(old)))
    return out
  }

  /** Keeps a copy of the partial chunk that the block now ends with. */
  #keepTail(packet: PacketData, end: number): void {
    const tailLength = end % this.#sum.bytesPerChunk
    if (tailLength === 0) {
      this.#tail = nothing
      return
    }
    const chunkStart = end - tailLength
    if (packet.offset <= chunkStart) {
      this.#tail = copyOf(flat(slice(packet.data, packet.length - tailLength, packet.length)))
      return
    }
    const tail = new Uint8Array(tailLength)
    tail.set(this.#tail.subarray(0, packet.offset - chunkStart))
    tail.set(flat(packet.data), packet.offset - chunkStart)
    this.#tail = tail
  }
}

/** Bytes of our own. Packets are Buffers, whose slice() is a view: of memory that the packet's forwarding still reads. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes)
}

/** The bytes [from, to) of a list of pieces, as views. */
function slice(pieces: readonly Uint8Array[], from: number, to: number): readonly Uint8Array[] {
  const [only] = pieces
  if (pieces.length === 1 && only !== undefined)
    return from === 0 && to === only.length ? pieces : from === to ? [] : [only.subarray(from, to)]
  const out: Uint8Array[] = []
  let start = 0
  for (const piece of pieces) {
    const end = start + piece.length
    if (end > from && start < to)
      out.push(start >= from && end <= to ? piece : piece.subarray(Math.max(0, from - start), Math.min(piece.length, to - start)))
    start = end
  }
  return out
}

function flat(pieces: readonly Uint8Array[]): Uint8Array {
  const [only] = pieces
  if (pieces.length === 1 && only !== undefined) return only
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    out.set(piece, at)
    at += piece.length
  }
  return out
}

/** The CRC of the first `length` bytes. */
function crcOf(crc: NonNullable<Checksummer['crc']>, pieces: readonly Uint8Array[], length: number): number {
  let value = 0
  let left = length
  for (const piece of pieces) {
    if (left <= 0) break
    value = crc(left >= piece.length ? piece : piece.subarray(0, left), value)
    left -= piece.length
  }
  return value
}
