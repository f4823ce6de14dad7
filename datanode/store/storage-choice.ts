// Where a new replica goes: the storage that was asked for, then the others, the emptiest first. Failed and full ones are left out.
import { QuarryError } from '../../common/errors.ts'
import type { StorageDirectory } from './storage-directory.ts'

/** A new block is refused where less than this is free: nothing useful fits. */
const roomMin = 1024 * 1024

/** Storages to try one after another; never empty. Throws DISK_FULL with what each has left. */
export async function storagesFor(
  storages: readonly StorageDirectory[],
  wantedUuid: string,
  datanodeUuid: string,
): Promise<readonly StorageDirectory[]> {
  const working = storages.filter((storage) => !storage.failed)
  await Promise.all(working.map((storage) => storage.freshSpace()))
  const roomy = working
    .filter((storage) => storage.remaining() >= roomMin)
    .sort((a, b) => Number(b.uuid === wantedUuid) - Number(a.uuid === wantedUuid) || b.remaining() - a.remaining())
  if (roomy.length > 0) return roomy
  const reasons = storages.map((storage) =>
    storage.failed
      ? `${storage.paths.root} has failed (${storage.failure})`
      : `${storage.paths.root} has ${storage.remaining()} bytes left of ${storage.space().capacity}`,
  )
  throw new QuarryError('DISK_FULL', `Datanode ${datanodeUuid} is full: ${reasons.join('; ')}.`, {
    dirs: storages.map(({ paths }) => paths.root),
  })
}

/** Takes `bytes` of a storage before they are written. Throws DISK_FULL. */
export function reserve(storage: StorageDirectory, bytes: number): void {
  const left = storage.freshRemaining()
  if (bytes > left) {
    throw new QuarryError(
      'DISK_FULL',
      `The storage directory ${storage.paths.root} is full: ${left} bytes left of ${storage.space().capacity}.`,
      { dir: storage.paths.root, remaining: left },
    )
  }
  storage.used += bytes
}
