// SQL over a real cluster: fragments run beside the blocks in executor processes, and the result is that of one DuckDB over the
// local file, whatever dies on the way.
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FileSystem } from '../../client/index.ts'
import { must } from '../../common/assert.ts'
import { defaultSettings } from '../../common/config.ts'
import { isQuarryError } from '../../common/errors.ts'
import { systemEnv } from '../../common/system-env.ts'
import { computeServices, query, type QueryOptions } from '../../compute/index.ts'
import { difference } from '../../compute/testing/same-result.ts'
import { Alone } from '../../compute/testing/sample-table.ts'
import { MiniCluster } from '../support/mini-cluster.ts'
import { Sandbox } from '../support/processes.ts'

const flights = path.join(path.dirname(createRequire(import.meta.url).resolve('vega-datasets')), '..', 'data', 'flights-3m.parquet')
const blockSize = 4 * 2 ** 20
const stored = '/data/flights-3m.parquet'
const top = (from: string) => `SELECT origin, count(*) AS n, avg(delay) AS d FROM '${from}' GROUP BY 1 ORDER BY n DESC LIMIT 10`
/** Seconds of work for one core: time enough to break it off. */
const slow = (from: string) =>
  `SELECT origin, max(sha256(sha256(sha256(sha256(md5(sha256(origin || destination || delay))))))) AS h, count(*) AS n FROM '${from}' GROUP BY 1 ORDER BY 1`

const startCluster = (datanodes: number) => MiniCluster.start({ datanodes, services: computeServices(defaultSettings(), systemEnv()) })

async function all(fs: FileSystem, sql: string, options?: QueryOptions) {
  await using result = await query(fs, sql, options)
  const rows = []
  for await (const batch of result.batches()) rows.push(...batch)
  return { columns: result.columns, rows, explain: result.explain }
}

/** The datanodes that hold blocks of a file. */
const holdersOf = async (fs: FileSystem, path: string): Promise<Set<string>> =>
  new Set((await fs.blockLocations(path)).flatMap(({ hosts }) => hosts.map(({ uuid }) => uuid)))

describe('a file of four blocks on three datanodes', () => {
  let cluster: MiniCluster
  let fs: FileSystem
  let alone: Alone

  beforeAll(async () => {
    cluster = await startCluster(3)
    fs = await cluster.connect()
    alone = await Alone.open()
    await fs.copyFromLocal(flights, stored, { blockSize })
    await fs.mkdir('/once')
    // Where single copies go is chance: this file's are to lie on more than one node.
    for (let tries = 0; tries < 30; tries++) {
      await fs.copyFromLocal(flights, '/once/flights.parquet', { blockSize, replication: 1, overwrite: true })
      if ((await holdersOf(fs, '/once/flights.parquet')).size > 1) break
    }
  })

  afterAll(async () => {
    alone?.close()
    await cluster?.close()
  })

  it('answers what DuckDB alone answers, on several nodes, without a byte between them', async () => {
    const result = await all(fs, top(stored))
    expect(difference(result, await alone.query(top(flights)), false)).toBeUndefined()
    expect(result.rows[0]).toEqual(['ORD', 166341n, 9.27365472132547])
    expect(result.explain).toMatchObject({ blocks: 4, rowGroups: 11, fileRows: 3_000_000, columns: ['delay', 'origin'] })
    expect(new Set(result.explain.fragments.map((one) => one.attempts.at(-1)!.node)).size).toBe(3)
    expect(result.explain.fragments.reduce((rows, one) => rows + one.rows, 0)).toBe(3_000_000)
    expect(result.explain.fragments.map((one) => one.bytesRemote)).toEqual([0, 0, 0])
    expect(result.explain.fragments.every((one) => one.bytesLocal >= one.bytes && one.bytes > 0)).toBe(true)
  })

  it('fetches what a node lacks from another when each block lies on one node only', async () => {
    const from = '/once/flights.parquet'
    const result = await all(fs, top(from))
    expect(difference(result, await alone.query(top(flights)), false)).toBeUndefined()
    const sum = (pick: (one: (typeof result.explain.fragments)[number]) => number) =>
      result.explain.fragments.reduce((total, one) => total + pick(one), 0)
    expect(sum((one) => one.bytesRemote)).toBeGreaterThan(0)
    expect(sum((one) => one.bytesLocal)).toBeGreaterThan(sum((one) => one.bytesRemote))
  })

  it('reads a file of one block by a hard link', async () => {
    await fs.copyFromLocal(flights, '/data/whole.parquet')
    const result = await all(fs, top('/data/whole.parquet'))
    expect(difference(result, await alone.query(top(flights)), false)).toBeUndefined()
    // A copy would have brought the footer as well.
    expect(result.explain.fragments.every((one) => one.bytesRemote === 0 && one.bytesLocal >= one.bytes)).toBe(true)
  })

  it('leaves nothing behind in the jails or the temporary directory', async () => {
    await all(fs, top(stored))
    const jails = [0, 1, 2].flatMap((index) =>
      filesBelow(cluster.datanodeDir(index)).filter((name) => /compute/.test(name) && !/spill/.test(name)),
    )
    expect(jails).toEqual([])
  })

  it('stops within moments when it is cancelled, and the next query runs', async () => {
    const abort = new AbortController()
    const reason = new Error('enough')
    const running = query(fs, slow(stored), { signal: abort.signal })
    setTimeout(() => abort.abort(reason), 500)
    await expect(running).rejects.toBe(reason)
    const result = await all(fs, `SELECT count(*) AS n FROM '${stored}'`)
    expect(result.rows).toEqual([[3_000_000n]])
  })

  it('refuses what is not a Parquet file, not there, or a directory, by its name', async () => {
    await fs.writeFile('/data/hello.txt', 'hello, world, this is no Parquet file')
    const failure = (sql: string) =>
      all(fs, sql).then(
        () => 'no failure',
        (error: unknown) => (isQuarryError(error) ? `${error.code}: ${error.message}` : String(error)),
      )
    expect(await failure("SELECT * FROM '/data/hello.txt'")).toBe(
      'SQL: /data/hello.txt is not a Parquet file that can be read: it does not end with PAR1.',
    )
    expect(await failure("SELECT * FROM '/data/nothing.parquet'")).toMatch(/^NOT_FOUND: .*\/data\/nothing\.parquet/)
    expect(await failure("SELECT * FROM '/data'")).toMatch(/\/data/)
  })
})

