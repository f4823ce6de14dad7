// A file being written: cuts the bytes into blocks, asks the namenode for each, and closes the file.
import { Writable } from 'node:stream'
import { backoffMs } from '../../common/backoff.ts'
import { assert, must } from '../../common/assert.ts'
import { QuarryError, isQuarryError, toQuarryError } from '../../common/errors.ts'
import type { Env } from '../../common/env.ts'
import {
  blockPlacementsMax,
  chunkBytes,
  excludedNodeMs,
  namenodePatienceMs,
  packetBytesMax,
  packetsInFlightMax,
} from '../../common/limits.ts'
import { ChecksumType } from '../../proto/ports.ts'
import type { Block, ChecksumSpec, FileStatus, Init, LocatedBlock, Method, NamenodePort, ReplyOf, Request } from '../../proto/ports.ts'
import type { DatanodeSource } from '../../proto/transport/datanode-client.ts'
import type { DataOptions } from '../data-options.ts'
import type { FileWriter } from '../types.ts'
import type { LeaseRenewer } from '../lease-renewer.ts'
import { callPatiently, patienceBackoff } from '../patience.ts'
import type { BlockWriterDeps } from './block-context.ts'
import { BlockWriter } from './block-writer.ts'
import { PacketBuilder } from './packet-builder.ts'

export interface WriterDeps {
  readonly namenode: NamenodePort
  readonly datanodes: DatanodeSource
  readonly env: Env
  readonly lease: LeaseRenewer
  readonly options: DataOptions
}

export const defaultChecksum: ChecksumSpec = { type: ChecksumType.CHECKSUM_CRC32C, bytesPerChunk: chunkBytes }

/** A writer in the middle of a file waits this long for datanodes that a namenode does not know yet after its restart. */
const placementPatienceMs = 10_000

/** A datanode that is only busy is tried again soon. */
const excludedBusyMs = 5_000
/** An append waits this long for datanodes to report the last block, and asks this often, in ms. */
const unknownPlacesMs = 30_000
const placesPollMs = 500
const overloadBackoff = { baseMs: 100, maxMs: 5_000 }

type State =
  | { readonly kind: 'open' }
  | { readonly kind: 'closing'; readonly done: Promise<void> }
  | { readonly kind: 'aborted'; readonly error: QuarryError }
  | { readonly kind: 'failed'; readonly error: QuarryError }

export class BlockFileWriter implements FileWriter {
  readonly path: string
  readonly #deps: WriterDeps
  readonly #fileId: number
  readonly #replication: number
  readonly #blockSize: number
  readonly #checksum: ChecksumSpec
  readonly #builder: PacketBuilder
  readonly #letGo: () => void
  readonly #excluded = new Map<string, number>()
  #state: State = { kind: 'open' }
  #position: number
  /** The block that bytes go to now. */
  #block: BlockWriter | undefined
  /** The last block that is final, as the namenode must be told. */
  #previous: Block | undefined
  /** The end of the line of operations: they are carried out in the order of the calls. */
  #line: Promise<unknown> = Promise.resolve()
  #waiting = 0

