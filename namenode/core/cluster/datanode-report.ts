// A datanode as reports show it.
import type { DatanodeReport } from '../../../proto/ports.ts'
import { adminWords } from './admin-states.ts'
import type { Datanode, Storage } from './datanode.ts'
import { remainingOf } from './datanode.ts'

/** `blocksToLeave`: blocks that keep it from leaving. */
export function reportOf(node: Datanode, blocksToLeave: number): DatanodeReport {
  const sum = (value: (storage: Storage) => number) => node.storages.reduce((total, storage) => total + value(storage), 0)
  return {
    datanode: node.id,
    live: node.state !== 'dead',
    stale: node.state === 'stale',
    adminState: adminWords(node.admin),
    storages: node.storages.map((storage) => ({
      storageUuid: storage.uuid,
      type: storage.type,
      capacity: storage.capacity,
      dfsUsed: storage.dfsUsed,
      remaining: storage.remaining,
      blocks: storage.blocks,
      failed: storage.failed,
      failure: storage.failure,
    })),
    capacity: sum((s) => s.capacity),
    dfsUsed: sum((s) => s.dfsUsed),
    nonDfsUsed: node.nonDfsUsed,
    remaining: remainingOf(node),
    xceivers: node.xceivers,
    lastContactMs: node.lastContactWallMs,
    lastBlockReportMs: Math.max(0, ...node.storages.map((s) => s.lastReportMs)),
    blocks: sum((s) => s.blocks),
    softwareVersion: node.softwareVersion,
    maintenanceUntilMs: node.maintenanceUntilMs,
    failedVolumes: node.storages.filter((storage) => storage.failed).length,
    blocksToLeave,
    slow: node.slowLatencyMs !== undefined,
    slowLatencyMs: node.slowLatencyMs ?? 0,
  }
}