describe('when nodes die', () => {
  it('a datanode that is gone is replaced by another replica, and the result is the same', async () => {
    await using cluster = await startCluster(3)
    const fs = await cluster.connect()
    const alone = await Alone.open()
    try {
      await fs.copyFromLocal(flights, stored, { blockSize })
      const expected = await alone.query(top(flights))
      const before = await all(fs, top(stored))
      const gone = cluster.datanodes[1]!.uuid
      await cluster.killDatanode(1)
      const after = await all(fs, top(stored))
      expect(difference(after, expected, false)).toBeUndefined()
      expect(difference(before, expected, false)).toBeUndefined()
      // Whether it is tried at all depends on how soon the namenode has noticed.
      expect(after.explain.fragments.map((one) => one.attempts.at(-1)!.node)).not.toContain(gone)
    } finally {
      alone.close()
    }
  })

  it('a datanode killed in the middle of a query changes nothing in the result', async () => {
    await using cluster = await startCluster(3)
    const fs = await cluster.connect()
    const alone = await Alone.open()
    try {
      await fs.copyFromLocal(flights, stored, { blockSize })
      await all(fs, top(stored))
      const running = all(fs, slow(stored))
      await new Promise((resolve) => setTimeout(resolve, 1_200))
      await cluster.killDatanode(0)
      expect(difference(await running, await alone.query(slow(flights)), false)).toBeUndefined()
    } finally {
      alone.close()
    }
  })
})

describe('quarry sql', () => {
  it('prints a table, JSON with all digits, and what ran where', async () => {
    await using sandbox = new Sandbox()
    const cluster = await sandbox.up({ args: ['--datanodes', '3', '-D', 'block.size=4m'] })
    const quarry = (...args: string[]) => sandbox.quarry(['--fs', cluster.uri, ...args])
    expect(await quarry('mkdir', '-p', '/data')).toMatchObject({ code: 0 })
    expect(await quarry('put', flights, stored)).toMatchObject({ code: 0 })

    const table = await quarry('sql', `SELECT origin, count(*) AS n, avg(delay) AS d FROM '${stored}' GROUP BY 1 ORDER BY n DESC LIMIT 2`)
    expect(table).toMatchObject({ code: 0, stderr: '' })
    expect(table.stdout).toBe(
      [
        'origin       n                  d',
        '------  ------  -----------------',
        'ORD     166341   9.27365472132547',
        'DFW     157162  7.700958246904468',
        '(2 rows)',
        '',
      ].join('\n'),
    )
    const json = await quarry(
      'sql',
      '--json',
      `SELECT sum(delay::HUGEINT * 100000000000000000) AS big, max(distance)::DECIMAL(20,3) AS exact, NULL AS nothing FROM '${stored}'`,
    )
    expect(json).toMatchObject({ code: 0, stderr: '' })
    expect(json.stdout).toMatch(/^\[\n\{"big":\d{25,},"exact":\d+\.000,"nothing":null\}\n\]\n$/)

    const explained = await quarry('sql', '--explain', `SELECT count(*) FROM '${stored}' WHERE delay > 60`)
    expect(explained.stdout).toMatch(/fragment 0 .*127\.0\.0\.1:\d+: .* row groups?, .* rows, .* local, .* remote -> 1 row/)
    expect(explained.stdout).toMatch(/final {6}SELECT/)

    const refused = await quarry('sql', `SELECT median(delay) FROM '${stored}'`)
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toMatch(/^quarry: The aggregate median is not supported yet: .*\n$/)
    expect(await quarry('sql', "SELECT * FROM '/nowhere.parquet'")).toMatchObject({ code: 1, stdout: '' })
    expect(await quarry('sql')).toMatchObject({ code: 2, stdout: '' })
  })

  it('is interrupted by Ctrl-C with exit code 130', async () => {
    await using sandbox = new Sandbox()
    const cluster = await sandbox.up({ args: ['--datanodes', '1', '--replication', '1'] })
    expect(await sandbox.quarry(['--fs', cluster.uri, 'put', flights, '/flights.parquet'])).toMatchObject({ code: 0 })
    const running = sandbox.start(['--fs', cluster.uri, 'sql', slow('/flights.parquet')])
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    running.kill('SIGINT')
    expect(await running.done).toMatchObject({ code: 130, stdout: '', stderr: 'quarry: interrupted\n' })
  })
})

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(must(entry.parentPath), entry.name))
}
