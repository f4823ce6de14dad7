// Compares the files on the disks with what the node knows, now and then and when asked: files that somebody removed or changed by
// hand are found, files that came back are taken up. What a difference means is in store/reconcile.ts.
import type { Env } from '../../common/env.ts'
import { ReplicaState } from '../../proto/ports.ts'
import type { Block } from '../../proto/ports.ts'
import { scanPauseMs } from '../core/scan-schedule.ts'
import type { DatanodeMetrics } from '../service/metrics.ts'
import { isMissing } from '../store/disk-errors.ts'
import { checksumName, dataName, finalizedDirectories, finalizedDirectory } from '../store/layout.ts'
import { examineKnown, examineUnknown, listBlockFiles } from '../store/reconcile.ts'
import type { BlockFiles, Finding } from '../store/reconcile.ts'
import type { ReplicaRecord, ReplicaStore } from '../store/replica-store.ts'
import type { StorageDirectory } from '../store/storage-directory.ts'
import { verifyMetaFile } from '../store/verify-meta.ts'

export interface DirectoryScannerDeps {
  readonly env: Env
  readonly store: ReplicaStore
  readonly metrics: DatanodeMetrics
  /** 0 = only when asked. */
  readonly intervalMs: number
  reportBad(block: Block, storageUuid: string, reason: string): void
  /** Looks at a disk of which files are missing: whether it is well. */
  diskIsWell(storage: StorageDirectory): Promise<boolean>
}

export interface DirectoryReport {
  /** Blocks looked at. */
  checked: number
  /** Known replicas without their data, forgotten. */
  lost: number
  /** Known replicas whose files are not what they should be, reported. */
  bad: number
  /** Replicas that were not known, taken up. */
  adopted: number
  /** Files left where they are, and checksum files removed. */
  stray: number
  removed: number
}

export class DirectoryScanner {
  readonly #deps: DirectoryScannerDeps
  readonly #stopped = new AbortController()
  #running: Promise<void> | undefined
  #scanning: Promise<DirectoryReport> | undefined
  /** What the last scan found. */
  last: (DirectoryReport & { readonly endedMs: number }) | undefined

  constructor(deps: DirectoryScannerDeps) {
    this.#deps = deps
  }

  start(): void {
    if (this.#deps.intervalMs > 0) this.#running ??= this.#everyInterval()
  }

  /** Scans all storages now, or joins the scan under way. */
  scan(): Promise<DirectoryReport> {
    this.#scanning ??= this.#scanAll().finally(() => (this.#scanning = undefined))
    return this.#scanning
  }

  /** Looks at one replica of which somebody says that its files are missing. */
  async check(replica: ReplicaRecord): Promise<void> {
    const report = emptyReport()
    try {
      await this.#known(replica.storage, replica, report)
    } catch (error) {
      replica.storage.doubt(error)
      this.#deps.env.log.warn('replica.check.failed', { blockId: replica.blockId, error })
    }
  }

  async close(): Promise<void> {
    this.#stopped.abort()
    await this.#running
    await this.#scanning?.catch(() => {})
  }

  async #everyInterval(): Promise<void> {
    const { env, intervalMs } = this.#deps
    const { signal } = this.#stopped
    // Not all nodes at the same moment, as HDFS.
    let waitMs = Math.floor(env.random.float() * intervalMs)
    while (!signal.aborted) {
      await env.clock.sleep(waitMs, signal).catch(() => {})
      waitMs = intervalMs
      if (!signal.aborted) await this.scan().catch((error: unknown) => env.log.warn('directory.scan.failed', { error }))
    }
  }

