// A block store on directories of its own, and replicas in it without a network; for tests.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chunkChecksums } from '../../common/checksum.ts'
import type { Closer } from '../../common/closer.ts'
import type { Clock, Env, Logger } from '../../common/env.ts'
import { silentLogger } from '../../common/env.ts'
import { systemEnv } from '../../common/system-env.ts'
import { WriteStage } from '../../proto/ports.ts'
import type { ReplicaWriter } from '../core/replica.ts'
import { checksummer } from '../store/checksum-file.ts'
import { RealDisk } from '../store/real-disk.ts'
import { ReplicaStore } from '../store/replica-store.ts'
import type { StoreOptions, WriteRequest } from '../store/replica-store.ts'
import { FaultyDisk } from './faulty-disk.ts'

export interface TestStore {
  readonly store: ReplicaStore
  readonly dirs: readonly string[]
  readonly faults: FaultyDisk
  readonly env: Env
  /** Events logged, with their fields. */
  readonly logged: { readonly event: string; readonly fields: Readonly<Record<string, unknown>> }[]
  /** What the namenode would hear, as "received 7". */
  readonly told: string[]
}

/** `count` storage directories, or the ones of `more.dirs`. */
export async function testStore(
  closer: Closer,
  count = 1,
  { clock, ...more }: Partial<StoreOptions> & { clock?: Clock } = {},
): Promise<TestStore> {
  let dirs = more.dirs
  if (dirs === undefined) {
    const root = mkdtempSync(join(tmpdir(), 'quarry-store-'))
    closer.add(() => rmSync(root, { recursive: true, force: true }))
    dirs = Array.from({ length: count }, (_, index) => join(root, `disk${index}`))
  }
  const logged: TestStore['logged'] = []
  const faults = new FaultyDisk(new RealDisk())
  const env: Env = { ...systemEnv(recorder(logged)), ...(clock && { clock }) }
  const store = await ReplicaStore.open({ dirs, limits: { reserved: 0, capacity: 0 }, sync: true, disk: faults.disk, env, ...more })
  closer.use(store)
  const told: string[] = []
  store.listen({
    received: ({ blockId }) => told.push(`received ${blockId}`),
    receiving: ({ blockId }) => told.push(`receiving ${blockId}`),
    deleted: ({ blockId }) => told.push(`deleted ${blockId}`),
  })
  return { store, dirs, faults, env, logged, told }
}

function recorder(logged: TestStore['logged']): Logger {
  const keep = (event: string, fields: Readonly<Record<string, unknown>> = {}) => void logged.push({ event, fields })
  const log: Logger = { ...silentLogger, error: keep, warn: keep, info: keep, child: () => log }
  return log
}

export function openReplica(store: ReplicaStore, blockId: number, more: Partial<WriteRequest> = {}): Promise<ReplicaWriter> {
  return store.openWriter({
    stage: WriteStage.WRITE_SETUP_CREATE,
    blockId,
    genstamp: 1001,
    newGenstamp: more.genstamp ?? 1001,
    minBytes: 0,
    maxBytes: 0,
    sum: checksummer(2, 512),
    storageUuid: '',
    blockSize: 0,
    ...more,
  })
}

/** All of `data` from its beginning, written and acknowledged. */
export async function writeAll(writer: ReplicaWriter, data: Uint8Array): Promise<void> {
  await writer.write({ data: [data], length: data.length, at: 0, checksums: chunkChecksums(data, 512), chunk: 0 })
  writer.acknowledge(data.length)
}

export async function finalizedReplica(
  store: ReplicaStore,
  blockId: number,
  data: Uint8Array,
  more: Partial<WriteRequest> = {},
): Promise<void> {
  const writer = await openReplica(store, blockId, more)
  await writeAll(writer, data)
  await writer.finalize(async () => {})
}
