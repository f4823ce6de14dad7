// Reads block files directly where a datanode lives on this very host. The datanode says where a finalised replica's two files
// are; the bytes are checked against the stored checksums exactly as if they had come over the network.
//
// Anything unusual (other host, file gone, no right to open it, odd header) means: read through the datanode instead. A datanode that
// does not answer within read.timeout is silent, though, and the read goes on with another replica.
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { must } from '../../common/assert.ts'
import type { Clock } from '../../common/env.ts'
import { isQuarryError } from '../../common/errors.ts'
import { hostId } from '../../common/host-id.ts'
import { ReplicaState } from '../../proto/ports.ts'
import type { Block, ChecksumSpec, ReplicaLocation } from '../../proto/ports.ts'
import type { DatanodeSource } from '../../proto/transport/datanode-client.ts'
import { checksumBytes, firstMismatch } from '../chunk-check.ts'
import { mismatch } from './remote-replica.ts'
import type { ReplicaRange } from './remote-replica.ts'

/** Bytes read and checked at a time. */
const pieceBytes = 1024 * 1024
/** Pieces being read while the consumer looks at one: the disk and the checksums work side by side. */
const piecesAhead = 2
/** Replicas whose files stay open between reads, and how long they do: long enough for a program that reads here and there. */
const idleMax = 16
const idleMs = 2_000
/** A first look at a block this small is not worth asking for its files. */
const worthwhileBytes = 256 * 1024
/** The first bytes of a checksum file. */
const checksumFileMagic = 0x51435243

interface OpenReplica {
  readonly data: FileHandle
  readonly checksums: FileHandle
  readonly spec: ChecksumSpec
  readonly length: number
  /** Where the first chunk's checksum stands: everything before is the file's header. */
  readonly checksumsAt: number
  /** Reads under way. */
  users: number
  /** Set while nobody reads: the files are closed when it fires. */
  stopIdle: (() => void) | undefined
  /** No read may begin any more. */
  retired: boolean
}

export class LocalReplicas {
  readonly #datanodes: DatanodeSource
  readonly #clock: Clock
  /** By block, stamp and datanode; undefined inside: to be read through the datanode. */
  readonly #replicas = new Map<string, Promise<OpenReplica | undefined>>()
  /** Blocks that were looked at once: the second time the files are worth opening. */
  readonly #seen = new Set<number>()
  #closed = false

  constructor(datanodes: DatanodeSource, clock: Clock) {
    this.#datanodes = datanodes
    this.#clock = clock
  }

  /**
   * The bytes of the range, or undefined when they must come through the datanode. The iteration must be run, or returned. Rejects
   * with TIMEOUT when the datanode is silent.
   */
  async read(range: ReplicaRange): Promise<AsyncGenerator<Uint8Array, void, undefined> | undefined> {
    const datanode = range.location.datanode
    if (this.#closed || !datanode || datanode.hostId === '' || datanode.hostId !== hostId()) return undefined
    const key = keyOf(range.block, range.location)
    if (!this.#replicas.has(key) && !this.#seen.has(range.block.blockId)) {
      this.#seen.add(range.block.blockId)
      if (range.length < worthwhileBytes) return undefined
    }
    let opening = this.#replicas.get(key)
    if (!opening) {
      opening = this.#open(range).catch((error: unknown) => {
        if (!isQuarryError(error, 'TIMEOUT')) return undefined
        this.#replicas.delete(key)
        throw error
      })
      // Whoever reads waits for it; `close` and others look only at what was opened.
      opening.catch(() => {})
      this.#replicas.set(key, opening)
    }
    const replica = await opening
    if (!replica || this.#closed || replica.retired || range.offset + range.length > replica.length) return undefined
    return this.#readPieces(replica, range)
  }

  /** The files of this replica gave trouble: they are not asked again. */
  async distrust(range: ReplicaRange): Promise<void> {
    const key = keyOf(range.block, range.location)
    const replica = await this.#replicas.get(key)?.catch(() => undefined)
    this.#replicas.set(key, Promise.resolve(undefined))
    if (replica) await retire(replica)
  }

