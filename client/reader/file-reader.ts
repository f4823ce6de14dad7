// A file being read: any number of reads at the same time, each over the blocks that its range touches.
import { setMaxListeners } from 'node:events'
import { Readable } from 'node:stream'
import { must } from '../../common/assert.ts'
import { QuarryError } from '../../common/errors.ts'
import type { FileInfo, FileReader } from '../types.ts'
import { readBlock } from './block-reader.ts'
import type { ReaderDeps, Shunned } from './block-reader.ts'
import type { LocatedFile } from './located-file.ts'

interface Range {
  readonly start?: number
  readonly end?: number
  readonly signal?: AbortSignal
}

export class BlockFileReader implements FileReader {
  readonly info: FileInfo
  readonly #deps: ReaderDeps
  readonly #file: LocatedFile
  readonly #shunned: Shunned = new Set()
  readonly #closed = new AbortController()

  constructor(deps: ReaderDeps, file: LocatedFile) {
    this.info = file.info
    this.#deps = deps
    this.#file = file
    // Every read of a block listens; there may be any number of them.
    setMaxListeners(0, this.#closed.signal)
  }

  get length(): number {
    return this.#file.length
  }

  async read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    if (offset < 0 || length < 0 || position < 0 || offset + length > buffer.length) {
      throw new QuarryError(
        'INVALID_ARGUMENT',
        `Cannot read ${length} bytes at ${position} into a buffer of ${buffer.length} bytes at ${offset}.`,
      )
    }
    let at = offset
    for await (const bytes of this.stream({ start: position, end: Math.min(this.length, position + length) })) {
      buffer.set(bytes, at)
      at += bytes.length
    }
    return at - offset
  }

  async *stream(options: Range = {}): AsyncGenerator<Uint8Array, void, undefined> {
    const end = Math.min(options.end ?? this.length, this.length)
    const start = options.start ?? 0
    if (!(start >= 0)) throw new QuarryError('INVALID_ARGUMENT', `A stream cannot start at ${start}.`)
    const signal = options.signal ? AbortSignal.any([options.signal, this.#closed.signal]) : this.#closed.signal
    for (let position = start; position < end;) {
      if (signal.aborted) throw this.#over(options.signal)
      const located = await this.#file.at(position, signal)
      const inBlock = position - located.offset
      const length = Math.min(end - position, must(located.block).length - inBlock)
      yield* readBlock(this.#deps, this.#file, located, { offset: inBlock, length, shunned: this.#shunned, signal })
      position += length
    }
  }

  toNode(options: Range = {}): Readable {
    return Readable.from(this.stream(options), { objectMode: false, highWaterMark: nodeBufferBytes })
  }

  toWeb(options: Range = {}): ReadableStream<Uint8Array> {
    const parts = this.stream(options)
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await parts.next()
          if (done) controller.close()
          else controller.enqueue(value)
        },
        async cancel() {
          await parts.return()
        },
      },
      { highWaterMark: 0 },
    )
  }

  /** Ends what still reads. Idempotent. */
  async close(): Promise<void> {
    this.#closed.abort()
    await this.#deps.local?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #over(signal: AbortSignal | undefined): QuarryError {
    if (signal?.aborted)
      return new QuarryError('CANCELLED', `Reading ${this.info.path} was given up by its caller.`, {}, { cause: signal.reason })
    return new QuarryError('CLOSED', `${this.info.path} is closed for reading.`, { path: this.info.path })
  }
}

/** What a Node stream keeps ready: two packets. */
const nodeBufferBytes = 2 * 1024 * 1024
