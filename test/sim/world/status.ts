// How a call ended, as text that crosses the simulated network: what gRPC puts into trailers.
import { QuarryError, toQuarryError } from '../../../common/errors.ts'
import type { ErrorCode, ErrorDetails } from '../../../common/errors.ts'
import { errorOf } from '../../../proto/transport/status.ts'

/** '' when all went well. */
export function statusOfError(thrown: unknown): string {
  if (thrown === undefined || thrown === null) return ''
  const error = typeof (thrown as { code?: unknown }).code === 'number' ? errorOf(thrown) : toQuarryError(thrown)
  return JSON.stringify({ code: error.code, message: error.message, details: error.details })
}

export function errorOfStatus(status: string): QuarryError | undefined {
  if (status === '') return undefined
  const { code, message, details } = JSON.parse(status) as { code: ErrorCode; message: string; details: ErrorDetails }
  return new QuarryError(code, message, details)
}
