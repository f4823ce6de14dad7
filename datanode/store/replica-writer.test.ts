import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemEnv } from '../../common/system-env.ts'
import { ReplicaState, WriteStage } from '../../proto/ports.ts'
import { checksummer } from './checksum-file.ts'
import type { Disk } from './disk.ts'
import { RealDisk } from './real-disk.ts'
import { ReplicaStore } from './replica-store.ts'

const blockId = 1_073_741_825
const sum = checksummer(2, 512)

interface Watched {
  readonly disk: Disk
  /** Descriptors that were closed although they were not open. */
  readonly closedTwice: number[]
  beforeRename: (() => Promise<void>) | undefined
}

function watched(): Watched {
  const real: Disk = new RealDisk()
  const open = new Set<number>()
  const watch: Watched = {
    closedTwice: [],
    beforeRename: undefined,
    disk: new Proxy(real, {
      get: (target, name) => {
        if (name === 'open') return async (...given: Parameters<Disk['open']>) => keep(await target.open(...given))
        if (name === 'close') return (fd: number) => (open.delete(fd) ? target.close(fd) : Promise.resolve(void watch.closedTwice.push(fd)))
        if (name === 'rename')
          return async (from: string, to: string) => {
            await watch.beforeRename?.()
            await target.rename(from, to)
          }
        const own: unknown = target[name as keyof Disk]
        return typeof own === 'function' ? own.bind(target) : own
      },
    }),
  }
  const keep = (fd: number) => {
    open.add(fd)
    return fd
  }
  return watch
}

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'quarry-writer-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

it('a recovery that comes in the middle of a finalisation waits for it: the replica is whole, and nothing is closed twice', async () => {
  const watch = watched()
  const store = await ReplicaStore.open({
    dirs: [dir],
    limits: { reserved: 0, capacity: 0 },
    env: systemEnv(),
    sync: true,
    disk: watch.disk,
  })
  try {
    const writer = await store.openWriter({
      stage: WriteStage.WRITE_SETUP_CREATE,
      blockId,
      genstamp: 1001,
      newGenstamp: 1001,
      minBytes: 0,
      maxBytes: 0,
      sum,
      storageUuid: '',
      blockSize: 1 << 20,
    })
    const data = Buffer.alloc(512, 7)
    const checksums = Buffer.alloc(4)
    checksums.writeUInt32BE(sum.crc!(data))
    await writer.write({ data: [data], length: 512, at: 0, checksums, chunk: 0 })
    let recovery: ReturnType<ReplicaStore['initRecovery']> | undefined
    watch.beforeRename = async () => {
      watch.beforeRename = undefined
      // The recovery begins while the first file has its new name only soon.
      recovery = store.initRecovery({ blockId }, 1005)
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
    await writer.finalize(async () => {})
    expect(await recovery).toMatchObject({ found: true, state: ReplicaState.REPLICA_FINALIZED, replica: { genstamp: 1001, length: 512 } })
    await writer.close()
    expect(watch.closedTwice).toEqual([])
    await store.finishRecovery({ blockId }, 1005, 512)
    expect(store.get(blockId)).toMatchObject({ state: ReplicaState.REPLICA_FINALIZED, genstamp: 1005, length: 512 })
  } finally {
    await store.close()
  }
  expect(watch.closedTwice).toEqual([])
})
