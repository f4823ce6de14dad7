// Buffers that streams use over and over: a fresh megabyte for every packet would cost more in page faults than the copy itself.

/** Idle buffers kept, in bytes. */
const idleBytesMax = 64 * 1024 * 1024

export class BufferPool {
  readonly #idle = new Map<number, Buffer[]>()
  #idleBytes = 0
  #outBytes = 0

  /** Bytes in buffers that are in use. */
  get outBytes(): number {
    return this.#outBytes
  }

  take(size: number): Buffer {
    this.#outBytes += size
    const buffer = this.#idle.get(size)?.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(size)
    this.#idleBytes -= size
    return buffer
  }

  /** The caller must not touch the buffer afterwards. */
  give(buffer: Buffer): void {
    this.#outBytes -= buffer.length
    if (this.#idleBytes + buffer.length > idleBytesMax) return
    let idle = this.#idle.get(buffer.length)
    if (idle === undefined) this.#idle.set(buffer.length, (idle = []))
    idle.push(buffer)
    this.#idleBytes += buffer.length
  }

  /** The buffer is not in use any more, but somebody may still look at it: it is not kept. */
  drop(buffer: Buffer): void {
    this.#outBytes -= buffer.length
  }
}
