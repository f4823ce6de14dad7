// Opens the storage directories of a datanode and looks at what is in them.
//
// A directory that cannot be used counts as a failed volume. HDFS's rule: with as many failures as failed.volumes.tolerated allows the
// node starts without them, with more it does not, nor without any directory at all. A directory that somebody else has open, or that a
// newer program wrote, is no failure of a disk and stops the start.
import { resolve } from 'node:path'
import type { Env } from '../../common/env.ts'
import { isQuarryError, QuarryError, toQuarryError } from '../../common/errors.ts'
import type { Disk } from './disk.ts'
import { readIdentity } from './identity.ts'
import type { ReplicaRecord } from './replica-record.ts'
import { scanStorage } from './scan.ts'
import { StorageDirectory } from './storage-directory.ts'
import type { StorageLimits } from './storage-directory.ts'

export interface FailedDirectory {
  readonly dir: string
  readonly reason: string
}

export interface OpenedStorages {
  readonly storages: StorageDirectory[]
  readonly replicas: Map<number, ReplicaRecord>
  readonly failed: readonly FailedDirectory[]
}

/** Throws IN_USE, VERSION or CONFIG. */
export async function openStorages(options: {
  readonly dirs: readonly string[]
  readonly limits: StorageLimits
  readonly env: Env
  readonly disk: Disk
  readonly failedTolerated: number
}): Promise<OpenedStorages> {
  const { dirs, limits, env, disk, failedTolerated } = options
  const storages: StorageDirectory[] = []
  const failed: FailedDirectory[] = []
  const failures: QuarryError[] = []
  const replicas = new Map<number, ReplicaRecord>()
  try {
    // A replaced disk comes back empty: the others say whose it is.
    let datanodeUuid = await knownDatanode(dirs, disk)
    for (const dir of dirs) {
      let storage: StorageDirectory | undefined
      try {
        storage = await StorageDirectory.open(dir, { disk, clock: env.clock, limits }, () => ({
          datanodeUuid: datanodeUuid || uuid(env),
          storageUuid: `DS-${uuid(env)}`,
        }))
        if (storage.identity.datanodeUuid === (datanodeUuid || storage.identity.datanodeUuid))
          await scanStorage(disk, storage, replicas, env)
      } catch (thrown) {
        storage?.close()
        if (isQuarryError(thrown, 'IN_USE') || isQuarryError(thrown, 'VERSION')) throw thrown
        for (const [blockId, replica] of replicas) if (replica.storage === storage) replicas.delete(blockId)
        failures.push(toQuarryError(thrown))
        failed.push({ dir: resolve(dir), reason: toQuarryError(thrown).message })
        env.log.error('volume.failed', { dir, reason: toQuarryError(thrown).message })
        continue
      }
      storages.push(storage)
      datanodeUuid ||= storage.identity.datanodeUuid
      if (storage.identity.datanodeUuid !== datanodeUuid) {
        throw new QuarryError(
          'CONFIG',
          `The storage directories ${storages[0]!.paths.root} and ${storage.paths.root} belong to different datanodes. Give each datanode its own directories.`,
        )
      }
    }
    if (failed.length > failedTolerated || storages.length === 0)
      throw dirs.length === 1 ? failures[0]! : tooManyFailed(failed, dirs.length, failedTolerated)
    return { storages, replicas, failed }
  } catch (error) {
    for (const storage of storages) storage.close()
    throw error
  }
}

/** Why a datanode does not run with the directories that are left. */
export function tooManyFailed(failed: readonly FailedDirectory[], configured: number, tolerated: number): QuarryError {
  const rule = failed.length === configured ? 'none is left' : `failed.volumes.tolerated allows ${tolerated}`
  const reasons = failed.map(({ dir, reason }) => `${dir}: ${reason}`).join('; ')
  return new QuarryError(
    'CONFIG',
    `${failed.length} of ${configured} storage directories ${failed.length === 1 ? 'has' : 'have'} failed, and ${rule}. ${reasons}. Replace the disks, or take the directories out of data.dirs; their blocks are copied from other datanodes.`,
    { dirs: failed.map(({ dir }) => dir), configured, tolerated },
  )
}

async function knownDatanode(dirs: readonly string[], disk: Disk): Promise<string> {
  for (const dir of dirs) {
    const identity = await readIdentity(disk, resolve(dir)).catch(() => undefined)
    if (identity !== undefined) return identity.datanodeUuid
  }
  return ''
}

/** A random UUID (version 4) from the injected randomness. */
function uuid(env: Env): string {
  const bytes = Buffer.from(env.random.bytes(16))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
