// A small client of Hadoop's RPC for tests: it can also send what no client should.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import protobuf from 'protobufjs/minimal.js'
import { ByteQueue } from '../byte-queue.ts'
import { appendDelimited, decodeHadoop, readDelimited } from '../codec.ts'
import type { HadoopInit, HadoopMessage, RpcRequestHeader, RpcResponseHeader } from '../codec.ts'
import type { MessageTypes } from '../gen/messages.ts'

/** Tests wait no longer than this for anything, in ms. */
const patienceMs = 30_000

/** What the server answered instead of a result. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError'
  readonly header: RpcResponseHeader

  constructor(header: RpcResponseHeader) {
    super(header.errorMessage ?? '')
    this.header = header
  }

  /** Java class of the exception. */
  get className(): string {
    return this.header.exceptionClass ?? ''
  }
}

export interface RpcReply {
  readonly header: RpcResponseHeader
  /** Of a success; what follows the header. */
  readonly message: Uint8Array | undefined
  /** Bytes of the frame that belong to neither. */
  readonly rest: number
}

export const clientProtocol = 'org.apache.hadoop.hdfs.protocol.ClientProtocol'
/** Of frames that are made without a connection. */
const anyClientId = Buffer.from('0123456789abcdef')

export const preamble = (version = 9, auth = 0): Buffer => Buffer.from([...Buffer.from('hrpc'), version, 0, auth])

/** A frame around parts that are written behind their lengths. */
export function frame(write: (writer: protobuf.Writer) => void): Buffer {
  const writer = protobuf.Writer.create()
  write(writer)
  const body = writer.finish() as Buffer
  const head = Buffer.alloc(4)
  head.writeInt32BE(body.length)
  return Buffer.concat([head, body])
}

export const requestHeader = (callId: number, more: HadoopInit<RpcRequestHeader> = {}): HadoopInit<RpcRequestHeader> => ({
  rpcKind: 2,
  rpcOp: 0,
  callId,
  clientId: anyClientId,
  retryCount: 0,
  ...more,
})

export function contextFrame(user: string | undefined, realUser?: string, protocol = clientProtocol): Buffer {
  return frame((writer) => {
    appendDelimited(writer, 'RpcRequestHeader', requestHeader(-3, { retryCount: -1 }))
    appendDelimited(writer, 'ConnectionContext', { userInfo: { effectiveUser: user, realUser }, protocol })
  })
}

export interface CallOptions {
  readonly protocol?: string
  readonly header?: HadoopInit<RpcRequestHeader>
}

export function callFrame<K extends HadoopMessage>(
  callId: number,
  method: string,
  type: K,
  request: HadoopInit<MessageTypes[K]>,
  options: CallOptions = {},
): Buffer {
  return frame((writer) => {
    appendDelimited(writer, 'RpcRequestHeader', requestHeader(callId, options.header))
    appendDelimited(writer, 'RequestHeader', { methodName: method, protocol: options.protocol ?? clientProtocol, protocolVersion: 1 })
    appendDelimited(writer, type, request)
  })
}

export class RpcTestClient {
  readonly socket: net.Socket
  /** All replies, in the order in which they came. */
  readonly replies: RpcReply[] = []
  /** With the ids of calls the key of the server's retry cache. */
  readonly clientId = randomBytes(16)
  readonly #queue = new ByteQueue()
  readonly #waiting = new Map<number, (reply: RpcReply) => void>()
  readonly #lost: Promise<never>
  #nextId = 0

  private constructor(socket: net.Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.#received(chunk))
    this.#lost = new Promise((_, reject) => {
      const failed = (): void => reject(new Error('The server ended the connection.'))
      socket.on('error', failed)
      socket.on('close', failed)
      socket.setTimeout(patienceMs, () => socket.destroy())
    })
    this.#lost.catch(() => {})
  }

  /** A bare connection: nothing is sent. */
  static async open(port: number): Promise<RpcTestClient> {
    const socket = net.connect({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    return new RpcTestClient(socket)
  }

  /** A connection that has said who it is. */
  static async connect(port: number, user: string, realUser?: string): Promise<RpcTestClient> {
    const client = await RpcTestClient.open(port)
    client.send(preamble(), contextFrame(user, realUser))
    return client
  }

  send(...parts: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(parts))
  }

  /** The answer to the call; rejects with RemoteError. */
  async call<Q extends HadoopMessage, R extends HadoopMessage>(
    method: string,
    types: readonly [Q, R],
    request: HadoopInit<MessageTypes[Q]>,
    options: CallOptions = {},
  ): Promise<MessageTypes[R]> {
    const callId = options.header?.callId ?? this.#nextId++
    const answered = this.reply(callId)
    this.send(callFrame(callId, method, types[0], request, { ...options, header: { clientId: this.clientId, ...options.header } }))
    const { header, message } = await answered
    if (header.status !== 0) throw new RemoteError(header)
    return decodeHadoop(types[1], message!)
  }

  /** The next answer that carries the id; rejects when the connection ends first. */
  reply(callId: number): Promise<RpcReply> {
    const answered = new Promise<RpcReply>((resolve) => this.#waiting.set(callId, resolve))
    return Promise.race([answered, this.#lost])
  }

  /** Resolves when the server has closed the connection. */
  async ended(): Promise<void> {
    if (!this.socket.destroyed) await once(this.socket, 'close')
  }

  close(): void {
    this.socket.destroy()
  }

  #received(chunk: Buffer): void {
    const queue = this.#queue
    queue.push(chunk)
    while (queue.length >= 4 && queue.length >= 4 + queue.peekInt32()) {
      const bytes = queue.take(4 + queue.peekInt32())!.subarray(4)
      const reader = protobuf.Reader.create(bytes)
      const header = readDelimited('RpcResponseHeader', reader)
      const message = header.status === 0 ? reader.bytes() : undefined
      // The field is unsigned on the wire: ids below 0 come as 32-bit two's complement.
      const callId = header.callId | 0
      const reply = { header: { ...header, callId }, message, rest: reader.len - reader.pos }
      this.replies.push(reply)
      this.#waiting.get(callId)?.(reply)
      this.#waiting.delete(callId)
    }
  }
}
