// All replicas of a datanode: what is where, in which state, and the operations that change it.
//
// S1  a block has at most one record, whatever the number of storage directories
// S2  a record that is FINALIZED has both files in current/finalized, and nobody writes them
// S3  a record with a writer is RBW or TEMPORARY; whoever wants the replica takes the writer over first
// S4  visible length: all bytes of a finalised replica, the acknowledged ones of a replica being written
import fs from 'node:fs'
import { dirname, join } from 'node:path'
import { assert } from '../../common/assert.ts'
import type { Env } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'
import { ReplicaState, WriteStage } from '../../proto/ports.ts'
import type { Checksummer } from '../core/packet-receiver.ts'
import { stateNames } from '../core/replica.ts'
import type { ReplicaId, ReplicaWriter } from '../core/replica.ts'
import { checksumFileBytes, decodeHeader, encodeHeader, headerBytes } from './checksum-file.ts'
import type { DurabilityStep } from './durability.ts'
import { closeFile, isMissing, openFile, readAt, syncDirectory, truncateFile, writeAt } from './files.ts'
import { checksumName, dataName, finalizedDirectory } from './layout.ts'
import { FileReplicaWriter } from './replica-writer.ts'
import { scanStorage } from './scan.ts'
import { StorageDirectory } from './storage-directory.ts'
import type { StorageLimits } from './storage-directory.ts'

export interface ReplicaRecord {
  readonly blockId: number
  genstamp: number
  state: ReplicaState
  /** Bytes in the data file. */
  length: number
  /** Bytes that readers may see. */
  visible: number
  readonly storage: StorageDirectory
  writer: FileReplicaWriter | undefined
  /** Id of the block recovery under way; 0 = none. Until it is finished, or another begins, nobody writes the replica. */
  recoveryId: number
}

/** Who hears of changes; the session with the namenode. */
export interface ReplicaListener {
  received(replica: ReplicaRecord): void
  receiving(replica: ReplicaRecord): void
  deleted(replica: ReplicaRecord): void
}

export interface WriteRequest {
  readonly stage: WriteStage
  readonly blockId: number
  /** The stamp the replica has now, or gets when it is new. */
  readonly genstamp: number
  /** Append and recovery: the stamp from now on. */
  readonly newGenstamp: number
  readonly minBytes: number
  readonly maxBytes: number
  /** For new replicas. */
  readonly sum: Checksummer
  /** Empty = the store's choice. */
  readonly storageUuid: string
  /** Expected size of the block, for the choice of a storage. */
  readonly blockSize: number
}

export interface StoreOptions {
  readonly dirs: readonly string[]
  readonly limits: StorageLimits
  readonly env: Env
  readonly sync: boolean
  readonly beforeStep?: ((step: DurabilityStep) => void) | undefined
}

/** A new block is refused where less than this is free: nothing useful fits. */
const roomMin = 1024 * 1024
/** Free space of a disk is asked for at most this often. */
const roomCacheMs = 500

export class ReplicaStore {
  readonly storages: readonly StorageDirectory[]
  readonly #replicas: Map<number, ReplicaRecord>
  readonly #env: Env
  readonly #beforeStep: (step: DurabilityStep) => void
  readonly #known = new Set<string>()
  readonly #room = new Map<StorageDirectory, { bytes: number; atMs: number }>()
  #sync: boolean
  #listener: ReplicaListener = { received() {}, receiving() {}, deleted() {} }

  private constructor(options: StoreOptions, storages: StorageDirectory[], replicas: Map<number, ReplicaRecord>) {
    this.#env = options.env
    this.#sync = options.sync
    this.#beforeStep = options.beforeStep ?? (() => {})
    this.storages = storages
    this.#replicas = replicas
  }

  /** Opens the directories and looks at what is there. Throws IN_USE, WRONG_CLUSTER, VERSION or CONFIG. */
  static async open(options: StoreOptions): Promise<ReplicaStore> {
    assert(options.dirs.length > 0, 'a datanode has at least one storage directory')
    const storages: StorageDirectory[] = []
    try {
      let datanodeUuid = ''
      for (const dir of options.dirs) {
        const storage = StorageDirectory.open(dir, options.limits, () => ({
          datanodeUuid: datanodeUuid || uuid(options.env),
          storageUuid: `DS-${uuid(options.env)}`,
        }))
        storages.push(storage)
        datanodeUuid ||= storage.identity.datanodeUuid
        if (storage.identity.datanodeUuid !== datanodeUuid) {
          throw new QuarryError(
            'CONFIG',
            `The storage directories ${storages[0]!.paths.root} and ${storage.paths.root} belong to different datanodes. Give each datanode its own directories.`,
          )
        }
      }
      const replicas = new Map<number, ReplicaRecord>()
      for (const storage of storages) await scanStorage(storage, replicas, options.env.log)
      return new ReplicaStore(options, storages, replicas)
    } catch (error) {
      for (const storage of storages) storage.close()
      throw error
    }
  }

