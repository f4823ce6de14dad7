// Calls that the doors answer beside the engine: about the cluster, backups, and other work of operators.
import type { CallContext, Method, Request } from '../../proto/ports.ts'
import type { Caller } from '../core/permissions.ts'

export interface CallOf {
  readonly context: CallContext
  readonly caller: Caller
}

/** A reply in this tick keeps its place among the others; a promise may be overtaken. Throws QuarryErrors. */
export type ServiceCalls = { readonly [M in Method]?: (call: CallOf, request: Request<M>) => object | Promise<object> }
