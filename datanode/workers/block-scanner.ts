// Reads every finalised replica now and then and checks it against its checksums: damage that no reader would meet for years is found
// while other copies are good. One scanner for each storage; core/scan-schedule.ts says what is next.
//
// A replica that is appended to, deleted or replaced while it is read says nothing: whatever was found is dropped. A file that is
// missing is handed on, for a race is not told from a loss here.
import { join } from 'node:path'
import type { Env } from '../../common/env.ts'
import { isQuarryError } from '../../common/errors.ts'
import { ReplicaState } from '../../proto/ports.ts'
import type { Block } from '../../proto/ports.ts'
import { packetDataBytes } from '../core/read-plan.ts'
import { scanPauseMs, ScanSchedule } from '../core/scan-schedule.ts'
import type { ScanCursor } from '../core/scan-schedule.ts'
import { Throttle } from '../core/throttle.ts'
import type { DatanodeMetrics } from '../service/metrics.ts'
import { firstBadOf } from '../store/checksum-file.ts'
import { isMissing } from '../store/disk-errors.ts'
import { cursorFile } from '../store/layout.ts'
import { ReplicaReader } from '../store/replica-reader.ts'
import type { ReplicaRecord, ReplicaStore } from '../store/replica-store.ts'
import { replaceFile } from '../store/small-file.ts'
import type { StorageDirectory } from '../store/storage-directory.ts'

/** Bytes read at once: small enough not to hold up a stream on the same disk. */
const readBytes = 256 * 1024
/** The cursor is saved this often, and at the end. HDFS: 10 minutes. */
const saveEveryMs = 600_000

export interface BlockScannerDeps {
  readonly env: Env
  readonly store: ReplicaStore
  readonly metrics: DatanodeMetrics
  /** Every replica is read once in this time; 0 = suspects only. */
  readonly periodMs: number
  /** Of each storage; 0 = no scanner. */
  readonly bytesPerSecond: number
  reportBad(block: Block, storageUuid: string, reason: string): void
  /** Files of a replica that should be there are not. */
  missing(replica: ReplicaRecord): void
}

export interface ScanProgress {
  readonly dir: string
  /** When the pass under way, or the last one, began; ms since the epoch. */
  readonly startedMs: number
  readonly done: boolean
  /** Replicas of the pass since it was begun or taken up again. */
  readonly total: number
  readonly read: number
  readonly suspects: number
}

export class BlockScanner {
  readonly #deps: BlockScannerDeps
  readonly #scans: StorageScan[]
  #running: Promise<unknown> | undefined

  constructor(deps: BlockScannerDeps) {
    this.#deps = deps
    this.#scans = deps.bytesPerSecond === 0 ? [] : deps.store.storages.map((storage) => new StorageScan(deps, storage))
  }

  start(): void {
    this.#running ??= Promise.all(this.#scans.map((scan) => scan.run()))
  }

  /** Somebody complained about a replica: it is read before all others. */
  suspect(blockId: number): void {
    const storage = this.#deps.store.get(blockId)?.storage
    this.#scans.find((scan) => scan.storage === storage)?.suspect(blockId)
  }

  get progress(): readonly ScanProgress[] {
    return this.#scans.map((scan) => scan.progress)
  }

  /** Saves the cursors. Idempotent. */
  async close(): Promise<void> {
    for (const scan of this.#scans) scan.stop()
    await this.#running
  }
}

class StorageScan {
  readonly storage: StorageDirectory
  readonly #deps: BlockScannerDeps
  readonly #throttle: Throttle
  readonly #stopped = new AbortController()
  #schedule: ScanSchedule
  /** Ends a rest early. */
  #wake = new AbortController()
  /** Read at the moment; 0 = none. */
  #reading = 0

  constructor(deps: BlockScannerDeps, storage: StorageDirectory) {
    this.#deps = deps
    this.storage = storage
    this.#throttle = new Throttle(deps.bytesPerSecond)
    this.#schedule = new ScanSchedule(deps.periodMs, undefined, deps.env.clock.nowMs())
  }

