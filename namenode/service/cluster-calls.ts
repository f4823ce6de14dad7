// Calls about the cluster: answered from the block layer's memory, not by the engine.
import { QuarryError } from '../../common/errors.ts'
import type { FsStatsReply } from '../../proto/ports.ts'
import { SafeModeAction } from '../../proto/ports.ts'
import type { BlockManager } from '../core/cluster/block-manager.ts'
import type { NamespaceView } from '../core/model.ts'
import { requireSuper } from '../core/permissions.ts'
import type { ServiceCalls } from './service-call.ts'

/** Bad blocks that one call may name. */
const badBlocksMax = 10_000

export interface ClusterCallsDeps {
  readonly cluster: BlockManager
  readonly view: NamespaceView
}

export function clusterCalls({ cluster, view }: ClusterCallsDeps): ServiceCalls {
  return {
    getFsStats: () => fsStatsOf(cluster, view),
    getDatanodeReport: (_, request) => ({ datanodes: cluster.datanodes(request.filter) }),
    setSafeMode({ caller }, request) {
      if (request.action !== SafeModeAction.SAFE_MODE_GET) requireSuper(caller)
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
  }
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
