// The one list of errors that Quarry reports to its users, whatever the door.
//
// A code is API: programs switch on it. The message is for people and may change. Each code carries what every door needs to
// speak of it: what the caller should do, the gRPC status, the Java exception class a Hadoop client rebuilds, the HTTP status,
// the POSIX errno name, and the text the shell prints. No door invents a text or a class of its own.

/** What the caller should do about an error. */
export type Advice = 'fix-request' | 'reopen' | 'retry' | 'other-replica' | 'operator' | 'bug'

interface ErrorRow {
  readonly advice: Advice
  /** Number of the gRPC status. */
  readonly grpc: number
  readonly java: string
  readonly http: number
  readonly errno: string
  /** Text of `hdfs dfs` for this error; empty = print the message's first line. */
  readonly shell: string
}

const row = (advice: Advice, grpc: number, java: string, http: number, errno: string, shell = ''): ErrorRow => ({
  advice,
  grpc,
  java,
  http,
  errno,
  shell,
})

const FS = 'org.apache.hadoop.fs.'
const HDFS = 'org.apache.hadoop.hdfs.protocol.'
const NN = 'org.apache.hadoop.hdfs.server.namenode.'
const IO = 'java.io.IOException'

export const errorTable = {
  NOT_FOUND: row('fix-request', 5, 'java.io.FileNotFoundException', 404, 'ENOENT', 'No such file or directory'),
  ALREADY_EXISTS: row('fix-request', 6, FS + 'FileAlreadyExistsException', 403, 'EEXIST', 'File exists'),
  NOT_A_DIRECTORY: row('fix-request', 9, FS + 'ParentNotDirectoryException', 403, 'ENOTDIR', 'Is not a directory'),
  IS_A_DIRECTORY: row('fix-request', 9, FS + 'FileAlreadyExistsException', 403, 'EISDIR', 'Is a directory'),
  NOT_A_FILE: row('fix-request', 9, 'java.io.FileNotFoundException', 404, 'EISDIR', 'Is a directory'),
  NOT_EMPTY: row('fix-request', 9, FS + 'PathIsNotEmptyDirectoryException', 403, 'ENOTEMPTY', 'Directory is not empty'),
  INVALID_PATH: row('fix-request', 3, FS + 'InvalidPathException', 400, 'EINVAL'),
  INVALID_ARGUMENT: row('fix-request', 3, 'org.apache.hadoop.HadoopIllegalArgumentException', 400, 'EINVAL'),
  /** An argument that HDFS refuses with Java's own class. */
  ILLEGAL_ARGUMENT: row('fix-request', 3, 'java.lang.IllegalArgumentException', 400, 'EINVAL'),
  /** What HDFS refuses with a plain IOException: the text says why. */
  REFUSED: row('fix-request', 9, IO, 403, 'EIO'),
  /** Asked for the entries of what is a file. */
  PATH_NOT_A_DIRECTORY: row('fix-request', 9, FS + 'PathIsNotDirectoryException', 403, 'ENOTDIR', 'Is not a directory'),
  UNRESOLVED_LINK: row('fix-request', 9, HDFS + 'UnresolvedPathException', 403, 'ELOOP'),
  ACL: row('fix-request', 3, HDFS + 'AclException', 403, 'EINVAL'),
  XATTR_NOT_FOUND: row('fix-request', 5, HDFS + 'XAttrNotFoundException', 403, 'ENODATA'),
  SNAPSHOT: row('fix-request', 9, HDFS + 'SnapshotException', 403, 'ENOTSUP'),
  /** The caller acts for somebody whom it may not act for (proxy.users). */
  NOT_AUTHORIZED: row('fix-request', 7, 'org.apache.hadoop.security.authorize.AuthorizationException', 403, 'EACCES'),
  UNSUPPORTED: row('fix-request', 12, 'java.lang.UnsupportedOperationException', 400, 'ENOTSUP', 'Operation not supported'),
  PERMISSION_DENIED: row('fix-request', 7, 'org.apache.hadoop.security.AccessControlException', 403, 'EACCES'),
  UNAUTHENTICATED: row('fix-request', 16, 'org.apache.hadoop.security.AccessControlException', 401, 'EACCES'),
  NAME_TOO_LONG: row('fix-request', 3, HDFS + 'FSLimitException$PathComponentTooLongException', 403, 'ENAMETOOLONG'),
  DIRECTORY_FULL: row('fix-request', 8, HDFS + 'FSLimitException$MaxDirectoryItemsExceededException', 403, 'EMLINK'),
  TOO_MANY_BLOCKS: row('fix-request', 8, IO, 403, 'EFBIG'),
  NAME_QUOTA: row('fix-request', 8, HDFS + 'NSQuotaExceededException', 403, 'EDQUOT'),
  SPACE_QUOTA: row('fix-request', 8, HDFS + 'DSQuotaExceededException', 403, 'EDQUOT'),
  TYPE_QUOTA: row('fix-request', 8, HDFS + 'QuotaByStorageTypeExceededException', 403, 'EDQUOT'),
  /** Somebody else (or the same holder twice) has the file open for writing. */
  LEASE_CONFLICT: row('retry', 10, HDFS + 'AlreadyBeingCreatedException', 403, 'EBUSY'),
  RECOVERY_IN_PROGRESS: row('retry', 14, HDFS + 'RecoveryInProgressException', 403, 'EBUSY'),
  /** The caller does not hold the lease any more: its writer is dead. */
  LEASE_EXPIRED: row('reopen', 9, NN + 'LeaseExpiredException', 403, 'ESTALE'),
  /** An earlier block has not reached its minimum of replicas yet. */
  NOT_REPLICATED_YET: row('retry', 14, NN + 'NotReplicatedYetException', 403, 'EAGAIN'),
  SAFE_MODE: row('retry', 14, NN + 'SafeModeException', 403, 'EROFS'),
  RETRY_LATER: row('retry', 14, 'org.apache.hadoop.ipc.RetriableException', 403, 'EAGAIN'),
  OVERLOADED: row('retry', 8, 'org.apache.hadoop.ipc.RetriableException', 503, 'EAGAIN'),
  /** No datanode can take a replica; the message says of each node why. */
  NO_TARGETS: row('operator', 14, IO, 403, 'ENOSPC'),
  DISK_FULL: row('operator', 8, 'org.apache.hadoop.util.DiskChecker$DiskOutOfSpaceException', 403, 'ENOSPC'),
  REPLICA_NOT_FOUND: row('other-replica', 5, 'org.apache.hadoop.hdfs.server.datanode.ReplicaNotFoundException', 403, 'ENOENT'),
  REPLICA_STATE: row('other-replica', 9, IO, 403, 'EIO'),
  STALE_GENERATION: row('reopen', 9, IO, 403, 'ESTALE'),
  CHECKSUM: row('other-replica', 15, 'org.apache.hadoop.fs.ChecksumException', 403, 'EIO', 'Input/output error'),
  /** No replica of a block can be read now. */
  BLOCK_MISSING: row('operator', 14, 'org.apache.hadoop.hdfs.BlockMissingException', 403, 'EIO'),
  PIPELINE_FAILED: row('retry', 14, IO, 403, 'EIO'),
  WRONG_CLUSTER: row('fix-request', 9, IO, 403, 'EINVAL'),
  VERSION: row('operator', 9, 'org.apache.hadoop.ipc.RPC$VersionMismatch', 403, 'EPROTO'),
  CONFIG: row('operator', 3, 'java.lang.IllegalArgumentException', 400, 'EINVAL'),
  IN_USE: row('operator', 9, IO, 403, 'EBUSY'),
  UNAVAILABLE: row('retry', 14, 'java.net.ConnectException', 503, 'ECONNREFUSED'),
  TIMEOUT: row('retry', 4, 'java.net.SocketTimeoutException', 503, 'ETIMEDOUT'),
  CANCELLED: row('retry', 1, 'java.io.InterruptedIOException', 503, 'ECANCELED'),
  CLOSED: row('reopen', 9, 'java.nio.channels.ClosedChannelException', 403, 'EBADF'),
  SQL: row('fix-request', 3, 'java.lang.IllegalArgumentException', 400, 'EINVAL'),
  INTERNAL: row('bug', 13, IO, 500, 'EIO'),
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof errorTable
export type ErrorDetails = Readonly<Record<string, unknown>>

/** The only error class that Quarry throws at its users. */
export class QuarryError extends Error {
  override readonly name = 'QuarryError'
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.details = details
  }

  /** What the caller should do about it. */
  get advice(): Advice {
    return errorTable[this.code].advice
  }

  /** POSIX name of the error, such as ENOENT. */
  get errno(): string {
    return errorTable[this.code].errno
  }
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorTable, text)
}

export function isQuarryError(error: unknown, code?: ErrorCode): error is QuarryError {
  return error instanceof QuarryError && (code === undefined || error.code === code)
}

/** Any thrown value as a QuarryError; what is not one already is a bug of ours and becomes INTERNAL. */
export function toQuarryError(error: unknown): QuarryError {
  if (error instanceof QuarryError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new QuarryError('INTERNAL', message, {}, { cause: error })
}
