// What a crash of the machine may leave of the write-ahead log: cut off, or with other bytes, anywhere. The namespace that opens is
// exactly one that was committed, and holds everything that was committed before the damage.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { QuarryError } from '../../common/errors.ts'
import { namespaceChecksum } from '../core/namespace-checksum.ts'
import { replay } from '../core/replay.ts'
import { Harness } from '../core/testing/harness.ts'
import { MemoryStore } from '../core/testing/memory-store.ts'
import { sha256 } from './digest.ts'
import { inspect } from './inspect.ts'
import { SqliteStore } from './sqlite-store.ts'

interface Commit {
  readonly txid: number
  readonly checksum: string
  /** Bytes of the WAL when it was acknowledged. */
  readonly walBytes: number
}

let directory = ''
let database: Buffer
let wal: Buffer
const commits: Commit[] = []
const open = (at: string, quickCheck = false) => new SqliteStore({ directory: at, cacheEntries: 1000, pageCacheBytes: 1 << 20, quickCheck })

/** Works on a copy of what a crash left; the store that made it is as good as dead. */
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'quarry-torn-'))
  const running = join(directory, 'running')
  const store = open(running)
  const note = () =>
    commits.push({ txid: store.counters().lastTxid, checksum: namespaceChecksum(store, sha256()).hex, walBytes: store.walBytes() })
  const quarry = new Harness({ store })
  // What a checkpoint has brought into the main file is not the WAL's any more.
  await quarry.write('/before', [3])
  store.checkpoint()
  note()
  const commit = store.commit.bind(store)
  store.commit = (edits) => {
    commit(edits)
    note()
  }
  for (let i = 0; i < 24; i++) {
    if (i % 4 === 0) await Promise.all(Array.from({ length: 5 }, (_, n) => quarry.call('mkdirs', { path: `/tree-${i}/${n}/deep` })))
    else if (i % 4 === 1) await quarry.write(`/file-${i}`, [i, i])
    else if (i % 4 === 2) await quarry.call('rename', { source: `/file-${i - 1}`, target: `/moved-${i}` })
    else await quarry.call('delete', { path: `/tree-${i - 3}` })
  }
  database = readFileSync(join(running, 'namespace.db'))
  wal = readFileSync(join(running, 'namespace.db-wal'))
  expect(wal.length).toBe(commits.at(-1)!.walBytes)
  store.close()
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** The commit that opens from this main file and WAL. */
function reopened(tornWal: Uint8Array): Commit {
  const at = join(directory, 'torn')
  rmSync(at, { recursive: true, force: true })
  mkdirSync(at)
  writeFileSync(join(at, 'namespace.db'), database)
  writeFileSync(join(at, 'namespace.db-wal'), tornWal)
  const store = open(at)
  try {
    const { txid, hex } = namespaceChecksum(store, sha256())
    const commit = commits.find((one) => one.txid === txid)
    expect(commit, `transaction ${txid} was never acknowledged`).toBeDefined()
    expect(hex).toBe(commit!.checksum)
    return commit!
  } finally {
    store.close()
  }
}

/** The last commit whose bytes all lie before the damage. */
const wholeBefore = (offset: number): Commit => commits.findLast((commit, i) => i === 0 || commit.walBytes <= offset)!

