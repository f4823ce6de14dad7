// Writes messages of Hadoop straight into bytes, for the few that are sent by the thousand: a status needs no object of its own and
// a length no second look. Fields are written in the order of their numbers, as other encoders do.

const smallString = 32
const startBytes = 16 * 1024
/** What has grown beyond this is not kept for the next message, in bytes. */
const keptBytesMax = 1024 * 1024
const TWO_32 = 2 ** 32

export class MessageWriter {
  #bytes = Buffer.allocUnsafeSlow(startBytes)
  #at = 0

  /** Begins anew; what `written` gave before is overwritten. */
  reset(): this {
    this.#at = 0
    if (this.#bytes.length > keptBytesMax) this.#bytes = Buffer.allocUnsafeSlow(startBytes)
    return this
  }

  /** A view of what was written, until the next `reset`. */
  written(): Buffer {
    return this.#bytes.subarray(0, this.#at)
  }

  /** A copy of what was written. */
  taken(): Buffer {
    return Buffer.from(this.written())
  }

  /** Bytes that are encoded already. */
  raw(bytes: Uint8Array): this {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
    return this
  }

  /** A varint field. `tag` is number << 3; the value a whole number of up to 53 bits, or below 0. */
  number(tag: number, value: number): this {
    this.#room(16)
    this.#small(tag)
    if (value >= 0 && value < TWO_32) this.#small(value)
    else this.#long(value)
    return this
  }

  /** A field of text. `tag` is number << 3 | 2. */
  text(tag: number, value: string): this {
    const { length } = value
    if (length < smallString) {
      this.#room(8 + smallString)
      const before = this.#at
      this.#small(tag)
      const bytes = this.#bytes
      let at = this.#at
      bytes[at++] = length
      let i = 0
      for (; i < length; i++) {
        const code = value.charCodeAt(i)
        if (code > 0x7f) break
        bytes[at++] = code
      }
      if (i === length) {
        this.#at = at
        return this
      }
      this.#at = before
    }
    const size = Buffer.byteLength(value)
    this.#room(size + 16)
    this.#small(tag)
    this.#small(size)
    this.#at += this.#bytes.write(value, this.#at, size, 'utf8')
    return this
  }

  /** A field of bytes: [start, end) of `from`. */
  bytes(tag: number, from: Uint8Array, start = 0, end = from.length): this {
    const size = end - start
    this.#room(size + 16)
    this.#small(tag)
    this.#small(size)
    this.#bytes.set(start === 0 && end === from.length ? from : from.subarray(start, end), this.#at)
    this.#at += size
    return this
  }

  /** Begins a message within this one; `end` takes the result. */
  begin(tag: number): number {
    this.#room(16)
    this.#small(tag)
    // Most are shorter than 128 bytes.
    return ++this.#at
  }

  end(begun: number): this {
    const size = this.#at - begun
    if (size < 0x80) {
      this.#bytes[begun - 1] = size
      return this
    }
    const extra = size < 0x4000 ? 1 : size < 0x200000 ? 2 : size < 0x10000000 ? 3 : 4
    this.#room(extra)
    this.#bytes.copyWithin(begun + extra, begun, this.#at)
    const end = this.#at + extra
    this.#at = begun - 1
    this.#small(size)
    this.#at = end
    return this
  }

  #room(count: number): void {
    const needed = this.#at + count
    if (needed <= this.#bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.written())
    this.#bytes = grown
  }

  /** A varint below 2^32. */
  #small(value: number): void {
    const bytes = this.#bytes
    let at = this.#at
    let rest = value
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    bytes[at++] = rest
    this.#at = at
  }

  /** A varint of more bits; below 0 as two's complement of 64 bits. */
  #long(value: number): void {
    const bytes = this.#bytes
    if (value < 0) {
      let rest = BigInt.asUintN(64, BigInt(value))
      while (rest > 0x7fn) {
        bytes[this.#at++] = Number(rest & 0x7fn) | 0x80
        rest >>= 7n
      }
      bytes[this.#at++] = Number(rest)
      return
    }
    let rest = value
    while (rest >= TWO_32) {
      bytes[this.#at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#small(rest)
  }
}
