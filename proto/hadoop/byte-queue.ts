// Bytes of a connection as they come in, taken out in pieces of the reader's choice: no wire of Hadoop's keeps its messages within
// the chunks that TCP delivers. What lies within one chunk is handed out as a view of it; what does not is joined once.

/** Chunks below this are joined while they wait, so that a sender of single bytes costs bytes and not objects. */
const smallBytes = 16 * 1024

export class ByteQueue {
  #chunks: Buffer[] = []
  /** Bytes of the first chunk that are taken already. */
  #taken = 0
  #length = 0

  /** Bytes that wait. */
  get length(): number {
    return this.#length
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    const chunks = this.#chunks
    chunks.push(chunk)
    this.#length += chunk.length
    // Of the first chunk a part may be taken. The others grow as a binary counter does: each byte is copied a few times at most.
    while (chunks.length > 2 && chunks.at(-2)!.length < smallBytes && chunks.at(-2)!.length <= chunks.at(-1)!.length)
      chunks.push(Buffer.concat(chunks.splice(-2)))
  }

  /** Pieces that the bytes lie in. */
  get chunks(): number {
    return this.#chunks.length
  }

  /** The next byte without taking it; -1 when there is none. */
  peekByte(): number {
    return this.#length === 0 ? -1 : this.#chunks[0]![this.#taken]!
  }

  /** The next four bytes as a signed number, high byte first, without taking them. Four bytes must wait. */
  peekInt32(): number {
    const first = this.#chunks[0]!
    if (first.length - this.#taken >= 4) return first.readInt32BE(this.#taken)
    return this.#joined(4).readInt32BE(this.#taken)
  }

  /** Takes `count` bytes; undefined, taking none, when there are not as many. */
  take(count: number): Buffer | undefined {
    if (count > this.#length) return undefined
    if (count === 0) return Buffer.alloc(0)
    const first = this.#chunks[0]!.length - this.#taken < count ? this.#joined(count) : this.#chunks[0]!
    const start = this.#taken
    this.#length -= count
    this.#taken += count
    if (this.#taken === first.length) {
      this.#chunks.shift()
      this.#taken = 0
    }
    return first.subarray(start, start + count)
  }

  /** The next `count` bytes without taking them; undefined when there are not as many. */
  peek(count: number): Buffer | undefined {
    if (count > this.#length) return undefined
    if (count === 0) return Buffer.alloc(0)
    const first = this.#chunks[0]!.length - this.#taken < count ? this.#joined(count) : this.#chunks[0]!
    return first.subarray(this.#taken, this.#taken + count)
  }

  /** Takes `count` bytes as views of the chunks that they came in, none of them joined; they must be there. */
  takePieces(count: number): Buffer[] {
    const pieces: Buffer[] = []
    let left = count
    let index = 0
    while (left > 0) {
      const chunk = this.#chunks[index]!
      const end = Math.min(chunk.length, this.#taken + left)
      pieces.push(this.#taken === 0 && end === chunk.length ? chunk : chunk.subarray(this.#taken, end))
      left -= end - this.#taken
      this.#taken = end
      if (end === chunk.length) {
        index++
        this.#taken = 0
      }
    }
    if (index > 0) this.#chunks.splice(0, index)
    this.#length -= count
    return pieces
  }

  /** Lets go of a large chunk of which only a little is left. */
  compact(): void {
    const first = this.#chunks[0]
    if (first === undefined || this.#taken === 0 || first.length - this.#taken > first.length / 4) return
    this.#chunks[0] = Buffer.from(first.subarray(this.#taken))
    this.#taken = 0
  }

  clear(): void {
    this.#chunks = []
    this.#taken = 0
    this.#length = 0
  }

  /** Makes the first chunk one that has the next `count` bytes; other chunks stay as they are. */
  #joined(count: number): Buffer {
    const rest = this.#chunks[0]!.subarray(this.#taken)
    this.#taken = 0
    let chunks = 1
    let bytes = rest.length
    while (bytes < count) bytes += this.#chunks[chunks++]!.length
    const joined = Buffer.concat([rest, ...this.#chunks.slice(1, chunks)], bytes)
    this.#chunks.splice(0, chunks, joined)
    return joined
  }
}
