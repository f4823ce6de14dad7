// Replicas that are being written when a datanode stops in order, to be gone on with when it is back soon: a small file beside the
// replica says up to where it was acknowledged, and until when its writer may still be waiting. Without it, or later, the replica
// waits to be recovered (RWR) as after a crash. (HDFS: the .restart files of BlockReceiver.)
//
//   current/rbw/blk_ID.restart    {"genstamp":1007,"visible":1048576,"untilMs":1700000000000}
import { join } from 'node:path'
import type { Clock } from '../../common/env.ts'
import { ReplicaState } from '../../proto/ports.ts'
import type { Disk } from './disk.ts'
import type { ReplicaStore } from './replica-store.ts'
import { replaceFile } from './small-file.ts'

/** How long a replica stays open for its writer (HDFS: dfs.datanode.restart.replica.expiration, 50 s). */
const keptMs = 50_000
const suffix = '.restart'
const markerBytesMax = 1024

export interface RestartMarker {
  readonly genstamp: number
  /** Bytes that were acknowledged. */
  readonly visible: number
}

/** Takes every open replica from its writer and marks it. The store is closed afterwards. */
export async function markOpenReplicas(store: ReplicaStore, disk: Disk, clock: Clock): Promise<void> {
  const untilMs = clock.nowMs() + keptMs
  for (const storage of store.storages) {
    for (const replica of store.list(storage)) {
      if (replica.state !== ReplicaState.REPLICA_RBW || replica.recoveryId !== 0) continue
      await replica.writer?.takeOver()
      const { blockId, genstamp, visible } = replica
      await replaceFile(disk, join(storage.paths.rbw, `blk_${blockId}${suffix}`), JSON.stringify({ genstamp, visible, untilMs }))
    }
  }
}

/** The markers of a directory that still hold, by block; all of them are removed, for they hold once. */
export async function takeMarkers(disk: Disk, directory: string, clock: Clock): Promise<Map<number, RestartMarker>> {
  const markers = new Map<number, RestartMarker>()
  for (const { name, isDirectory } of await disk.readdir(directory)) {
    const match = /^blk_(\d{1,16})\.restart(\.new)?$/.exec(name)
    if (match === null || isDirectory) continue
    const path = join(directory, name)
    const marker = match[2] === undefined ? parse(await disk.readFile(path), clock.nowMs()) : undefined
    if (marker !== undefined) markers.set(Number(match[1]), marker)
    await disk.unlink(path)
  }
  return markers
}

/** A marker from the future was written under another clock: it does not hold. */
function parse(bytes: Uint8Array, nowMs: number): RestartMarker | undefined {
  if (bytes.length > markerBytesMax) return undefined
  try {
    const found = JSON.parse(Buffer.from(bytes).toString()) as { genstamp?: unknown; visible?: unknown; untilMs?: unknown }
    const { genstamp, visible, untilMs } = found
    if (typeof genstamp !== 'number' || typeof visible !== 'number' || typeof untilMs !== 'number') return undefined
    return nowMs <= untilMs && untilMs - nowMs <= keptMs ? { genstamp, visible } : undefined
  } catch {
    return undefined
  }
}
