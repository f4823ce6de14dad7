// What operators ask of the namenode, one method a call: node states, the balancer, backups, and looks into the block layer.
// All of them are for the superuser; others get PERMISSION_DENIED.
import { NodeAction } from '../proto/ports.ts'
import type {
  BackupReply,
  BlockReplicas,
  CallOptions,
  CorruptFile,
  DatanodeReport,
  Init,
  MoveReplicasReply,
  NamenodePort,
  NamespaceChecksumReply,
  NodeBlocksReply,
  OpenFile,
  ReplicaMove,
} from '../proto/ports.ts'
import { plain } from './plain.ts'

/** Open files asked for at once: about 150 bytes each. */
const openFilesPage = 1000

const actions = {
  'in-service': NodeAction.NODE_IN_SERVICE,
  'decommission': NodeAction.NODE_DECOMMISSION,
  'maintenance': NodeAction.NODE_MAINTENANCE,
} as const

export type NodeStateAction = keyof typeof actions

export class AdminClient {
  readonly #namenode: NamenodePort

  /** Use `FileSystem.admin`. */
  constructor(namenode: NamenodePort) {
    this.#namenode = namenode
  }

  /**
   * Takes datanodes out of service or back into it; the namenode keeps it over its restarts. Each of `nodes` is a uuid, host, ip,
   * host:port or ip:port; one that is not known is NOT_FOUND and nothing changes. `untilMs` ends a maintenance (ms since the
   * epoch; left out: until it is set in service). Answers the nodes as they are now.
   */
  async setNodeState(
    nodes: readonly string[],
    action: NodeStateAction,
    options: { readonly untilMs?: number } & CallOptions = {},
  ): Promise<DatanodeReport[]> {
    const request = { nodes: [...nodes], action: actions[action], maintenanceUntilMs: options.untilMs ?? 0 }
    return plain((await this.#namenode.call('setNodeState', request, options)).datanodes)
  }

  /** Reads the files hosts.include and hosts.exclude again. */
  async refreshNodes(options?: CallOptions): Promise<void> {
    await this.#namenode.call('refreshNodes', {}, options)
  }

  /** Bytes a second that each datanode may send in moves of the balancer. */
  async setBalancerBandwidth(bytesPerSecond: number, options?: CallOptions): Promise<void> {
    await this.#namenode.call('setBalancerBandwidth', { bytesPerSecond }, options)
  }

  /** Orders moves of replicas between datanodes (uuids); an empty list only asks how the ones under way stand. */
  async moveReplicas(moves: readonly Init<ReplicaMove>[], options?: CallOptions): Promise<MoveReplicasReply> {
    return plain(await this.#namenode.call('moveReplicas', { moves: [...moves] }, options))
  }

  /** Looks at these blocks again and orders what they lack, misplaced ones included. */
  async replicateBlocks(blockIds: readonly number[], options?: CallOptions): Promise<void> {
    await this.#namenode.call('replicateBlocks', { blockIds: [...blockIds] }, options)
  }

  /** Writes the state of the block layer to a file of this name in the log directory of the namenode; answers its path there. */
  async metasave(filename: string, options?: CallOptions): Promise<string> {
    return (await this.#namenode.call('metasave', { filename }, options)).path
  }

  /** Files open for writing: all, below `path` only, or only those that keep a node from leaving. */
  async *openFiles(
    options: { readonly path?: string; readonly blockingDecommission?: boolean } & CallOptions = {},
  ): AsyncGenerator<OpenFile, void, undefined> {
    const { path = '', blockingDecommission = false } = options
    for (let afterFileId = 0; ;) {
      const page = await this.#namenode.call(
        'listOpenFiles',
        { afterFileId, path, blockingDecommission, limit: openFilesPage },
        { signal: options.signal, deadlineMs: options.deadlineMs },
      )
      yield* plain(page.files)
      const last = page.files.at(-1)
      if (!page.more || last === undefined) return
      afterFileId = last.fileId
    }
  }

  /** Blocks of files below `path` that have no good replica. */
  async *corruptFiles(path = '/', options?: CallOptions): AsyncGenerator<CorruptFile, void, undefined> {
    for (let afterBlockId = 0; ;) {
      const page = await this.#namenode.call('listCorruptFiles', { path, afterBlockId }, options)
      yield* plain(page.files)
      // A page of which nothing lies below the path is empty, and still not the last.
      if (!page.more || page.lastBlockId <= afterBlockId) return
      afterBlockId = page.lastBlockId
    }
  }

  /** What the namenode knows of blocks, replica by replica; at most 1,000 blocks a call, unknown ones are left out. */
  async replicas(blockIds: readonly number[], options?: CallOptions): Promise<BlockReplicas[]> {
    return plain((await this.#namenode.call('getReplicas', { blockIds: [...blockIds] }, options)).blocks)
  }

  /**
   * Finalised replicas of a datanode, up to `bytes` of them; without `afterBlockId` from a random place. The `lastBlockId` of a reply
   * says where to go on, until `more` is false: by then each replica has been told of.
   */
  async nodeBlocks(
    uuid: string,
    options: { readonly bytes: number; readonly minBlockBytes?: number; readonly afterBlockId?: number } & CallOptions,
  ): Promise<NodeBlocksReply> {
    const { bytes, minBlockBytes = 0, afterBlockId = 0 } = options
    return plain(await this.#namenode.call('getNodeBlocks', { datanode: uuid, bytes, minBlockBytes, afterBlockId }, options))
  }

  /** A checksum over the whole namespace: equal for equal namespaces, whatever store or machine they are on. */
  async namespaceChecksum(options?: CallOptions): Promise<NamespaceChecksumReply> {
    return plain(await this.#namenode.call('namespaceChecksum', {}, options))
  }

  /** Makes a consistent copy of the namenode's store, to be read in parts and ended. One at a time. */
  async beginBackup(options?: CallOptions): Promise<BackupReply> {
    return plain(await this.#namenode.call('beginBackup', {}, options))
  }

  /** Bytes of a backup; fewer than `length` only at its end. */
  async readBackup(id: string, offset: number, length: number, options?: CallOptions): Promise<Uint8Array> {
    return (await this.#namenode.call('readBackup', { id, offset, length }, options)).data
  }

  async endBackup(id: string, options?: CallOptions): Promise<void> {
    await this.#namenode.call('endBackup', { id }, options)
  }
}
