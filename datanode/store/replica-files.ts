// Names of replicas on disk: where the files of a state lie, how they come to their final place, how they go.
import { dirname, join } from 'node:path'
import { chunkBytes } from '../../common/limits.ts'
import { ReplicaState } from '../../proto/ports.ts'
import { headerBytes } from './checksum-file.ts'
import { isMissing } from './disk-errors.ts'
import type { Disk } from './disk.ts'
import { checksumName, dataName, finalizedDirectory } from './layout.ts'
import type { ReplicaRecord } from './replica-record.ts'

export class ReplicaFiles {
  readonly disk: Disk
  /** Directories that are there for certain. */
  readonly #known = new Set<string>()

  constructor(disk: Disk) {
    this.disk = disk
  }

  dataPath(replica: ReplicaRecord): string {
    return join(directoryOf(replica), dataName(replica.blockId))
  }

  checksumPath(replica: ReplicaRecord): string {
    return join(directoryOf(replica), checksumName(replica.blockId, replica.genstamp))
  }

  /** Moves both files of an open replica to their final names, the checksums first, and makes it a finalised one. */
  async finalize(replica: ReplicaRecord, sync: boolean): Promise<void> {
    const before = [this.dataPath(replica), this.checksumPath(replica)] as const
    const target = finalizedDirectory(replica.storage.paths, replica.blockId)
    await this.#makeDirectory(target, sync)
    await this.disk.rename(before[1], join(target, checksumName(replica.blockId, replica.genstamp)))
    await this.disk.rename(before[0], join(target, dataName(replica.blockId)))
    replica.state = ReplicaState.REPLICA_FINALIZED
    replica.visible = replica.length
    replica.storage.finalized++
  }

  /** The names of the replica are on disk when this resolves. */
  syncNames(replica: ReplicaRecord): Promise<void> {
    return this.disk.syncDirectory(directoryOf(replica))
  }

  /** Removes both files, which may be gone already, and their bytes from what the storage uses. */
  async remove(replica: ReplicaRecord, paths: { readonly data: string; readonly checksums: string }): Promise<void> {
    const { length } = replica
    replica.storage.used -= await this.#unlink(paths.data, length)
    replica.storage.used -= await this.#unlink(paths.checksums, headerBytes + Math.ceil(length / chunkBytes) * 4)
  }

  /** The bytes of a file that was removed; `usual` when somebody else had removed it before. */
  async #unlink(path: string, usual: number): Promise<number> {
    try {
      const { size } = await this.disk.stat(path)
      await this.disk.unlink(path)
      return size
    } catch (error) {
      if (isMissing(error)) return usual
      throw error
    }
  }

  async #makeDirectory(path: string, sync: boolean): Promise<void> {
    if (this.#known.has(path)) return
    const made = await this.disk.mkdir(path)
    if (made !== undefined && sync) {
      await this.disk.syncDirectory(dirname(path))
      await this.disk.syncDirectory(dirname(dirname(path)))
    }
    this.#known.add(path)
  }
}

function directoryOf(replica: ReplicaRecord): string {
  switch (replica.state) {
    case ReplicaState.REPLICA_FINALIZED:
      return finalizedDirectory(replica.storage.paths, replica.blockId)
    case ReplicaState.REPLICA_TEMPORARY:
      return replica.storage.paths.tmp
    default:
      return replica.storage.paths.rbw
  }
}
