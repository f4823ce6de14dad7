// What a role process and the `quarry up` that started it tell each other over their IPC channel. A role that was started by hand has
// no channel: it prints its ready message as one JSON line on stdout.
import type { ErrorCode } from '../../common/errors.ts'

export type RoleName = 'namenode' | 'datanode'

export interface RoleReady {
  readonly kind: 'ready'
  readonly role: RoleName
  readonly pid: number
  readonly grpc: string
  readonly http: string
  /** Of a namenode. */
  readonly uri?: string
  readonly clusterId?: string
  readonly poolId?: string
  /** Of a datanode. */
  readonly uuid?: string
  readonly dirs?: readonly string[]
}

export interface RoleFailed {
  readonly kind: 'failed'
  readonly code: ErrorCode
  readonly message: string
}

export type FromRole = RoleReady | RoleFailed

/** `go`: the namenode answers, a datanode may begin. `stay`: go on when this channel closes; else a role stops with its starter. */
export interface ToRole {
  readonly kind: 'go' | 'stay'
}
