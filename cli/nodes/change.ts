// Takes datanodes out of service and back, and waits until they are there.
//
// The namenode keeps the state and does the work; this command only watches. It may be interrupted at any moment: what was ordered
// goes on, and the same command with --wait watches it again.
import { setTimeout as sleep } from 'node:timers/promises'
import type { FileSystem } from '../../client/index.ts'
import { QuarryError } from '../../common/errors.ts'
import type { ShellStreams } from '../shell/shell.ts'
import { nodeName, nodeNotes, nodeRecord, nodeState } from './node.ts'
import type { Datanode, NodeState } from './node.ts'

export type NodeOrder = 'decommission' | 'maintenance' | 'recommission'

export interface ChangeOptions {
  readonly order: NodeOrder
  readonly nodes: readonly string[]
  /** How long a maintenance lasts; undefined: until the node is recommissioned. */
  readonly forMs?: number | undefined
  readonly wait: boolean
  readonly json: boolean
  /** Between two looks. */
  readonly pollMs?: number
}

const wanted: Readonly<Record<NodeOrder, NodeState>> = {
  decommission: 'decommissioned',
  maintenance: 'in-maintenance',
  recommission: 'in-service',
}
const actions = { decommission: 'decommission', maintenance: 'maintenance', recommission: 'in-service' } as const

const pollMs = 1000
/** A node whose count has not fallen for so long may be waiting for datanodes that do not exist. */
const stuckAfterMs = 30_000

export async function changeNodes(fs: FileSystem, options: ChangeOptions, streams: ShellStreams): Promise<number> {
  const { order } = options
  const untilMs = options.forMs === undefined ? 0 : Date.now() + options.forMs
  let nodes = await fs.admin.setNodeState(options.nodes, actions[order], { untilMs, signal: streams.signal })
  if (!options.json) for (const node of nodes) await streams.out.write(`${describe(node)}\n`)
  if (options.wait) nodes = await watch(fs, nodes, options, streams)
  if (options.json) await streams.out.write(`${JSON.stringify(nodes.map(nodeRecord))}\n`)
  return 0
}

function describe(node: Datanode): string {
  const notes = nodeNotes(node)
  return `${nodeName(node)}: ${nodeState(node).replaceAll('-', ' ')}${notes === '' ? '' : `, ${notes}`}`
}

async function watch(
  fs: FileSystem,
  ordered: readonly Datanode[],
  options: ChangeOptions,
  { out, err, progress, signal }: ShellStreams,
): Promise<Datanode[]> {
  const uuids = new Set(ordered.map((node) => node.datanode?.uuid))
  const goal = wanted[options.order]
  const done = new Set(ordered.filter((node) => nodeState(node) === goal).map((node) => node.datanode?.uuid))
  let left = Infinity
  let movedMs = Date.now()
  let warned = false
  try {
    for (;;) {
      const all = await fs.datanodes('all', { signal })
      const nodes = all.filter((node) => uuids.has(node.datanode?.uuid))
      for (const node of nodes) {
        if (nodeState(node) !== goal || done.has(node.datanode?.uuid)) continue
        done.add(node.datanode?.uuid)
        await progress?.write('\r\u001b[K')
        if (!options.json) await out.write(`${describe(node)}\n`)
      }
      if (done.size === uuids.size) return nodes
      const leaving = nodes.filter((node) => nodeState(node) !== goal)
      refuseUndone(leaving, options.order)
      const blocks = leaving.reduce((sum, node) => sum + node.blocksToLeave, 0)
      await progress?.write(`\r\u001b[K${leaving.map(nodeName).join(', ')}: ${blocks} blocks to copy`)
      await progress?.flush()
      if (blocks < left) [left, movedMs, warned] = [blocks, Date.now(), false]
      if (!warned && blocks > 0 && Date.now() - movedMs > stuckAfterMs) {
        warned = true
        await err.write(`${stuckHint(blocks, all)}\n`)
      }
      await sleep(options.pollMs ?? pollMs, undefined, { signal })
    }
  } finally {
    await progress?.write('\r\u001b[K')
    if (signal.aborted) await err.write(`quarry: interrupted; the ${options.order} goes on, see: quarry admin nodes\n`)
  }
}

/** Another operator may have changed the node's state meanwhile; waiting for ours would never end. */
function refuseUndone(nodes: readonly Datanode[], order: NodeOrder): void {
  if (order === 'recommission') return
  const back = nodes.find((node) => nodeState(node) === 'in-service')
  if (back) throw new QuarryError('CANCELLED', `${nodeName(back)} was set in service again; the ${order} is over.`)
}

function stuckHint(blocks: number, nodes: readonly Datanode[]): string {
  const able = nodes.filter((node) => node.live && nodeState(node) === 'in-service').length
  return `quarry: ${blocks} blocks have waited ${stuckAfterMs / 1000} s for copies on the ${able} datanodes in service; add datanodes, or lower the replication (quarry setrep) of files that want more than ${able}. quarry dfsadmin -metasave FILE lists what waits.`
}