  async close(): Promise<void> {
    this.#closed = true
    const open = [...this.#replicas.values()]
    this.#replicas.clear()
    for (const opening of open) {
      const replica = await opening.catch(() => undefined)
      if (replica) await retire(replica)
    }
  }

  async #open(range: ReplicaRange): Promise<OpenReplica | undefined> {
    const { poolId, block, location, signal, timeoutMs } = range
    const datanode = this.#datanodes.get(must(location.datanode))
    const info = await datanode.replicaInfo({ poolId, block, wantLocalPath: true }, { signal, deadlineMs: timeoutMs })
    if (info.dataPath === '' || info.checksumPath === '' || info.state !== ReplicaState.REPLICA_FINALIZED || !info.block || !info.checksum)
      return undefined
    const data = await open(info.dataPath, 'r')
    let checksums: FileHandle | undefined
    try {
      checksums = await open(info.checksumPath, 'r')
      const { length } = info.block
      const checksumsAt = (await checksums.stat()).size - checksumBytes(info.checksum, length)
      const header = Buffer.alloc(4)
      await checksums.read(header, 0, 4, 0)
      if ((await data.stat()).size === length && checksumsAt >= 4 && header.readUInt32BE(0) === checksumFileMagic && !this.#closed) {
        return this.#released({ data, checksums, spec: info.checksum, length, checksumsAt, users: 1, stopIdle: undefined, retired: false })
      }
    } catch {
      // As good as not there.
    }
    await data.close()
    await checksums?.close()
    return undefined
  }

  async *#readPieces(replica: OpenReplica, range: ReplicaRange): AsyncGenerator<Uint8Array, void, undefined> {
    const { bytesPerChunk } = replica.spec
    const end = range.offset + range.length
    const stop = Math.min(replica.length, Math.ceil(end / bytesPerChunk) * bytesPerChunk)
    const perPiece = Math.max(bytesPerChunk, pieceBytes - (pieceBytes % bytesPerChunk))
    const ahead: { readonly at: number; readonly bytes: Promise<Uint8Array> }[] = []
    let next = range.offset - (range.offset % bytesPerChunk)
    if (replica.retired) throw new Error('the block file was closed before it was read')
    replica.users++
    replica.stopIdle?.()
    try {
      while (next < stop || ahead.length > 0) {
        while (next < stop && ahead.length < piecesAhead) {
          const bytes = readPiece(replica, range, next, Math.min(perPiece, stop - next))
          // A piece that is never reached must not be an unhandled rejection.
          bytes.catch(() => {})
          ahead.push({ at: next, bytes })
          next += perPiece
        }
        const { at, bytes } = ahead.shift()!
        const piece = await bytes
        yield piece.subarray(Math.max(0, range.offset - at), Math.min(piece.length, end - at))
      }
    } finally {
      await Promise.allSettled(ahead.map((piece) => piece.bytes))
      this.#released(replica)
    }
  }

  /** A read is over. Files that nobody reads are closed in a while, so that a reader that was never closed leaks nothing. */
  #released(replica: OpenReplica): OpenReplica {
    if (--replica.users > 0) return replica
    if (replica.retired) void closeFiles(replica)
    else {
      const tooMany = this.#replicas.size > idleMax
      replica.stopIdle = this.#clock.after(tooMany ? 0 : idleMs, () => {
        if (replica.users > 0) return
        for (const [key, opening] of this.#replicas)
          void opening.then(
            (one) => one === replica && this.#replicas.delete(key),
            () => {},
          )
        void retire(replica)
      })
    }
    return replica
  }
}

function keyOf(block: Block, location: ReplicaLocation): string {
  return `${block.blockId}:${block.genstamp}:${location.datanode?.uuid ?? ''}`
}

/** Closes the files, at once or when the reads under way are over. */
async function retire(replica: OpenReplica): Promise<void> {
  if (replica.retired) return
  replica.retired = true
  replica.stopIdle?.()
  if (replica.users === 0) await closeFiles(replica)
}

async function closeFiles(replica: OpenReplica): Promise<void> {
  await replica.data.close()
  await replica.checksums.close()
}

/** Whole chunks, read and checked. */
async function readPiece(replica: OpenReplica, range: ReplicaRange, offset: number, length: number): Promise<Uint8Array> {
  const { spec } = replica
  const checksums = Buffer.allocUnsafe(checksumBytes(spec, length))
  const data = Buffer.allocUnsafe(length)
  await Promise.all([
    readFully(replica.data, data, offset),
    readFully(replica.checksums, checksums, replica.checksumsAt + checksumBytes(spec, offset)),
  ])
  const bad = firstMismatch(spec, data, checksums)
  if (bad >= 0) throw mismatch(range, offset + bad * spec.bytesPerChunk)
  return data
}

async function readFully(file: FileHandle, buffer: Buffer, position: number): Promise<void> {
  for (let at = 0; at < buffer.length;) {
    const { bytesRead } = await file.read(buffer, at, buffer.length - at, position + at)
    if (bytesRead === 0) throw new Error(`a block file ended ${buffer.length - at} bytes early`)
    at += bytesRead
  }
}
