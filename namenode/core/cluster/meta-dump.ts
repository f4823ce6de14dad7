// Everything that waits in the block layer, for people: what `dfsadmin -metasave` writes. HDFS: BlockManager.metaSave.
import { isMaintenance } from './admin-states.ts'
import type { AdminState } from './admin-states.ts'
import type { BlockLayer } from './block-layer.ts'
import { takeCensus } from './census.ts'
import type { Datanode } from './datanode.ts'
import { nodeAddress, remainingOf } from './datanode.ts'
import type { Redundancy } from './redundancy.ts'
import { pathOf } from '../totals.ts'

/** Lines of one list: a dump that is larger helps nobody and would hold the namenode up. */
const linesMax = 10_000

const nodeMarks: Readonly<Record<AdminState, string>> = {
  'in-service': 'IN',
  'decommissioning': 'DP',
  'decommissioned': 'DD',
  'entering-maintenance': 'EM',
  'in-maintenance': 'IM',
}

export interface DumpFormat {
  /** Bytes as a number and in words: 24610(24.03 KB). */
  readonly bytes: (bytes: number) => string
  /** Of milliseconds since the epoch. */
  readonly date: (ms: number) => string
}

/** The lines, in HDFS's shape. */
export function metaDump(layer: BlockLayer, redundancy: Redundancy, format: DumpFormat): string[] {
  const { queues, pending, invalidations, nodes, view, env } = layer
  const { files, directories, blocks } = view.counters()
  const all = nodes.all()
  const dead = all.filter((node) => node.state === 'dead').length
  const waiting = ([0, 1, 2, 3] as const).flatMap((priority) => queues.list(priority, linesMax)).slice(0, linesMax)
  const missing = queues.missing(linesMax)
  const nowMs = env.clock.monotonicMs()
  return [
    `${files + directories} files and directories, ${blocks} blocks = ${files + directories + blocks} total filesystem objects`,
    `Live Datanodes: ${all.length - dead}`,
    `Dead Datanodes: ${dead}`,
    `Metasave: Blocks waiting for reconstruction: ${queues.lowRedundancy}`,
    ...waiting.map((blockId) => blockLine(layer, blockId)),
    `Metasave: Blocks currently missing: ${queues.size(4)}`,
    ...missing.map((blockId) => blockLine(layer, blockId)),
    'Mis-replicated blocks that have been postponed:',
    ...redundancy.postponed.slice(0, linesMax).map((blockId) => blockLine(layer, blockId)),
    `Metasave: Blocks being reconstructed: ${pending.size}`,
    ...pending
      .list(linesMax)
      .map(
        ({ blockId, sinceMs, copies }) =>
          `${blockName(layer, blockId)} StartTime: ${format.date(env.clock.nowMs() - (nowMs - sinceMs))} NumReconstructInProgress: ${copies}`,
      ),
    `Metasave: Blocks ${invalidations.size} waiting deletion from ${invalidations.nodes} datanodes.`,
    ...invalidations
      .list(linesMax)
      .map(({ node, blockIds }) => `${nodeAddress(node.id)} [${blockIds.map((id) => `blk_${id}`).join(', ')}]`),
    'Corrupt Blocks:',
    ...[...layer.corrupt].slice(0, linesMax).flatMap((blockId) => corruptLines(layer, blockId)),
    `Metasave: Number of datanodes: ${all.length}`,
    ...all.map((node) => nodeLine(node, format)),
  ]
}

function blockName(layer: BlockLayer, blockId: number): string {
  const block = layer.view.block(blockId)
  return `blk_${blockId}_${block?.genstamp ?? 0}`
}

function blockLine(layer: BlockLayer, blockId: number): string {
  const block = layer.view.block(blockId)
  if (!block) return `blk_${blockId}`
  const { replicas, nodes, view } = layer
  const census = takeCensus(layer, block)
  const file = view.inode(block.fileId)
  let leaving = 0
  let excess = 0
  const places: string[] = []
  for (let slot = replicas.first(blockId); slot !== -1; slot = replicas.next(slot)) {
    const storage = nodes.storage(replicas.storage(slot))
    const { admin, id } = storage.node
    const out = admin === 'decommissioning' || admin === 'decommissioned'
    if (out) leaving++
    if (replicas.isExcess(slot)) excess++
    const mark = replicas.isCorrupt(slot) ? '(corrupt)' : out ? '(decommissioned)' : isMaintenance(admin) ? '(maintenance)' : ''
    places.push(` ${nodeAddress(id)}${mark}${storage.contentStale ? ' (block deletions maybe out of date)' : ''} :`)
  }
  return (
    `${file ? pathOf(view, file) : '[orphaned]'}: ${blockName(layer, blockId)}${census.live.length + census.leaving.length === 0 ? ' MISSING' : ''}` +
    ` (replicas: live: ${census.live.length} decommissioning and decommissioned: ${leaving} corrupt: ${census.corrupt.length}` +
    ` in excess: ${excess} maintenance mode: ${census.maintenance}) ${places.join(' ')} `
  )
}

function corruptLines(layer: BlockLayer, blockId: number): string[] {
  const { replicas, nodes } = layer
  const slots: number[] = []
  for (let slot = replicas.first(blockId); slot !== -1; slot = replicas.next(slot)) slots.push(slot)
  return slots
    .filter((slot) => replicas.isCorrupt(slot))
    .map((slot) => {
      const storage = nodes.storage(replicas.storage(slot))
      return (
        `Block=${blockName(layer, blockId)}\tSize=${replicas.length(slot)}\tNode=${nodeAddress(storage.node.id)}\tStorageID=${storage.uuid}` +
        `\tStorageState=${storage.failed ? 'FAILED' : 'NORMAL'}\tTotalReplicas=${slots.length}\tReason=CORRUPTION_REPORTED`
      )
    })
}

function nodeLine(node: Datanode, { bytes, date }: DumpFormat): string {
  const sum = (value: (storage: Datanode['storages'][number]) => number) =>
    node.storages.reduce((total, storage) => total + value(storage), 0)
  const capacity = sum((storage) => storage.capacity)
  const used = sum((storage) => storage.dfsUsed)
  const share = capacity === 0 ? 0 : (100 * used) / capacity
  const rack = node.id.rack === '/default-rack' ? '' : ` ${node.id.rack}`
  return (
    `${nodeAddress(node.id)}${rack} ${nodeMarks[node.admin]} ${bytes(capacity)} ${bytes(used)} ${share.toFixed(2)}%` +
    ` ${bytes(remainingOf(node))} ${bytes(0)} ${bytes(0)} 100.00% ${bytes(0)} ${date(node.lastContactWallMs)}`
  )
}
