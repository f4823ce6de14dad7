// One balancer at a time, as in HDFS: whoever runs holds the lease of /system/balancer.id. Of one that was killed the lease ends by
// itself after the soft limit (60 s).
import type { FileSystem, FileWriter } from '../../client/index.ts'
import { isQuarryError } from '../../common/errors.ts'

const lockPath = '/system/balancer.id'
/** Another holds the lease, took it in the same moment, or held it until it was killed. */
const taken = ['LEASE_CONFLICT', 'RECOVERY_IN_PROGRESS', 'ALREADY_EXISTS', 'LEASE_EXPIRED'] as const

export class BalancerLock implements AsyncDisposable {
  readonly #fs: FileSystem
  readonly #writer: FileWriter

  private constructor(fs: FileSystem, writer: FileWriter) {
    this.#fs = fs
    this.#writer = writer
  }

  /** Undefined: another balancer runs. */
  static async take(fs: FileSystem, signal: AbortSignal): Promise<BalancerLock | undefined> {
    try {
      // A create may replace a file that is being written, an append may not: it tells whether somebody holds the lease.
      if (await fs.exists(lockPath, { signal })) await (await fs.append(lockPath, { signal })).close()
      await fs.delete(lockPath, { signal })
      return new BalancerLock(fs, await fs.create(lockPath, { overwrite: false, replication: 1, signal }))
    } catch (error) {
      if (taken.some((code) => isQuarryError(error, code))) return undefined
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.abort().catch(() => {})
    // A connection that broke leaves the file to the next balancer.
    await this.#fs.delete(lockPath).catch(() => {})
  }
}
