// Looks a store over that nobody else has open: is its database sound, do its records fit together, and what is in it.
//
// The structure of every page and index is SQLite's integrity_check. It does not know what the rows mean; the rules of the namespace
// are checked by queries over all of them. Nothing is repaired.
import { join } from 'node:path'
import type Database from 'better-sqlite3'
import { graveyardInodeId } from '../../common/limits.ts'
import { checksumSteps } from '../core/namespace-checksum.ts'
import type { NamespaceChecksum } from '../core/namespace-checksum.ts'
import { sha256 } from './digest.ts'
import { openDatabase } from './database.ts'
import { schemaVersion } from './schema.ts'
import { isDamage } from './sqlite-errors.ts'
import { SqliteStore } from './sqlite-store.ts'

/** Problems that a report names; more say no more. */
const problemsMax = 100
const pageCacheBytes = 64 * 1024 * 1024
/** The walk goes through once: a cache holds the directories above it and no more. */
const cacheEntries = 10_000

export interface Inspection {
  /** Empty: the store is sound. */
  readonly problems: readonly string[]
  readonly clusterId: string
  readonly poolId: string
  readonly schema: number
  /** Of the edit log: the first transaction that can still be replayed; last + 1 when there is none. */
  readonly firstKeptTxid: number
  readonly checksum: NamespaceChecksum
}

/** Rules as queries that answer a line for each breach. */
const rules: readonly string[] = [
  `SELECT 'inode ' || i.id || ' (' || i.name || ') lies in inode ' || i.parent_id || ', which is no directory' FROM inode i
   WHERE i.parent_id <> 0 AND NOT EXISTS (SELECT 1 FROM inode p WHERE p.id = i.parent_id AND p.children IS NOT NULL)`,
  `SELECT 'directory ' || d.id || ' has ' || count(c.id) || ' entries and says ' || d.children FROM inode d LEFT JOIN inode c ON c.parent_id = d.id
   WHERE d.children IS NOT NULL GROUP BY d.id HAVING count(c.id) <> d.children`,
  `SELECT 'block ' || b.block_id || ' belongs to inode ' || b.file_id || ', which is no file' FROM block b
   WHERE NOT EXISTS (SELECT 1 FROM inode f WHERE f.id = b.file_id AND f.children IS NULL)`,
  `SELECT 'file ' || f.id || ' has ' || f.length || ' bytes and its blocks ' || coalesce(sum(b.length), 0) FROM inode f
   LEFT JOIN block b ON b.file_id = f.id WHERE f.children IS NULL GROUP BY f.id HAVING f.length <> coalesce(sum(b.length), 0)`,
  `SELECT 'inode ' || id || ' is not below the next id ' || next_inode FROM inode, counter WHERE id >= next_inode`,
  `SELECT 'block ' || block_id || ' of stamp ' || genstamp || ' is not below the next ones, ' || next_block || ' and ' || next_genstamp
   FROM block, counter WHERE block_id >= next_block OR genstamp >= next_genstamp`,
  `SELECT 'there are ' || (SELECT count(*) FROM block) || ' blocks and the counter says ' || blocks FROM counter
   WHERE blocks <> (SELECT count(*) FROM block)`,
  `SELECT 'the totals at the top say ' || coalesce(sum(t_files), 0) || ' files; there are ' || (SELECT count(*) FROM inode WHERE children IS NULL)
   FROM inode WHERE parent_id = 0 HAVING coalesce(sum(t_files), 0) <> (SELECT count(*) FROM inode WHERE children IS NULL)`,
  `SELECT 'the totals at the top say ' || coalesce(sum(t_bytes), 0) || ' bytes; the files have ' || (SELECT coalesce(sum(length), 0) FROM inode)
   FROM inode WHERE parent_id = 0 HAVING coalesce(sum(t_bytes), 0) <> (SELECT coalesce(sum(length), 0) FROM inode)`,
  `SELECT 'owner or group of inode ' || i.id || ' is not known' FROM inode i
   WHERE NOT EXISTS (SELECT 1 FROM principal WHERE id = i.owner) OR NOT EXISTS (SELECT 1 FROM principal WHERE id = i.grp)`,
  `SELECT 'inode ' || i.id || ' says ' || i.flags || ' of its attributes, which are ' || coalesce(e.kinds, 0) FROM inode i
   LEFT JOIN extras e ON e.inode_id = i.id WHERE i.flags <> coalesce(e.kinds, 0)`,
  `SELECT 'attributes belong to inode ' || inode_id || ', which does not exist' FROM extras
   WHERE NOT EXISTS (SELECT 1 FROM inode WHERE id = inode_id)`,
  `SELECT 'the edit log lacks what lies between ' || before || ' and ' || first_txid FROM
   (SELECT first_txid, lag(last_txid) OVER (ORDER BY first_txid) AS before FROM edits) WHERE before IS NOT NULL AND first_txid <> before + 1`,
  `SELECT 'the edit log ends at ' || max(e.last_txid) || ', the last transaction is ' || c.last_txid FROM edits e, counter c
   HAVING max(e.last_txid) <> c.last_txid`,
]

/** Opens the store in `directory` (its WAL is taken in, an older schema is brought up to date). Throws what opening throws. */
export function inspect(directory: string): Inspection {
  const problems = structureProblems(directory)
  const store = new SqliteStore({ directory, cacheEntries, pageCacheBytes })
  try {
    const steps = checksumSteps(store.tx, sha256())
    for (;;) {
      const step = steps.next()
      if (step.done !== true) continue
      return {
        problems,
        clusterId: store.meta('cluster.id') ?? '',
        poolId: store.meta('pool.id') ?? '',
        schema: schemaVersion,
        firstKeptTxid: store.firstKeptTxid(),
        checksum: step.value,
      }
    }
  } catch (error) {
    throw store.explain(error)
  } finally {
    store.close()
  }
}

function structureProblems(directory: string): string[] {
  const database = openDatabase(join(directory, 'namespace.db'), { pageCacheBytes })
  try {
    const found = (database.pragma(`integrity_check(${problemsMax})`) as { integrity_check: string }[]).map((row) => row.integrity_check)
    // The rules mean nothing over a broken tree of pages.
    if (found.length !== 1 || found[0] !== 'ok') return found
    return ruleProblems(database)
  } catch (error) {
    if (isDamage(error)) return [(error as Error).message]
    throw error
  } finally {
    database.close()
  }
}

function ruleProblems(database: Database.Database): string[] {
  const problems = rules.flatMap((rule) => database.prepare(`${rule} LIMIT ${problemsMax}`).pluck().all() as string[])
  const hasRoot = database.prepare('SELECT count(*) FROM inode WHERE parent_id = 0 AND id <> ?').pluck().get(graveyardInodeId)
  if (hasRoot !== 1) problems.push('there is no root directory')
  return problems.slice(0, problemsMax)
}
