// Where a command writes. Small texts are gathered, so that a listing of a million lines is not a million system calls.
import type { Writable } from 'node:stream'

export interface Output {
  /** A promise only when the reader is slow: await it before writing much more. */
  write(data: string | Uint8Array): Promise<void> | void
  /** Resolves when everything written so far has left. */
  flush(): Promise<void>
}

const gatherBytes = 32 * 1024

export class StreamOutput implements Output {
  readonly #stream: Writable
  #gathered = ''
  #failure: Error | undefined

  constructor(stream: Writable) {
    this.#stream = stream
    stream.on('error', (error) => {
      this.#failure = error
    })
  }

  write(data: string | Uint8Array): Promise<void> | void {
    if (typeof data === 'string') {
      this.#gathered += data
      if (this.#gathered.length < gatherBytes) return
      return this.#send(undefined)
    }
    return this.#send(data)
  }

  #send(bytes: Uint8Array | undefined): Promise<void> | void {
    if (this.#failure) throw this.#failure
    let ready = true
    if (this.#gathered !== '') {
      const text = this.#gathered
      this.#gathered = ''
      ready = this.#stream.write(text)
    }
    // The bytes may be a buffer that is filled again as soon as this returns, and the stream may keep what it cannot write at once.
    if (bytes) ready = this.#stream.write(this.#stream.writableNeedDrain ? Uint8Array.from(bytes) : bytes)
    if (!ready) return this.#drained()
  }

  #drained(): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#stream.off('drain', done)
        this.#stream.off('error', failed)
        resolve()
      }
      const failed = (error: Error): void => {
        this.#stream.off('drain', done)
        reject(error)
      }
      this.#stream.once('drain', done)
      this.#stream.once('error', failed)
    })
  }

  flush(): Promise<void> {
    return new Promise((resolve) => {
      const text = this.#gathered
      this.#gathered = ''
      if (this.#failure || this.#stream.destroyed) return resolve()
      this.#stream.write(text, () => resolve())
    })
  }
}

/** Gathers everything: for tests. */
export class TextOutput implements Output {
  readonly #parts: Buffer[] = []

  write(data: string | Uint8Array): void {
    this.#parts.push(Buffer.from(data as Uint8Array))
  }

  async flush(): Promise<void> {}

  get text(): string {
    return Buffer.concat(this.#parts).toString()
  }
}
