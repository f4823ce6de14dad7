// Where client, namenode and datanode meet: the calls as TypeScript types, independent of any transport. The native gRPC
// transport, the in-process one of the tests and the simulated network implement the same interfaces.
import type { Block, Call, Reply } from './gen/messages.ts'
import type { Init } from './codec.ts'

export type * from './gen/messages.ts'
export {
  AclEntryType,
  AclScope,
  ChecksumType,
  DatanodeFilter,
  FileKind,
  NodeAction,
  PipelineStatus,
  ReceivedKind,
  ReplicaState,
  SafeModeAction,
  SnapshotOperation,
  StorageType,
  WriteStage,
  XAttrNamespace,
} from './gen/messages.ts'
export type { Init } from './codec.ts'

/** Name of a namenode call, such as 'mkdirs'. */
export type Method = NonNullable<Call['op']>
export type Request<M extends Method> = NonNullable<Call[M]>
export type ReplyOf<M extends Method> = NonNullable<Reply[M]>

/** A decoded call: what the core decides on. */
export type Command = { [M in Method]: { readonly method: M; readonly request: Request<M> } }[Method]

/** Methods that change the namespace, or the core's memory, and therefore go through the commit queue. */
export const mutations: ReadonlySet<Method> = new Set<Method>([
  'mkdirs',
  'create',
  'append',
  'addBlock',
  'abandonBlock',
  'complete',
  'fsync',
  'updateBlockForPipeline',
  'updatePipeline',
  'renewLease',
  'recoverLease',
  'truncate',
  'concat',
  'rename',
  'rename2',
  'delete',
  'setReplication',
  'setPermission',
  'setOwner',
  'setTimes',
  'setQuota',
  'setAcl',
  'modifyAclEntries',
  'removeAclEntries',
  'removeDefaultAcl',
  'removeAcl',
  'setXAttr',
  'removeXAttr',
  'setStoragePolicy',
  'unsetStoragePolicy',
])

/** Who calls; the same for every door. */
export interface CallContext {
  readonly user: string
  /** Set when `user` is acted for by a proxy. */
  readonly realUser: string
  readonly groups: readonly string[]
  readonly remoteAddress: string
  /** 16 bytes as hex; with callId the key of the retry cache. */
  readonly clientId: string
  readonly callId: number
  readonly retryCount: number
  readonly callerContext: string
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds after which the call fails with TIMEOUT; default 60,000. */
  readonly deadlineMs?: number | undefined
}

/** The namenode as a client sees it. Failures are QuarryErrors. */
export interface NamenodePort {
  call<M extends Method>(method: M, request: Init<Request<M>>, options?: CallOptions): Promise<ReplyOf<M>>
  readonly poolId: string
  close(): Promise<void>
}

/** What a compute agent may ask of the datanode it lives beside. Both check every stored CRC before a byte is used. */
export interface LocalReplicas {
  /**
   * Hard-links the data file of a finalised replica to `targetPath` (same file system), verified once for each (block,
   * generation stamp). Throws REPLICA_NOT_FOUND, or CHECKSUM after reporting the replica as bad.
   */
  link(block: Block, targetPath: string): Promise<{ readonly length: number; readonly verifyUs: number }>
  /** Bytes of a finalised replica. */
  read(block: Block, offset: number, length: number): AsyncIterable<Uint8Array>
  /** A directory on the file system of the block files, for jails. */
  readonly scratchDir: string
  readonly poolId: string
  readonly datanodeUuid: string
}
