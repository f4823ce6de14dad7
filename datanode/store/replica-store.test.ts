// The block store on a real directory: the order of durability, restarts with torn replicas, identity, space, recovery.
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { chunkChecksums } from '../../common/checksum.ts'
import { Closer } from '../../common/closer.ts'
import { systemEnv } from '../../common/system-env.ts'
import { ReplicaState, WriteStage } from '../../proto/ports.ts'
import type { ReplicaWriter } from '../core/replica.ts'
import { patternBytes } from '../testing/blocks.ts'
import { checksummer, headerBytes } from './checksum-file.ts'
import { durabilitySteps } from './durability.ts'
import { RealDisk } from './real-disk.ts'
import { ReplicaReader } from './replica-reader.ts'
import { ReplicaStore } from './replica-store.ts'
import type { StoreOptions, WriteRequest } from './replica-store.ts'
import { verifyReplica } from './verify.ts'

let closer = new Closer()
afterEach(async () => {
  const closing = closer
  closer = new Closer()
  await closing.close()
})

function temporary(): string {
  const dir = mkdtempSync(join(tmpdir(), 'quarry-store-'))
  closer.add(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

async function open(dir: string, more: Partial<StoreOptions> = {}): Promise<ReplicaStore> {
  return closer.use(
    await ReplicaStore.open({
      dirs: [dir],
      limits: { reserved: 0, capacity: 0 },
      env: systemEnv(),
      sync: true,
      disk: new RealDisk(),
      ...more,
    }),
  )
}

const blockId = 1073741825
const request: WriteRequest = {
  stage: WriteStage.WRITE_SETUP_CREATE,
  blockId,
  genstamp: 1001,
  newGenstamp: 1001,
  minBytes: 0,
  maxBytes: 0,
  sum: checksummer(2, 512),
  storageUuid: '',
  blockSize: 0,
}

async function write(writer: ReplicaWriter, data: Uint8Array, from = 0): Promise<void> {
  const part = data.subarray(from)
  await writer.write({ data: [part], length: part.length, at: from, checksums: chunkChecksums(part, 512), chunk: from / 512 })
  writer.acknowledge(data.length)
}

async function finalized(store: ReplicaStore, data: Uint8Array, more: Partial<WriteRequest> = {}): Promise<void> {
  const writer = await store.openWriter({ ...request, ...more })
  await write(writer, data)
  await writer.finalize(async () => {})
}

async function contents(store: ReplicaStore, id = blockId): Promise<Buffer> {
  const reader = await ReplicaReader.open(store, { blockId: id, genstamp: 0 })
  const data = Buffer.alloc(reader.length)
  await reader.readData(0, reader.length, data)
  await reader.close()
  return data
}

/** All files below a directory. */
function files(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

describe('the order of durability', () => {
  const data = patternBytes(5000)
  const stopAt = async (step: string | undefined): Promise<{ dir: string; acknowledged: boolean; reported: boolean }> => {
    const dir = temporary()
    const crashed = temporary()
    const store = await open(dir, {
      beforeStep: (next) => {
        if (next !== step) return
        // What a crash at this very moment would leave behind.
        cpSync(dir, crashed, { recursive: true })
        rmSync(join(crashed, 'in_use.lock'), { force: true })
        throw new Error('stop')
      },
    })
    let acknowledged = false
    let reported = false
    store.listen({ received: () => (reported = true), receiving() {}, deleted() {} })
    const writer = await store.openWriter(request)
    await write(writer, data)
    const done = writer.finalize(async () => {
      acknowledged = true
    })
    if (step === undefined) await done
    else await expect(done).rejects.toThrow('stop')
    await writer.close()
    await store.close()
    return { dir: step === undefined ? dir : crashed, acknowledged, reported }
  }

  it.each(durabilitySteps)('loses nothing acknowledged when everything stops before "%s"', async (step) => {
    const { dir, acknowledged, reported } = await stopAt(step)
    expect(acknowledged).toBe(false)
    expect(reported).toBe(step === 'acknowledge')
    const store = await open(dir)
    const replica = store.get(blockId)!
    const renamed = durabilitySteps.indexOf(step) > durabilitySteps.indexOf('rename')
    expect(replica.state).toBe(renamed ? ReplicaState.REPLICA_FINALIZED : ReplicaState.REPLICA_RWR)
    expect((await contents(store)).equals(data)).toBe(true)
  })

  it('leaves a finalised replica when it runs to its end', async () => {
    const { dir, acknowledged } = await stopAt(undefined)
    expect(acknowledged).toBe(true)
    const store = await open(dir)
    expect(store.get(blockId)?.state).toBe(ReplicaState.REPLICA_FINALIZED)
    expect(await verifyReplica(store, { blockId, genstamp: 1001 })).toMatchObject({ ok: true, length: 5000 })
  })

  it('meets again the two halves that a crash between the renames leaves', async () => {
    const dir = temporary()
    const store = await open(dir)
    await finalized(store, data)
    await store.close()
    const dataFile = files(dir).find((path) => path.endsWith(`blk_${blockId}`))!
    const rbw = join(dir, 'current/rbw', `blk_${blockId}`)
    cpSync(dataFile, rbw)
    rmSync(dataFile)
    const again = await open(dir)
    expect(again.get(blockId)).toMatchObject({ state: ReplicaState.REPLICA_RWR, length: 5000, genstamp: 1001 })
    expect((await contents(again)).equals(data)).toBe(true)
  })
})

describe('a restart', () => {
  const data = patternBytes(512 * 4 + 100)

  /** A replica left open by a crash, changed by `tear`, as it is found afterwards. */
  async function torn(
    tear: (paths: { data: string; checksums: string }) => void,
  ): Promise<{ state: number; length: number; bytes: Buffer; checksumBytes: number }> {
    const dir = temporary()
    const store = await open(dir)
    await write(await store.openWriter(request), data)
    await store.close()
    const rbw = join(dir, 'current/rbw')
    const paths = { data: join(rbw, `blk_${blockId}`), checksums: join(rbw, `blk_${blockId}_1001.meta`) }
    tear(paths)
    const again = await open(dir)
    const replica = again.get(blockId)!
    return {
      state: replica.state,
      length: replica.length,
      bytes: await contents(again).catch(() => Buffer.alloc(0)),
      checksumBytes: statSync(paths.checksums).size,
    }
  }

  it('keeps a whole replica that was being written, waiting to be recovered', async () => {
    expect(await torn(() => {})).toEqual({
      state: ReplicaState.REPLICA_RWR,
      length: data.length,
      bytes: data,
      checksumBytes: headerBytes + 20,
    })
  })

  it.each([
    ['inside a chunk', 1300, 1024],
    ['at the end of a chunk', 1536, 1536],
    ['inside the last, partial chunk', 2100, 2048],
    ['one byte from the end', 2147, 2048],
    ['at one byte', 1, 0],
    ['at nothing', 0, 0],
  ])('cuts a data file torn %s back to its last good chunk', async (_where, size, left) => {
    const found = await torn(({ data: path }) => truncateSync(path, size))
    expect(found).toMatchObject({ state: ReplicaState.REPLICA_RWR, length: left, checksumBytes: headerBytes + (left / 512) * 4 })
    expect(found.bytes.equals(data.subarray(0, left))).toBe(true)
  })

  it.each([
    ['between two checksums', headerBytes + 8, 1024],
    ['inside a checksum', headerBytes + 6, 512],
    ['right after the header', headerBytes, 0],
    ['inside the header', 7, 0],
    ['at nothing', 0, 0],
  ])('cuts to the checksums that are left of a checksum file torn %s', async (_where, size, left) => {
    const found = await torn(({ checksums }) => truncateSync(checksums, size))
    expect(found).toMatchObject({ state: ReplicaState.REPLICA_RWR, length: left })
    expect(found.bytes.equals(data.subarray(0, left))).toBe(true)
  })

  it('cuts at the first chunk whose bytes changed, and at bytes nobody has a checksum for', async () => {
    const flipped = await torn(({ data: path }) => {
      const bytes = readFileSync(path)
      bytes[700]! ^= 4
      writeFileSync(path, bytes)
    })
    expect(flipped).toMatchObject({ length: 512 })
    const longer = await torn(({ data: path }) => appendFileSync(path, Buffer.alloc(3000)))
    expect(longer).toMatchObject({ length: 2048 })
  })

  it('drops half-received copies and what lies in scratch', async () => {
    const dir = temporary()
    const store = await open(dir)
    await write(await store.openWriter({ ...request, stage: WriteStage.WRITE_TRANSFER_FINALIZED }), data)
    writeFileSync(join(dir, 'scratch/leftover'), 'x')
    cpSync(dir, `${dir}.copy`, { recursive: true })
    closer.add(() => rmSync(`${dir}.copy`, { recursive: true, force: true }))
    rmSync(join(`${dir}.copy`, 'in_use.lock'))
    const again = await open(`${dir}.copy`)
    expect(again.size).toBe(0)
    expect(files(`${dir}.copy`).map((path) => path.slice(dir.length + 6))).toEqual(
      expect.arrayContaining(['identity.json', 'in_use.lock'].map((name) => expect.stringContaining(name))),
    )
    expect(existsSync(join(`${dir}.copy`, 'scratch/leftover'))).toBe(false)
  })

  it('finds finalised replicas by name and size, and counts their bytes', async () => {
    const dir = temporary()
    const store = await open(dir)
    for (let i = 0; i < 5; i++) await finalized(store, data, { blockId: blockId + i * 300 })
    const { used, finalized: count } = store.storages[0]!
    expect(used).toBe(5 * (data.length + headerBytes + 20))
    expect(count).toBe(5)
    await store.close()
    const again = await open(dir)
    expect(again.storages[0]).toMatchObject({ used, finalized: 5 })
    expect(
      again.list(again.storages[0]!).map(({ blockId: id, genstamp, length, state }) => ({ id: id - blockId, genstamp, length, state })),
    ).toEqual([0, 300, 600, 900, 1200].map((id) => ({ id, genstamp: 1001, length: data.length, state: 0 })))
  })

  it('keeps the newer of two replicas of one block', async () => {
    const [one, two] = [temporary(), temporary()]
    for (const [dir, genstamp] of [
      [one, 1001],
      [two, 1005],
    ] as const) {
      const store = await open(dir)
      await finalized(store, data, { genstamp })
      await store.close()
    }
    const identity = JSON.parse(readFileSync(join(one, 'identity.json'), 'utf8')) as { datanodeUuid: string }
    const other = JSON.parse(readFileSync(join(two, 'identity.json'), 'utf8')) as object
    writeFileSync(join(two, 'identity.json'), JSON.stringify({ ...other, datanodeUuid: identity.datanodeUuid }))
    const both = await open(one, { dirs: [one, two] })
    expect(both.get(blockId)).toMatchObject({ genstamp: 1005 })
    expect(both.storages.map((storage) => storage.finalized)).toEqual([0, 1])
    expect(both.storages[0]!.used).toBe(0)
    expect(files(one).filter((path) => path.includes('blk_'))).toEqual([])
  })
})

describe('the identity of a directory', () => {
  it('stays the same over restarts and is bound to one cluster', async () => {
    const dir = temporary()
    const store = await open(dir)
    await store.bind('CID-1', 'BP-1')
    const { datanodeUuid } = store
    await store.close()
    const again = await open(dir)
    expect(again).toMatchObject({ datanodeUuid, clusterId: 'CID-1', poolId: 'BP-1' })
    await expect(again.bind('CID-2', 'BP-2')).rejects.toThrow(/belongs to cluster CID-1, but the namenode serves cluster CID-2/)
  })

  it('keeps two datanodes out of one directory', async () => {
    const dir = temporary()
    await open(dir)
    await expect(open(dir)).rejects.toMatchObject({ code: 'IN_USE', message: expect.stringContaining(`pid ${process.pid}`) })
  })

  it('keeps a datanode out that another process runs, and not one that a crash left', async () => {
    const dir = temporary()
    await (await open(dir)).close()
    writeFileSync(
      join(dir, 'in_use.lock'),
      JSON.stringify({
        pid: process.ppid,
        started: readFileSync(`/proc/${process.ppid}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ')[19],
      }),
    )
    await expect(open(dir)).rejects.toMatchObject({ code: 'IN_USE', message: expect.stringContaining(`pid ${process.ppid}`) })
    writeFileSync(join(dir, 'in_use.lock'), JSON.stringify({ pid: process.ppid, started: '1' }))
    await open(dir)
  })

  it('refuses a newer layout and a damaged identity', async () => {
    const dir = temporary()
    await (await open(dir)).close()
    const path = join(dir, 'identity.json')
    const identity = JSON.parse(readFileSync(path, 'utf8')) as object
    writeFileSync(path, JSON.stringify({ ...identity, layout: 2 }))
    await expect(open(dir)).rejects.toMatchObject({
      code: 'VERSION',
      message: expect.stringContaining('has layout 2, made by a newer program'),
    })
    writeFileSync(path, '{')
    await expect(open(dir)).rejects.toMatchObject({ code: 'CONFIG', message: expect.stringContaining('is damaged') })
  })

  it('says which directory cannot be used', async () => {
    const dir = temporary()
    writeFileSync(join(dir, 'file'), '')
    await expect(open(join(dir, 'file/sub'))).rejects.toMatchObject({
      code: 'CONFIG',
      message: expect.stringContaining('file/sub cannot be used'),
    })
  })
})

describe('space', () => {
  it('refuses new blocks and more bytes when the capacity is used up', async () => {
    const store = await open(temporary(), { limits: { reserved: 0, capacity: 3 * 1024 * 1024 } })
    const writer = await store.openWriter(request)
    await write(writer, patternBytes(2 * 1024 * 1024 + 512 * 1024))
    await expect(write(writer, patternBytes(4 * 1024 * 1024), 2 * 1024 * 1024 + 512 * 1024)).rejects.toMatchObject({ code: 'DISK_FULL' })
    await new Promise((resolve) => setTimeout(resolve, 600))
    await expect(store.openWriter({ ...request, blockId: 2 })).rejects.toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringContaining('is full'),
    })
  })

  it('leaves the reserved part of the disk alone', async () => {
    const store = await open(temporary(), { limits: { reserved: 2 ** 50, capacity: 0 } })
    expect(store.storages[0]!.space()).toMatchObject({ capacity: 0, remaining: 0 })
  })

  it('spreads blocks over directories and honours the storage that was asked for', async () => {
    const dir = temporary()
    const store = await open(dir, { dirs: [join(dir, 'a'), join(dir, 'b')] })
    const [a, b] = store.storages
    await finalized(store, patternBytes(10), { storageUuid: b!.uuid })
    await finalized(store, patternBytes(10), { storageUuid: a!.uuid, blockId: 7 })
    expect([a!.finalized, b!.finalized]).toEqual([1, 1])
    expect(a!.identity.datanodeUuid).toBe(b!.identity.datanodeUuid)
  })
})

describe('going on with a replica', () => {
  const data = patternBytes(3000)

  it('appends to a finalised replica under a new stamp', async () => {
    const store = await open(temporary())
    await finalized(store, data.subarray(0, 1000))
    const writer = await store.openWriter({ ...request, stage: WriteStage.WRITE_SETUP_APPEND, newGenstamp: 1002, minBytes: 1000 })
    expect(writer).toMatchObject({ startLength: 1000, genstamp: 1002 })
    expect(Buffer.from(writer.startTail).equals(data.subarray(512, 1000))).toBe(true)
    expect(store.get(blockId)?.state).toBe(ReplicaState.REPLICA_RBW)
    await writer.close()
    await expect(
      store.openWriter({ ...request, stage: WriteStage.WRITE_SETUP_APPEND, newGenstamp: 1003, minBytes: 1000 }),
    ).rejects.toMatchObject({ code: 'REPLICA_STATE' })
  })

  it('refuses an append at another length or stamp', async () => {
    const store = await open(temporary())
    await finalized(store, data)
    await expect(
      store.openWriter({ ...request, stage: WriteStage.WRITE_SETUP_APPEND, newGenstamp: 1002, minBytes: 10 }),
    ).rejects.toMatchObject({ code: 'REPLICA_STATE' })
    await expect(
      store.openWriter({ ...request, stage: WriteStage.WRITE_SETUP_APPEND, genstamp: 1002, newGenstamp: 1003, minBytes: 3000 }),
    ).rejects.toMatchObject({ code: 'STALE_GENERATION' })
    expect(store.get(blockId)).toMatchObject({ state: ReplicaState.REPLICA_FINALIZED, genstamp: 1001 })
  })

  it('takes an open replica from its writer, cut to what was acknowledged', async () => {
    const store = await open(temporary())
    const first = await store.openWriter(request)
    await first.write({
      data: [data.subarray(0, 700), data.subarray(700, 1000)],
      length: 1000,
      at: 0,
      checksums: chunkChecksums(data.subarray(0, 1000), 512),
      chunk: 0,
    })
    first.acknowledge(700)
    const second = await store.openWriter({
      ...request,
      stage: WriteStage.WRITE_STREAMING_RECOVERY,
      newGenstamp: 1002,
      minBytes: 600,
      maxBytes: 2000,
    })
    await first.evicted
    await expect(
      first.write({ data: [data], length: data.length, at: 1000, checksums: new Uint8Array(0), chunk: 1 }),
    ).rejects.toMatchObject({ code: 'REPLICA_STATE' })
    expect(second).toMatchObject({ startLength: 700, genstamp: 1002 })
    await second.finalize(async () => {})
    expect(await verifyReplica(store, { blockId, genstamp: 1002 })).toMatchObject({ ok: true, length: 700 })
    expect((await contents(store)).equals(data.subarray(0, 700))).toBe(true)
    expect(store.storages[0]!.used).toBe(700 + headerBytes + 8)
  })

  it('recovers a block in two steps, whatever state it was in', async () => {
    const store = await open(temporary())
    const writer = await store.openWriter(request)
    await write(writer, data)
    expect(await store.initRecovery({ blockId }, 1005)).toEqual({
      found: true,
      state: ReplicaState.REPLICA_RBW,
      replica: { blockId, genstamp: 1001, length: 3000 },
    })
    await writer.evicted
    await expect(store.initRecovery({ blockId }, 1004)).rejects.toMatchObject({ code: 'REPLICA_STATE' })
    await expect(
      store.openWriter({ ...request, stage: WriteStage.WRITE_STREAMING_RECOVERY, newGenstamp: 1003, maxBytes: 5000 }),
    ).rejects.toMatchObject({ code: 'RECOVERY_IN_PROGRESS' })
    await expect(store.finishRecovery({ blockId }, 1004, 10)).rejects.toMatchObject({ code: 'REPLICA_STATE' })
    expect(await store.finishRecovery({ blockId }, 1005, 1300)).toBe(store.storages[0]!.uuid)
    expect(await store.finishRecovery({ blockId }, 1005, 1300)).toBe(store.storages[0]!.uuid)
    expect(store.get(blockId)).toMatchObject({ state: ReplicaState.REPLICA_FINALIZED, genstamp: 1005, length: 1300 })
    expect(await verifyReplica(store, { blockId, genstamp: 1005 })).toMatchObject({ ok: true, length: 1300 })
    expect(await store.initRecovery({ blockId: 5 }, 1006)).toEqual({ found: false })
  })

  it('recovers a replica that a restart left behind', async () => {
    const dir = temporary()
    const store = await open(dir)
    await write(await store.openWriter(request), data)
    await store.close()
    const again = await open(dir)
    await again.initRecovery({ blockId }, 1002)
    await again.finishRecovery({ blockId }, 1002, 3000)
    expect((await contents(again)).equals(data)).toBe(true)
  })
})

describe('deleting', () => {
  it('removes both files and their bytes, only under the stamp that was named', async () => {
    const dir = temporary()
    const store = await open(dir)
    const told: number[] = []
    store.listen({ received() {}, receiving() {}, deleted: (replica) => told.push(replica.blockId) })
    await finalized(store, patternBytes(100))
    const reader = await ReplicaReader.open(store, { blockId, genstamp: 1001 })
    expect(await store.delete({ blockId, genstamp: 1000 })).toBe(false)
    expect(await store.delete({ blockId, genstamp: 1001 })).toBe(true)
    expect(told).toEqual([blockId])
    expect(store.storages[0]).toMatchObject({ used: 0, finalized: 0 })
    expect(files(dir).filter((path) => path.includes('blk_'))).toEqual([])
    // Whoever was reading reads on.
    const bytes = Buffer.alloc(100)
    expect(await reader.readData(0, 100, bytes)).toBe(100)
    await reader.close()
    await expect(ReplicaReader.open(store, { blockId, genstamp: 1001 })).rejects.toMatchObject({ code: 'REPLICA_NOT_FOUND' })
  })
})
