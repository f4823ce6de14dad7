// All replicas of a datanode: what is where, in which state, and the operations that change it.
//
// S1  a block has at most one record, whatever the number of storage directories
// S2  a record that is FINALIZED has both files in current/finalized, and nobody writes them
// S3  a record with a writer is RBW or TEMPORARY; whoever wants the replica takes the writer over first
// S4  visible length: all bytes of a finalised replica, the acknowledged ones of a replica being written
// S5  no record lies on a storage that failed
import { assert } from '../../common/assert.ts'
import type { Clock, Env } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'
import { ReplicaState } from '../../proto/ports.ts'
import type { ReplicaId, ReplicaWriter } from '../core/replica.ts'
import type { Disk } from './disk.ts'
import type { DurabilityStep } from './durability.ts'
import { openStorages } from './open-storages.ts'
import type { FailedDirectory, OpenedStorages } from './open-storages.ts'
import { ReplicaFiles } from './replica-files.ts'
import { ReplicaOpener } from './replica-opener.ts'
import type { WriteRequest } from './replica-opener.ts'
import { newRecord, reportedState } from './replica-record.ts'
import type { ReplicaListener, ReplicaRecord } from './replica-record.ts'
import type { StorageIdentity } from './identity.ts'
import type { StorageDirectory, StorageLimits } from './storage-directory.ts'

export type { WriteRequest } from './replica-opener.ts'
export type { ReplicaListener, ReplicaRecord } from './replica-record.ts'

export interface StoreOptions {
  readonly dirs: readonly string[]
  readonly limits: StorageLimits
  readonly env: Env
  readonly sync: boolean
  readonly disk: Disk
  /** Directories that may be unusable at the start; 0 when absent. */
  readonly failedTolerated?: number | undefined
  readonly beforeStep?: ((step: DurabilityStep) => void) | undefined
}

export class ReplicaStore {
  readonly disk: Disk
  readonly storages: readonly StorageDirectory[]
  readonly #replicas: Map<number, ReplicaRecord>
  readonly #failedAtStart: readonly FailedDirectory[]
  /** Blocks whose files are being removed. */
  readonly #removing = new Set<number>()
  readonly #env: Env
  readonly #files: ReplicaFiles
  readonly #opener: ReplicaOpener
  /** Called with a replica that could not be read as it should. */
  onSuspect: (replica: ReplicaRecord) => void = () => {}
  #sync: boolean
  #listener: ReplicaListener = { received() {}, receiving() {}, deleted() {} }

