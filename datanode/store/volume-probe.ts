// Looks whether a storage directory still works: its identity can be read and is its own, and a small file can be written, brought to
// the disk, read back and removed. A full disk works; that is not what is asked here.
import { join } from 'node:path'
import { isFull } from './disk-errors.ts'
import type { Disk } from './disk.ts'
import { readIdentity } from './identity.ts'
import type { StorageDirectory } from './storage-directory.ts'

const probeName = 'probe'
const probe = Buffer.from('Is this disk well?\n')

/** Resolves with what is wrong; undefined = nothing. */
export async function probeStorage(disk: Disk, storage: StorageDirectory): Promise<string | undefined> {
  const { root, tmp, finalized, rbw } = storage.paths
  try {
    const identity = await readIdentity(disk, root)
    if (identity === undefined) return `${root} does not say any more whose it is: identity.json is gone`
    if (identity.storageUuid !== storage.uuid) return `${root} is storage ${identity.storageUuid} now: another disk was put in its place`
    for (const directory of [finalized, rbw]) await disk.stat(directory)
    await writeAndRead(disk, join(tmp, probeName))
    return undefined
  } catch (error) {
    return isFull(error) ? undefined : (error as Error).message
  }
}

async function writeAndRead(disk: Disk, path: string): Promise<void> {
  const fd = await disk.open(path, 'w+')
  try {
    await disk.write(fd, probe, 0)
    await disk.sync(fd)
    const back = Buffer.alloc(probe.length)
    const got = await disk.read(fd, back, 0, back.length, 0)
    if (got !== back.length || !back.equals(probe)) throw new Error(`${path} does not give back what was written`)
  } finally {
    await disk.close(fd)
    await disk.unlink(path)
  }
}
