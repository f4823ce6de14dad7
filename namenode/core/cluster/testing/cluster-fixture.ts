// A block layer with a namespace in memory, a clock that stands still, and datanodes that only remember what they were told.
import type { Init, NameMessage, ReceivedBlock, Register } from '../../../../proto/ports.ts'
import { ReceivedKind, ReplicaState, StorageType } from '../../../../proto/ports.ts'
import { silentLogger } from '../../../../common/env.ts'
import { SeededRandom } from '../../../../common/testing/seeded-random.ts'
import { VirtualClock } from '../../../../common/testing/virtual-clock.ts'
import type { BlockRecord, FileInode } from '../../model.ts'
import { MemoryStore } from '../../testing/memory-store.ts'
import type { ClusterSettings } from '../block-layer.ts'
import { BlockManager } from '../block-manager.ts'
import type { LostStamps } from '../lost-stamps.ts'
import type { Datanode, NodeLink } from '../datanode.ts'

export const MIB = 1024 * 1024
const GIB = 1024 * MIB

export const testSettings: ClusterSettings = {
  replicationMin: 1,
  replicationDefault: 3,
  maintenanceMin: 1,
  streamsMax: 2,
  copyTimeoutMs: 300_000,
  staleAfterMs: 30_000,
  deadAfterMs: 60_000,
  goneAfterMs: 60_000,
  balancerBandwidth: 100 * MIB,
  avoidSlow: true,
  safeMode: { threshold: 0.999, datanodesMin: 0, extensionMs: 0 },
}

export interface NodeOptions {
  readonly rack?: string
  readonly ip?: string
  readonly remaining?: number
  readonly storages?: number
}

export class FakeNode implements NodeLink {
  readonly uuid: string
  readonly sent: Init<NameMessage>[] = []
  closed: string | undefined
  node!: Datanode
  readonly #cluster: ClusterFixture
  readonly #options: NodeOptions

  constructor(cluster: ClusterFixture, index: number, options: NodeOptions) {
    this.#cluster = cluster
    this.#options = options
    this.uuid = `dn-${index}`
  }

  send(message: Init<NameMessage>): void {
    this.sent.push(message)
  }

  close(reason: string): void {
    this.closed = reason
  }

  storage(index = 0): string {
    return `${this.uuid}-s${index}`
  }

  registration(): Register {
    const index = Number(this.uuid.slice(3))
    return {
      protocol: 1,
      poolId: '',
      clusterId: '',
      softwareVersion: 'test',
      startedMs: 1,
      datanode: {
        uuid: this.uuid,
        ip: this.#options.ip ?? `10.0.0.${index}`,
        hostname: `host${index}`,
        grpcPort: 9868,
        transferPort: 0,
        httpPort: 0,
        ipcPort: 0,
        rack: this.#options.rack ?? '/default-rack',
        hostId: `h${index}`,
        httpAddress: '',
      },
      storages: Array.from({ length: this.#options.storages ?? 1 }, (_, i) => ({
        storageUuid: this.storage(i),
        type: StorageType.STORAGE_DISK,
        capacity: 100 * GIB,
        dfsUsed: 0,
        remaining: this.#options.remaining ?? 50 * GIB,
        blocks: 0,
        failed: false,
        failure: '',
      })),
    }
  }

  register(): this {
    this.node = this.#cluster.manager.register(this.registration(), this)
    return this
  }

  /** A full report of every storage: `replicas` on the first, nothing on the others. */
  report(
    replicas: readonly {
      readonly block: BlockRecord | { blockId: number; genstamp: number; length: number }
      readonly state?: ReplicaState
    }[] = [],
  ): void {
    const sorted = [...replicas].sort((a, b) => a.block.blockId - b.block.blockId)
    for (const [i, storage] of this.node.storages.entries()) {
      const rows = i === 0 ? sorted : []
      const job = this.#cluster.manager.fullReport(this.node, {
        storageUuid: storage.uuid,
        reportId: this.#cluster.nextReportId(),
        part: 0,
        parts: 1,
        blockIds: rows.map((row) => row.block.blockId),
        genstamps: rows.map((row) => row.block.genstamp),
        lengths: rows.map((row) => row.block.length),
        states: rows.map((row) => row.state ?? ReplicaState.REPLICA_FINALIZED),
      })
      while (!job.step(100));
    }
    this.#cluster.settle()
  }

  received(
    block: { blockId: number; genstamp: number; length: number },
    kind: ReceivedKind = ReceivedKind.RECEIVED,
    settle = true,
    storage = 0,
  ): void {
    const { blockId, genstamp, length } = block
    const event: ReceivedBlock = { storageUuid: this.storage(storage), block: { blockId, genstamp, length }, kind }
    this.#cluster.manager.received(this.node, [event])
    if (settle) this.#cluster.settle()
  }

  disconnect(goodbye = false): void {
    this.#cluster.manager.disconnected(this.node, this, goodbye)
  }

  /** Ids it was told to delete so far, sorted. */
  invalidated(): number[] {
    return this.sent.flatMap((message) => message.invalidate?.blocks?.map((block) => block.blockId!) ?? []).sort((a, b) => a - b)
  }

  /** What it was told to copy: block id and target uuids. */
  copies(): { blockId: number; targets: string[] }[] {
    return this.sent.flatMap((message) =>
      message.replicate
        ? [{ blockId: message.replicate.block!.blockId!, targets: message.replicate.targets!.map((target) => target.datanode!.uuid!) }]
        : [],
    )
  }
}

