// One connection of a Hadoop client to the data transfer port: bytes as they come, taken by whoever serves the operation at hand.
//
// C1  a connection holds no more than what its reader asked for, or readAheadBytes, whichever is more; then the socket is paused
// C2  every wait for bytes, and for room to send, has a bound
// C3  a reader is woken once in a turn of the event loop, after everything that the socket had was taken: a fast sender's packets
//     are then handled by the dozen
import type { Socket } from 'node:net'
import protobuf from 'protobufjs/minimal.js'
import type { Clock } from '../../../common/env.ts'
import { QuarryError } from '../../../common/errors.ts'
import { ByteQueue } from '../../../proto/hadoop/byte-queue.ts'
import { appendDelimited, decodeHadoop } from '../../../proto/hadoop/codec.ts'
import type { HadoopInit, HadoopMessage } from '../../../proto/hadoop/codec.ts'
import type { MessageTypes } from '../../../proto/hadoop/gen/messages.ts'

const readAheadBytes = 2 * 1024 * 1024
/** Writes that may be under way when a sender goes on: a packet on its way, and the one behind it is being made. */
const sendAheadMax = 1
/** Messages other than packets: an operation with the datanodes of a long pipeline and their tokens takes a few kilobytes. */
const messageBytesMax = 1024 * 1024
/** A message's length is a varint of 32 bits. */
const lengthBytesMax = 5
/** How long a peer may take to read our last words and to go, in ms. */
const lingerMs = 2_000

interface Waiting {
  readonly bytes: number
  resolve(): void
  reject(error: Error): void
}

export class TransferConnection {
  readonly queue = new ByteQueue()
  readonly #socket: Socket
  readonly #clock: Clock
  #waiting: Waiting | undefined
  #willWake = false
  #ended = false
  #finished = false
  /** Writes that the system has not taken as a whole. */
  #unsent = 0
  #senders: { readonly unsentMax: number; resolve(): void; reject(error: Error): void }[] = []

  constructor(socket: Socket, clock: Clock) {
    this.#socket = socket
    this.#clock = clock
    socket.on('data', (chunk: Buffer) => this.#received(chunk))
    socket.on('end', () => this.#over())
    // Errors are followed by 'close'.
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#over()
      for (const sender of this.#senders.splice(0)) sender.reject(gone())
    })
  }

  get peer(): string {
    return this.#socket.remoteAddress ?? ''
  }

  /** The peer went away, or this side has ended the connection. */
  get closed(): boolean {
    return this.#ended || this.#finished || this.#socket.destroyed
  }

  /** Resolves when at least `bytes` wait. Rejects with CANCELLED when the peer went away before, with TIMEOUT after `withinMs`. */
  need(bytes: number, withinMs: number, what: string): Promise<void> {
    if (this.queue.length >= bytes) return Promise.resolve()
    if (this.closed) return Promise.reject(gone())
    return new Promise((resolve, reject) => {
      const stop = this.#clock.after(withinMs, () => {
        this.#waiting = undefined
        reject(new QuarryError('TIMEOUT', `Nothing came from ${this.peer} for ${withinMs} ms: ${what}.`))
      })
      this.#waiting = {
        bytes,
        resolve: () => {
          stop()
          resolve()
        },
        reject: (error) => {
          stop()
          reject(error)
        },
      }
      this.#socket.resume()
    })
  }

  /** Reads a message behind its length. */
  async message<K extends HadoopMessage>(name: K, withinMs: number): Promise<MessageTypes[K]> {
    for (let bytes = 1; ; bytes++) {
      await this.need(bytes, withinMs, `a message (${name}) was expected`)
      const head = this.queue.peek(bytes)!
      if (head[bytes - 1]! < 128) break
      if (bytes === lengthBytesMax) throw new QuarryError('INVALID_ARGUMENT', 'The length of a message has more than five bytes.')
    }
    const head = this.queue.peek(Math.min(lengthBytesMax, this.queue.length))!
    const reader = protobuf.Reader.create(head)
    const length = reader.uint32()
    if (length > messageBytesMax)
      throw new QuarryError('INVALID_ARGUMENT', `A message of ${length} bytes is larger than the ${messageBytesMax} that are taken.`)
    await this.need(reader.pos + length, withinMs, `the rest of a message (${name}) was expected`)
    this.queue.take(reader.pos)
    return decodeHadoop(name, this.queue.take(length)!)
  }

  /** Sends a message behind its length. */
  sendMessage<K extends HadoopMessage>(name: K, message: HadoopInit<MessageTypes[K]>, withinMs: number): Promise<void> {
    return this.send(appendDelimited(protobuf.Writer.create(), name, message).finish(), withinMs)
  }

  /** Sends bytes, which must not change until two more were sent, or flush(). Resolves when there is room for more. */
  send(bytes: Uint8Array, withinMs: number): Promise<void> {
    if (this.#finished || this.#socket.destroyed) return Promise.reject(gone())
    this.#unsent++
    this.#socket.write(bytes, () => this.#sent())
    return this.#room(sendAheadMax, withinMs)
  }

  /** Resolves when everything sent was taken by the system. */
  flush(withinMs: number): Promise<void> {
    return this.#room(0, withinMs)
  }

  /** The last bytes have been sent: what the peer still says is dropped, so that it finds their end and not a reset. Idempotent. */
  finish(): void {
    if (this.#finished) return
    this.#finished = true
    this.queue.clear()
    if (this.#socket.destroyed) return
    this.#socket.end()
    this.#socket.resume()
    const stop = this.#clock.after(lingerMs, () => this.#socket.destroy())
    this.#socket.once('close', stop)
  }

  destroy(): void {
    this.#finished = true
    this.#socket.destroy()
  }

  #received(chunk: Buffer): void {
    if (this.#finished) return
    this.queue.push(chunk)
    const waiting = this.#waiting
    if (this.queue.length >= Math.max(readAheadBytes, waiting?.bytes ?? 0)) this.#socket.pause()
    if (waiting !== undefined && this.queue.length >= waiting.bytes) this.#wakeSoon()
  }

  #wakeSoon(): void {
    if (this.#willWake) return
    this.#willWake = true
    setImmediate(() => this.#wake())
  }

  #wake(): void {
    this.#willWake = false
    const waiting = this.#waiting
    if (waiting === undefined || this.queue.length < waiting.bytes) return
    this.#waiting = undefined
    waiting.resolve()
  }

  #over(): void {
    this.#ended = true
    this.#wake()
    this.#waiting?.reject(gone())
    this.#waiting = undefined
  }

  #sent(): void {
    this.#unsent--
    if (this.#senders.length === 0) return
    this.#senders = this.#senders.filter((sender) => {
      if (this.#unsent > sender.unsentMax) return true
      sender.resolve()
      return false
    })
  }

  #room(unsentMax: number, withinMs: number): Promise<void> {
    if (this.#unsent <= unsentMax) return Promise.resolve()
    if (this.#socket.destroyed) return Promise.reject(gone())
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        stop()
        reject(error)
      }
      const sender = {
        unsentMax,
        resolve: () => {
          stop()
          resolve()
        },
        reject: fail,
      }
      const stop = this.#clock.after(withinMs, () => {
        this.#senders = this.#senders.filter((one) => one !== sender)
        fail(new QuarryError('TIMEOUT', `${this.peer} has taken nothing for ${withinMs} ms.`))
      })
      this.#senders.push(sender)
    })
  }
}

function gone(): QuarryError {
  return new QuarryError('CANCELLED', 'The client went away.')
}
