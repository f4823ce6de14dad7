// What a datanode does for its disks by itself: finding those that fail, reading what lies there, comparing files with what is known.
import type { Env } from '../../common/env.ts'
import type { QuarryError } from '../../common/errors.ts'
import type { Settings } from '../../common/options.ts'
import type { ReplicaStore } from '../store/replica-store.ts'
import { VolumeChecker } from './volume-checker.ts'

export interface UpkeepDeps {
  readonly env: Env
  readonly settings: Settings
  readonly store: ReplicaStore
  /** Tells the namenode now what a heartbeat would tell it soon. */
  heartbeatNow(): void
  /** So many disks have failed that the node must stop. */
  onTooManyFailed(error: QuarryError): void
}

export class Upkeep {
  readonly volumes: VolumeChecker

  constructor(deps: UpkeepDeps) {
    const { env, settings, store } = deps
    this.volumes = new VolumeChecker({
      env,
      store,
      tolerated: settings['failed.volumes.tolerated'],
      onFailed: () => deps.heartbeatNow(),
      onTooMany: (error) => deps.onTooManyFailed(error),
    })
  }

  start(): void {
    this.volumes.start()
  }

  async close(): Promise<void> {
    await this.volumes.close()
  }
}
