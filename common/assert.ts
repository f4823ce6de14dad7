// Invariants. An assertion that fails is a bug of ours, never bad input: the process must not go on from there.

export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** Throws AssertionError unless `condition` holds. The message says which invariant broke. */
export function assert(condition: unknown, message: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionError(typeof message === 'string' ? message : message())
}

/** The value, or an AssertionError when it is null or undefined. */
export function must<T>(value: T | null | undefined, message = 'value is missing'): T {
  if (value === null || value === undefined) throw new AssertionError(message)
  return value
}

/** For the default branch of a switch over a union: does not compile when a case is missing. */
export function unreachable(value: never, what = 'case'): never {
  throw new AssertionError(`unexpected ${what}: ${JSON.stringify(value)}`)
}
