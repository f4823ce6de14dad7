// What a cluster is like that has healed: all files closed, all copies there, nothing left of what was deleted. Looked up in the
// namenode's store and in the datanodes' own records, not in what they say of each other.
import { ReplicaState } from '../../../proto/ports.ts'
import { stateNames } from '../../../datanode/core/replica.ts'
import type { BlockRecord } from '../../../namenode/core/model.ts'
import { Violation } from '../run/violation.ts'
import type { Invariant } from '../run/violation.ts'
import type { Cluster } from '../world/cluster.ts'

interface Unhealed {
  readonly invariant: Invariant
  readonly what: string
}

/** The first thing that is not as it must be; undefined when all is well. */
export function unhealed(cluster: Cluster): Unhealed | undefined {
  return down(cluster) ?? openFile(cluster) ?? lackingCopy(cluster) ?? strayReplica(cluster) ?? uneasyNamenode(cluster)
}

export function checkConverged(cluster: Cluster): void {
  const found = unhealed(cluster)
  if (found) throw new Violation(found.invariant, found.what)
}

function down(cluster: Cluster): Unhealed | undefined {
  if (cluster.namenode.core?.cluster.safeMode().on !== false) return { invariant: 'I7', what: 'the namenode does not leave safe mode' }
  const gone = cluster.datanodes.find((node) => node.core?.session?.state !== 'registered')
  return gone && { invariant: 'I3', what: `${gone.machine.name} is not registered with the namenode` }
}

function openFile(cluster: Cluster): Unhealed | undefined {
  const [file] = cluster.namenode.store.openFiles(0, 1)
  return file && { invariant: 'I7', what: `file ${file.id} (${file.name}) is still open for ${file.holder}` }
}

function lackingCopy(cluster: Cluster): Unhealed | undefined {
  const { store } = cluster.namenode
  for (const block of store.blocksFrom(0, Number.MAX_SAFE_INTEGER)) {
    const file = store.inode(block.fileId)
    if (file?.kind !== 'file') continue
    const wanted = Math.min(file.replication, cluster.datanodes.length)
    const holders = cluster.datanodes.filter((node) => holdsGood(node.store?.get(block.blockId), block))
    if (holders.length !== wanted) {
      const all = cluster.datanodes.map((node) => `${node.machine.name}: ${textOf(node.store?.get(block.blockId))}`).join(', ')
      return {
        invariant: 'I3',
        what: `block ${block.blockId} (stamp ${block.genstamp}, ${block.length} bytes, ${block.state}) of file ${file.name} has ${holders.length} of ${wanted} copies: ${all}`,
      }
    }
  }
  return undefined
}

interface Held {
  readonly genstamp: number
  readonly length: number
  readonly state: ReplicaState
}

const holdsGood = (replica: Held | undefined, block: BlockRecord): boolean =>
  replica?.state === ReplicaState.REPLICA_FINALIZED && replica.genstamp === block.genstamp && replica.length === block.length

const textOf = (replica: Held | undefined): string =>
  replica ? `${stateNames[replica.state]} stamp ${replica.genstamp} ${replica.length} bytes` : 'none'

function strayReplica(cluster: Cluster): Unhealed | undefined {
  const { store } = cluster.namenode
  for (const node of cluster.datanodes) {
    for (const storage of node.store?.storages ?? []) {
      for (const replica of node.store?.list(storage) ?? []) {
        const block = store.block(replica.blockId)
        if (block === undefined)
          return { invariant: 'I4', what: `${node.machine.name} still has block ${replica.blockId} of no file (${textOf(replica)})` }
        if (!holdsGood(replica, block))
          return {
            invariant: 'I4',
            what: `${node.machine.name} still has an outdated replica of block ${replica.blockId} (${textOf(replica)}, the namenode has stamp ${block.genstamp}, ${block.length} bytes)`,
          }
      }
    }
  }
  return undefined
}

function uneasyNamenode(cluster: Cluster): Unhealed | undefined {
  const counts = cluster.namenode.core!.cluster.counts()
  const { underReplicated, corruptBlocks, missingBlocks, pendingDeletion, postponed } = counts
  if (underReplicated + corruptBlocks + missingBlocks + pendingDeletion + postponed === 0) return undefined
  return { invariant: 'I3', what: `all copies are there, but the namenode counts ${JSON.stringify(counts)}` }
}