  get datanodeUuid(): string {
    return this.storages[0]!.identity.datanodeUuid
  }

  get poolId(): string {
    return this.storages[0]!.identity.poolId
  }

  get clusterId(): string {
    return this.storages[0]!.identity.clusterId
  }

  get size(): number {
    return this.#replicas.size
  }

  listen(listener: ReplicaListener): void {
    this.#listener = listener
  }

  /** The namenode's word on sync.on.close. */
  setSync(sync: boolean): void {
    this.#sync = sync
  }

  bind(clusterId: string, poolId: string): void {
    for (const storage of this.storages) storage.bind(clusterId, poolId)
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
    return join(this.#directoryOf(replica), dataName(replica.blockId))
  }

  checksumPath(replica: ReplicaRecord): string {
    return join(this.#directoryOf(replica), checksumName(replica.blockId, replica.genstamp))
  }

  /** Opens a replica for writing, in the way its pipeline stage asks for. */
  async openWriter(request: WriteRequest): Promise<ReplicaWriter> {
    switch (request.stage) {
      case WriteStage.WRITE_SETUP_CREATE:
        return this.#create(request, ReplicaState.REPLICA_RBW)
      case WriteStage.WRITE_TRANSFER_RBW:
      case WriteStage.WRITE_TRANSFER_FINALIZED:
        return this.#create(request, ReplicaState.REPLICA_TEMPORARY)
      case WriteStage.WRITE_SETUP_APPEND:
        return this.#reopen(request, [ReplicaState.REPLICA_FINALIZED])
      case WriteStage.WRITE_APPEND_RECOVERY:
      case WriteStage.WRITE_CLOSE_RECOVERY:
        return this.#reopen(request, [ReplicaState.REPLICA_FINALIZED, ReplicaState.REPLICA_RBW])
      case WriteStage.WRITE_STREAMING_RECOVERY:
        return this.#continue(request)
      default:
        throw new QuarryError('UNSUPPORTED', `Pipeline stage ${String(request.stage)} is not known here.`)
    }
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
    await fs.promises.rename(checksums, this.checksumPath(replica))
    await fs.promises.rename(data, this.dataPath(replica))
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
    const writer = await this.#openAt(replica, recoveryId, length)
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

  /** Lets go of the directories. Writers must be closed before. */
  async close(): Promise<void> {
    await Promise.all([...this.#replicas.values()].map((replica) => replica.writer?.takeOver()))
    for (const storage of this.storages) storage.close()
  }

  // --- opening ------------------------------------------------------------------------------------------------------------

  async #create(request: WriteRequest, state: ReplicaState): Promise<ReplicaWriter> {
    const existing = this.#replicas.get(request.blockId)
    if (existing !== undefined) {
      // A copy that never finished, or a stale replica, gives way to the new one.
      const givesWay =
        existing.state === ReplicaState.REPLICA_TEMPORARY
          ? existing.writer === undefined
          : existing.genstamp < request.genstamp && existing.state !== ReplicaState.REPLICA_FINALIZED
      if (!givesWay) {
        throw new QuarryError(
          'ALREADY_EXISTS',
          `Block ${request.blockId} already has a replica here (${stateNames[existing.state]}, generation ${existing.genstamp}).`,
          { blockId: request.blockId },
        )
      }
      await this.#remove(existing)
    }
    const storage = this.#choose(request)
    const replica: ReplicaRecord = {
      blockId: request.blockId,
      genstamp: request.genstamp,
      state,
      length: 0,
      visible: 0,
      storage,
      writer: undefined,
      recoveryId: 0,
    }
    this.#replicas.set(replica.blockId, replica)
    try {
      const data = await openFile(this.dataPath(replica), 'w+')
      const checksums = await openFile(this.checksumPath(replica), 'w+')
      await writeAt(checksums, encodeHeader(request.sum), 0)
      storage.used += headerBytes
      const writer = this.#writer(replica, { data, checksums }, { sum: request.sum, length: 0, tail: new Uint8Array(0) })
      if (state === ReplicaState.REPLICA_RBW) this.#listener.receiving(replica)
      return writer
    } catch (error) {
      this.#replicas.delete(replica.blockId)
      throw error
    }
  }

  async #reopen(request: WriteRequest, states: readonly ReplicaState[]): Promise<ReplicaWriter> {
    const replica = this.#recoverable(request, states)
    await replica.writer?.takeOver()
    if (replica.length !== request.minBytes) {
      throw new QuarryError(
        'REPLICA_STATE',
        `The replica of block ${replica.blockId} has ${replica.length} bytes, but the writer expects ${request.minBytes}.`,
        { blockId: replica.blockId, length: replica.length },
      )
    }
    return this.#openAt(replica, request.newGenstamp, replica.length)
  }

  async #continue(request: WriteRequest): Promise<ReplicaWriter> {
    const replica = this.#recoverable(request, [ReplicaState.REPLICA_RBW])
    await replica.writer?.takeOver()
    if (replica.visible < request.minBytes || replica.length > request.maxBytes) {
      throw new QuarryError(
        'REPLICA_STATE',
        `The replica of block ${replica.blockId} has ${replica.visible} acknowledged of ${replica.length} bytes, but the writer expects ${request.minBytes} to ${request.maxBytes}.`,
        { blockId: replica.blockId, length: replica.length },
      )
    }
    return this.#openAt(replica, request.newGenstamp, replica.visible)
  }

  #recoverable(request: WriteRequest, states: readonly ReplicaState[]): ReplicaRecord {
    const replica = this.#replicas.get(request.blockId)
    if (replica === undefined)
      throw new QuarryError(
        'REPLICA_NOT_FOUND',
        `Datanode ${this.datanodeUuid} has no replica of block ${request.blockId} to go on with.`,
        { blockId: request.blockId },
      )
    if (replica.recoveryId >= request.newGenstamp) {
      throw new QuarryError('RECOVERY_IN_PROGRESS', `Block ${replica.blockId} is being recovered under ${replica.recoveryId}.`, {
        blockId: replica.blockId,
      })
    }
    if (!states.includes(replica.state)) {
      throw new QuarryError(
        'REPLICA_STATE',
        `The replica of block ${replica.blockId} is ${stateNames[replica.state]}, which cannot be gone on with in this way.`,
        { blockId: replica.blockId },
      )
    }
    // A repeated recovery finds the stamp of the one before it, which is why a range is allowed.
    if (replica.genstamp < request.genstamp || replica.genstamp > request.newGenstamp) {
      throw new QuarryError(
        'STALE_GENERATION',
        `The replica of block ${replica.blockId} has generation ${replica.genstamp}; the writer speaks of ${request.genstamp} to ${request.newGenstamp}.`,
        { blockId: replica.blockId, genstamp: replica.genstamp },
      )
    }
    return replica
  }

  /** Opens a replica's files for writing at `length`, cutting off what is beyond, under a new stamp. */
  async #openAt(replica: ReplicaRecord, genstamp: number, length: number): Promise<ReplicaWriter> {
    const before = [this.dataPath(replica), this.checksumPath(replica)] as const
    const wasFinalized = replica.state === ReplicaState.REPLICA_FINALIZED
    replica.state = ReplicaState.REPLICA_RBW
    replica.genstamp = genstamp
    if (wasFinalized) {
      replica.storage.finalized--
      await fs.promises.rename(before[0], this.dataPath(replica))
    }
    if (before[1] !== this.checksumPath(replica)) await fs.promises.rename(before[1], this.checksumPath(replica))
    const data = await openFile(this.dataPath(replica), 'r+')
    const checksums = await openFile(this.checksumPath(replica), 'r+')
    try {
      const header = Buffer.alloc(headerBytes)
      await readAt(checksums, header, 0, headerBytes, 0)
      const sum = decodeHeader(header)
      if (sum === undefined)
        throw new QuarryError('CHECKSUM', `The checksum file of block ${replica.blockId} is damaged.`, { blockId: replica.blockId })
      await this.#cut(replica, data, checksums, sum, length)
      const tail = Buffer.alloc(length % sum.bytesPerChunk)
      await readAt(data, tail, 0, tail.length, length - tail.length)
      const writer = this.#writer(replica, { data, checksums }, { sum, length, tail })
      this.#listener.receiving(replica)
      return writer
    } catch (error) {
      await Promise.all([closeFile(data), closeFile(checksums)])
      throw error
    }
  }

