// A replica open for reading. Holding the descriptors keeps its bytes readable while it is deleted or renamed.
import { QuarryError } from '../../common/errors.ts'
import { ReplicaState } from '../../proto/ports.ts'
import type { Checksummer } from '../core/packet-receiver.ts'
import type { ReplicaId } from '../core/replica.ts'
import { decodeHeader, headerBytes } from './checksum-file.ts'
import { isMissing, isUnreadable } from './disk-errors.ts'
import type { Disk } from './disk.ts'
import type { ReplicaRecord, ReplicaStore } from './replica-store.ts'

/** Times that opening is tried again when the files were renamed between looking and opening. */
const openAttemptsMax = 5

export class ReplicaReader {
  readonly sum: Checksummer
  /** Visible length when opened. */
  readonly length: number
  readonly genstamp: number
  readonly #disk: Disk
  readonly #record: ReplicaRecord
  readonly #data: number
  readonly #checksums: number
  #closed = false

  private constructor(
    disk: Disk,
    record: ReplicaRecord,
    snapshot: { length: number; genstamp: number },
    files: { data: number; checksums: number },
    sum: Checksummer,
  ) {
    this.#disk = disk
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
        return new ReplicaReader(disk, record, snapshot, { data: opened[0]!, checksums: opened[1]! }, sum)
      } catch (error) {
        await Promise.allSettled(opened.map((fd) => disk.close(fd)))
        if (!isMissing(error)) {
          record.storage.doubt(error)
          throw error
        }
        if (attempt >= openAttemptsMax) {
          record.storage.doubt(error)
          throw new QuarryError('REPLICA_NOT_FOUND', `The files of block ${record.blockId} are missing.`, {
            blockId: record.blockId,
            missing: true,
          })
        }
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
      this.#disk.read(this.#data, into, 0, length, start),
      this.#disk.read(this.#checksums, sums, 0, sumsLength, headerBytes + (start / bytesPerChunk) * 4),
    ]
    let data: number
    let checksums: number
    try {
      data = await ofData
      checksums = await ofChecksums
    } catch (error) {
      // Both have ended before the caller has its buffers back.
      await Promise.allSettled([ofData, ofChecksums])
      throw this.#failed(error)
    }
    if (data !== length || checksums !== sumsLength) {
      throw new QuarryError('CHECKSUM', `The files of block ${this.#record.blockId} are shorter than its ${this.length} bytes.`, {
        blockId: this.#record.blockId,
      })
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
      return await this.#disk.read(this.#data, into, 0, length, start)
    } catch (error) {
      throw this.#failed(error)
    }
  }

  /** Stored checksums of the chunks from `chunk` on. */
  async readChecksums(chunk: number, into: Uint8Array, length: number): Promise<number> {
    try {
      return await this.#disk.read(this.#checksums, into, 0, length, headerBytes + chunk * 4)
    } catch (error) {
      throw this.#failed(error)
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all([this.#disk.close(this.#data), this.#disk.close(this.#checksums)])
  }

  /** Bytes that the disk does not give are as bad as bytes that do not match: the reader goes elsewhere. */
  #failed(error: unknown): unknown {
    this.#record.storage.doubt(error)
    if (!isUnreadable(error)) return error
    return new QuarryError(
      'CHECKSUM',
      `The replica of block ${this.#record.blockId} cannot be read from its disk: ${(error as Error).message}`,
      { blockId: this.#record.blockId },
      { cause: error },
    )
  }

  #mayHaveGrown(): boolean {
    return (
      this.#record.state !== ReplicaState.REPLICA_FINALIZED ||
      this.#record.genstamp !== this.genstamp ||
      this.#record.length !== this.length
    )
  }
}