  constructor(
    deps: WriterDeps,
    parts: {
      path: string
      file: FileStatus
      position?: number
      checksum?: ChecksumSpec
      blockOffset?: number
      signal?: AbortSignal | undefined
    },
  ) {
    this.path = parts.path
    this.#deps = deps
    this.#fileId = parts.file.fileId
    this.#replication = parts.file.replication
    this.#blockSize = parts.file.blockSize
    this.#checksum = parts.checksum ?? defaultChecksum
    const { bytesPerChunk } = this.#checksum
    this.#position = parts.position ?? 0
    this.#builder = new PacketBuilder({
      checksum: this.#checksum,
      packetBytes: Math.max(bytesPerChunk, packetBytesMax - (packetBytesMax % bytesPerChunk)),
      offset: parts.blockOffset ?? 0,
    })
    const onAbort = (): void => void this.abort(parts.signal?.reason)
    const release = deps.lease.hold(
      () =>
        void this.abort(
          new QuarryError('CLOSED', `The file system was closed while ${this.path} was open for writing.`, { path: this.path }),
        ),
    )
    this.#letGo = () => {
      release()
      parts.signal?.removeEventListener('abort', onAbort)
    }
    if (parts.signal?.aborted) onAbort()
    parts.signal?.addEventListener('abort', onAbort, { once: true })
  }

  get position(): number {
    return this.#position
  }

  /** Goes on with the last block of an appended file. */
  async reopen(last: LocatedBlock): Promise<void> {
    this.#block = BlockWriter.append(this.#blockDeps(), last)
    try {
      await this.#block.placed()
    } catch (error) {
      // Nothing was appended, but a datanode may have its replica under a new stamp already: the file is not ours to close as it was.
      await this.#call('recoverLease', { path: this.path, holder: this.#deps.lease.holder }).catch(() => {})
      this.#fail(error)
      throw error
    }
  }

  write(data: Uint8Array | string): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data
    if (this.#state.kind === 'open' && this.#waiting === 0 && bytes.length < this.#roomNow()) {
      this.#builder.add(bytes, 0, bytes.length)
      this.#position += bytes.length
      return settled
    }
    return this.#ifOpen(() => this.#write(bytes))
  }

  hflush(): Promise<void> {
    return this.#ifOpen(() => this.#flush(false))
  }

  hsync(): Promise<void> {
    return this.#ifOpen(() => this.#flush(true))
  }

  close(): Promise<void> {
    switch (this.#state.kind) {
      case 'closing':
        return this.#state.done
      case 'aborted':
        return settled
      case 'failed':
        return Promise.reject(this.#state.error)
      default: {
        const done = this.#inTurn(() => this.#finish())
        this.#state = { kind: 'closing', done }
        return done
      }
    }
  }

  async abort(reason?: unknown): Promise<void> {
    if (this.#state.kind === 'aborted' || this.#state.kind === 'failed') return
    const error =
      reason instanceof QuarryError
        ? reason
        : new QuarryError('CANCELLED', `Writing ${this.path} was given up.`, { path: this.path }, { cause: reason })
    this.#state = { kind: 'aborted', error }
    this.#block?.abort(error.message)
    this.#letGo()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  toNode(): Writable {
    return new Writable({
      highWaterMark: packetBytesMax,
      write: (chunk: Uint8Array, _encoding, callback) => void this.write(chunk).then(() => callback(), callback),
      final: (callback) => void this.close().then(() => callback(), callback),
      destroy: (error, callback) => void (error ? this.abort(error) : settled).then(() => callback(error), callback),
    })
  }

  toWeb(): WritableStream<Uint8Array> {
    return new WritableStream<Uint8Array>({
      write: (chunk) => this.write(chunk),
      close: () => this.close(),
      abort: (reason) => this.abort(reason),
    })
  }

  // --- in turn ------------------------------------------------------------------------------------------------------------

  #ifOpen(work: () => Promise<void>): Promise<void> {
    if (this.#state.kind === 'closing')
      return Promise.reject(new QuarryError('CLOSED', `${this.path} is closed for writing.`, { path: this.path }))
    return this.#inTurn(work)
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#waiting++
    const done = this.#line.then(async () => {
      try {
        if (this.#state.kind === 'failed' || this.#state.kind === 'aborted') throw this.#state.error
        await work()
      } catch (error) {
        throw this.#fail(error)
      } finally {
        this.#waiting--
      }
    })
    this.#line = done.catch(() => {})
    return done
  }

  /** The first failure is the writer's end: what was not acknowledged is lost, and everything later says so. */
  #fail(cause: unknown): QuarryError {
    if (this.#state.kind === 'failed' || this.#state.kind === 'aborted') return this.#state.error
    const error = toQuarryError(cause)
    this.#state = { kind: 'failed', error }
    this.#block?.abort(error.message)
    this.#letGo()
    return error
  }

  /** Bytes that can be taken without sending a packet. */
  #roomNow(): number {
    return Math.min(this.#blockSize - this.#builder.position, this.#builder.room)
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length;) {
      if (this.#builder.position === this.#blockSize) await this.#endBlock()
      const taken = this.#builder.add(bytes, from, this.#blockSize - this.#builder.position)
      from += taken
      this.#position += taken
      if (this.#builder.isFull) await this.#sendPacket(false)
    }
  }

  async #sendPacket(sync: boolean): Promise<void> {
    const block = (this.#block ??= await this.#newBlock())
    await block.send(this.#builder.take(), { window: packetsInFlightMax, sync })
  }

  async #flush(sync: boolean): Promise<void> {
    if (this.#builder.hasNew) await this.#sendPacket(sync)
    else if (sync && this.#block)
      await this.#block.send({ offset: this.#builder.position, data: nothing, checksums: nothing }, { window: packetsInFlightMax, sync })
    if (!this.#block) return
    await this.#block.flushed()
    if (sync) {
      await this.#call('fsync', {
        path: this.path,
        fileId: this.#fileId,
        holder: this.#deps.lease.holder,
        lastBlockLength: this.#block.acked,
      })
    }
  }

  async #endBlock(): Promise<void> {
    if (this.#builder.hasNew) await this.#sendPacket(false)
    const block = this.#block
    if (!block) return
    const written = this.#builder.position
    this.#previous = await block.seal()
    assert(
      this.#previous.length === written,
      () => `block ${this.#previous?.blockId} was sealed with ${this.#previous?.length} of ${written} bytes`,
    )
    this.#block = undefined
    this.#builder.restart()
  }

  async #finish(): Promise<void> {
    await this.#endBlock()
    await this.#complete(this.#previous)
    this.#letGo()
  }

  // --- the namenode -------------------------------------------------------------------------------------------------------

  /** Closes the file; the namenode says no as long as a block lacks its minimum of replicas. */
  async #complete(last: Block | undefined): Promise<void> {
    const { env, lease } = this.#deps
    const giveUpAtMs = env.clock.monotonicMs() + namenodePatienceMs
    for (let attempt = 0; ; attempt++) {
      const { value } = await this.#call('complete', { path: this.path, fileId: this.#fileId, holder: lease.holder, last: last ?? null })
      if (value) return
      if (env.clock.monotonicMs() >= giveUpAtMs) {
        throw new QuarryError(
          'NOT_REPLICATED_YET',
          `${this.path} cannot be closed: its last block has not reached the minimum of replicas after ${namenodePatienceMs / 1000} s.`,
          { path: this.path },
        )
      }
      await env.clock.sleep(backoffMs(attempt, patienceBackoff, env.random))
    }
  }

  /** A block with a pipeline that stands. */
  async #newBlock(): Promise<BlockWriter> {
    const { env, lease } = this.#deps
    const reasons: string[] = []
    for (let attempt = 0; attempt < blockPlacementsMax; attempt++) {
      const located = await this.#addBlock()
      const writer = BlockWriter.create(this.#blockDeps(), located)
      const failure = await writer.placed()
      if (!failure) return writer
      reasons.push(`${failure.bad}: ${failure.reason}`)
      env.log.warn('block.unplaced', { path: this.path, blockId: located.block?.blockId, ...failure })
      await this.#call('abandonBlock', { path: this.path, fileId: this.#fileId, holder: lease.holder, block: located.block })
      if (failure.overloaded) await env.clock.sleep(backoffMs(attempt, overloadBackoff, env.random))
      this.#excluded.set(failure.bad, env.clock.monotonicMs() + (failure.overloaded ? excludedBusyMs : excludedNodeMs))
    }
    throw new QuarryError(
      'PIPELINE_FAILED',
      `No pipeline for a block of ${this.path} could be set up in ${blockPlacementsMax} attempts (${reasons.join('; ')}). \`quarry dfsadmin -report\` shows the datanodes.`,
      { path: this.path },
    )
  }

  async #addBlock(): Promise<LocatedBlock> {
    const { env, lease } = this.#deps
    const startedMs = env.clock.monotonicMs()
    for (let attempt = 0; ; attempt++) {
      try {
        const { block } = await this.#call('addBlock', {
          path: this.path,
          fileId: this.#fileId,
          holder: lease.holder,
          previous: this.#previous ?? null,
          excluded: this.#excludedNow(),
        })
        if (block && block.locations.length > 0) return block
        // The answer to a retry of a call that was carried out before the namenode restarted: the block is there, its datanodes are
        // not known any more, and nothing was written to it. Another takes its place.
        if (block) await this.#call('abandonBlock', { path: this.path, fileId: this.#fileId, holder: lease.holder, block: block.block })
        throw new QuarryError('NOT_REPLICATED_YET', `The namenode named no datanode for a block of ${this.path}.`, { path: this.path })
      } catch (error) {
        if (isQuarryError(error, 'NO_TARGETS') && this.#excluded.size > 0) {
          // Better a datanode that failed a while ago than none.
          this.#excluded.clear()
          continue
        }
        const worthMs = isQuarryError(error, 'NOT_REPLICATED_YET')
          ? namenodePatienceMs
          : isQuarryError(error, 'NO_TARGETS') && this.#previous
            ? placementPatienceMs
            : 0
        if (env.clock.monotonicMs() - startedMs >= worthMs) throw error
        await env.clock.sleep(backoffMs(attempt, patienceBackoff, env.random))
      }
    }
  }

  #call<M extends Method>(method: M, request: Init<Request<M>>): Promise<ReplyOf<M>> {
    return callPatiently(this.#deps.namenode, this.#deps.env, method, request)
  }

  #excludedNow(): string[] {
    const nowMs = this.#deps.env.clock.monotonicMs()
    for (const [node, untilMs] of this.#excluded) if (untilMs <= nowMs) this.#excluded.delete(node)
    return [...this.#excluded.keys()]
  }

  #blockDeps(): BlockWriterDeps {
    const { namenode, datanodes, env, lease, options } = this.#deps
    return {
      namenode,
      datanodes,
      env,
      options,
      holder: lease.holder,
      file: { path: this.path, fileId: this.#fileId, replication: this.#replication },
      checksum: this.#checksum,
      blockSize: this.#blockSize,
      release: (data) => this.#builder.recycle(data),
      exclude: (node) => this.#excluded.set(node, env.clock.monotonicMs() + excludedNodeMs),
    }
  }
}

