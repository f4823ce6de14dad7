// Block recoveries under way: which datanode leads each. One whose primary is gone has failed, and its lease is told at once rather
// than after the time that an answer may take.
import type { ReplicaLocation } from '../../../proto/ports.ts'
import type { BlockRecord } from '../model.ts'
import type { BlockLayer } from './block-layer.ts'
import type { Datanode } from './datanode.ts'

export interface FailedRecovery {
  readonly blockId: number
  /** Of the attempt: the generation stamp that it would have set. */
  readonly genstamp: number
}

interface Recovery {
  readonly recoveryId: number
  readonly primary: Datanode | undefined
  /** Primaries of the attempts so far; a new one is preferred. */
  readonly tried: Set<Datanode>
}

export class BlockRecoveries {
  readonly #layer: BlockLayer
  readonly #defer: (callback: () => void) => void
  readonly #recoveries = new Map<number, Recovery>()
  #failedListener: (failed: FailedRecovery) => void = () => {}

  constructor(layer: BlockLayer, defer: (callback: () => void) => void) {
    this.#layer = layer
    this.#defer = defer
  }

  onFailed(listener: (failed: FailedRecovery) => void): void {
    this.#failedListener = listener
  }

  /** Orders an attempt from a holder that is heard, one that has not led an attempt before if there is one. */
  start(block: BlockRecord, recoveryId: number, locations: readonly ReplicaLocation[]): void {
    const parties = this.#reachable(locations)
    const tried = this.#recoveries.get(block.blockId)?.tried ?? new Set()
    const leaders = parties
      .map(({ node }) => node)
      .filter((node) => node.link)
      .sort((a, b) => b.lastContactMs - a.lastContactMs)
    let primary = leaders.find((node) => !tried.has(node))
    if (!primary) {
      tried.clear()
      primary = leaders[0]
    }
    if (primary) tried.add(primary)
    this.#recoveries.set(block.blockId, { recoveryId, primary, tried })
    if (!primary) return this.#failed(block.blockId, recoveryId)
    this.#layer.env.log.info('block.recovery', { blockId: block.blockId, recoveryId, primary: primary.id.uuid, replicas: parties.length })
    primary.link?.send({
      recover: {
        block: { blockId: block.blockId, genstamp: block.genstamp, length: block.length },
        recoveryId,
        locations: parties.map(({ location }) => location),
      },
    })
  }

  /** The block is final, or gone. */
  end(blockId: number): void {
    this.#recoveries.delete(blockId)
  }

  /** The node's session is over: it answers nothing any more. */
  nodeGone(node: Datanode): void {
    for (const [blockId, { primary, recoveryId }] of this.#recoveries) if (primary === node) this.#failed(blockId, recoveryId)
  }

  /**
   * Every datanode of a pipeline has every byte that was acknowledged. So those that are silent are left out while at least two
   * others are there, as HDFS does: an attempt would have to wait for them in vain.
   */
  #reachable(locations: readonly ReplicaLocation[]): { location: ReplicaLocation; node: Datanode }[] {
    const all = locations.flatMap((location) => {
      const node = this.#layer.nodes.get(location.datanode?.uuid ?? '')
      return node ? [{ location, node }] : []
    })
    const heard = all.filter(({ node }) => node.link && node.state === 'live')
    return heard.length > 1 ? heard : all
  }

  #failed(blockId: number, genstamp: number): void {
    this.#defer(() => this.#failedListener({ blockId, genstamp }))
  }
}
