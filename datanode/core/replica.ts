// What a datanode knows of a replica, and the interface through which the pipeline writes one.
import type { Placement, Checksummer } from './packet-receiver.ts'

/** As on the wire; lower is better when replicas are compared in a recovery. */
export const stateNames = ['FINALIZED', 'RBW', 'RWR', 'RUR', 'TEMPORARY'] as const

export interface ReplicaId {
  readonly blockId: number
  readonly genstamp: number
}

/** A replica that is open for writing: a pipeline owns it until `finalize` or `close`. */
export interface ReplicaWriter {
  readonly blockId: number
  readonly genstamp: number
  readonly storageUuid: string
  readonly sum: Checksummer
  /** Bytes there when the writer was opened. */
  readonly startLength: number
  /** The bytes of the last, partial chunk at that time. */
  readonly startTail: Uint8Array
  /** Writes new bytes and their checksums; calls are carried out in order. Rejects with DISK_FULL or INTERNAL. */
  write(placement: Placement): Promise<void>
  /** What was written so far is on disk when this resolves. */
  sync(): Promise<void>
  /** The bytes up to `length` were acknowledged to the writer: readers may see them. */
  acknowledge(length: number): void
  /** Starts bringing the bytes written so far to disk, so that finalize() finds little to do. */
  startSync(): void
  /** Makes the replica durable, moves it to its final place, reports it and acknowledges (the order of durability). */
  finalize(acknowledge: () => Promise<void>): Promise<void>
  /** Resolves when another writer took the replica over, or it was deleted: the pipeline must end. */
  readonly evicted: Promise<void>
  /** Lets go of an unfinished replica, which stays for recovery (or is dropped when it is a copy). Idempotent. */
  close(): Promise<void>
}