  private constructor(options: StoreOptions, { storages, replicas, failed }: OpenedStorages) {
    this.#env = options.env
    this.#sync = options.sync
    this.disk = options.disk
    this.storages = storages
    this.#failedAtStart = failed
    this.#replicas = replicas
    this.#files = new ReplicaFiles(options.disk)
    this.#opener = new ReplicaOpener({
      env: options.env,
      files: this.#files,
      replicas,
      storages,
      datanodeUuid: this.datanodeUuid,
      beforeStep: options.beforeStep ?? (() => {}),
      sync: () => this.#sync,
      listener: () => this.#listener,
      remove: (replica) => this.#remove(replica),
    })
  }

  /** Opens the directories and looks at what is there. Throws IN_USE, VERSION or CONFIG. */
  static async open(options: StoreOptions): Promise<ReplicaStore> {
    assert(options.dirs.length > 0, 'a datanode has at least one storage directory')
    const opened = await openStorages({ ...options, failedTolerated: options.failedTolerated ?? 0 })
    return new ReplicaStore(options, opened)
  }

  get clock(): Clock {
    return this.#env.clock
  }

  get datanodeUuid(): string {
    return this.storages[0]!.identity.datanodeUuid
  }

  get poolId(): string {
    return this.#bound.poolId
  }

  get clusterId(): string {
    return this.#bound.clusterId
  }

  /** Directories that do not take part any more, or did not from the start. */
  get failed(): readonly FailedDirectory[] {
    const since = this.storages.filter((storage) => storage.failed)
    return [...this.#failedAtStart, ...since.map((storage) => ({ dir: storage.paths.root, reason: storage.failure }))]
  }

  get size(): number {
    return this.#replicas.size
  }

  /** Storage directories that were asked for, usable or not. */
  get configured(): number {
    return this.storages.length + this.#failedAtStart.length
  }

  listen(listener: ReplicaListener): void {
    this.#listener = listener
  }

  /** The namenode's word on sync.on.close. */
  setSync(sync: boolean): void {
    this.#sync = sync
  }

  async bind(clusterId: string, poolId: string): Promise<void> {
    for (const storage of this.storages) if (!storage.failed) await storage.bind(clusterId, poolId)
  }

  get(blockId: number): ReplicaRecord | undefined {
    return this.#replicas.get(blockId)
  }

  /** Replicas of one storage, by block id; what a block report says. TEMPORARY ones are nobody's business yet. */
  list(storage: StorageDirectory): ReplicaRecord[] {
    const found: ReplicaRecord[] = []
    for (const replica of this.#replicas.values())
      if (replica.storage === storage && replica.state !== ReplicaState.REPLICA_TEMPORARY) found.push(replica)
    return found.sort((a, b) => a.blockId - b.blockId)
  }

  /** Block ids of the finalised replicas of one storage, ascending. */
  finalizedIds(storage: StorageDirectory): Float64Array {
    const ids = new Float64Array(this.#replicas.size)
    let count = 0
    for (const replica of this.#replicas.values())
      if (replica.storage === storage && replica.state === ReplicaState.REPLICA_FINALIZED) ids[count++] = replica.blockId
    return ids.slice(0, count).sort()
  }

  /** The replica that a reader asks for: under this stamp or a newer one. Throws REPLICA_NOT_FOUND. */
  find(id: ReplicaId): ReplicaRecord {
    const replica = this.#replicas.get(id.blockId)
    if (replica === undefined || replica.state === ReplicaState.REPLICA_TEMPORARY) {
      throw new QuarryError('REPLICA_NOT_FOUND', `Datanode ${this.datanodeUuid} has no replica of block ${id.blockId}.`, {
        blockId: id.blockId,
      })
    }
    if (replica.genstamp < id.genstamp) {
      throw new QuarryError(
        'REPLICA_NOT_FOUND',
        `The replica of block ${id.blockId} on datanode ${this.datanodeUuid} is older (generation ${replica.genstamp}) than the one asked for (${id.genstamp}).`,
        { blockId: id.blockId, genstamp: replica.genstamp },
      )
    }
    return replica
  }

  dataPath(replica: ReplicaRecord): string {
    return this.#files.dataPath(replica)
  }

  checksumPath(replica: ReplicaRecord): string {
    return this.#files.checksumPath(replica)
  }

  /** The state that a block report gives. */
  reportedState(replica: ReplicaRecord): ReplicaState {
    return reportedState(replica, this.#env.clock.monotonicMs())
  }

  /** Opens a replica for writing, in the way its pipeline stage asks for. */
  openWriter(request: WriteRequest): Promise<ReplicaWriter> {
    return this.#opener.open(request)
  }

  /** Turns a finished copy of a replica that is being written into an RBW replica, ready for a pipeline recovery. */
  async adopt(writer: ReplicaWriter): Promise<void> {
    const replica = this.#replicas.get(writer.blockId)
    assert(
      replica !== undefined && replica.writer === writer && replica.state === ReplicaState.REPLICA_TEMPORARY,
      'only a copy being received can be adopted',
    )
    await writer.write({ data: [], length: 0, at: replica.length, checksums: new Uint8Array(0), chunk: 0 })
    const [data, checksums] = [this.dataPath(replica), this.checksumPath(replica)]
    replica.state = ReplicaState.REPLICA_RBW
    replica.visible = replica.length
    await this.disk.rename(checksums, this.checksumPath(replica))
    await this.disk.rename(data, this.dataPath(replica))
    await writer.close()
    this.#listener.receiving(replica)
  }

  /**
   * First step of a block recovery: stops the writer and tells what is really there. Throws REPLICA_STATE when a recovery with a
   * higher id is under way, or the replica already has that stamp.
   */
  async initRecovery(
    id: { readonly blockId: number },
    recoveryId: number,
  ): Promise<{ found: boolean; replica?: { blockId: number; genstamp: number; length: number }; state?: ReplicaState }> {
    const replica = this.#replicas.get(id.blockId)
    if (replica === undefined || replica.state === ReplicaState.REPLICA_TEMPORARY) return { found: false }
    if (replica.recoveryId > recoveryId || replica.genstamp >= recoveryId) {
      throw new QuarryError(
        'REPLICA_STATE',
        `Recovery ${recoveryId} of block ${id.blockId} comes too late: the replica has generation ${replica.genstamp} and recovery ${replica.recoveryId}.`,
        { blockId: id.blockId },
      )
    }
    replica.recoveryId = recoveryId
    replica.recoveryMs = this.#env.clock.monotonicMs()
    await replica.writer?.takeOver()
    return { found: true, replica: { blockId: replica.blockId, genstamp: replica.genstamp, length: replica.length }, state: replica.state }
  }

  /** Second step: cuts the replica to the agreed length and finalises it under the recovery id. Answers its storage. */
  async finishRecovery(id: { readonly blockId: number }, recoveryId: number, length: number): Promise<string> {
    const replica = this.#replicas.get(id.blockId)
    if (replica === undefined)
      throw new QuarryError('REPLICA_NOT_FOUND', `Datanode ${this.datanodeUuid} has no replica of block ${id.blockId}.`, {
        blockId: id.blockId,
      })
    // A repeated finish finds it done.
    if (replica.genstamp === recoveryId && replica.state === ReplicaState.REPLICA_FINALIZED && replica.length === length)
      return replica.storage.uuid
    if (replica.recoveryId !== recoveryId || length > replica.length) {
      throw new QuarryError(
        'REPLICA_STATE',
        `Recovery ${recoveryId} of block ${id.blockId} cannot finish at ${length} bytes: the replica has ${replica.length} and recovery ${replica.recoveryId}.`,
        { blockId: id.blockId },
      )
    }
    const writer = await this.#opener.openAt(replica, recoveryId, length)
    try {
      await writer.finalize(async () => {})
      replica.recoveryId = 0
    } finally {
      await writer.close()
    }
    return replica.storage.uuid
  }

  /** Forgets a replica and removes its files. Answers whether it was there under that stamp. */
  async delete(id: ReplicaId): Promise<boolean> {
    const replica = this.#replicas.get(id.blockId)
    if (replica === undefined || replica.genstamp !== id.genstamp) return false
    await this.#remove(replica)
    this.#listener.deleted(replica)
    return true
  }

  /** Whether the files of a block that is not known any more are being removed. */
  isRemoving(blockId: number): boolean {
    return this.#removing.has(blockId)
  }

  /**
   * Takes up files that were found in their place, whole and checked; `bytes` in both. Answers false when the block is known, or being
   * removed.
   */
  takeUp(storage: StorageDirectory, found: ReplicaId & { readonly length: number; readonly bytes: number }): boolean {
    if (storage.failed || this.#replicas.has(found.blockId) || this.#removing.has(found.blockId)) return false
    const replica = newRecord(storage, found, { state: ReplicaState.REPLICA_FINALIZED, length: found.length })
    this.#replicas.set(found.blockId, replica)
    storage.used += found.bytes
    storage.finalized++
    this.#listener.received(replica)
    return true
  }

  /** Forgets a replica whose data is gone, with what is left of its files. */
  async forgetLost(replica: ReplicaRecord): Promise<void> {
    if (this.#replicas.get(replica.blockId) !== replica) return
    await this.#remove(replica)
    this.#listener.deleted(replica)
  }

  /** Gives a storage up: its replicas are forgotten, their writers end. Answers how many there were. The files stay as they are. */
  failStorage(storage: StorageDirectory, reason: string): number {
    if (storage.failed) return 0
    storage.failed = true
    storage.failure = reason
    let lost = 0
    for (const [blockId, replica] of this.#replicas) {
      if (replica.storage !== storage) continue
      this.#replicas.delete(blockId)
      lost++
      replica.writer
        ?.takeOver()
        .catch((error: unknown) => this.#env.log.warn('replica.close.failed', { blockId, message: (error as Error).message }))
    }
    storage.used = 0
    storage.finalized = 0
    return lost
  }

  /** Ends all write streams; their replicas stay as they are. Answers how many there were. */
  async evictWriters(): Promise<number> {
    const writers = [...this.#replicas.values()].flatMap(({ writer }) => writer ?? [])
    await Promise.all(writers.map((writer) => writer.takeOver()))
    return writers.length
  }

  /** Lets go of the directories. Writers must be closed before. */
  async close(): Promise<void> {
    await this.evictWriters()
    for (const storage of this.storages) storage.close()
  }

  get #bound(): StorageIdentity {
    return (this.storages.find(({ identity }) => identity.clusterId !== '') ?? this.storages[0]!).identity
  }

  async #remove(replica: ReplicaRecord): Promise<void> {
    this.#removing.add(replica.blockId)
    try {
      await this.#removeFiles(replica)
    } catch (error) {
      replica.storage.doubt(error)
      throw error
    } finally {
      this.#removing.delete(replica.blockId)
    }
  }

  async #removeFiles(replica: ReplicaRecord): Promise<void> {
    const paths = { data: this.dataPath(replica), checksums: this.checksumPath(replica) }
    if (this.#replicas.get(replica.blockId) === replica) {
      this.#replicas.delete(replica.blockId)
      if (replica.state === ReplicaState.REPLICA_FINALIZED) replica.storage.finalized--
    }
    await replica.writer?.takeOver()
    await this.#files.remove(replica, paths)
  }
}