  async #scanAll(): Promise<DirectoryReport> {
    const { env, store } = this.#deps
    const report = emptyReport()
    for (const storage of store.storages) {
      try {
        await this.#storage(storage, report)
      } catch (error) {
        storage.doubt(error)
        env.log.warn('directory.scan.failed', { dir: storage.paths.root, error })
      }
    }
    this.last = { ...report, endedMs: env.clock.nowMs() }
    const { checked, ...found } = report
    if (Object.values(found).some((count) => count > 0)) env.log.warn('directory.scanned', { ...report })
    else env.log.info('directory.scanned', { checked })
    return report
  }

  async #storage(storage: StorageDirectory, report: DirectoryReport): Promise<void> {
    const { env, store, metrics } = this.#deps
    const expected = new Map<string, number[]>()
    for (const blockId of store.finalizedIds(storage)) {
      const directory = finalizedDirectory(storage.paths, blockId)
      const ids = expected.get(directory)
      if (ids === undefined) expected.set(directory, [blockId])
      else ids.push(blockId)
    }
    for (const directory of finalizedDirectories(storage.paths)) {
      if (this.#stopped.signal.aborted || storage.failed) return
      const beganMs = env.clock.monotonicMs()
      await this.#directory(storage, directory, expected.get(directory) ?? [], report)
      const tookMs = env.clock.monotonicMs() - beganMs
      // Half of the time at most, and far less while streams are open.
      const pauseMs = scanPauseMs({ tookMs, rateMs: tookMs, streams: metrics.readers + metrics.writers + metrics.transfers })
      if (pauseMs >= 1) await env.clock.sleep(pauseMs, this.#stopped.signal).catch(() => {})
    }
  }

  async #directory(storage: StorageDirectory, directory: string, ids: readonly number[], report: DirectoryReport): Promise<void> {
    const { store } = this.#deps
    const found = await listBlockFiles(store.disk, directory)
    for (const blockId of ids) {
      found.delete(blockId)
      const replica = store.get(blockId)
      if (replica !== undefined) await this.#known(storage, replica, report)
    }
    for (const files of found.values()) {
      // Known by now, being written, or being removed: not ours to judge.
      if (store.get(files.blockId)?.storage === storage || store.isRemoving(files.blockId)) continue
      await this.#unknown(storage, directory, files, report)
    }
  }

  async #known(storage: StorageDirectory, replica: ReplicaRecord, report: DirectoryReport): Promise<void> {
    const { store, env } = this.#deps
    const { genstamp, length } = replica
    const same = () =>
      store.get(replica.blockId) === replica &&
      replica.state === ReplicaState.REPLICA_FINALIZED &&
      replica.genstamp === genstamp &&
      replica.length === length
    if (replica.storage !== storage || !same()) return
    report.checked++
    const finding = await examineKnown(store.disk, finalizedDirectory(storage.paths, replica.blockId), replica, same)
    if (finding === undefined) return
    if (finding.kind === 'bad') {
      report.bad++
      this.#deps.metrics.badReplicas++
      this.#deps.reportBad({ blockId: replica.blockId, genstamp, length }, storage.uuid, finding.reason)
      return
    }
    // One file that is gone, or a disk that is? Then it is given up as a whole.
    if (!(await this.#deps.diskIsWell(storage)) || !same()) return
    report.lost++
    env.log.error('replica.lost', { blockId: replica.blockId, genstamp, dir: storage.paths.root })
    await store.forgetLost(replica)
  }

  async #unknown(storage: StorageDirectory, directory: string, files: BlockFiles, report: DirectoryReport): Promise<void> {
    const { env, store } = this.#deps
    const { blockId } = files
    report.checked++
    const finding = await this.#judge(directory, files)
    // It may have become known, or gone, while it was looked at.
    if (finding === undefined || store.get(blockId)?.storage === storage || store.isRemoving(blockId)) return
    if (finding.kind === 'orphan') {
      report.removed++
      env.log.warn('replica.checksums.removed', { blockId, paths: finding.paths })
      for (const path of finding.paths) await store.disk.unlink(path).catch(ignoreMissing)
    } else if (finding.kind === 'stray') {
      report.stray++
      env.log.warn('replica.stray', { blockId, paths: finding.paths, reason: finding.reason })
    } else if (finding.kind === 'unknown' && store.takeUp(storage, finding)) {
      report.adopted++
      env.log.warn('replica.adopted', { blockId, genstamp: finding.genstamp, length: finding.length, dir: storage.paths.root })
    }
  }

  /** What the files of an unknown block are; whole ones are read before they are believed. */
  async #judge(directory: string, files: BlockFiles): Promise<Finding | undefined> {
    const { store } = this.#deps
    const { blockId } = files
    const data = `${directory}/${dataName(blockId)}`
    const paths = [...(files.data ? [data] : []), ...files.checksums.map((genstamp) => `${directory}/${checksumName(blockId, genstamp)}`)]
    const elsewhere = store.get(blockId)
    if (elsewhere !== undefined) return { kind: 'stray', blockId, paths, reason: `its replica lies in ${elsewhere.storage.paths.root}` }
    const finding = await examineUnknown(store.disk, directory, files)
    if (finding?.kind !== 'unknown') return finding
    const verdict = await verifyMetaFile({ block: data, meta: `${directory}/${checksumName(blockId, finding.genstamp)}` }, store.disk)
    return verdict.ok ? finding : { kind: 'stray', blockId, paths, reason: verdict.message }
  }
}

function emptyReport(): DirectoryReport {
  return { checked: 0, lost: 0, bad: 0, adopted: 0, stray: 0, removed: 0 }
}

function ignoreMissing(error: unknown): void {
  if (!isMissing(error)) throw error
}
