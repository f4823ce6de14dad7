// A block layer that obeys: as many datanodes as asked for, and replicas that are there when the test says so.
import type { ReplicaLocation } from '../../../proto/ports.ts'
import { StorageType } from '../../../proto/ports.ts'
import type { BlockRecord, ClusterPort, Effect, Placement, ReportedReplica } from '../model.ts'

export function fakeLocation(index: number): ReplicaLocation {
  return {
    datanode: {
      uuid: `dn-${index}`,
      ip: '127.0.0.1',
      hostname: 'localhost',
      grpcPort: 9000 + index,
      transferPort: 0,
      httpPort: 0,
      ipcPort: 0,
      rack: '/default-rack',
      hostId: 'host',
      httpAddress: '',
    },
    storageUuid: `ds-${index}`,
    storageType: StorageType.STORAGE_DISK,
  }
}

export class FakeCluster implements ClusterPort {
  readonly effects: Effect[] = []
  /** Live replicas of each block; blocks not listed have as many as were asked for. */
  readonly live = new Map<number, number>()
  readonly reported = new Map<number, ReportedReplica[]>()
  readonly unreported = new Set<number>()
  /** Blocks that keep a node from leaving. */
  readonly blocking = new Set<number>()
  safeModeReason = ''
  readonly #nodes: readonly ReplicaLocation[]

  constructor(datanodes = 3) {
    this.#nodes = Array.from({ length: datanodes }, (_, i) => fakeLocation(i))
  }

  liveReplicas(block: BlockRecord): number {
    return this.live.get(block.blockId) ?? this.#nodes.length
  }

  locations(): readonly ReplicaLocation[] {
    return this.#nodes
  }

  isCorrupt(): boolean {
    return false
  }

  chooseTargets(request: {
    readonly wanted: number
    readonly existing: readonly string[]
    readonly excluded: readonly string[]
  }): Placement {
    const free = this.#nodes.filter(
      ({ datanode }) => !request.existing.includes(datanode!.uuid) && !request.excluded.includes(datanode!.uuid),
    )
    const refused = this.#nodes
      .filter((node) => !free.includes(node))
      .map((node) => ({ node: node.datanode!.uuid, reason: 'excluded by the client' }))
    return { targets: free.slice(0, request.wanted), refused }
  }

  location(datanodeUuid: string): ReplicaLocation | undefined {
    return this.#nodes.find(({ datanode }) => datanode!.uuid === datanodeUuid)
  }

  safeMode(): { readonly on: boolean; readonly reason: string } {
    return { on: this.safeModeReason !== '', reason: this.safeModeReason }
  }

  reportedReplicas(blockId: number): readonly ReportedReplica[] {
    return this.reported.get(blockId) ?? []
  }

  mayBeUnreported(blockId: number): boolean {
    return this.unreported.has(blockId)
  }

  keepsNodeFromLeaving(block: BlockRecord): boolean {
    return this.blocking.has(block.blockId)
  }

  committed(effects: readonly Effect[]): void {
    for (const effect of effects) this.effects.push(effect)
  }
}
