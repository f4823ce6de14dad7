// Replicas for the compute agent beside this datanode: checked against their checksums before a byte is used, handed over without
// a copy.
import type { Clock } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'
import { ReplicaState } from '../../proto/ports.ts'
import type { Block, LocalReplicas } from '../../proto/ports.ts'
import { packetDataBytes, planRead } from '../core/read-plan.ts'
import { firstBadOf } from '../store/checksum-file.ts'
import { errnoOf } from '../store/disk-errors.ts'
import type { Disk } from '../store/disk.ts'
import { ReplicaReader } from '../store/replica-reader.ts'
import type { ReplicaRecord, ReplicaStore } from '../store/replica-store.ts'
import { verifyReplica } from '../store/verify.ts'

/** Replicas remembered as checked; the least recently used is forgotten first. */
const checkedMax = 100_000
const readBytes = 1024 * 1024

export interface LocalReplicasDeps {
  readonly clock: Clock
  readonly store: ReplicaStore
  reportBad(block: Block, storageUuid: string, reason: string): void
}

export class CheckedReplicas implements LocalReplicas {
  readonly #deps: LocalReplicasDeps
  /** Checks done or under way, by "block id:generation stamp". */
  readonly #checked = new Map<string, Promise<void>>()

  constructor(deps: LocalReplicasDeps) {
    this.#deps = deps
  }

  get scratchDir(): string {
    return this.#deps.store.storages[0]!.paths.scratch
  }

  get poolId(): string {
    return this.#deps.store.poolId
  }

  get datanodeUuid(): string {
    return this.#deps.store.datanodeUuid
  }

  async link(block: Block, targetPath: string): Promise<{ readonly length: number; readonly verifyUs: number }> {
    const { store, clock } = this.#deps
    const began = clock.monotonicMs()
    const replica = this.#finalized(block)
    await this.#check(block, replica)
    const verifyUs = Math.round((clock.monotonicMs() - began) * 1000)
    await linkOrCopy(store.disk, store.dataPath(replica), targetPath)
    return { length: replica.length, verifyUs }
  }

  async *read(block: Block, offset: number, length: number): AsyncGenerator<Uint8Array> {
    const { store } = this.#deps
    const reader = await ReplicaReader.open(store, this.#finalized(block))
    try {
      const { bytesPerChunk } = reader.sum
      const plan = planRead(reader.length, bytesPerChunk, offset, length)
      const step = packetDataBytes(bytesPerChunk, readBytes)
      const sums = Buffer.allocUnsafe(Math.ceil(step / bytesPerChunk) * 4)
      for (let at = plan.start; at < plan.end; at += step) {
        const wanted = Math.min(step, plan.end - at)
        const data = Buffer.allocUnsafe(wanted)
        await reader.read(at, wanted, data, sums)
        if (firstBadOf(reader.sum, data, sums) >= 0)
          throw this.#bad(block, store.find(block).storage.uuid, `bytes from ${at} on do not match their checksums`)
        yield data.subarray(Math.max(0, offset - at), Math.min(wanted, offset + length - at))
      }
    } finally {
      await reader.close()
    }
  }

  #finalized(block: Block): ReplicaRecord {
    const replica = this.#deps.store.find(block)
    if (replica.state !== ReplicaState.REPLICA_FINALIZED) {
      throw new QuarryError('REPLICA_NOT_FOUND', `The replica of block ${block.blockId} on this node is still being written.`, {
        blockId: block.blockId,
      })
    }
    return replica
  }

  #check(block: Block, replica: ReplicaRecord): Promise<void> {
    const key = `${replica.blockId}:${replica.genstamp}`
    let check = this.#checked.get(key)
    this.#checked.delete(key)
    check ??= this.#verify(block).catch((error: unknown) => {
      this.#checked.delete(key)
      throw error
    })
    this.#checked.set(key, check)
    if (this.#checked.size > checkedMax) this.#checked.delete(this.#checked.keys().next().value!)
    return check
  }

  async #verify(block: Block): Promise<void> {
    const found = await verifyReplica(this.#deps.store, block)
    if (!found.ok) throw this.#bad(block, found.storageUuid, found.reason)
  }

  #bad(block: Block, storageUuid: string, reason: string): QuarryError {
    this.#deps.reportBad(block, storageUuid, reason)
    return new QuarryError('CHECKSUM', `The replica of block ${block.blockId} on datanode ${this.datanodeUuid} is damaged: ${reason}.`, {
      blockId: block.blockId,
    })
  }
}

/** A second name for the file; a copy where a storage directory lies on another disk than the scratch directory. */
async function linkOrCopy(disk: Disk, source: string, target: string): Promise<void> {
  try {
    await disk.link(source, target)
  } catch (error) {
    if (errnoOf(error) !== 'EXDEV') throw error
    await copyFile(disk, source, target)
  }
}

async function copyFile(disk: Disk, source: string, target: string): Promise<void> {
  const from = await disk.open(source, 'r')
  try {
    const to = await disk.open(target, 'wx')
    try {
      const buffer = Buffer.allocUnsafe(readBytes)
      for (let at = 0; ;) {
        const got = await disk.read(from, buffer, 0, buffer.length, at)
        await disk.write(to, buffer.subarray(0, got), at)
        at += got
        if (got < buffer.length) return
      }
    } finally {
      await disk.close(to)
    }
  } finally {
    await disk.close(from)
  }
}
