// Calls about the cluster: answered from the block layer's memory, not by the engine.
import { QuarryError } from '../../common/errors.ts'
import type { FsStatsReply } from '../../proto/ports.ts'
import { NodeAction, SafeModeAction } from '../../proto/ports.ts'
import type { AdminAction } from '../core/cluster/admin-states.ts'
import type { BlockManager } from '../core/cluster/block-manager.ts'
import type { NamespaceView } from '../core/model.ts'
import { requireSuper } from '../core/permissions.ts'
import { binaryBytes, javaDate } from './java-texts.ts'
import type { OperatorFiles } from './operator-files.ts'
import type { ServiceCalls } from './service-call.ts'

/** Bad blocks that one call may name. */
const badBlocksMax = 10_000
/** Blocks, moves or nodes that one operator's call may name: each is looked up, and answered in a few hundred bytes. */
const namedMax = 1_000
/** A balancer that may send less than this would never end. */
const bandwidthMin = 1024

export interface ClusterCallsDeps {
  readonly cluster: BlockManager
  readonly view: NamespaceView
  readonly outside?: OperatorFiles
}

const actions: Readonly<Record<NodeAction, AdminAction>> = {
  [NodeAction.NODE_IN_SERVICE]: 'in-service',
  [NodeAction.NODE_DECOMMISSION]: 'decommission',
  [NodeAction.NODE_MAINTENANCE]: 'maintenance',
}

export function clusterCalls(deps: ClusterCallsDeps): ServiceCalls {
  const { cluster, view } = deps
  return {
    getFsStats: () => fsStatsOf(cluster, view),
    getDatanodeReport: (_, request) => ({ datanodes: cluster.datanodes(request.filter) }),
    setSafeMode({ caller }, request) {
      if (request.action !== SafeModeAction.SAFE_MODE_GET) requireSuper(caller, safeModeOperation(request.action))
      return cluster.setSafeMode(request.action)
    },
    reportBadBlocks(_, request) {
      if (request.blocks.length > badBlocksMax)
        throw new QuarryError('INVALID_ARGUMENT', `One call may report at most ${badBlocksMax} bad blocks, not ${request.blocks.length}.`)
      for (const { block, datanodeUuid, storageUuid } of request.blocks) {
        if (block) cluster.reportBad(datanodeUuid, storageUuid, block)
      }
      return {}
    },
    ...nodeCalls(deps),
    ...blockCalls(deps),
  }
}

/** Which datanodes take part, and how. */
function nodeCalls({ cluster, outside }: ClusterCallsDeps): ServiceCalls {
  return {
    setNodeState({ caller }, request) {
      requireSuper(caller, 'setNodeState')
      bounded('datanodes', request.nodes)
      const action = actions[request.action]
      if (action === undefined) throw new QuarryError('INVALID_ARGUMENT', `Unknown action for datanodes: ${String(request.action)}`)
      return { datanodes: cluster.admin.setNodeState(request.nodes, action, request.maintenanceUntilMs) }
    },
    async refreshNodes({ caller }) {
      requireSuper(caller, 'refreshNodes')
      if (outside) cluster.admin.setHostLists(await outside.hostLists())
      return {}
    },
    setBalancerBandwidth({ caller }, { bytesPerSecond }) {
      requireSuper(caller, 'setBalancerBandwidth')
      if (!Number.isSafeInteger(bytesPerSecond) || bytesPerSecond < bandwidthMin)
        throw new QuarryError(
          'INVALID_ARGUMENT',
          `The balancer's bandwidth must be at least ${bandwidthMin} bytes a second, not ${bytesPerSecond}.`,
        )
      cluster.admin.setBalancerBandwidth(bytesPerSecond)
      return {}
    },
    async metasave({ caller }, { filename }) {
      requireSuper(caller, 'metaSave')
      if (!outside) throw new QuarryError('UNSUPPORTED', 'This namenode has no folder to write to.')
      const lines = cluster.admin.dump({ bytes: binaryBytes, date: javaDate })
      return { path: await outside.save(filename, `${lines.join('\n')}\n`) }
    },
  }
}

/** Single blocks, and moving them. */
function blockCalls({ cluster }: ClusterCallsDeps): ServiceCalls {
  return {
    moveReplicas({ caller }, { moves }) {
      requireSuper(caller, 'moveReplicas')
      bounded('moves', moves)
      return cluster.admin.moveReplicas(moves)
    },
    replicateBlocks({ caller }, { blockIds }) {
      requireSuper(caller, 'replicateBlocks')
      bounded('blocks', blockIds)
      cluster.admin.replicateBlocks(blockIds)
      return {}
    },
    listCorruptFiles({ caller }, { path, afterBlockId }) {
      requireSuper(caller, 'listCorruptFileBlocks')
      return cluster.admin.corruptFiles(path, afterBlockId)
    },
    getReplicas({ caller }, { blockIds }) {
      requireSuper(caller, 'fsck')
      bounded('blocks', blockIds)
      return { blocks: cluster.admin.replicas(blockIds) }
    },
    getNodeBlocks({ caller }, { datanode, bytes, minBlockBytes, afterBlockId }) {
      requireSuper(caller, 'getBlocks')
      return cluster.admin.nodeBlocks({ uuid: datanode, bytes, minBlockBytes, afterBlockId })
    },
  }
}

function bounded(what: string, list: readonly unknown[]): void {
  if (list.length > namedMax)
    throw new QuarryError('INVALID_ARGUMENT', `One call may name at most ${namedMax} ${what}, not ${list.length}.`)
}

/** HDFS's names, which a denial ends with. */
function safeModeOperation(action: SafeModeAction): string {
  if (action === SafeModeAction.SAFE_MODE_ENTER) return 'safemode_enter'
  return action === SafeModeAction.SAFE_MODE_LEAVE ? 'safemode_leave' : 'safemode_force_exit'
}

export function fsStatsOf(cluster: BlockManager, view: NamespaceView): FsStatsReply {
  const counts = cluster.counts()
  const records = view.counters()
  const safeMode = cluster.safeMode()
  return {
    ...cluster.capacity(),
    underReplicated: counts.underReplicated,
    corruptBlocks: counts.corruptBlocks,
    missingBlocks: counts.missingBlocks,
    missingBlocksOneReplica: counts.missingSingle,
    pendingDeletion: counts.pendingDeletion,
    highestPriorityLowRedundancy: counts.mostUrgent,
    files: records.files,
    directories: records.directories,
    blocks: records.blocks,
    safeMode: safeMode.on,
    safeModeReason: safeMode.reason,
    lastTxid: records.lastTxid,
  }
}
