// Opens replicas for writing: new ones, ones to go on with, ones to recover.
import type { Env } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'
import { ReplicaState, WriteStage } from '../../proto/ports.ts'
import type { Checksummer } from '../core/packet-receiver.ts'
import { stateNames } from '../core/replica.ts'
import { checksumFileBytes, decodeHeader, encodeHeader, headerBytes } from './checksum-file.ts'
import { diskError, errnoOf } from './disk-errors.ts'
import type { DurabilityStep } from './durability.ts'
import type { ReplicaFiles } from './replica-files.ts'
import { newRecord } from './replica-record.ts'
import type { ReplicaListener, ReplicaRecord } from './replica-record.ts'
import { FileReplicaWriter } from './replica-writer.ts'
import { reserve, storagesFor } from './storage-choice.ts'
import type { StorageDirectory } from './storage-directory.ts'

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

/** What the opener shares with the store that owns it. */
export interface OpenerHost {
  readonly env: Env
  readonly files: ReplicaFiles
  readonly replicas: Map<number, ReplicaRecord>
  readonly storages: readonly StorageDirectory[]
  readonly datanodeUuid: string
  readonly beforeStep: (step: DurabilityStep) => void
  sync(): boolean
  listener(): ReplicaListener
  /** Forgets a replica and removes its files. */
  remove(replica: ReplicaRecord): Promise<void>
}

interface OpenFiles {
  readonly data: number
  readonly checksums: number
}

export class ReplicaOpener {
  readonly #host: OpenerHost

  constructor(host: OpenerHost) {
    this.#host = host
  }

  /** Opens a replica in the way its pipeline stage asks for. */
  async open(request: WriteRequest): Promise<FileReplicaWriter> {
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

  /** Opens a replica's files for writing at `length`, cutting off what is beyond, under a new stamp. */
  async openAt(replica: ReplicaRecord, genstamp: number, length: number): Promise<FileReplicaWriter> {
    try {
      return await this.#openAt(replica, genstamp, length)
    } catch (error) {
      replica.storage.doubt(error)
      throw diskError(error)
    }
  }

  async #create(request: WriteRequest, state: ReplicaState): Promise<FileReplicaWriter> {
    const { replicas, storages, datanodeUuid } = this.#host
    const candidates = await storagesFor(storages, request.storageUuid, datanodeUuid)
    for (;;) {
      const existing = replicas.get(request.blockId)
      if (existing === undefined) break
      refuseExisting(existing, request)
      await this.#host.remove(existing)
    }
    // Nothing waits between the look above and the record below: of two that create one block, one is refused (S1).
    let failure: unknown
    for (const storage of candidates) {
      const replica = newRecord(storage, request, { state, length: 0 })
      replicas.set(replica.blockId, replica)
      try {
        const writer = await this.#createFiles(replica, request.sum)
        if (storage.failed) {
          await writer.close()
          throw new QuarryError('REPLICA_STATE', `The storage directory ${storage.paths.root} has failed: ${storage.failure}`)
        }
        if (state === ReplicaState.REPLICA_RBW) this.#host.listener().receiving(replica)
        return writer
      } catch (error) {
        if (replicas.get(replica.blockId) === replica) replicas.delete(replica.blockId)
        storage.doubt(error)
        failure = error
        this.#host.env.log.warn('replica.create.failed', { blockId: replica.blockId, dir: storage.paths.root, error })
        // The next storage may be better off, unless the error is none of a disk's, or somebody else has made the replica by now.
        if (errnoOf(error) === undefined || replicas.has(request.blockId)) break
      }
    }
    throw diskError(failure)
  }

  async #createFiles(replica: ReplicaRecord, sum: Checksummer): Promise<FileReplicaWriter> {
    const { disk } = this.#host.files
    const paths = [this.#host.files.dataPath(replica), this.#host.files.checksumPath(replica)] as const
    const opened: number[] = []
    try {
      for (const path of paths) opened.push(await disk.open(path, 'w+'))
      await disk.write(opened[1]!, encodeHeader(sum), 0)
    } catch (error) {
      await Promise.allSettled(opened.map((fd) => disk.close(fd)))
      await Promise.allSettled(paths.slice(0, opened.length).map((path) => disk.unlink(path)))
      throw error
    }
    replica.storage.used += headerBytes
    return this.#writer(replica, { data: opened[0]!, checksums: opened[1]! }, { sum, length: 0, tail: new Uint8Array(0) })
  }