  get progress(): ScanProgress {
    const { startedMs, done } = this.#schedule.cursor
    return { dir: this.storage.paths.root, startedMs, done, ...this.#schedule.progress }
  }

  stop(): void {
    this.#stopped.abort()
    this.#wake.abort()
  }

  suspect(blockId: number): void {
    // What is being read right now complains about itself.
    if (blockId !== this.#reading && this.#schedule.suspect(blockId, this.#deps.env.clock.nowMs())) this.#wake.abort()
  }

  async run(): Promise<void> {
    const { env, store } = this.#deps
    const { signal } = this.#stopped
    const cursor = await this.#load()
    if (cursor !== undefined) this.#schedule = new ScanSchedule(this.#deps.periodMs, cursor, env.clock.nowMs())
    let savedMs = env.clock.monotonicMs()
    while (!signal.aborted && !this.storage.failed) {
      const step = this.#schedule.next(env.clock.nowMs())
      if (step.kind === 'rest') await this.#rest(step.ms)
      else if (step.kind === 'list') this.#schedule.list(store.finalizedIds(this.storage))
      else {
        await this.#scan(step.blockId, step.suspect)
        if (!step.suspect && !signal.aborted) this.#schedule.read(step.blockId)
      }
      if (env.clock.monotonicMs() - savedMs < saveEveryMs) continue
      await this.#save()
      savedMs = env.clock.monotonicMs()
    }
    await this.#save()
  }

  async #rest(ms: number): Promise<void> {
    if (this.#stopped.signal.aborted) return
    await this.#deps.env.clock.sleep(ms, this.#wake.signal).catch(() => {})
    if (this.#wake.signal.aborted) this.#wake = new AbortController()
    if (this.#stopped.signal.aborted) this.#wake.abort()
  }

  async #scan(blockId: number, suspect: boolean): Promise<void> {
    const { env, store, metrics } = this.#deps
    const replica = store.get(blockId)
    if (replica === undefined || replica.state !== ReplicaState.REPLICA_FINALIZED || replica.storage !== this.storage) return
    const { genstamp, length } = replica
    const same = () =>
      store.get(blockId) === replica &&
      replica.state === ReplicaState.REPLICA_FINALIZED &&
      replica.genstamp === genstamp &&
      replica.length === length
    this.#reading = blockId
    try {
      const wrong = await this.#check(replica, same)
      if (this.#stopped.signal.aborted || !same()) return
      metrics.scannedBlocks++
      if (suspect) metrics.scannedSuspects++
      if (wrong === undefined) return
      metrics.badReplicas++
      this.#deps.reportBad({ blockId, genstamp, length }, this.storage.uuid, wrong)
    } catch (error) {
      if (!same()) return
      if (isQuarryError(error, 'REPLICA_NOT_FOUND')) this.#deps.missing(replica)
      else env.log.warn('replica.scan.failed', { blockId, error })
    } finally {
      this.#reading = 0
    }
  }

  /** What is wrong with the replica; undefined = nothing, or it is not the same any more. */
  async #check(replica: ReplicaRecord, same: () => boolean): Promise<string | undefined> {
    const { store, env, metrics } = this.#deps
    const { signal } = this.#stopped
    let reader: ReplicaReader
    try {
      reader = await ReplicaReader.open(store, replica)
    } catch (error) {
      if (isQuarryError(error, 'CHECKSUM')) return error.message
      throw error
    }
    try {
      const { bytesPerChunk } = reader.sum
      const step = packetDataBytes(bytesPerChunk, readBytes)
      const data = Buffer.allocUnsafeSlow(Math.min(step, reader.length))
      const sums = Buffer.allocUnsafeSlow(Math.ceil(step / bytesPerChunk) * 4)
      for (let offset = 0; offset < reader.length; offset += step) {
        const length = Math.min(step, reader.length - offset)
        const beganMs = env.clock.monotonicMs()
        await reader.read(offset, length, data, sums)
        const bad = firstBadOf(reader.sum, data.subarray(0, length), sums)
        metrics.scannedBytes += length
        if (!same()) return undefined
        if (bad >= 0) return `the scanner found bytes ${offset + bad * bytesPerChunk} and on not matching their checksum`
        await this.#pause(length, env.clock.monotonicMs() - beganMs)
        if (signal.aborted) return undefined
      }
      return undefined
    } catch (error) {
      if (isQuarryError(error, 'CHECKSUM')) return error.message
      throw error
    } finally {
      await reader.close()
    }
  }

  async #pause(bytes: number, tookMs: number): Promise<void> {
    const { env, metrics } = this.#deps
    const nowMs = env.clock.monotonicMs()
    const rateMs = this.#throttle.waitMs(this.#throttle.take(bytes, nowMs), nowMs)
    const ms = scanPauseMs({ tookMs, rateMs, streams: metrics.readers + metrics.writers + metrics.transfers })
    if (ms > 0) await env.clock.sleep(ms, this.#stopped.signal).catch(() => {})
  }

  async #load(): Promise<ScanCursor | undefined> {
    try {
      const text = Buffer.from(await this.#deps.store.disk.readFile(join(this.storage.paths.root, cursorFile))).toString('utf8')
      const { startedMs, afterBlockId, done } = JSON.parse(text) as Partial<ScanCursor>
      if (Number.isFinite(startedMs) && Number.isSafeInteger(afterBlockId) && typeof done === 'boolean')
        return { startedMs: startedMs!, afterBlockId: afterBlockId!, done }
      this.#deps.env.log.warn('scanner.cursor.damaged', { dir: this.storage.paths.root })
    } catch (error) {
      if (!isMissing(error)) this.#deps.env.log.warn('scanner.cursor.unreadable', { dir: this.storage.paths.root, error })
    }
    return undefined
  }

  async #save(): Promise<void> {
    if (this.storage.failed) return
    try {
      await replaceFile(this.#deps.store.disk, join(this.storage.paths.root, cursorFile), `${JSON.stringify(this.#schedule.cursor)}\n`)
    } catch (error) {
      this.storage.doubt(error)
      this.#deps.env.log.warn('scanner.cursor.unsaved', { dir: this.storage.paths.root, error })
    }
  }
}
