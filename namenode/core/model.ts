// The namespace's records and the interfaces that the core decides through. Nothing here knows SQLite, sockets or clocks.
//
// How a command runs, always synchronously, inside the transaction of its batch:
//   1. plan (verbs/*.ts): reads only. Answers { reply } for a query, throws QuarryError for a refusal, or answers { edit, reply,
//      effects } for a mutation. All validation happens here; everything that was chosen (ids, stamps, time) is in the edit.
//   2. apply (apply.ts): changes the records. Deterministic, needs no cluster, no clock, and never refuses: replaying the edits in
//      order on an empty store gives the same namespace, record for record.
//   3. after the commit: reply to the caller, then the edit's effects reach the block layer (ClusterPort.committed).
import type { AclEntry, Block, ListingReply, ReplicaLocation, StorageType, XAttrNamespace } from '../../proto/ports.ts'
import type { EditRecord } from './edits.ts'

export interface DirectoryTotals {
  /** Of the whole subtree, the directory itself included in `directories`. */
  readonly files: number
  readonly directories: number
  readonly bytes: number
  /** bytes x replication; blocks under construction are charged a full block, as in HDFS. */
  readonly space: number
}

interface InodeBase {
  readonly id: number
  /** 0 for the root. */
  readonly parentId: number
  readonly name: string
  readonly permission: number
  readonly owner: string
  readonly group: string
  readonly mtimeMs: number
  readonly atimeMs: number
  /** What there is in its extras (HAS_… of extras.ts); 0 of nearly every inode. */
  readonly flags: number
}

export interface XAttrRecord {
  readonly namespace: XAttrNamespace
  readonly name: string
  /** In hexadecimal. */
  readonly value: string
}

/** Quota of a directory for one type of storage, and what the files below take of it: bytes of all replicas. */
export interface TypeQuotaRecord {
  readonly type: StorageType
  readonly quota: number
  readonly consumed: number
}

/** What few inodes have. It lies beside the inodes, so that those without it pay nothing for it. */
export interface Extras {
  /**
   * The entries of an ACL that the permission does not hold, in HDFS's order: named users, the owning group, named groups; then all
   * default entries. The group bits of the permission are the mask once there are access entries here.
   */
  readonly acl: readonly AclEntry[]
  /** Last set first, as HDFS lists them. */
  readonly xattrs: readonly XAttrRecord[]
  /** Of a directory; 0 = none. Files carry theirs in the inode. */
  readonly storagePolicy: number
  readonly typeQuotas: readonly TypeQuotaRecord[]
}

export interface DirectoryInode extends InodeBase {
  readonly kind: 'directory'
  readonly totals: DirectoryTotals
  /** Direct entries. */
  readonly children: number
  /** -1 = none. */
  readonly nameQuota: number
  readonly spaceQuota: number
}

export interface FileInode extends InodeBase {
  readonly kind: 'file'
  readonly replication: number
  readonly blockSize: number
  /** Bytes of all blocks; of one under construction what an fsync or the start of an append made known. */
  readonly length: number
  readonly storagePolicy: number
  /** The lease holder while the file is open for writing, else ''. */
  readonly holder: string
}

export type Inode = DirectoryInode | FileInode

/** integrity.md: reports never move a block that is under construction. COMPLETE is COMMITTED plus enough replicas: the block layer knows. */
export type BlockState = 'under-construction' | 'committed' | 'under-recovery'

export interface BlockRecord {
  readonly blockId: number
  readonly fileId: number
  readonly index: number
  readonly genstamp: number
  /** Committed length; while under construction the last length made durable by fsync. */
  readonly length: number
  readonly state: BlockState
}

/** Reads of one consistent state: the last commit plus what the current batch has applied so far. */
export interface NamespaceView {
  inode(id: number): Inode | undefined
  child(parentId: number, name: string): Inode | undefined
  /** Entries of a directory after `after` ('' = from the start) in raw UTF-8 byte order, at most `limit`. */
  children(parentId: number, after: string, limit: number): Inode[]
  /**
   * The same entries as the columns of a listing page, without locations. Shared and never changed: the same object comes back
   * until an entry changes, so that a door may keep its encoded form beside it (WeakMap).
   */
  listing(parentId: number, after: string, limit: number): Readonly<ListingReply>
  /** Blocks of a file in order. */
  blocks(fileId: number): BlockRecord[]
  block(blockId: number): BlockRecord | undefined
  /** Blocks with ids >= `fromId` in ascending order, at most `limit`: for merging with sorted block reports. */
  blocksFrom(fromId: number, limit: number): BlockRecord[]
  /** Files open for writing, by inode id, after `afterId`. */
  openFiles(afterId: number, limit: number): FileInode[]
  /** Of an inode whose flags are not 0. */
  extras(id: number): Extras | undefined
  /** Some directory has a storage policy. */
  hasPolicies(): boolean
  /** Some directory has a quota for a type of storage. */
  hasTypeQuotas(): boolean
  counters(): Counters
}

/** Durable counters; `next…` values have not been used yet. */
export interface Counters {
  readonly nextInodeId: number
  readonly nextBlockId: number
  readonly nextGenstamp: number
  readonly lastTxid: number
  readonly files: number
  readonly directories: number
  readonly blocks: number
}

