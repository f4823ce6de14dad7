// What a datanode does for its disks by itself: finding those that fail, reading what lies there, comparing files with what is known.
import type { Env } from '../../common/env.ts'
import type { QuarryError } from '../../common/errors.ts'
import type { Settings } from '../../common/options.ts'
import type { Block } from '../../proto/ports.ts'
import type { DatanodeMetrics } from '../service/metrics.ts'
import type { ReplicaStore } from '../store/replica-store.ts'
import { BlockScanner } from './block-scanner.ts'
import { DirectoryScanner } from './directory-scanner.ts'
import type { DirectoryReport } from './directory-scanner.ts'
import { VolumeChecker } from './volume-checker.ts'

export interface UpkeepDeps {
  readonly env: Env
  readonly settings: Settings
  readonly store: ReplicaStore
  readonly metrics: DatanodeMetrics
  reportBad(block: Block, storageUuid: string, reason: string): void
  /** Tells the namenode now what a heartbeat would tell it soon. */
  heartbeatNow(): void
  /** Full reports of all storages. */
  reportNow(): void
  /** So many disks have failed that the node must stop. */
  onTooManyFailed(error: QuarryError): void
}

export class Upkeep {
  readonly volumes: VolumeChecker
  readonly scanner: BlockScanner
  readonly directories: DirectoryScanner
  readonly #deps: UpkeepDeps

  constructor(deps: UpkeepDeps) {
    this.#deps = deps
    const { env, settings, store, metrics } = deps
    this.volumes = new VolumeChecker({
      env,
      store,
      tolerated: settings['failed.volumes.tolerated'],
      onFailed: () => deps.heartbeatNow(),
      onTooMany: (error) => deps.onTooManyFailed(error),
    })
    this.directories = new DirectoryScanner({
      env,
      store,
      metrics,
      intervalMs: settings['directory.scan.interval'],
      reportBad: (...bad) => deps.reportBad(...bad),
      diskIsWell: (storage) => this.volumes.isWell(storage),
    })
    this.scanner = new BlockScanner({
      env,
      store,
      metrics,
      periodMs: settings['scan.period'],
      bytesPerSecond: settings['scan.bytes.per.second'],
      reportBad: (...bad) => deps.reportBad(...bad),
      missing: (replica) => void this.directories.check(replica),
    })
    store.onSuspect = ({ blockId }) => this.scanner.suspect(blockId)
  }

  start(): void {
    this.volumes.start()
    this.directories.start()
    this.scanner.start()
  }

  /** Compares all files with what is known, and tells the namenode everything. */
  async rescan(): Promise<DirectoryReport> {
    const report = await this.directories.scan()
    this.#deps.reportNow()
    return report
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await Promise.all([this.scanner.close(), this.directories.close(), this.volumes.close()])
  }
}