  async #cut(replica: ReplicaRecord, data: number, checksums: number, sum: Checksummer, length: number): Promise<void> {
    if (replica.length === length) return
    await truncateFile(data, length)
    await truncateFile(checksums, checksumFileBytes(length, sum))
    const rest = length % sum.bytesPerChunk
    if (rest > 0 && sum.crc !== undefined) {
      // The stored checksum of the last chunk covered bytes that are gone now.
      const bytes = Buffer.alloc(rest)
      await readAt(data, bytes, 0, rest, length - rest)
      const crc = Buffer.alloc(4)
      crc.writeUInt32BE(sum.crc(bytes))
      await writeAt(checksums, crc, checksumFileBytes(length, sum) - 4)
    }
    replica.storage.used -= replica.length - length
    replica.length = length
    replica.visible = Math.min(replica.visible, length)
  }

  #writer(
    replica: ReplicaRecord,
    files: { data: number; checksums: number },
    start: { sum: Checksummer; length: number; tail: Uint8Array },
  ): FileReplicaWriter {
    const { storage } = replica
    const genstamp = replica.genstamp
    const own = () => replica.writer === writer
    const writer: FileReplicaWriter = new FileReplicaWriter(
      {
        blockId: replica.blockId,
        genstamp,
        storageUuid: storage.uuid,
        reserve: (bytes) => this.#reserve(storage, bytes),
        received: (length) => (replica.length = length),
        acknowledged: (length) => {
          if (own() && length > replica.visible) replica.visible = length
        },
        rename: () => this.#rename(replica),
        syncNames: () => syncDirectory(this.#directoryOf(replica)),
        report: () => this.#listener.received(replica),
        closed: (finalized) => {
          if (!own()) return
          replica.writer = undefined
          // A copy that did not finish is of no use; its files go with the next attempt or the next start.
          if (!finalized && replica.state === ReplicaState.REPLICA_TEMPORARY)
            void this.#remove(replica).catch((error: unknown) =>
              this.#env.log.warn('replica.remove.failed', { blockId: replica.blockId, error }),
            )
        },
        beforeStep: this.#beforeStep,
      },
      files,
      start,
      this.#sync,
    )
    replica.writer = writer
    return writer
  }

  // --- names, space, removal ----------------------------------------------------------------------------------------------

  async #rename(replica: ReplicaRecord): Promise<void> {
    const before = [this.dataPath(replica), this.checksumPath(replica)] as const
    const target = finalizedDirectory(replica.storage.paths, replica.blockId)
    await this.#makeDirectory(target)
    await fs.promises.rename(before[1], join(target, checksumName(replica.blockId, replica.genstamp)))
    await fs.promises.rename(before[0], join(target, dataName(replica.blockId)))
    replica.state = ReplicaState.REPLICA_FINALIZED
    replica.visible = replica.length
    replica.storage.finalized++
  }

  async #makeDirectory(path: string): Promise<void> {
    if (this.#known.has(path)) return
    const made = await fs.promises.mkdir(path, { recursive: true })
    if (made !== undefined && this.#sync) {
      await syncDirectory(dirname(path))
      await syncDirectory(dirname(dirname(path)))
    }
    this.#known.add(path)
  }

  #directoryOf(replica: ReplicaRecord): string {
    switch (replica.state) {
      case ReplicaState.REPLICA_FINALIZED:
        return finalizedDirectory(replica.storage.paths, replica.blockId)
      case ReplicaState.REPLICA_TEMPORARY:
        return replica.storage.paths.tmp
      default:
        return replica.storage.paths.rbw
    }
  }

  #choose(request: WriteRequest): StorageDirectory {
    const wanted = this.storages.find((storage) => storage.uuid === request.storageUuid)
    if (wanted !== undefined && this.#roomOf(wanted) >= roomMin) return wanted
    const best = this.storages.reduce((a, b) => (this.#roomOf(b) > this.#roomOf(a) ? b : a))
    if (this.#roomOf(best) < roomMin) {
      throw new QuarryError(
        'DISK_FULL',
        `Datanode ${this.datanodeUuid} is full: ${best.paths.root} has ${this.#roomOf(best)} bytes left of ${best.space().capacity}.`,
        { dir: best.paths.root, remaining: this.#roomOf(best) },
      )
    }
    return best
  }

  #roomOf(storage: StorageDirectory): number {
    const now = this.#env.clock.monotonicMs()
    let room = this.#room.get(storage)
    if (room === undefined || now - room.atMs > roomCacheMs) {
      room = { bytes: storage.space().remaining, atMs: now }
      this.#room.set(storage, room)
    }
    return room.bytes
  }

  #reserve(storage: StorageDirectory, bytes: number): void {
    const left = this.#roomOf(storage)
    if (bytes > left) {
      throw new QuarryError(
        'DISK_FULL',
        `The storage directory ${storage.paths.root} is full: ${left} bytes left of ${storage.space().capacity}.`,
        { dir: storage.paths.root, remaining: left },
      )
    }
    this.#room.get(storage)!.bytes -= bytes
    storage.used += bytes
  }

  async #remove(replica: ReplicaRecord): Promise<void> {
    const paths = [this.dataPath(replica), this.checksumPath(replica)]
    if (this.#replicas.get(replica.blockId) === replica) {
      this.#replicas.delete(replica.blockId)
      if (replica.state === ReplicaState.REPLICA_FINALIZED) replica.storage.finalized--
    }
    await replica.writer?.takeOver()
    for (const path of paths) {
      try {
        const { size } = await fs.promises.stat(path)
        await fs.promises.unlink(path)
        replica.storage.used -= size
      } catch (error) {
        if (!isMissing(error)) throw error
      }
    }
  }
}

/** A random UUID (version 4) from the injected randomness. */
function uuid(env: Env): string {
  const bytes = Buffer.from(env.random.bytes(16))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
