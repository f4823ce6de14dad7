// A QuarryError as a gRPC status and back. The code travels in metadata; the status number is for foreign tools.
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'
import { Metadata, status as Status } from '@grpc/grpc-js'
import type { ServiceError, StatusObject } from '@grpc/grpc-js'
import { errorTable, isErrorCode, QuarryError, toQuarryError } from '../../common/errors.ts'
import type { ErrorDetails } from '../../common/errors.ts'

const codeKey = 'quarry-code'
const detailsKey = 'quarry-details-bin'
/** Metadata travels in http2 headers, which peers bound; details that do not fit are left out. */
const detailsBytesMax = 4096

/** What a grpc-js handler passes to its callback, or to `call.emit('error', …)`. */
export function statusOf(thrown: unknown): StatusObject {
  const error = toQuarryError(thrown)
  const metadata = new Metadata()
  metadata.set(codeKey, error.code)
  const details = Buffer.from(JSON.stringify(error.details))
  if (details.length > 2 && details.length <= detailsBytesMax) metadata.set(detailsKey, details)
  return { code: errorTable[error.code].grpc, details: error.message, metadata }
}

/** The error a grpc-js client call failed with. */
export function errorOf(thrown: unknown, peer = 'the server'): QuarryError {
  if (thrown instanceof QuarryError) return thrown
  const service = thrown as Partial<ServiceError>
  if (typeof service.code !== 'number') return toQuarryError(thrown)
  const message = service.details ?? service.message ?? ''
  const code = service.metadata?.get(codeKey)[0]
  if (typeof code === 'string' && isErrorCode(code)) return new QuarryError(code, message, detailsOf(service.metadata))
  switch (service.code) {
    case Status.CANCELLED:
      return new QuarryError('CANCELLED', message || 'The call was cancelled.')
    case Status.DEADLINE_EXCEEDED:
      return new QuarryError('TIMEOUT', `${peer} did not answer in time: ${message}`)
    case Status.UNAVAILABLE:
      return new QuarryError('UNAVAILABLE', `${peer} cannot be reached: ${message}`)
    case Status.UNIMPLEMENTED:
      return new QuarryError('UNSUPPORTED', `${peer} does not know this call: ${message}`)
    case Status.RESOURCE_EXHAUSTED:
      return new QuarryError('OVERLOADED', `${peer} refused: ${message}`)
    default:
      return new QuarryError('INTERNAL', `${peer}: ${message}`, { grpcStatus: service.code })
  }
}

function detailsOf(metadata: Metadata | undefined): ErrorDetails {
  const raw = metadata?.get(detailsKey)[0]
  if (raw === undefined) return {}
  try {
    return JSON.parse(raw.toString()) as ErrorDetails
  } catch {
    return {}
  }
}

/** The same as http2 trailers, for calls that do not pass through grpc-js; without an error the call went well. */
export function trailersOf(thrown: unknown): OutgoingHttpHeaders {
  if (thrown === undefined) return { 'grpc-status': 0 }
  const { code, details, metadata } = statusOf(thrown)
  return { 'grpc-status': code, 'grpc-message': encodeURI(details), ...(metadata.toHttp2Headers() as OutgoingHttpHeaders) }
}

/** The error that trailers tell of, if any. */
export function errorOfTrailers(headers: IncomingHttpHeaders, peer: string): QuarryError | undefined {
  const code = Number(headers['grpc-status'] ?? Status.UNKNOWN)
  if (code === Status.OK) return undefined
  let details = String(headers['grpc-message'] ?? '')
  try {
    details = decodeURI(details)
  } catch {
    // Not encoded as it should be: better the raw text than none.
  }
  return errorOf({ code, details, metadata: Metadata.fromHttp2Headers(headers) }, peer)
}
