// Every bound that is not a setting, with its reason. What a user may tune is in options.ts.

/** HDFS default dfs.namenode.fs-limits.max-component-length. */
export const nameBytesMax = 255
/** As HDFS (MAX_PATH_LENGTH): characters in a path. */
export const pathLengthMax = 8000
/** As HDFS (MAX_PATH_DEPTH): components in a path. */
export const pathDepthMax = 1000
/** HDFS default dfs.ls.limit: entries of one page of a listing. */
export const listingPageMax = 1000
/** Blocks whose locations one listing page may carry, so that a page stays far below a message's limit. */
export const listingLocationsMax = 3000
/** HDFS default dfs.replication.max. */
export const replicationMax = 512
/** HDFS default dfs.namenode.fs-limits.max-xattr-size: bytes of an extended attribute's name and value together. */
export const xattrBytesMax = 16_384
/** HDFS default dfs.namenode.fs-limits.max-xattrs-per-inode: those that users see. */
export const xattrsPerInodeMax = 32
/** The first inode id is the root's, as in HDFS. */
export const rootInodeId = 16385
/** Directory of trees that are deleted but not yet removed record by record; no path leads there. */
export const graveyardInodeId = 1
/** A tree of at most this many records is removed in the commit that deletes it; a larger one in later commits of this size. */
export const removeAtOnceMax = 1000
/** Block ids begin after 2^30, as in HDFS, so that they are never mistaken for inode ids in a log. */
export const firstBlockId = 2 ** 30 + 1
/** Generation stamps begin here; smaller ones are reserved by HDFS for legacy blocks. */
export const firstGenstamp = 1001

/** HDFS default dfs.bytes-per-checksum. */
export const chunkBytes = 512
/** A packet of the native wire carries at most this much data: large messages are what gRPC moves fast. */
export const packetBytesMax = 1024 * 1024
/** gRPC messages: a packet of 1 MiB, its checksums and room for a listing page with locations. */
export const messageBytesMax = 64 * 1024 * 1024
/** Packets a writer may have in flight: 8 MiB, enough to hide the round trip of three hops on one machine or in one room. */
export const packetsInFlightMax = 8
/** HDFS: a packet that needed more recoveries than this fails the write (DataStreamer.MAX_RECOVERY_ERROR_COUNT). */
export const packetRecoveriesMax = 5
/** Datanodes that one recovery tries to take on in place of a lost one (HDFS: 3). */
export const replacementsMax = 3
/** Placements of one new block that a writer tries, each without the datanodes that failed before (HDFS tries 3 more times). */
export const blockPlacementsMax = 6
/** A datanode that failed a set-up is left out of placements for this long (HDFS: dfs.client.write.exclude.nodes.cache.expiry.interval). */
export const excludedNodeMs = 10 * 60_000
/**
 * How long a node, or the writer, waits for an answer of the node below it, of which `below` stand behind each other: the writer's
 * time, and some more for each of them (HDFS: 60 s and 5 s a node), so that of a silent node its direct neighbour hears first.
 */
export function pipelinePatienceMs(ackTimeoutMs: number, below: number): number {
  return ackTimeoutMs + below * Math.min(5_000, ackTimeoutMs / 4)
}
/** A writer looks this often for a datanode that restarts. */
export const restartProbeMs = 250
/** A copy that a pipeline waits for is given up after this long: a block of 128 MiB at less than 500 KiB a second. */
export const replacementCopyMs = 5 * 60_000
/** A pipeline without packets hears a heartbeat this often, so that no datanode takes the writer for dead. */
export const pipelineHeartbeatMs = 30_000
/** How long a writer asks again for a new block, or for the closing of its file, while replicas are still being reported. */
export const namenodePatienceMs = 60_000
/** Blocks whose locations a reader asks for at once; HDFS default dfs.client.read.prefetch.size. */
export const locatedBlocksPrefetch = 10
/** Rounds over all replicas of a block, with fresh locations each, before a read fails (HDFS: dfs.client.max.block.acquire.failures). */
export const readRoundsMax = 6

/** Calls that one client may have in flight on its metadata stream before the server stops reading from it. */
export const callsInFlightMax = 4096
/** Calls that may wait in a client for their turn: about 100 MB of promises; more is a program that forgot to await. */
export const callsQueuedMax = 200_000
/** Commands that one commit may carry: bounds the time a reply can wait for its neighbours. */
export const commitBatchMax = 1024
/** Retry cache: how long a reply is remembered (HDFS: 10 min), and how many at most. */
export const retryCacheMs = 10 * 60_000
export const retryCacheEntriesMax = 200_000

/** complete() waits this long for the minimum of replicas before it answers "not yet". */
export const completeWaitMs = 8_000
/** Replicas in one part of a full block report. */
export const reportPartMax = 50_000
/** Blocks in one invalidate command; HDFS default dfs.block.invalidate.limit. */
export const invalidateBatchMax = 1000

/** A result as Arrow is made in memory, in one piece that stands there twice for a moment; a larger one is read as rows. */
export const arrowBytesMax = 512 * 1024 * 1024
