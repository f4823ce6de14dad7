// What pages of browsers may do. Nothing authenticates callers, so a page of any site that somebody looks at could change files with
// his browser's help. Programs send no Origin; a request that carries one is served only for the origins of cors.origins.
import type { IncomingMessage } from 'node:http'
import { QuarryError } from '../../common/errors.ts'

/** How long a browser may remember what it was allowed, in s. */
const rememberS = 1_800

export class Origins {
  readonly #allowed: ReadonlySet<string>

  /** `*` allows all. */
  constructor(allowed: readonly string[]) {
    this.#allowed = new Set(allowed.map((origin) => origin.toLowerCase().replace(/\/$/, '')))
  }

  /** Headers for the answer. Throws PERMISSION_DENIED when the page may not ask. */
  admit(request: IncomingMessage): Readonly<Record<string, string>> {
    const { origin } = request.headers
    if (origin === undefined) return none
    if (!this.#allowed.has('*') && !this.#allowed.has(origin.toLowerCase())) {
      throw new QuarryError(
        'PERMISSION_DENIED',
        `Pages of ${origin.slice(0, 200)} may not use this service: cors.origins does not name them.`,
        {},
      )
    }
    const headers: Record<string, string> = {
      'access-control-allow-origin': origin,
      'access-control-expose-headers': 'Location',
      'vary': 'Origin',
    }
    if (request.method !== 'OPTIONS') return headers
    return {
      ...headers,
      'access-control-allow-methods': 'GET, HEAD, PUT, POST, DELETE',
      'access-control-allow-headers': 'X-Requested-With, Content-Type, Accept, Origin',
      'access-control-max-age': String(rememberS),
    }
  }
}

const none = {}
