// What the block layer does when the namespace has changed: the counterpart of report-intake.ts for the other side.
import { ReplicaState } from '../../../proto/ports.ts'
import type { Block, ReplicaLocation } from '../../../proto/ports.ts'
import type { BlockRecord, Effect, ReportedReplica } from '../model.ts'
import type { BlockLayer } from './block-layer.ts'
import type { BlockRecoveries } from './block-recoveries.ts'
import type { Datanode, Storage } from './datanode.ts'
import type { Redundancy } from './redundancy.ts'
import { writtenPlaces } from './replica-places.ts'

export class Effects {
  readonly #layer: BlockLayer
  readonly #redundancy: Redundancy
  readonly #recoveries: BlockRecoveries

  constructor(layer: BlockLayer, redundancy: Redundancy, recoveries: BlockRecoveries) {
    this.#layer = layer
    this.#redundancy = redundancy
    this.#recoveries = recoveries
  }

  apply(effect: Effect): void {
    const { open, pending } = this.#layer
    switch (effect.kind) {
      case 'block-allocated':
        open.set(effect.block.blockId, { targets: effect.targets })
        for (const node of this.#nodesOf(effect.targets)) node.scheduled++
        break
      case 'pipeline-updated':
        open.set(effect.block.blockId, { targets: effect.targets })
        for (const target of effect.targets) this.#expectRewrite(effect.block, target, effect.reopened === true)
        // A node that is on its way out may have to wait for this writer, or need not any longer.
        if (this.#layer.drains.size > 0) this.#redundancy.evaluate(effect.block, effect.replication)
        break
      case 'block-committed':
        this.#commit(effect.block, effect.replication)
        break
      case 'file-closed':
        for (const block of effect.blocks) {
          if (open.has(block.blockId)) this.#commit(block, effect.replication)
          else this.#redundancy.evaluate(block, effect.replication)
        }
        break
      case 'blocks-deleted':
        for (const block of effect.blocks) this.#delete(block)
        break
      case 'replication-changed':
        for (const block of effect.blocks) {
          pending.forget(block.blockId)
          this.#redundancy.evaluate(block, effect.replication)
        }
        break
      case 'recover-block':
        this.#recoveries.start(effect.block, effect.genstamp, this.#placesOf(effect.replicas))
        break
      case 'lease-released':
        break
      default:
        effect satisfies never
    }
  }

  /** The replicas of the pipeline that have not been reported yet are expected; copies are ordered only for what is lacking beyond them. */
  #commit(block: BlockRecord, replication: number): void {
    const { open, pending, env } = this.#layer
    // After a restart of the namenode the pipeline is whoever reported the block's last stamp.
    const writers = new Set(writtenPlaces(this.#layer, block).map((storage) => storage.node))
    open.delete(block.blockId)
    this.#recoveries.end(block.blockId)
    this.#redundancy.checkCommitted(block, writers)
    const late = [...writers].filter(
      (node) => node.admin === 'in-service' && !node.storages.some((storage) => this.#holdsGood(storage, block)),
    )
    pending.add(
      block.blockId,
      late.map((target) => ({ target, source: undefined })),
      env.clock.monotonicMs(),
    )
    this.#redundancy.evaluate(block, replication)
  }

  #holdsGood(storage: Storage, block: BlockRecord): boolean {
    const slot = this.#layer.replicas.find(block.blockId, storage.index)
    return slot !== -1 && this.#layer.isGood(slot, block)
  }

  /**
   * A replica that goes on under a new stamp is being written again, whatever was known of it. One of a block that was reopened may
   * have a newer stamp at any moment: until it is reported anew nobody may count on it, or the block could be closed under a stamp
   * that no datanode has any more.
   */
  #expectRewrite(block: BlockRecord, target: ReplicaLocation, reopened: boolean): void {
    const { replicas, nodes } = this.#layer
    const storage = nodes.storageOf(target.datanode?.uuid ?? '', target.storageUuid)
    const slot = storage ? replicas.find(block.blockId, storage.index) : -1
    if (storage && slot !== -1 && (reopened ? replicas.genstamp(slot) === block.genstamp : replicas.genstamp(slot) < block.genstamp)) {
      this.#layer.putReplica(storage, {
        blockId: block.blockId,
        genstamp: block.genstamp,
        length: block.length,
        state: ReplicaState.REPLICA_RBW,
      })
    }
  }

  #delete(block: Block): void {
    const { replicas, invalidations, open, nodes } = this.#layer
    const holders = new Map<Datanode, number>()
    const pipeline = open.get(block.blockId)
    if (pipeline) {
      for (const node of this.#nodesOf(pipeline.targets)) {
        holders.set(node, block.genstamp)
        nodes.unschedule(node)
      }
    }
    for (let slot = replicas.first(block.blockId); slot !== -1; slot = replicas.next(slot))
      holders.set(this.#layer.nodeOf(slot), replicas.genstamp(slot))
    for (const [node, genstamp] of holders) invalidations.add(node, { blockId: block.blockId, genstamp, length: block.length })
    this.#recoveries.end(block.blockId)
    this.#layer.removeBlock(block.blockId)
  }

  #placesOf(replicas: readonly ReportedReplica[]): ReplicaLocation[] {
    return replicas.flatMap((replica) => this.#layer.location(replica.datanodeUuid, replica.storageUuid) ?? [])
  }

  #nodesOf(targets: readonly ReplicaLocation[]): Datanode[] {
    return targets.flatMap((target) => this.#layer.nodes.get(target.datanode?.uuid ?? '') ?? [])
  }
}
