// What a namenode finds in its database: edits that are not what was written, and a file with damaged pages. Edits are read back,
// printed, and replayed into an empty namespace; the namespace is walked.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { must } from '../../../common/assert.ts'
import type { SeededRandom } from '../../../common/testing/seeded-random.ts'
import { formatEdit, wireEdit } from '../../../namenode/core/edits.ts'
import { replay, walk } from '../../../namenode/core/replay.ts'
import { Harness } from '../../../namenode/core/testing/harness.ts'
import { MemoryStore } from '../../../namenode/core/testing/memory-store.ts'
import { SqliteStore } from '../../../namenode/store/sqlite-store.ts'
import { rootInodeId } from '../../../common/limits.ts'
import type { Target } from '../fuzz.ts'
import { mutatedText } from '../mutate.ts'

const dbName = 'namespace.db'
const open = (directory: string) => new SqliteStore({ directory, cacheEntries: 1000, pageCacheBytes: 1 << 20 })

/** A namespace with some of everything, as the bytes of its database; and its edits, a JSON text for each commit. */
async function template(dir: string): Promise<{ bytes: Buffer; edits: string[] }> {
  const store = open(dir)
  const quarry = new Harness({ store, settings: { 'edits.retain': 0 } })
  await quarry.call('mkdirs', { path: '/a/b/c' })
  for (const name of ['/a/f', '/a/b/g']) {
    await quarry.call('create', { path: name })
    const { block } = await quarry.call('addBlock', { path: name })
    await quarry.call('complete', { path: name, last: { ...must(block?.block), length: 100 } })
  }
  await quarry.call('rename', { source: '/a/b', target: '/moved' })
  await quarry.call('setPermission', { path: '/a', permission: 0o700 })
  await quarry.call('setQuota', { path: '/a', names: 100, space: 1e9 })
  await quarry.call('delete', { path: '/moved' })
  store.close()
  const database = new Database(path.join(dir, dbName))
  const edits = (database.prepare('SELECT json FROM edits').all() as { json: string }[]).map((row) => row.json)
  database.close()
  return { bytes: readFileSync(path.join(dir, dbName)), edits }
}

export async function namespaceTargets(): Promise<Target[]> {
  const base = mkdtempSync(path.join(tmpdir(), 'quarry-fuzz-namespace-'))
  const { bytes, edits } = await template(path.join(base, 'template'))
  let number = 0
  const inDirectory = (content: Uint8Array, body: (dir: string) => void) => {
    const dir = path.join(base, String(number++))
    mkdirSync(dir)
    try {
      writeFileSync(path.join(dir, dbName), content)
      body(dir)
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  }
  const records: Target = {
    name: 'edit records',
    draw: (random: SeededRandom) => Buffer.from(`${String.fromCharCode(48 + random.int(edits.length))}${mutatedText(edits, random)}`),
    take: (input) =>
      inDirectory(bytes, (dir) => {
        const database = new Database(path.join(dir, dbName))
        const which = (input[0] ?? 48) - 48
        const rows = database.prepare('SELECT first_txid AS id FROM edits ORDER BY first_txid').all() as { id: number }[]
        database
          .prepare('UPDATE edits SET json = ? WHERE first_txid = ?')
          .run(Buffer.from(input.subarray(1)).toString('utf8'), must(rows[which]).id)
        database.close()
        const store = open(dir)
        try {
          useAll(store)
        } finally {
          store.close()
        }
      }),
    close: () => Promise.resolve(rmSync(base, { recursive: true, force: true })),
  }
  const pages: Target = {
    name: 'namespace database',
    // Where (four bytes), then what stands there: a whole file for each input would be the same bytes over and over.
    draw: (random: SeededRandom) => {
      const at = Buffer.alloc(4)
      at.writeUInt32BE(random.int(4) === 0 ? random.int(100) : random.int(bytes.length))
      return Buffer.concat([at, random.bytes(1 + random.int(32))])
    },
    take: (input) => {
      const damaged = Buffer.from(bytes)
      const at = Buffer.from(input).readUInt32BE(0)
      damaged.set(input.subarray(4, 4 + damaged.length - at), at)
      inDirectory(damaged, (dir) => {
        const store = open(dir)
        try {
          useAll(store)
        } catch {
          // SQLite keeps no checksums: a cell with another value in it is only noticed by who stumbles over it. It may be refused in
          // any words, but must come to an end.
        } finally {
          store.close()
        }
      })
    },
  }
  return [records, pages]
}

function useAll(store: SqliteStore): void {
  for (const record of store.editsAfter(0, 1000)) {
    formatEdit(record)
    wireEdit(record)
  }
  let seen = 0
  for (const _ of walk(store.tx, rootInodeId)) if (++seen > 100_000) throw new Error('a walk of six records does not end')
  replay(store, new MemoryStore())
}
