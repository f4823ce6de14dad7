// Decoded messages as ordinary objects. A decoded message keeps the fields that the sender left out on its prototype, where
// spreading, JSON and deep comparison do not see them: fine inside, a trap for users of the SDK.

/** A copy whose fields are all its own. */
export function plain<T>(message: T): T {
  if (Array.isArray(message)) return message.map(plain) as T
  if (message === null || typeof message !== 'object' || message instanceof Uint8Array) return message
  const copy: Record<string, unknown> = {}
  const prototype: unknown = Object.getPrototypeOf(message)
  // Unlike Object.entries, for-in sees the prototype's defaults; its functions, $type, and the getters that name which field of a
  // oneof is set, are not fields.
  for (const field in message) {
    if (field.startsWith('$') || Object.getOwnPropertyDescriptor(prototype, field)?.get !== undefined) continue
    const value: unknown = message[field]
    if (typeof value !== 'function') copy[field] = plain(value)
  }
  return copy as T
}
