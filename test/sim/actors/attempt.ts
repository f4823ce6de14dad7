// One call of an actor, and what is known of it afterwards.
import { toQuarryError } from '../../../common/errors.ts'
import type { ErrorCode, QuarryError } from '../../../common/errors.ts'

export type Attempt<T> =
  | { readonly kind: 'done'; readonly value: T }
  /** It did not happen, and will not. */
  | { readonly kind: 'refused'; readonly error: QuarryError }
  /** It may have happened, or may yet. */
  | { readonly kind: 'unknown'; readonly error: QuarryError }

/** With these a namenode that decided tells that it did nothing. */
const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'NOT_A_DIRECTORY',
  'IS_A_DIRECTORY',
  'NOT_A_FILE',
  'NOT_EMPTY',
  'INVALID_PATH',
  'INVALID_ARGUMENT',
  'UNSUPPORTED',
  'PERMISSION_DENIED',
  'LEASE_CONFLICT',
  'RECOVERY_IN_PROGRESS',
  'SAFE_MODE',
  'RETRY_LATER',
  'OVERLOADED',
  'DISK_FULL',
])

export async function attempt<T>(work: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { kind: 'done', value: await work() }
  } catch (thrown) {
    const error = toQuarryError(thrown)
    return { kind: refusals.has(error.code) ? 'refused' : 'unknown', error }
  }
}

/** Refusals that say something about the moment, not about the request. */
export function isPassing(error: QuarryError): boolean {
  return ['SAFE_MODE', 'RETRY_LATER', 'OVERLOADED', 'DISK_FULL', 'LEASE_CONFLICT', 'RECOVERY_IN_PROGRESS'].includes(error.code)
}
