// Finds out that a disk has failed, and what follows from it.
//
// A failed file call casts doubt on the disk it was for; whether the disk has failed is decided by a probe, not by one bad block. Every
// disk is probed now and then without a reason, too. A storage that fails the probe, or does not answer it in time, is given up: its
// replicas are forgotten, its writers end with an error, the namenode hears at once. With more failures than failed.volumes.tolerated
// allows, or no storage left, the node stops.
import type { Env } from '../../common/env.ts'
import type { QuarryError } from '../../common/errors.ts'
import { tooManyFailed } from '../store/open-storages.ts'
import type { ReplicaStore } from '../store/replica-store.ts'
import type { StorageDirectory } from '../store/storage-directory.ts'
import { probeStorage } from '../store/volume-probe.ts'

/** A disk is probed at most this often: hundreds of streams may doubt it in the same moment. */
const probeGapMs = 1_000
/** What a probe found holds for this long, for somebody with many questions. */
const answerHoldsMs = 5_000
/** Every disk is probed at least this often. */
const probeEveryMs = 60_000
/** A probe without an answer for this long: the disk hangs. Longer than the worst flush of a busy disk. */
const probeTimeoutMs = 120_000

export interface VolumeCheckerDeps {
  readonly env: Env
  readonly store: ReplicaStore
  readonly tolerated: number
  /** A storage was given up; the node goes on. */
  onFailed(storage: StorageDirectory): void
  /** The node must stop. Called once. */
  onTooMany(error: QuarryError): void
}

interface Watch {
  readonly storage: StorageDirectory
  probing: Promise<void> | undefined
  /** Doubted while a probe was under way, or too soon after one. */
  again: boolean
  lastMs: number
}

export class VolumeChecker {
  readonly #deps: VolumeCheckerDeps
  readonly #watches: readonly Watch[]
  readonly #stopped = new AbortController()
  #stopping = false

  constructor(deps: VolumeCheckerDeps) {
    this.#deps = deps
    this.#watches = deps.store.storages.map((storage) => ({ storage, probing: undefined, again: false, lastMs: -Infinity }))
    for (const watch of this.#watches) {
      watch.storage.onDoubt = (error) => {
        deps.env.log.warn('volume.doubted', { dir: watch.storage.paths.root, message: error.message })
        this.#probe(watch)
      }
    }
  }

  start(): void {
    void this.#everyNowAndThen()
  }

  /** Probes all storages; resolves when it is known how they are. */
  async checkAll(): Promise<void> {
    for (const watch of this.#watches) await this.#probeNow(watch)
  }

  /** How a storage is, by a probe that is a few seconds old at most. */
  async isWell(storage: StorageDirectory): Promise<boolean> {
    const watch = this.#watches.find((one) => one.storage === storage)
    const youngMs = this.#deps.env.clock.monotonicMs() - answerHoldsMs
    if (watch !== undefined && (watch.probing !== undefined || watch.lastMs < youngMs)) await this.#probeNow(watch)
    return !storage.failed
  }

  async close(): Promise<void> {
    this.#stopped.abort()
    await Promise.all(this.#watches.map(({ probing }) => probing))
  }

  async #everyNowAndThen(): Promise<void> {
    const { signal } = this.#stopped
    const { clock } = this.#deps.env
    while (!signal.aborted) {
      await clock.sleep(probeEveryMs, signal).catch(() => {})
      if (!signal.aborted) for (const watch of this.#watches) this.#probe(watch)
    }
  }

  async #probeNow(watch: Watch): Promise<void> {
    this.#probe(watch)
    while (watch.probing !== undefined) await watch.probing
  }

  #probe(watch: Watch): void {
    if (watch.storage.failed || this.#stopped.signal.aborted) return
    watch.again = true
    watch.probing ??= this.#run(watch).finally(() => {
      watch.probing = undefined
      if (watch.again) this.#probe(watch)
    })
  }

  async #run(watch: Watch): Promise<void> {
    const { clock } = this.#deps.env
    const { signal } = this.#stopped
    while (watch.again && !watch.storage.failed && !signal.aborted) {
      const waitMs = watch.lastMs + probeGapMs - clock.monotonicMs()
      if (waitMs > 0) await clock.sleep(waitMs, signal).catch(() => {})
      if (signal.aborted) return
      watch.again = false
      const wrong = await this.#answerInTime(watch.storage)
      watch.lastMs = clock.monotonicMs()
      if (wrong !== undefined && !signal.aborted) this.#failed(watch.storage, wrong)
    }
  }

  async #answerInTime(storage: StorageDirectory): Promise<string | undefined> {
    const { clock } = this.#deps.env
    let stop = () => {}
    const late = new Promise<string>((resolve) => {
      stop = clock.after(probeTimeoutMs, () => resolve(`${storage.paths.root} has not answered for ${probeTimeoutMs / 1000} s`))
    })
    // A disk that hangs must not keep the node from closing.
    const closed = new Promise<undefined>((resolve) =>
      this.#stopped.signal.addEventListener('abort', () => resolve(undefined), { once: true }),
    )
    try {
      return await Promise.race([probeStorage(this.#deps.store.disk, storage), late, closed])
    } finally {
      stop()
    }
  }

  #failed(storage: StorageDirectory, reason: string): void {
    const { env, store, tolerated } = this.#deps
    const replicas = store.failStorage(storage, reason)
    env.log.error('volume.failed', { dir: storage.paths.root, storageUuid: storage.uuid, reason, replicas })
    this.#deps.onFailed(storage)
    const { failed } = store
    if (this.#stopping || (failed.length <= tolerated && store.storages.some((one) => !one.failed))) return
    this.#stopping = true
    this.#deps.onTooMany(tooManyFailed(failed, store.configured, tolerated))
  }
}
