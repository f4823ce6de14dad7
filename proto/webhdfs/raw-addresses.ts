// Hadoop's Java client sends letters beyond ASCII in an address as plain UTF-8 bytes; Node's HTTP parser ends such connections. So the
// bytes of request lines are escaped before the parser sees them.
//
// A connection is in its request line from its start, and again when an answer is out and its request was read to the end: no client of
// WebHDFS sends a request before it has the answer to the one before. Bodies pass as they are.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

const NEWLINE = 10

/** Of an HTTP server, `watch` for each connection and `expectNext` for each request. */
export class RawAddresses {
  readonly #inLine = new WeakSet<Socket>()

  /** To be called when a connection opens. */
  watch(socket: Socket): void {
    this.#inLine.add(socket)
    // A listener for data makes Node hand bytes to us instead of to its parser behind our back.
    socket.on('data', () => {})
    const push = socket.push.bind(socket)
    socket.push = (chunk: unknown, encoding?: BufferEncoding): boolean =>
      push(Buffer.isBuffer(chunk) && this.#inLine.has(socket) ? this.#escaped(chunk, socket) : chunk, encoding)
  }

  /** To be called for each request: what comes after its answer is the next one's first line. */
  expectNext(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    response.once('finish', () => {
      if (request.complete) this.#inLine.add(socket)
      else request.once('end', () => this.#inLine.add(socket))
    })
  }

  #escaped(chunk: Buffer, socket: Socket): Buffer {
    const newline = chunk.indexOf(NEWLINE)
    const line = newline < 0 ? chunk : chunk.subarray(0, newline)
    // Some send an empty line before a request.
    if (newline > 1) this.#inLine.delete(socket)
    if (line.every((byte) => byte < 0x80)) return chunk
    const text = line.toString('latin1').replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`)
    return Buffer.concat([Buffer.from(text, 'latin1'), chunk.subarray(line.length)])
  }
}
