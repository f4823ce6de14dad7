// Counters of a datanode, for /status, /metrics and the heartbeat.
import type { ReplicaStore } from '../store/replica-store.ts'

export class DatanodeMetrics {
  /** Open block streams. */
  readers = 0
  writers = 0
  /** Copies going out. */
  transfers = 0
  bytesRead = 0
  bytesWritten = 0
  blocksDeleted = 0
  blocksCopied = 0
  badReplicas = 0
  /** Of the block scanner. */
  scannedBlocks = 0
  scannedBytes = 0
  scannedSuspects = 0
}

/** The counters and the space of each storage in Prometheus's text format. */
export function metricsText(metrics: DatanodeMetrics, store: ReplicaStore): string {
  const lines: string[] = []
  const add = (name: string, kind: 'gauge' | 'counter', help: string, values: readonly (readonly [labels: string, value: number])[]) => {
    lines.push(`# HELP quarry_datanode_${name} ${help}`, `# TYPE quarry_datanode_${name} ${kind}`)
    for (const [labels, value] of values) lines.push(`quarry_datanode_${name}${labels} ${value}`)
  }
  add('streams', 'gauge', 'Open block streams.', [
    ['{direction="read"}', metrics.readers],
    ['{direction="write"}', metrics.writers],
  ])
  add('transfers', 'gauge', 'Copies going out to other datanodes.', [['', metrics.transfers]])
  add('bytes_total', 'counter', 'Bytes of block data.', [
    ['{direction="read"}', metrics.bytesRead],
    ['{direction="write"}', metrics.bytesWritten],
  ])
  add('blocks_deleted_total', 'counter', 'Replicas removed.', [['', metrics.blocksDeleted]])
  add('blocks_copied_total', 'counter', 'Replicas copied to other datanodes.', [['', metrics.blocksCopied]])
  add('bad_replicas_total', 'counter', 'Replicas found damaged here.', [['', metrics.badReplicas]])
  add('scanned_blocks_total', 'counter', 'Replicas that the block scanner has read.', [['', metrics.scannedBlocks]])
  add('scanned_bytes_total', 'counter', 'Bytes that the block scanner has read.', [['', metrics.scannedBytes]])
  add('scanned_suspects_total', 'counter', 'Replicas that it has read because somebody complained.', [['', metrics.scannedSuspects]])
  const storages = store.storages.map((storage) => ({ labels: `{storage="${storage.uuid}"}`, storage, space: storage.space() }))
  add(
    'capacity_bytes',
    'gauge',
    'Bytes that a storage may hold.',
    storages.map(({ labels, space }) => [labels, space.capacity]),
  )
  add(
    'remaining_bytes',
    'gauge',
    'Bytes that a storage still takes.',
    storages.map(({ labels, space }) => [labels, space.remaining]),
  )
  add(
    'used_bytes',
    'gauge',
    'Bytes in replicas.',
    storages.map(({ labels, storage }) => [labels, storage.used]),
  )
  add(
    'blocks',
    'gauge',
    'Finalised replicas.',
    storages.map(({ labels, storage }) => [labels, storage.finalized]),
  )
  add('failed_volumes', 'gauge', 'Storage directories that do not take part any more.', [['', store.failed.length]])
  add('resident_bytes', 'gauge', 'Memory of the process.', [['', process.memoryUsage.rss()]])
  return `${lines.join('\n')}\n`
}
