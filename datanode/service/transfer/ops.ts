// Operations of Hadoop's data transfer as they begin on the wire: i16 version | u8 operation | varint length | message.

export const transferVersion = 28

export const opCodes = { write: 80, read: 81, checksum: 85, transfer: 86, custom: 127 } as const

/** Bytes before the message. */
export const opPrefixBytes = 3

export function encodeOp(code: number, message: Uint8Array): Buffer {
  const head = Buffer.alloc(opPrefixBytes + 5)
  head.writeInt16BE(transferVersion, 0)
  head[2] = code
  let at = opPrefixBytes
  let rest = message.length
  for (; rest > 127; rest >>>= 7) head[at++] = (rest & 127) | 128
  head[at++] = rest
  return Buffer.concat([head.subarray(0, at), message])
}