/** Opens an existing file for writing at its end. */
export async function openForAppend(deps: WriterDeps, path: string, signal?: AbortSignal): Promise<BlockFileWriter> {
  const { lastBlock, file } = await deps.namenode.call('append', { path, holder: deps.lease.holder }, { signal })
  const status = must(file)
  const last = lastBlock?.block ? await placed(deps, path, lastBlock, signal) : undefined
  if (!last) return new BlockFileWriter(deps, { path, file: status, position: status.length, signal })
  const length = must(last.block).length
  const writer = new BlockFileWriter(deps, {
    path,
    file: status,
    position: last.offset + length,
    blockOffset: length,
    signal,
    checksum: await checksumOf(deps, last),
  })
  await writer.reopen(last)
  return writer
}

/**
 * The last block with the datanodes that hold it. A namenode that has just started may not know them yet, though it has opened the
 * file: they report within seconds.
 */
async function placed(deps: WriterDeps, path: string, last: LocatedBlock, signal?: AbortSignal): Promise<LocatedBlock> {
  const { clock } = deps.env
  const untilMs = clock.monotonicMs() + unknownPlacesMs
  for (let found = last; ;) {
    if (found.locations.length > 0) return { ...last, locations: found.locations }
    if (clock.monotonicMs() >= untilMs) break
    await clock.sleep(placesPollMs)
    const { blocks } = await deps.namenode.call('getBlockLocations', { path, offset: last.offset, length: 1 }, { signal })
    if (blocks?.lastBlock?.block?.blockId === last.block?.blockId) found = must(blocks?.lastBlock)
  }
  // Nothing was written: the file is closed again as soon as somebody reports the block. Should this be lost, too, the lease ends by itself.
  await deps.namenode.call('recoverLease', { path, holder: deps.lease.holder }, { signal }).catch((error: unknown) => {
    deps.env.log.debug('lease.recovery.failed', { path, reason: toQuarryError(error).message })
  })
  throw new QuarryError(
    'BLOCK_MISSING',
    `Cannot append to ${path}: no datanode has reported its last block ${last.block?.blockId}. quarry fsck ${path} tells more.`,
    { path },
  )
}

/** How the block that goes on is checksummed: by whoever wrote it first. */
async function checksumOf(deps: WriterDeps, last: LocatedBlock): Promise<ChecksumSpec> {
  for (const { datanode } of last.locations) {
    try {
      const { checksum } = await deps.datanodes.get(must(datanode)).replicaInfo({ poolId: deps.namenode.poolId, block: last.block })
      if (checksum) return checksum
    } catch (error) {
      deps.env.log.debug('replica.info.failed', { blockId: last.block?.blockId, reason: toQuarryError(error).message })
    }
  }
  // The pipeline finds out by itself which of the datanodes are gone.
  return defaultChecksum
}

const nothing = new Uint8Array(0)
const settled = Promise.resolve()
