// A replica on disk while it is being written.
import { assert } from '../../common/assert.ts'
import { QuarryError } from '../../common/errors.ts'
import type { Checksummer, Placement } from '../core/packet-receiver.ts'
import type { ReplicaWriter } from '../core/replica.ts'
import { headerBytes } from './checksum-file.ts'
import { diskError } from './disk-errors.ts'
import type { Disk } from './disk.ts'
import { makeDurable } from './durability.ts'
import type { DurabilityStep } from './durability.ts'

/** What the store does for a writer: space, names, and who hears of it. */
export interface WriterHost {
  readonly blockId: number
  readonly genstamp: number
  readonly storageUuid: string
  readonly disk: Disk
  /** Throws DISK_FULL when there is no room for `bytes` more. */
  reserve(bytes: number): void
  /** `length` bytes are in the data file. */
  received(length: number): void
  acknowledged(length: number): void
  /** Moves both files to their final names, the checksums first. */
  rename(): Promise<void>
  syncNames(): Promise<void>
  report(): void
  /** A file call failed: the disk may have to be looked at. */
  doubt(error: unknown): void
  /** The writer is gone; the replica stays unfinished unless `finalized`. */
  closed(finalized: boolean): void
  beforeStep(step: DurabilityStep): void
}

/** Bytes after which dirty pages are pushed to disk in the background, so that the last sync of a block is short. */
const writeBackBytes = 16 * 1024 * 1024

export class FileReplicaWriter implements ReplicaWriter {
  readonly sum: Checksummer
  readonly startLength: number
  readonly startTail: Uint8Array
  readonly evicted: Promise<void>
  readonly #host: WriterHost
  readonly #data: number
  readonly #checksums: number
  readonly #sync: boolean
  #evict!: () => void
  #length: number
  /** Writes in order; rejected for good after the first failure. */
  #chain: Promise<void> = Promise.resolve()
  #writeBack: Promise<void> | undefined
  /** Why bytes of this replica may not be on disk although they were synced. */
  #unsynced: Error | undefined
  #dirty = 0
  #finalizing = false
  /** Settles when the files have their final names and are closed, or that has failed. */
  #finalization: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined
  /** The descriptors are closed once, whoever comes first: their numbers belong to other files right afterwards. */
  #filesClosed: Promise<void> | undefined

  constructor(
    host: WriterHost,
    files: { readonly data: number; readonly checksums: number },
    start: { readonly sum: Checksummer; readonly length: number; readonly tail: Uint8Array },
    sync: boolean,
  ) {
    this.#host = host
    this.#data = files.data
    this.#checksums = files.checksums
    this.sum = start.sum
    this.startLength = start.length
    this.startTail = start.tail
    this.#length = start.length
    this.#sync = sync
    this.evicted = new Promise((resolve) => (this.#evict = resolve))
  }

  get blockId(): number {
    return this.#host.blockId
  }

  get genstamp(): number {
    return this.#host.genstamp
  }

  get storageUuid(): string {
    return this.#host.storageUuid
  }

  write(placement: Placement): Promise<void> {
    this.#chain = this.#chain.then(() => this.#write(placement))
    return this.#chain
  }

  sync(): Promise<void> {
    this.#chain = this.#chain.then(async () => {
      await this.#syncFiles()
      this.#dirty = 0
    })
    return this.#chain
  }

  acknowledge(length: number): void {
    this.#host.acknowledged(length)
  }

  startSync(): void {
    if (!this.#sync || this.#writeBack !== undefined || this.#dirty === 0) return
    this.#dirty = 0
    this.#writeBack = this.#host.disk
      .syncData(this.#data)
      .catch((error: unknown) => this.#notSynced(error))
      .then(() => {
        this.#writeBack = undefined
        if (this.#finalizing || this.#dirty >= writeBackBytes) this.startSync()
      })
  }

  async finalize(acknowledge: () => Promise<void>): Promise<void> {
    assert(!this.#finalizing, 'a replica is finalised once')
    if (this.#closing) throw closedError(this.#host)
    this.#finalizing = true
    let settled = () => {}
    this.#finalization = new Promise((resolve) => (settled = resolve))
    await makeDurable(
      {
        // Each packet's data and checksums are handed to the system together; both chains end here.
        writeData: () => this.#chain,
        writeChecksums: () => this.#chain,
        syncFiles: () => this.#syncFiles(),
        rename: async () => {
          await this.#host.rename()
          await this.#closeFiles(true)
          settled()
        },
        syncNames: () => this.#host.syncNames(),
        report: () => this.#host.report(),
        acknowledge,
      },
      this.#sync,
      (step) => this.#host.beforeStep(step),
    )
      .catch((error: unknown) => {
        this.#host.doubt(error)
        throw diskError(error)
      })
      .finally(settled)
  }

  /** Waits for what is being written, and for a finalisation that has begun: files that are being renamed are not taken away. */
  close(): Promise<void> {
    this.#closing ??= this.#chain
      .catch(() => {})
      .then(() => this.#finalization)
      .then(() => this.#closeFiles(false))
    return this.#closing
  }

  async #syncFiles(): Promise<void> {
    await this.#writeBack
    if (this.#unsynced !== undefined) throw this.#unsynced
    const { disk } = this.#host
    try {
      await Promise.all([disk.sync(this.#data), disk.sync(this.#checksums)])
    } catch (error) {
      throw this.#notSynced(error)
    }
  }

  /**
   * A sync that failed is told once: the system forgets the pages that it could not write, and the next sync finds nothing to do. So no
   * later sync of this replica may succeed.
   */
  #notSynced(error: unknown): Error {
    this.#host.doubt(error)
    this.#unsynced ??= diskError(error)
    return this.#unsynced
  }

  /** Takes the replica away from its pipeline. */
  async takeOver(): Promise<void> {
    this.#evict()
    await this.close()
  }

  #closeFiles(finalized: boolean): Promise<void> {
    this.#filesClosed ??= (async () => {
      await this.#writeBack
      const { disk } = this.#host
      await Promise.all([disk.close(this.#data), disk.close(this.#checksums)])
      this.#host.closed(finalized)
    })()
    return this.#filesClosed
  }

  async #write(placement: Placement): Promise<void> {
    if (this.#closing) throw closedError(this.#host)
    const { data, length, at, checksums, chunk } = placement
    if (length === 0) return
    assert(at === this.#length, () => `block ${this.#host.blockId}: bytes for ${at} after ${this.#length}`)
    this.#host.reserve(length + checksums.length)
    const { disk } = this.#host
    try {
      await Promise.all([disk.writePieces(this.#data, data, length, at), disk.write(this.#checksums, checksums, headerBytes + chunk * 4)])
    } catch (error) {
      this.#host.doubt(error)
      throw diskError(error)
    }
    this.#length += length
    this.#dirty += length
    this.#host.received(this.#length)
    if (this.#dirty >= writeBackBytes) this.startSync()
  }
}

function closedError(host: WriterHost): QuarryError {
  return new QuarryError('REPLICA_STATE', `Another writer took over block ${host.blockId}, or it was deleted.`, { blockId: host.blockId })
}