export class ClusterFixture {
  readonly clock = new VirtualClock()
  readonly store = new MemoryStore()
  readonly arrived: number[] = []
  /** What the block layer keeps over restarts. */
  records: string | undefined
  /** What a restore took back; to be set before the first use. */
  lost: LostStamps | undefined
  /** Nothing can be kept: the disk is full. */
  recordsFail = false
  readonly nodes: FakeNode[] = []
  readonly #settings: ClusterSettings
  #manager: BlockManager | undefined
  #deferred: (() => void)[] = []
  #reports = 0

  constructor(settings: Partial<ClusterSettings> = {}) {
    this.#settings = { ...testSettings, ...settings }
    this.store.tx.setCounters({ nextBlockId: 1_000_000, nextGenstamp: 5_000 })
  }

  /** Made when first asked for, so that a test can fill the namespace before "start". */
  get manager(): BlockManager {
    if (!this.#manager) {
      this.#manager = new BlockManager({
        env: { clock: this.clock, random: new SeededRandom(7), log: silentLogger },
        view: this.store.tx,
        settings: this.#settings,
        defer: (callback) => this.#deferred.push(callback),
        records: { load: () => this.records, save: (text) => this.#save(text) },
        ...(this.lost && { lost: this.lost }),
      })
      this.#manager.onReplicaArrived((blockId) => this.arrived.push(blockId))
    }
    return this.#manager
  }

  #save(text: string): void {
    if (this.recordsFail) throw new Error('no space left on device')
    this.records = text
  }

  nextReportId(): number {
    return ++this.#reports
  }

  /** Runs what was deferred, and scans, until nothing is left. */
  settle(): void {
    for (;;) {
      for (const callback of this.#deferred.splice(0)) callback()
      if (!this.#manager?.scanStep() && this.#deferred.length === 0) return
    }
  }

  addNodes(count: number, options: (index: number) => NodeOptions = () => ({}), report = true): FakeNode[] {
    const added = Array.from({ length: count }, (_, i) => {
      const node = new FakeNode(this, this.nodes.length + 1, options(i))
      this.nodes.push(node)
      node.register()
      if (report) node.report()
      return node
    })
    this.settle()
    return added
  }

  /** A file of one block in the namespace; closed unless said otherwise. */
  addBlock(
    id: number,
    options: { replication?: number; state?: BlockRecord['state']; length?: number; genstamp?: number; open?: boolean } = {},
  ): BlockRecord {
    const { replication = 3, state = 'committed', length = 100, genstamp = 2_000 } = options
    const fileId = 100_000 + id
    const file: FileInode = {
      kind: 'file',
      flags: 0,
      id: fileId,
      parentId: 16385,
      name: `f${id}`,
      permission: 0o644,
      owner: 'u',
      group: 'g',
      mtimeMs: 0,
      atimeMs: 0,
      replication,
      blockSize: 128 * MIB,
      length,
      storagePolicy: 0,
      holder: options.open || state !== 'committed' ? 'writer' : '',
    }
    const block: BlockRecord = { blockId: id, fileId, index: 0, genstamp, length, state }
    this.store.tx.putInode(file)
    this.store.tx.putBlock(block)
    this.store.tx.setCounters({ blocks: this.store.tx.counters().blocks + 1 })
    return block
  }

  /** Silence for `ms` from the nodes given; the others keep in contact. */
  silence(ms: number, silent: readonly FakeNode[]): void {
    void this.clock.advance(ms)
    for (const node of this.nodes) if (!silent.includes(node) && node.node.link) this.manager.contact(node.node)
    this.manager.sweepLiveness()
    this.settle()
  }
}
