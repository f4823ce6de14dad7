// What an operation of WebHDFS is given and what it gives back.
import type { ServerResponse } from 'node:http'
import type { Answer } from '../../../proto/webhdfs/answer.ts'
import type { Verb, WebHdfsTarget } from '../../../proto/webhdfs/request.ts'
import type { BlockManager } from '../../core/cluster/block-manager.ts'
import type { Front } from '../front.ts'
import type { WebCaller } from './callers.ts'

export interface WebHdfsDeps {
  readonly front: Front
  readonly cluster: BlockManager
  /** host:port where Hadoop's clients reach this namenode. */
  readonly rpcAddress: string
  readonly defaults: { readonly replication: number; readonly blockSize: number }
  /** Cuts a file inside a block; without it that is refused. */
  readonly cut?: ((path: string, newLength: number) => Promise<boolean>) | undefined
}

export interface Exchange {
  readonly deps: WebHdfsDeps
  readonly caller: WebCaller
  readonly target: WebHdfsTarget
  readonly op: string
  /** For answers that are written as they are made. */
  readonly response: ServerResponse
  /** To be sent along with those. */
  readonly headers: Readonly<Record<string, string>>
}

/** Undefined when the operation has answered by itself. Fails with QuarryErrors. */
export type Operation = (exchange: Exchange) => Promise<Answer | undefined>
export type Operations = Readonly<Record<string, Operation>>
export type OperationTable = Readonly<Record<Verb, Operations>>
