// What operators and their tools ask of the block layer: node states, moves, and looks at single blocks and nodes. Everything that
// changes something takes effect at once.
import { QuarryError } from '../../../common/errors.ts'
import type { BlockReplicas, DatanodeReport, MoveReplicasReply, NodeBlock, ReplicaDetail, ReplicaMove } from '../../../proto/ports.ts'
import { pathOf } from '../totals.ts'
import type { BlockRecord } from '../model.ts'
import type { AdminAction } from './admin-states.ts'
import type { BlockLayer } from './block-layer.ts'
import { racksMissing, takeCensus } from './census.ts'
import { reportOf } from './datanode-report.ts'
import type { Datanode } from './datanode.ts'
import type { HostLists } from './hosts-lists.ts'
import { metaDump } from './meta-dump.ts'
import type { DumpFormat } from './meta-dump.ts'
import { orderMove } from './move-orders.ts'
import type { NodeAdmin } from './node-admin.ts'
import { walkPart } from './node-blocks.ts'
import { isBeingWritten, replicaWord } from './replica-words.ts'
import type { Redundancy } from './redundancy.ts'

/** Blocks in one answer: with their places, about 300 bytes each. */
const nodeBlocksMax = 2_000
/** HDFS (DEFAULT_MAX_CORRUPT_FILEBLOCKS_RETURNED): 100; a page here may have more. */
const corruptPage = 1_000

export class ClusterAdmin {
  readonly #layer: BlockLayer
  readonly #redundancy: Redundancy
  readonly #nodes: NodeAdmin
  readonly #changed: () => void

  /** `changed`: orders may be due. */
  constructor(layer: BlockLayer, redundancy: Redundancy, nodes: NodeAdmin, changed: () => void) {
    this.#layer = layer
    this.#redundancy = redundancy
    this.#nodes = nodes
    this.#changed = changed
  }

