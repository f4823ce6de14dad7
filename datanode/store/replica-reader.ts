// A replica open for reading. Holding the descriptors keeps its bytes readable while it is deleted or renamed.
import { isQuarryError, QuarryError } from '../../common/errors.ts'
import { ReplicaState } from '../../proto/ports.ts'
import type { Checksummer } from '../core/packet-receiver.ts'
import type { ReplicaId } from '../core/replica.ts'
import { decodeHeader, headerBytes } from './checksum-file.ts'
import { isMissing, isUnreadable } from './disk-errors.ts'
import type { ReplicaRecord, ReplicaStore } from './replica-store.ts'

/** Times that opening is tried again when the files were renamed between looking and opening. */
const openAttemptsMax = 5
/** Wait before the second look, more before each later one: a rename takes a moment. */
const openAgainMs = 5

export class ReplicaReader {
  readonly sum: Checksummer
  /** Visible length when opened. */
  readonly length: number
  readonly genstamp: number
  readonly #store: ReplicaStore
  readonly #record: ReplicaRecord
  readonly #data: number
  readonly #checksums: number
  #closed = false

  private constructor(
    store: ReplicaStore,
    record: ReplicaRecord,
    snapshot: { length: number; genstamp: number },
    files: { data: number; checksums: number },
    sum: Checksummer,
  ) {
    this.#store = store
    this.#record = record
    this.length = snapshot.length
    this.genstamp = snapshot.genstamp
    this.#data = files.data
    this.#checksums = files.checksums
    this.sum = sum
  }

  /** Throws REPLICA_NOT_FOUND, or CHECKSUM when the checksum file is no such file. */
  static async open(store: ReplicaStore, id: ReplicaId): Promise<ReplicaReader> {
    const { disk } = store
    for (let attempt = 1; ; attempt++) {
      const record = store.find(id)
      const snapshot = { length: record.visible, genstamp: record.genstamp }
      const paths = [store.dataPath(record), store.checksumPath(record)] as const
      const opened: number[] = []
      try {
        for (const path of paths) opened.push(await disk.open(path, 'r'))
        const header = Buffer.allocUnsafe(headerBytes)
        const got = await disk.read(opened[1]!, header, 0, headerBytes, 0)
        const sum = decodeHeader(header.subarray(0, got))
        if (sum === undefined)
          throw new QuarryError('CHECKSUM', `The checksum file of block ${record.blockId} is damaged.`, { blockId: record.blockId })
        return new ReplicaReader(store, record, snapshot, { data: opened[0]!, checksums: opened[1]! }, sum)
      } catch (error) {
        await Promise.allSettled(opened.map((fd) => disk.close(fd)))
        if (!isMissing(error)) throw complained(store, record, error)
        // Renamed between looking and opening, or really gone?
        if (attempt < openAttemptsMax) {
          await store.clock.sleep(openAgainMs * attempt)
          continue
        }
        throw complained(
          store,
          record,
          new QuarryError(
            'REPLICA_NOT_FOUND',
            `The files of block ${record.blockId} are missing.`,
            { blockId: record.blockId, missing: true },
            { cause: error },
          ),
        )
      }
    }
  }

  /**
   * Reads [start, start + length) into `into`, and the checksums of its chunks as stored into `sums`. `start` lies on a chunk.
   * Throws CHECKSUM when the files are shorter than the replica.
   */
  async read(start: number, length: number, into: Uint8Array, sums: Uint8Array): Promise<void> {
    const { bytesPerChunk, crc } = this.sum
    const sumsLength = crc === undefined ? 0 : Math.ceil(length / bytesPerChunk) * 4
    const [ofData, ofChecksums] = [
      this.#store.disk.read(this.#data, into, 0, length, start),
      this.#store.disk.read(this.#checksums, sums, 0, sumsLength, headerBytes + (start / bytesPerChunk) * 4),
    ]
    let got: number[]
    try {
      got = await Promise.all([ofData, ofChecksums])
    } catch (error) {
      // Both have ended before the caller has its buffers back.
      await Promise.allSettled([ofData, ofChecksums])
      throw complained(this.#store, this.#record, error)
    }
    if (got[0] !== length || got[1] !== sumsLength) {
      throw complained(
        this.#store,
        this.#record,
        new QuarryError('CHECKSUM', `The files of block ${this.#record.blockId} are shorter than its ${this.length} bytes.`, {
          blockId: this.#record.blockId,
        }),
      )
    }
    if (crc !== undefined && start + length === this.length && length % bytesPerChunk !== 0 && this.#mayHaveGrown()) {
      // A writer goes on in the last chunk: its stored checksum may cover more bytes than this reader may see.
      const from = length - (length % bytesPerChunk)
      new DataView(sums.buffer, sums.byteOffset).setUint32(sumsLength - 4, crc(into.subarray(from, length)))
    }
  }

  /** Bytes of the data as they are, without their checksums. */
  async readData(start: number, length: number, into: Uint8Array): Promise<number> {
    try {
      return await this.#store.disk.read(this.#data, into, 0, length, start)
    } catch (error) {
      throw complained(this.#store, this.#record, error)
    }
  }

  /** Stored checksums of the chunks from `chunk` on. */
  async readChecksums(chunk: number, into: Uint8Array, length: number): Promise<number> {
    try {
      return await this.#store.disk.read(this.#checksums, into, 0, length, headerBytes + chunk * 4)
    } catch (error) {
      throw complained(this.#store, this.#record, error)
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all([this.#store.disk.close(this.#data), this.#store.disk.close(this.#checksums)])
  }

  #mayHaveGrown(): boolean {
    return (
      this.#record.state !== ReplicaState.REPLICA_FINALIZED ||
      this.#record.genstamp !== this.genstamp ||
      this.#record.length !== this.length
    )
  }
}

/**
 * What a reader is told, once the disk is doubted and the replica suspected as the error demands. Bytes that the disk does not give are
 * as bad as bytes that do not match: the reader goes elsewhere.
 */
function complained(store: ReplicaStore, record: ReplicaRecord, error: unknown): unknown {
  record.storage.doubt(isQuarryError(error) ? error.cause : error)
  const told = isUnreadable(error)
    ? new QuarryError(
        'CHECKSUM',
        `The replica of block ${record.blockId} cannot be read from its disk: ${(error as Error).message}`,
        { blockId: record.blockId },
        { cause: error },
      )
    : error
  if (isQuarryError(told, 'CHECKSUM') || isQuarryError(told, 'REPLICA_NOT_FOUND')) store.onSuspect(record)
  return told
}
