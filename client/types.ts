// The shapes of the SDK's public interface. `FileSystem` (filesystem.ts) implements them; `index.ts` exports them.
import type { Readable, Writable } from 'node:stream'

export interface ConnectOptions {
  /** Who calls. Default: HADOOP_USER_NAME, else the user of the operating system. */
  readonly user?: string | undefined
  /** Who really calls, when it does so for `user`; must be allowed to (proxy.users of the namenode). */
  readonly realUser?: string | undefined
  /** Permission bits taken away from new files and directories; default 0o022. */
  readonly umask?: number | undefined
  /** Defaults of new files; else the server's. */
  readonly replication?: number | undefined
  readonly blockSize?: number | undefined
  /** Read block files directly where a datanode is on this host; default true. */
  readonly localReads?: boolean | undefined
  /** Milliseconds one metadata call may take, retries included; default 60,000. */
  readonly callTimeoutMs?: number | undefined
  /** Milliseconds to keep trying at connect. Default: 10,000 for a namenode that does not answer; one that refuses the connection fails at once. */
  readonly connectTimeoutMs?: number | undefined
  // What follows has the names, defaults and bounds of the settings in parentheses (docs/settings.md); the CLI takes those with -D.
  /** (replace.datanode) Whether a pipeline that loses a datanode takes on another: 'default', 'always' or 'never'. */
  readonly replaceDatanode?: string | undefined
  /** (replace.datanode.best.effort) Go on with the datanodes that are left when no other is found; false fails the write. */
  readonly replaceDatanodeBestEffort?: boolean | undefined
  /** (datanode.restart.timeout) Milliseconds a writer waits for a datanode that said it restarts. */
  readonly datanodeRestartTimeoutMs?: number | undefined
  /** (slow.datanode.threshold) Milliseconds for a packet above which a datanode that is slower than the others is dropped; 0 = never. */
  readonly slowDatanodeThresholdMs?: number | undefined
  /** (hedged.read.threshold) Milliseconds without a byte after which a read is also sent to another replica; 0 = never. */
  readonly hedgedReadThresholdMs?: number | undefined
  /** (ack.timeout) Milliseconds that a pipeline may owe an answer. */
  readonly ackTimeoutMs?: number | undefined
  /** (read.timeout) Milliseconds that a replica may bring nothing. */
  readonly readTimeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface FileInfo {
  readonly kind: 'file' | 'directory'
  /** Absolute path. */
  readonly path: string
  /** Last component; '' for the root. */
  readonly name: string
  readonly length: number
  readonly permission: number
  readonly owner: string
  readonly group: string
  readonly mtimeMs: number
  readonly atimeMs: number
  /** 0 for directories. */
  readonly replication: number
  readonly blockSize: number
  readonly fileId: number
  /** Entries of a directory. */
  readonly children: number
  readonly isOpen: boolean
  /** There are entries of an ACL beside the permission, whose group bits are then its mask. */
  readonly hasAcl: boolean
  /** Id of the storage policy in force; 0 = none was set. */
  readonly storagePolicy: number
  readonly isFile: boolean
  readonly isDirectory: boolean
}

export interface BlockLocation {
  readonly blockId: number
  readonly genstamp: number
  /** In the file. */
  readonly offset: number
  readonly length: number
  readonly corrupt: boolean
  readonly hosts: readonly {
    readonly uuid: string
    readonly address: string
    readonly hostname: string
    readonly rack: string
    readonly storageUuid: string
  }[]
}

export interface CreateOptions {
  /** Replace an existing file; default true, as node:fs writeFile does. The CLI passes false. */
  readonly overwrite?: boolean | undefined
  /** Create missing parents; default true. */
  readonly createParent?: boolean | undefined
  readonly replication?: number | undefined
  readonly blockSize?: number | undefined
  /** Before the umask; default 0o666. */
  readonly permission?: number | undefined
  /** Name of a storage policy; default: that of the directory. */
  readonly storagePolicy?: string | undefined
  /** What a default ACL of the directory is cut by instead of `permission`; default the permission before the umask. */
  readonly unmasked?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** A file being written. Closing it makes it durable (sync.on.close) and visible with its full length. */
export interface FileWriter extends AsyncDisposable {
  readonly path: string
  /** Bytes accepted so far. */
  readonly position: number
  /** Resolves when the bytes are taken over; waits while too many packets are in flight. The buffer may be reused after it resolves. */
  write(data: Uint8Array | string): Promise<void>
  /** All bytes so far are on every datanode of the pipeline and visible to readers that open afterwards. */
  hflush(): Promise<void>
  /** hflush, and the current block is on disk there. */
  hsync(): Promise<void>
  /** Idempotent. Throws if anything written cannot be made durable. */
  close(): Promise<void>
  /** Gives up: the lease is left to recovery, nothing more is written. */
  abort(reason?: unknown): Promise<void>
  /** Node stream that closes the file when it ends. */
  toNode(): Writable
  toWeb(): WritableStream<Uint8Array>
}

/** A file being read: many reads may run at the same time. */
export interface FileReader extends AsyncDisposable {
  readonly info: FileInfo
  readonly length: number
  /** Fills buffer[offset … offset+length) from `position`; answers the bytes read, 0 at the end. Every byte is CRC-checked. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number>
  /** Bytes from `start` (0) to `end` exclusive (the end of the file). Cancelling the iteration stops the transfer. */
  stream(options?: { readonly start?: number; readonly end?: number; readonly signal?: AbortSignal }): AsyncIterable<Uint8Array>
  toNode(options?: { readonly start?: number; readonly end?: number }): Readable
  toWeb(options?: { readonly start?: number; readonly end?: number }): ReadableStream<Uint8Array>
  close(): Promise<void>
}

export interface CopyProgress {
  readonly path: string
  readonly bytesDone: number
  readonly bytesTotal: number
  readonly filesDone: number
  readonly filesTotal: number
}

export interface CopyOptions {
  readonly overwrite?: boolean | undefined
  readonly recursive?: boolean | undefined
  /** Keep times and permissions. */
  readonly preserve?: boolean | undefined
  /** Files at the same time; default 4. */
  readonly concurrency?: number | undefined
  readonly replication?: number | undefined
  readonly blockSize?: number | undefined
  /** Write to `target._COPYING_` and rename when complete; default true. */
  readonly atomic?: boolean | undefined
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export interface ContentSummary {
  readonly length: number
  readonly files: number
  readonly directories: number
  /** Bytes with all replicas. */
  readonly spaceConsumed: number
  /** -1 = none. */
  readonly quota: number
  readonly spaceQuota: number
  readonly types: readonly TypeUse[]
}

export type StorageTypeName = 'DISK' | 'SSD' | 'ARCHIVE' | 'RAM_DISK' | 'PROVIDED' | 'NVDIMM'

/** Of a directory with a quota for a type of storage: the quota and what of it is used. Of a file: what it uses. */
export interface TypeUse {
  readonly type: StorageTypeName
  /** Bytes of all replicas; -1 = none. */
  readonly quota: number
  readonly consumed: number
}

export interface QuotaUsage {
  readonly fileAndDirectoryCount: number
  readonly spaceConsumed: number
  /** -1 = none. */
  readonly quota: number
  readonly spaceQuota: number
  readonly types: readonly TypeUse[]
}

export interface AclEntry {
  /** Default: 'access'. */
  readonly scope?: 'access' | 'default'
  readonly type: 'user' | 'group' | 'mask' | 'other'
  /** Without one: the owner, the owning group. */
  readonly name?: string
  /** r=4 w=2 x=1; not looked at where entries are removed. */
  readonly permission?: number
}

/** Entries beside those that the permission holds; none where the permission is all there is. */
export interface AclStatus {
  readonly owner: string
  readonly group: string
  readonly permission: number
  readonly entries: readonly Required<AclEntry>[]
}

export interface StoragePolicy {
  readonly id: number
  readonly name: string
  readonly types: readonly StorageTypeName[]
  readonly creationFallbacks: readonly StorageTypeName[]
  readonly replicationFallbacks: readonly StorageTypeName[]
  readonly copyOnCreate: boolean
}

/** HDFS's MD5-of-MD5-of-CRC; equal for equal bytes, block size and chunk size. */
export interface FileChecksum {
  /** Such as MD5-of-0MD5-of-512CRC32C. */
  readonly algorithm: string
  /** 28 bytes: bytes per CRC (4), CRCs per block (8), MD5 (16). */
  readonly bytes: Uint8Array
  /** 56 hex digits. */
  readonly hex: string
}

export interface FileSystemStats {
  readonly capacity: number
  readonly used: number
  readonly remaining: number
  readonly files: number
  readonly directories: number
  readonly blocks: number
  readonly underReplicated: number
  readonly corruptBlocks: number
  readonly missingBlocks: number
  readonly pendingDeletion: number
  readonly safeMode: boolean
  readonly safeModeReason: string
}