  async #reopen(request: WriteRequest, states: readonly ReplicaState[]): Promise<FileReplicaWriter> {
    const replica = this.#recoverable(request, states)
    await replica.writer?.takeOver()
    if (replica.length !== request.minBytes) {
      throw new QuarryError(
        'REPLICA_STATE',
        `The replica of block ${replica.blockId} has ${replica.length} bytes, but the writer expects ${request.minBytes}.`,
        { blockId: replica.blockId, length: replica.length },
      )
    }
    return this.openAt(replica, request.newGenstamp, replica.length)
  }

  async #continue(request: WriteRequest): Promise<FileReplicaWriter> {
    const replica = this.#recoverable(request, [ReplicaState.REPLICA_RBW])
    await replica.writer?.takeOver()
    if (replica.visible < request.minBytes || replica.length > request.maxBytes) {
      throw new QuarryError(
        'REPLICA_STATE',
        `The replica of block ${replica.blockId} has ${replica.visible} acknowledged of ${replica.length} bytes, but the writer expects ${request.minBytes} to ${request.maxBytes}.`,
        { blockId: replica.blockId, length: replica.length },
      )
    }
    return this.openAt(replica, request.newGenstamp, replica.visible)
  }

  #recoverable(request: WriteRequest, states: readonly ReplicaState[]): ReplicaRecord {
    const replica = this.#host.replicas.get(request.blockId)
    if (replica === undefined)
      throw new QuarryError(
        'REPLICA_NOT_FOUND',
        `Datanode ${this.#host.datanodeUuid} has no replica of block ${request.blockId} to go on with.`,
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

  async #openAt(replica: ReplicaRecord, genstamp: number, length: number): Promise<FileReplicaWriter> {
    const { files } = this.#host
    const { disk } = files
    const before = [files.dataPath(replica), files.checksumPath(replica)] as const
    const was = { state: replica.state, genstamp: replica.genstamp }
    replica.state = ReplicaState.REPLICA_RBW
    replica.genstamp = genstamp
    if (was.state === ReplicaState.REPLICA_FINALIZED) {
      try {
        await disk.rename(before[0], files.dataPath(replica))
      } catch (error) {
        // Nothing has changed yet.
        Object.assign(replica, was)
        throw error
      }
      replica.storage.finalized--
    }
    if (before[1] !== files.checksumPath(replica)) await disk.rename(before[1], files.checksumPath(replica))
    const data = await disk.open(files.dataPath(replica), 'r+')
    const checksums = await disk.open(files.checksumPath(replica), 'r+')
    try {
      const header = Buffer.alloc(headerBytes)
      await disk.read(checksums, header, 0, headerBytes, 0)
      const sum = decodeHeader(header)
      if (sum === undefined)
        throw new QuarryError('CHECKSUM', `The checksum file of block ${replica.blockId} is damaged.`, { blockId: replica.blockId })
      await this.#cut(replica, { data, checksums }, sum, length)
      const tail = Buffer.alloc(length % sum.bytesPerChunk)
      await disk.read(data, tail, 0, tail.length, length - tail.length)
      const writer = this.#writer(replica, { data, checksums }, { sum, length, tail })
      this.#host.listener().receiving(replica)
      return writer
    } catch (error) {
      await Promise.allSettled([disk.close(data), disk.close(checksums)])
      throw error
    }
  }

  async #cut(replica: ReplicaRecord, { data, checksums }: OpenFiles, sum: Checksummer, length: number): Promise<void> {
    if (replica.length === length) return
    const { disk } = this.#host.files
    await disk.truncate(data, length)
    await disk.truncate(checksums, checksumFileBytes(length, sum))
    const rest = length % sum.bytesPerChunk
    if (rest > 0 && sum.crc !== undefined) {
      // The stored checksum of the last chunk covered bytes that are gone now.
      const bytes = Buffer.alloc(rest)
      await disk.read(data, bytes, 0, rest, length - rest)
      const crc = Buffer.alloc(4)
      crc.writeUInt32BE(sum.crc(bytes))
      await disk.write(checksums, crc, checksumFileBytes(length, sum) - 4)
    }
    replica.storage.used -= replica.length - length
    replica.length = length
    replica.visible = Math.min(replica.visible, length)
  }

  #writer(
    replica: ReplicaRecord,
    open: OpenFiles,
    start: { readonly sum: Checksummer; readonly length: number; readonly tail: Uint8Array },
  ): FileReplicaWriter {
    const { storage, genstamp } = replica
    const { files, env } = this.#host
    const sync = this.#host.sync()
    const own = () => replica.writer === writer
    const writer: FileReplicaWriter = new FileReplicaWriter(
      {
        blockId: replica.blockId,
        genstamp,
        storageUuid: storage.uuid,
        disk: files.disk,
        reserve: (bytes) => reserve(storage, bytes),
        received: (length) => (replica.length = length),
        acknowledged: (length) => {
          if (own() && length > replica.visible) replica.visible = length
        },
        rename: () => files.finalize(replica, sync),
        syncNames: () => files.syncNames(replica),
        report: () => this.#host.listener().received(replica),
        doubt: (error) => storage.doubt(error),
        closed: (finalized) => {
          if (!own()) return
          replica.writer = undefined
          // A copy that did not finish is of no use; its files go with the next attempt or the next start.
          if (!finalized && replica.state === ReplicaState.REPLICA_TEMPORARY)
            void this.#host
              .remove(replica)
              .catch((error: unknown) => env.log.warn('replica.remove.failed', { blockId: replica.blockId, error }))
        },
        beforeStep: this.#host.beforeStep,
      },
      open,
      start,
      sync,
    )
    replica.writer = writer
    return writer
  }
}

/** A copy that never finished, or a stale replica, gives way to the new one; every other is a reason to refuse. */
function refuseExisting(existing: ReplicaRecord, request: WriteRequest): void {
  const givesWay =
    existing.state === ReplicaState.REPLICA_TEMPORARY
      ? existing.writer === undefined
      : existing.genstamp < request.genstamp && existing.state !== ReplicaState.REPLICA_FINALIZED
  if (givesWay) return
  throw new QuarryError(
    'ALREADY_EXISTS',
    `Block ${request.blockId} already has a replica here (${stateNames[existing.state]}, generation ${existing.genstamp}).`,
    { blockId: request.blockId },
  )
}
