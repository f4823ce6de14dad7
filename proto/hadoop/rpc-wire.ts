// Frames of Hadoop's RPC, version 9, as a server writes them: a length of 4 bytes, the header behind its length, and after a success
// the message behind its length. An error has nothing after the header: Java drops the connection otherwise.
import protobuf from 'protobufjs/minimal.js'
import { errorTable } from '../../common/errors.ts'
import type { QuarryError } from '../../common/errors.ts'
import { encodeHadoop } from './codec.ts'

export const rpcMagic = Buffer.from('hrpc')
export const rpcVersion = 9
/** What the last byte of the preamble asks for. */
export const authNone = 0x00
export const authSasl = 0xdf

/** Call ids that are no calls. */
export const contextCallId = -3
export const pingCallId = -4
export const saslCallId = -33
/** In answers to what never became a call. */
export const noCallId = -1

export const status = { success: 0, error: 1, fatal: 2 } as const

/** Why a call failed, beside the exception: RpcErrorCodeProto. */
export const detail = {
  application: 1,
  noSuchMethod: 2,
  noSuchProtocol: 3,
  rpcServer: 4,
  fatalUnknown: 10,
  fatalVersion: 14,
  fatalHeader: 12,
  fatalRequest: 13,
  fatalUnauthorized: 15,
} as const

const IPC = 'org.apache.hadoop.ipc.'

/** An answer that is no success: what Java needs to make the exception again. */
export interface RpcFault {
  readonly status: 1 | 2
  readonly detail: number
  readonly className: string
  readonly message: string
}

/**
 * Java's exceptions about paths put their constructor's argument between quotes and their own words behind it. HDFS sends a stack trace,
 * of which people see the first line: with an end of line behind the message those words stay out of sight here, too.
 */
const quotesItsMessage = /\.Path[A-Za-z]+Exception$/

export function faultOf(error: QuarryError): RpcFault {
  const className = errorTable[error.code].java
  const message = quotesItsMessage.test(className) ? `${error.message}\n` : error.message
  return { status: status.error, detail: detail.application, className, message }
}

export const noSuchMethod = (method: string, protocol: string): RpcFault => ({
  status: status.error,
  detail: detail.noSuchMethod,
  className: `${IPC}RpcNoSuchMethodException`,
  message: `Unknown method ${method} called on ${protocol} protocol.`,
})

export const noSuchProtocol = (protocol: string): RpcFault => ({
  status: status.error,
  detail: detail.noSuchProtocol,
  className: `${IPC}RpcNoSuchProtocolException`,
  message: `Unknown protocol: ${protocol}`,
})

/** The frame was sound and what is in it was not: the call fails, the connection stays. */
export const badRequest = (message: string): RpcFault => ({
  status: status.error,
  detail: detail.rpcServer,
  className: `${IPC}RpcServerException`,
  message,
})

export const fatal = (code: number, message: string): RpcFault => ({
  status: status.fatal,
  detail: code,
  className: `${IPC}RpcServerException`,
  message,
})

export const unauthorized = (message: string): RpcFault => ({
  status: status.fatal,
  detail: detail.fatalUnauthorized,
  className: 'org.apache.hadoop.security.authorize.AuthorizationException',
  message,
})

export const wrongVersion = (version: number): RpcFault => ({
  status: status.fatal,
  detail: detail.fatalVersion,
  className: `${IPC}RPC$VersionMismatch`,
  message: `Server IPC version ${rpcVersion} cannot communicate with client version ${version}`,
})

export const wrongVersionOld = (version: number): Buffer => {
  // Versions 3 to 8 read: call id, status, then class and message as strings with their lengths before them.
  const { className, message } = wrongVersion(version)
  const head = Buffer.alloc(8)
  head.writeInt32BE(-1, 0)
  head.writeInt32BE(-1, 4)
  return Buffer.concat([head, ...[className, message].flatMap((text) => [int32(Buffer.byteLength(text)), Buffer.from(text)])])
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value, 0)
  return bytes
}

/** What somebody reads who points a browser at the port. */
export const httpAnswer: Buffer = (() => {
  const body =
    'It looks like you are making an HTTP request to a Hadoop IPC port. This is not the correct port for the web interface on this daemon.\n'
  return Buffer.from(
    `HTTP/1.1 404 Not Found\r\nContent-type: text/plain\r\nContent-length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
})()

/**
 * The part of a success's header that is the same for all calls of a client: status, version, client id. A client id other than the
 * caller's kills a Java connection.
 */
export function successTail(clientId: Uint8Array): Buffer {
  const tail = Buffer.alloc(6 + clientId.length)
  // status (2) = 0, server version (3) = 9, client id (7)
  tail.set([0x10, status.success, 0x18, rpcVersion, 0x3a, clientId.length])
  tail.set(clientId, 6)
  return tail
}

const varintBytes = (value: number): number => (value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5)

function putVarint(to: Buffer, at: number, value: number): number {
  let rest = value
  while (rest > 0x7f) {
    to[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  to[at++] = rest
  return at
}

const zigzag = (value: number): number => ((value << 1) ^ (value >> 31)) >>> 0

/** A whole frame. `tail` is what successTail made for the client. */
export function successFrame(callId: number, retryCount: number, tail: Buffer, message: Uint8Array): Buffer {
  const retry = zigzag(retryCount)
  const header = 1 + varintBytes(callId) + tail.length + 1 + varintBytes(retry)
  const length = varintBytes(header) + header + varintBytes(message.length) + message.length
  const frame = Buffer.allocUnsafe(4 + length)
  let at = frame.writeInt32BE(length, 0)
  at = putVarint(frame, at, header)
  frame[at++] = 0x08
  at = putVarint(frame, at, callId)
  frame.set(tail, at)
  at += tail.length
  frame[at++] = 0x40
  at = putVarint(frame, at, retry)
  at = putVarint(frame, at, message.length)
  frame.set(message, at)
  return frame
}

/** A frame with the whole header, for what is not on the hot path. `callId` may be below 0. */
export function headerFrame(
  callId: number,
  retryCount: number,
  clientId: Uint8Array,
  fault: RpcFault | undefined,
  message?: Uint8Array,
): Buffer {
  const header = encodeHadoop('RpcResponseHeader', {
    // The field is unsigned: negative ids travel as 32-bit two's complement.
    callId: callId >>> 0,
    status: fault?.status ?? status.success,
    serverIpcVersion: rpcVersion,
    clientId,
    retryCount,
    ...(fault && { exceptionClass: fault.className, errorMessage: fault.message, errorDetail: fault.detail }),
  })
  const writer = protobuf.Writer.create().bytes(header)
  if (message !== undefined) writer.bytes(message)
  const body = writer.finish() as Buffer
  return Buffer.concat([int32(body.length), body])
}
