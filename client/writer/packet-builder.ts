// Cuts what is written to a block into packets: whole chunks with their CRCs, as many as fit, in buffers that are used again.
//
// Offsets are within the block. A chunk that is flushed before it is full (hflush) goes out as it is, and once more from its
// boundary when it has grown:
//
//   block    |  chunk 0  |  chunk 1  |  chunk 2  |
//   packet 0 [ 0 ................. 700 ]              hflush after 700 bytes
//   packet 1              [ 512 ............. 1536 ]  begins on the boundary again: bytes 512..700 are sent twice
//
// Only where an append goes on with a chunk whose beginning this writer never saw, packets begin inside a chunk, and then carry
// at most the rest of it; the datanode computes that chunk's CRC anew.
import { assert } from '../../common/assert.ts'
import type { ChecksumSpec } from '../../proto/ports.ts'
import { checksumsOf } from '../chunk-check.ts'

export interface BlockPacket {
  readonly offset: number
  readonly data: Uint8Array
  /** 4 bytes a chunk. */
  readonly checksums: Uint8Array
}

export class PacketBuilder {
  readonly #checksum: ChecksumSpec
  readonly #chunkBytes: number
  readonly #packetBytes: number
  readonly #free: Buffer[] = []
  /** The buffer behind each packet that is out. */
  readonly #given = new WeakMap<Uint8Array, Buffer>()
  /** Small at first, so that a small file does not cost a packet's worth of memory. */
  #buffer: Buffer = noBuffer
  /** Offset of the buffer's first byte. */
  #start: number
  #length = 0
  /** Bytes at the front of the buffer that went out already. */
  #flushed = 0

  /** `offset` is where the block goes on: 0, or its length for an append. `packetBytes` is a multiple of the chunk. */
  constructor(options: { readonly checksum: ChecksumSpec; readonly packetBytes: number; readonly offset?: number }) {
    assert(options.packetBytes % options.checksum.bytesPerChunk === 0, 'packets are whole chunks')
    this.#checksum = options.checksum
    this.#chunkBytes = options.checksum.bytesPerChunk
    this.#packetBytes = options.packetBytes
    this.#start = options.offset ?? 0
  }

  /** Where the next byte goes. */
  get position(): number {
    return this.#start + this.#length
  }

  /** Bytes until the packet is full. */
  get room(): number {
    return this.#capacity - this.#length
  }

  get isFull(): boolean {
    return this.room === 0
  }

  /** Whether there are bytes that no packet has carried. */
  get hasNew(): boolean {
    return this.#length > this.#flushed
  }

  get #capacity(): number {
    const insideChunk = this.#start % this.#chunkBytes
    return insideChunk === 0 ? this.#packetBytes : this.#chunkBytes - insideChunk
  }

  /** Takes bytes from data[from …) up to `limit` of them; answers how many. Take a packet out when `isFull`. */
  add(data: Uint8Array, from: number, limit: number): number {
    const count = Math.min(this.#capacity - this.#length, limit, data.length - from)
    this.#reserve(this.#length + count)
    this.#buffer.set(from === 0 && count === data.length ? data : data.subarray(from, from + count), this.#length)
    this.#length += count
    return count
  }

  /** The packet of what was added. A chunk that is not full stays, to be sent again from its boundary. */
  take(): BlockPacket {
    assert(this.hasNew, 'a packet needs new bytes')
    const data = this.#buffer.subarray(0, this.#length)
    this.#given.set(data, this.#buffer)
    const packet = { offset: this.#start, data, checksums: checksumsOf(this.#checksum, data) }
    const insideChunk = this.#start % this.#chunkBytes !== 0
    const kept = insideChunk ? 0 : this.#length % this.#chunkBytes
    this.#start += this.#length - kept
    this.#length = 0
    this.#buffer = noBuffer
    this.#reserve(kept)
    this.#buffer.set(data.subarray(data.length - kept))
    this.#length = kept
    this.#flushed = kept
    return packet
  }

  /** Hands a packet's buffer back once nobody reads it any more. */
  recycle(data: Uint8Array): void {
    const whole = this.#given.get(data)
    if (whole?.length === this.#packetBytes && this.#free.length < buffersKept) this.#free.push(whole)
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#buffer.length) return
    const small = bytes <= smallBufferBytes && this.#free.length === 0
    const grown = small
      ? Buffer.allocUnsafe(Math.min(smallBufferBytes, this.#packetBytes))
      : (this.#free.pop() ?? Buffer.allocUnsafe(this.#packetBytes))
    grown.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = grown
  }

  /** Begins another block with the buffers of this one. */
  restart(): void {
    assert(!this.hasNew, 'the last block must be flushed')
    this.#start = 0
    this.#length = 0
    this.#flushed = 0
  }
}

const noBuffer = Buffer.alloc(0)
/** The first buffer of a file. */
const smallBufferBytes = 16 * 1024
/** Enough that a writer with a full window allocates nothing. */
const buffersKept = 9
