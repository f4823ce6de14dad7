// A datanode trusts no coordinator: whatever tree it is sent is checked again before an executor hears of it.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { systemEnv } from '../../common/system-env.ts'
import { codec } from '../../proto/codec.ts'
import type { LocalReplicas } from '../../proto/ports.ts'
import { openEngine, type Engine } from '../executor/engine.ts'
import { Gate } from '../gate.ts'
import { runFragment } from './fragment.ts'
import { ExecutorPool } from './pool.ts'

let dir: string
let parser: Engine

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'quarry-fragment-'))
  parser = await openEngine({ jail: path.join(dir, 'parser'), memoryLimit: 2 ** 27, threads: 1, spillLimit: 2 ** 20 })
})

afterAll(async () => {
  await parser?.close()
  await rm(dir, { recursive: true, force: true })
})

/** How the agent answers a fragment with this SQL; no executor may be started for a bad one. */
async function answer(sql: string, change: (ast: string) => string = (ast) => ast): Promise<string> {
  const env = systemEnv()
  const pool = await ExecutorPool.open({
    dir: path.join(dir, 'pool'),
    executors: 1,
    threads: 1,
    memoryLimit: 2 ** 27,
    start: () => Promise.reject(new Error('an executor was started')),
    env,
  })
  const local: LocalReplicas = {
    link: () => Promise.reject(new Error('a block was read')),
    read: () => {
      throw new Error('a block was read')
    },
    scratchDir: dir,
    poolId: 'BP-1',
    datanodeUuid: 'node',
  }
  const astJson = change(await parser.text('SELECT json_serialize_sql($1::VARCHAR, skip_default := true)', [sql]))
  const types = codec('FragmentRequest')
  const request = types.decode(types.encode({ astJson, splits: [{ path: '/t', fileLength: 0, firstRow: 0, lastRow: 9 }] }))
  const remote = { read: local.read as never, close: () => Promise.resolve() }
  try {
    await runFragment(request, { pool, gate: new Gate(1, 1), local, remote, outDir: dir, env }, new AbortController().signal)
    return 'ran'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    await pool.close()
  }
}

it.each([
  ["SELECT * FROM read_csv('/etc/passwd')", 'A fragment reads quarry_split and nothing else.'],
  ["SELECT a FROM '/etc/passwd'", 'A fragment reads quarry_split and nothing else.'],
  ['SELECT a FROM quarry_split t', 'A fragment reads quarry_split and nothing else.'],
  ['SELECT a FROM other.quarry_split', 'A fragment reads quarry_split and nothing else.'],
  ['SELECT a FROM quarry_split, quarry_split', 'A fragment reads quarry_split and nothing else.'],
  [
    "SELECT (SELECT 1 FROM read_text('/etc/passwd')) FROM quarry_split",
    'A subquery is not supported yet: run it first and write its result into the query.',
  ],
  ["SELECT getvariable('x') FROM quarry_split", /^The function getvariable is not supported yet/],
  [
    "WITH quarry_split AS (SELECT * FROM read_csv('/etc/passwd')) SELECT a FROM quarry_split",
    /^WITH \(common table expressions\) is not supported yet/,
  ],
  ['SELECT a FROM quarry_split UNION ALL SELECT 1', /^UNION, INTERSECT and EXCEPT are not supported yet/],
])('refuses %s', async (sql, message) => {
  expect(await answer(sql)).toMatch(message)
})

it('refuses a tree that is no tree, and one that is too deep', async () => {
  expect(await answer('SELECT a FROM quarry_split', () => 'nonsense')).toMatch(/could not be read|out of range/)
  expect(await answer('SELECT a FROM quarry_split', () => '[]')).toBe('The query could not be read: its syntax tree is not an object.')
  expect(await answer('SELECT a FROM quarry_split', () => '{"statements":[]}')).toBe('The query is empty.')
  expect(await answer(`SELECT ${'-'.repeat(300).replaceAll('-', '- ')}a FROM quarry_split`)).toBe(
    'An expression nested more than 200 deep is not supported yet: write it flatter, for example with IN (…).',
  )
})

it('takes one that reads the split, and only then starts an executor', async () => {
  expect(await answer('SELECT a FROM quarry_split')).toBe('an executor was started')
})