  setNodeState(names: readonly string[], action: AdminAction, untilMs: number): DatanodeReport[] {
    const nodes = this.#nodes.setState(names, action, untilMs)
    this.#changed()
    return nodes.map((node) => reportOf(node, this.#layer.drains.waiting(node).size))
  }

  /** New lists of hosts: nodes that may not take part are sent away, those to be decommissioned begin to leave. */
  setHostLists(lists: HostLists): void {
    for (const node of this.#nodes.setLists(lists)) {
      const message = 'The datanode is not in the file hosts.include of the namenode any more.'
      this.#layer.env.log.warn('datanode.excluded', { uuid: node.id.uuid })
      node.link?.send({ refused: { error: { code: 'PERMISSION_DENIED', message } } })
      node.link?.close(message)
    }
    this.#changed()
  }

  /** Told to every node now, and to each that registers. */
  setBalancerBandwidth(bytesPerSecond: number): void {
    this.#nodes.setBandwidth(bytesPerSecond)
    for (const node of this.#layer.nodes.all()) node.link?.send({ bandwidth: { balancingBytes: bytesPerSecond } })
  }

  moveReplicas(requests: readonly ReplicaMove[]): MoveReplicasReply {
    const { moves, settings } = this.#layer
    const bandwidth = this.#nodes.bandwidth ?? settings.balancerBandwidth
    const refused = requests.map((request) => orderMove(this.#layer, request, bandwidth))
    return { refused, pending: moves.size, movedBlocks: moves.movedBlocks, movedBytes: moves.movedBytes, failed: moves.failed }
  }

  /** Looks at blocks again and orders what they lack. */
  replicateBlocks(blockIds: readonly number[]): void {
    for (const blockId of blockIds) this.#redundancy.evaluateId(blockId)
    this.#changed()
  }

  /** Blocks that are not known are left out. */
  replicas(blockIds: readonly number[]): BlockReplicas[] {
    return blockIds.flatMap((blockId) => {
      const block = this.#layer.view.block(blockId)
      return block ? [this.#replicasOf(block)] : []
    })
  }

  /** Finalised replicas on a node until they have so many bytes together; from a random place, or where the last call ended. */
  nodeBlocks(request: { readonly uuid: string; readonly bytes: number; readonly minBlockBytes: number; readonly afterBlockId: number }): {
    blocks: NodeBlock[]
    lastBlockId: number
    more: boolean
  } {
    const { nodes, replicas, env } = this.#layer
    const node = nodes.get(request.uuid)
    if (!node) throw new QuarryError('NOT_FOUND', `There is no datanode ${request.uuid}.`, { uuid: request.uuid })
    const blocks: NodeBlock[] = []
    let bytes = 0
    const visit = (blockId: number): void => {
      const found = this.#finalisedOn(node, blockId)
      if (!found || found.length < request.minBlockBytes) return
      bytes += found.length
      blocks.push(this.#located(found))
    }
    const enough = (): boolean => bytes >= request.bytes || blocks.length >= nodeBlocksMax
    const next = walkPart(replicas, request.afterBlockId, (limit) => env.random.int(limit), visit, enough)
    return { blocks, lastBlockId: next, more: next !== 0 }
  }

  /** Blocks without a good copy whose files lie below a path, in order of their ids. */
  corruptFiles(path: string, afterBlockId: number): { files: { blockId: number; path: string }[]; lastBlockId: number; more: boolean } {
    const { queues, view, safeMode } = this.#layer
    if (safeMode.starting) {
      throw new QuarryError('SAFE_MODE', 'Cannot run listCorruptFileBlocks because replication queues have not been initialized.')
    }
    const below = path === '' || path === '/' ? '/' : `${path.replace(/\/+$/, '')}/`
    const ids = queues
      .missing(queues.size(4))
      .filter((blockId) => blockId > afterBlockId)
      .sort((a, b) => a - b)
    const page = ids.slice(0, corruptPage)
    const files = page.flatMap((blockId) => {
      const block = view.block(blockId)
      const file = block && view.inode(block.fileId)
      const name = file && pathOf(view, file)
      return name !== undefined && (name === path || name.startsWith(below)) ? [{ blockId, path: name }] : []
    })
    return { files, lastBlockId: page.at(-1) ?? afterBlockId, more: ids.length > page.length }
  }

  /** Lines for people: all that waits. */
  dump(format: DumpFormat): string[] {
    return metaDump(this.#layer, this.#redundancy, format)
  }

  #replicasOf(block: BlockRecord): BlockReplicas {
    const { replicas, nodes, queues, pending, view, settings } = this.#layer
    const details: ReplicaDetail[] = []
    for (let slot = replicas.first(block.blockId); slot !== -1; slot = replicas.next(slot)) {
      details.push({
        location: nodes.storage(replicas.storage(slot)).location,
        state: replicaWord(this.#layer, slot, block),
        replicaState: replicas.state(slot),
        genstamp: replicas.genstamp(slot),
        length: replicas.length(slot),
      })
    }
    const file = view.inode(block.fileId)
    const wanted = this.#layer.wanted(block)
    const missing = racksMissing(wanted, takeCensus(this.#layer, block), nodes.racks)
    return {
      block: { blockId: block.blockId, genstamp: block.genstamp, length: block.length },
      fileId: block.fileId,
      path: file ? pathOf(view, file) : '',
      replication: wanted,
      replicas: details,
      complete: !isBeingWritten(block) && this.#layer.liveReplicas(block) >= settings.replicationMin,
      misplaced: missing > 0,
      racksMissing: missing,
      queued: pending.count(block.blockId) > 0 || ([0, 1, 2, 3] as const).some((priority) => queues.isIn(block.blockId, priority)),
    }
  }

  #finalisedOn(node: Datanode, blockId: number): BlockRecord | undefined {
    const { replicas, view } = this.#layer
    for (const storage of node.storages) {
      const slot = replicas.find(blockId, storage.index)
      if (slot === -1 || replicas.isExcess(slot)) continue
      const block = view.block(blockId)
      if (block && block.state === 'committed' && this.#layer.isGood(slot, block)) return block
    }
    return undefined
  }

  #located(block: BlockRecord): NodeBlock {
    const { replicas, nodes } = this.#layer
    const locations = []
    for (let slot = replicas.first(block.blockId); slot !== -1; slot = replicas.next(slot))
      if (this.#layer.isGood(slot, block) && !replicas.isExcess(slot) && this.#layer.isThere(slot))
        locations.push(nodes.storage(replicas.storage(slot)).location)
    return { block: { blockId: block.blockId, genstamp: block.genstamp, length: block.length }, locations }
  }
}