/** Changes of the records. The store keeps listings, totals and counters of its own only where said here. */
export interface NamespaceTx extends NamespaceView {
  /** Inserts or replaces. A change of parentId or name moves the directory entry. */
  putInode(inode: Inode): void
  /** Removes the inode and its directory entry, not its children, blocks or extras. */
  deleteInode(id: number): void
  putBlock(block: BlockRecord): void
  deleteBlock(blockId: number): void
  /** Undefined removes them. The flags of the inode are the caller's to set. */
  putExtras(id: number, extras: Extras | undefined): void
  setCounters(counters: Partial<Counters>): void
}

/**
 * What the core needs of a database. Two implementations, one conformance suite: namenode/store/sqlite-store.ts and
 * core/testing/memory-store.ts.
 */
export interface NamespaceStore {
  /** The last commit plus what has been changed since. */
  readonly tx: NamespaceTx
  /** One durable transaction: the changed records, the counters and the edits, whose last txid becomes `lastTxid`. */
  commit(edits: readonly EditRecord[]): void
  /** Back to the last commit. */
  rollback(): void
  /** Edits with a txid above `txid` in order, at most `limit`. */
  editsAfter(txid: number, limit: number): EditRecord[]
  /** The first txid that editsAfter can still answer; lastTxid + 1 when none is kept. */
  firstKeptTxid(): number
  /** Forgets all but the last `keep` transactions, in whole batches; 0 keeps all. */
  trimEdits(keep: number): void
  meta(key: string): string | undefined
  /** Durable at once. Not while a batch is open. */
  setMeta(key: string, value: string): void
  /** What it threw, as an error that says what to do; the same when there is nothing to add. */
  explain(error: unknown): unknown
  close(): void
}

/** A replica as its datanode last reported it. */
export interface ReportedReplica {
  readonly datanodeUuid: string
  readonly storageUuid: string
  readonly finalised: boolean
  readonly genstamp: number
  /** Bytes: of a replica that is being written, those that its datanode has received. */
  readonly length: number
}

/** Where new replicas should go, or why none could: one reason a node. */
export interface Placement {
  readonly targets: readonly ReplicaLocation[]
  readonly refused: readonly { readonly node: string; readonly reason: string }[]
  /** Datanodes that are not dead. */
  readonly running?: number
}

/** What namespace commands ask the block layer. Reads only; changes reach it through `committed`. */
export interface ClusterPort {
  /** Replicas reported finalised with this generation stamp and length, on live nodes. */
  liveReplicas(block: BlockRecord): number
  /** Where the block can be read, or is being written; nearest to `caller` first, dead and corrupt ones left out. */
  locations(block: BlockRecord, caller: string): readonly ReplicaLocation[]
  /** Every known replica is corrupt. */
  isCorrupt(blockId: number): boolean
  chooseTargets(request: {
    readonly caller: string
    readonly wanted: number
    readonly existing: readonly string[]
    readonly excluded: readonly string[]
    readonly favored: readonly string[]
    readonly blockSize: number
  }): Placement
  /** Undefined when the node is not registered. */
  location(datanodeUuid: string, storageUuid: string): ReplicaLocation | undefined
  safeMode(): { readonly on: boolean; readonly reason: string }
  /** Every replica of the block that a live datanode has reported, whatever its state: what lease recovery decides by. */
  reportedReplicas(blockId: number): readonly ReportedReplica[]
  /** The namenode started a short while ago and the file was open then: datanodes that have not reported yet may hold bytes of it. */
  mayBeUnreported(blockId: number): boolean
  /** A replica of this last block of an open file keeps its datanode from leaving service. */
  keepsNodeFromLeaving?(block: BlockRecord): boolean
  /** Told after a commit, in order. */
  committed(effects: readonly Effect[]): void
}

/** What the block layer must know of a committed change. All of it can be derived again from the records after a crash. */
export type Effect =
  | {
      readonly kind: 'block-allocated'
      readonly block: BlockRecord
      readonly replication: number
      readonly targets: readonly ReplicaLocation[]
    }
  | {
      readonly kind: 'pipeline-updated'
      readonly block: BlockRecord
      readonly replication: number
      readonly targets: readonly ReplicaLocation[]
      /** A file was opened for append: its last replicas go on, under a stamp that the namenode does not know yet. */
      readonly reopened?: true
    }
  | { readonly kind: 'block-committed'; readonly block: BlockRecord; readonly replication: number }
  | { readonly kind: 'file-closed'; readonly blocks: readonly BlockRecord[]; readonly replication: number }
  | { readonly kind: 'blocks-deleted'; readonly blocks: readonly Block[] }
  | { readonly kind: 'replication-changed'; readonly blocks: readonly BlockRecord[]; readonly replication: number }
  | { readonly kind: 'lease-released'; readonly fileId: number }
  /**
   * The writer is gone and no replica is finalised: stop any writer of these replicas, cut them to `length`, finalise them under
   * `genstamp`, then tell Engine.blockRecovered. Repeated by the engine while nothing is heard.
   */
  | {
      readonly kind: 'recover-block'
      readonly block: BlockRecord
      readonly genstamp: number
      readonly length: number
      readonly replicas: readonly ReportedReplica[]
    }
