// History of the native wire. A peer with another number is refused with a clear error.
//   1  first version: metadata calls, datanode session, data plane, fragments

export const protocolVersion = 1