describe('a torn WAL', () => {
  it('cut off anywhere leaves an acknowledged state with everything that was whole before the cut', () => {
    const edges = commits.slice(1).flatMap(({ walBytes }) => [walBytes - 1, walBytes, walBytes + 1])
    fc.assert(
      fc.property(fc.oneof(fc.integer({ min: 0, max: wal.length }), fc.constantFrom(...edges, 0, 1, 31, 32, 33)), (offset) => {
        const found = reopened(wal.subarray(0, offset))
        expect(found.txid).toBeGreaterThanOrEqual(wholeBefore(offset).txid)
      }),
      { numRuns: 150 },
    )
  })

  it('with flipped bits or foreign bytes anywhere leaves an acknowledged state with everything before them', () => {
    const damage = fc.record({ at: fc.integer({ min: 0, max: wal.length - 1 }), bytes: fc.uint8Array({ minLength: 1, maxLength: 5000 }) })
    fc.assert(
      fc.property(damage, ({ at, bytes }) => {
        const torn = Buffer.from(wal)
        for (const [i, byte] of bytes.entries()) if (at + i < torn.length) torn[at + i] = torn[at + i]! ^ (byte | 1)
        // The first 32 bytes are the header: without it nothing of the WAL counts.
        const found = reopened(torn)
        expect(found.txid).toBeGreaterThanOrEqual(wholeBefore(at).txid)
      }),
      { numRuns: 150 },
    )
  })

  it('with bytes of an older WAL behind its end, as a reused file has, leaves the last acknowledged state', () => {
    expect(reopened(Buffer.concat([wal, wal.subarray(4096, 40_000)])).txid).toBe(commits.at(-1)!.txid)
    expect(reopened(wal).txid).toBe(commits.at(-1)!.txid)
  })

  it('lets the namespace go on from where it was, and its log still tells how it came about', async () => {
    const at = join(directory, 'on')
    mkdirSync(at)
    writeFileSync(join(at, 'namespace.db'), database)
    writeFileSync(join(at, 'namespace.db-wal'), wal.subarray(0, commits[12]!.walBytes + 100))
    const store = open(at)
    expect(store.counters().lastTxid).toBe(commits[12]!.txid)
    await new Harness({ store }).write('/after', [1])
    const copy = new MemoryStore()
    replay(store, copy)
    expect(namespaceChecksum(copy, sha256())).toEqual(namespaceChecksum(store, sha256()))
    store.close()
    expect(inspect(at).problems).toEqual([])
  })
})

describe('a damaged main file', () => {
  const damagedAt = (offset: number, bytes: number) => {
    const at = join(directory, `damaged-${offset}`)
    rmSync(at, { recursive: true, force: true })
    mkdirSync(at)
    const torn = Buffer.from(database)
    torn.fill(0x5a, offset, offset + bytes)
    writeFileSync(join(at, 'namespace.db'), torn)
    return at
  }

  it('is refused at the start with the way out, when its header or schema is hit, or any page with check.at.start', () => {
    const errors: unknown[] = []
    for (const [offset, quick] of [
      [0, false],
      [100, false],
      [5 * 4096, true],
    ] as const) {
      const at = damagedAt(offset, 2000)
      const before = readFileSync(join(at, 'namespace.db'))
      let error: unknown
      try {
        open(at, quick).close()
      } catch (thrown) {
        error = thrown
      }
      expect(error).toBeInstanceOf(QuarryError)
      expect((error as QuarryError).code).toBe('CONFIG')
      expect((error as QuarryError).message).toMatch(/is damaged: .*quarry admin restore BACKUP --into DIR/s)
      expect(readFileSync(join(at, 'namespace.db')).equals(before)).toBe(true)
      errors.push(error)
    }
    expect(errors).toHaveLength(3)
  })

  it('is found by a check on any page, which names what is wrong', () => {
    const pages = statSync(join(directory, 'on', 'namespace.db')).size / 4096
    copyFileSync(join(directory, 'on', 'namespace.db'), join(directory, 'sound.db'))
    let found = 0
    for (let page = 1; page < pages; page++) {
      const at = join(directory, `page-${page}`)
      mkdirSync(at)
      const torn = readFileSync(join(directory, 'sound.db'))
      // The head of a page and the pointers behind it.
      torn.fill(0x5a, page * 4096, page * 4096 + 64)
      writeFileSync(join(at, 'namespace.db'), torn)
      let problems: readonly string[]
      try {
        problems = inspect(at).problems
      } catch (error) {
        problems = [(error as Error).message]
      }
      if (problems.length > 0) found++
    }
    expect(found).toBe(pages - 1)
  })
})
