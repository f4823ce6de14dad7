// What a locked-down DuckDB may not do, even with SQL that no checked tree could ever print; and the process around it.
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { QuarryError } from '../../common/errors.ts'
import { openEngine, type Engine } from './engine.ts'
import { ExecutorProcess } from './process.ts'
import type { EngineOptions } from './protocol.ts'

let dir: string
const options = (name: string): EngineOptions => ({
  jail: path.join(dir, name),
  memoryLimit: 128 * 2 ** 20,
  threads: 1,
  spillLimit: 2 ** 28,
})

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'quarry-engine-'))
  await writeFile(path.join(dir, 'secret.csv'), 'a\n1\n')
})

afterAll(() => rm(dir, { recursive: true, force: true }))

describe('a locked-down engine', () => {
  let engine: Engine

  beforeAll(async () => {
    engine = await openEngine(options('jail'))
    await symlink(path.join(dir, 'secret.csv'), path.join(dir, 'jail', 'link.csv'))
  })

  afterAll(() => engine.close())

  const outside = () => [
    `SELECT * FROM read_csv('${dir}/secret.csv')`,
    `SELECT * FROM '${dir}/secret.csv'`,
    `SELECT * FROM read_csv('${dir}/jail/../secret.csv')`,
    `SELECT * FROM read_csv('${dir}/jail/link.csv')`,
    `SELECT * FROM read_text('/proc/self/environ')`,
    `SELECT * FROM read_blob('/etc/hostname')`,
    `SELECT * FROM glob('${dir}/*')`,
    `COPY (SELECT 1) TO '${dir}/out.csv'`,
    `ATTACH '${dir}/x.db'`,
    `EXPORT DATABASE '${dir}/x'`,
    'LOAD httpfs',
    `SELECT * FROM read_parquet('http://127.0.0.1:1/x.parquet')`,
    `SELECT * FROM query('SELECT * FROM read_csv(''${dir}/secret.csv'')')`,
    'SET threads = 8',
    'SET enable_external_access = true',
    `SET allowed_directories = ['/']`,
    'SET lock_configuration = false',
    `SET temp_directory = '${dir}'`,
  ]

  it('sees nothing outside of its jail and keeps its settings', async () => {
    for (const sql of outside()) await expect(engine.run(sql), sql).rejects.toBeInstanceOf(QuarryError)
    expect(await engine.text('SELECT 1 + 1', [])).toBe('2')
  })

  it('reads and writes inside of it', async () => {
    await engine.run(`COPY (SELECT 42 AS a) TO '${dir}/jail/a.parquet' (FORMAT parquet, COMPRESSION lz4_raw)`)
    expect(await engine.text(`SELECT a FROM read_parquet('${dir}/jail/a.parquet')`, [])).toBe('42')
  })

  it('gives values as JavaScript has them', async () => {
    const columns =
      await engine.start(`SELECT true AS b, 1::SMALLINT AS s, 9007199254740993 AS big, 1.50::DECIMAL(10,2) AS dec, 'x' AS t, DATE '2020-02-29' AS d,
      TIMESTAMPTZ '2020-01-01 12:00:00+02' AS z, 'ab'::BLOB AS raw, [1.5::DECIMAL(3,1), NULL] AS l, {'k': 1::BIGINT} AS st, MAP {'a': 1} AS m, NULL AS n, 'nan'::DOUBLE AS nan, INTERVAL 3 DAY AS i`)
    expect(columns.map((column) => `${column.name} ${column.type}`)).toEqual([
      'b BOOLEAN',
      's SMALLINT',
      'big BIGINT',
      'dec DECIMAL(10,2)',
      't VARCHAR',
      'd DATE',
      'z TIMESTAMP WITH TIME ZONE',
      'raw BLOB',
      'l DECIMAL(3,1)[]',
      'st STRUCT("k" BIGINT)',
      'm MAP(VARCHAR, INTEGER)',
      'n INTEGER',
      'nan DOUBLE',
      'i INTERVAL',
    ])
    expect(await engine.next()).toEqual([
      [
        true,
        1,
        9007199254740993n,
        '1.50',
        'x',
        '2020-02-29',
        '2020-01-01 10:00:00+00',
        new Uint8Array([97, 98]),
        ['1.5', null],
        { k: 1n },
        [{ key: 'a', value: 1 }],
        null,
        Number.NaN,
        '3 days',
      ],
    ])
    expect(await engine.next()).toBeUndefined()
  })

  it("tells the query's faults from the engine's", async () => {
    await expect(engine.run('SELEC 1')).rejects.toMatchObject({ code: 'SQL' })
    await expect(engine.run('SELECT nothing')).rejects.toMatchObject({
      code: 'SQL',
      message: expect.stringMatching(/^Binder Error: Referenced column "nothing"/),
    })
    await expect(engine.run("SELECT 'x'::INTEGER")).rejects.toMatchObject({ code: 'SQL' })
    await expect(engine.run('SELECT list(a) FROM range(100000000) t(a)')).rejects.toMatchObject({ code: 'OVERLOADED' })
  })
})

describe('an executor process', { timeout: 120_000 }, () => {
  it('is interrupted and goes on; killed, its calls fail by name', async () => {
    const executor = await ExecutorProcess.start(options('process'))
    try {
      expect(await executor.text('SELECT 42', [])).toBe('42')
      const running = executor.run('SELECT sum(a * b) FROM range(1000000000) t(a), range(1000000) u(b)')
      setTimeout(() => executor.interrupt(), 200)
      await expect(running).rejects.toMatchObject({ code: 'CANCELLED' })
      expect(await executor.text('SELECT 43', [])).toBe('43')
      const doomed = executor.run('SELECT sum(a * b) FROM range(1000000000) t(a), range(1000000) u(b)')
      setTimeout(() => process.kill(executor.pid, 'SIGKILL'), 200)
      await expect(doomed).rejects.toMatchObject({ code: 'UNAVAILABLE', message: `The executor process ${executor.pid} ended: SIGKILL.` })
      expect(executor.alive).toBe(false)
      await expect(executor.run('SELECT 1')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    } finally {
      await executor.close()
    }
  })

  it('has nothing of its parent’s environment', async () => {
    process.env['QUARRY_TEST_SECRET'] = 'secret'
    const executor = await ExecutorProcess.start(options('environment'))
    try {
      const { readFile } = await import('node:fs/promises')
      const names = (await readFile(`/proc/${executor.pid}/environ`, 'latin1'))
        .split('\0')
        .map((line) => line.split('=')[0])
        .filter((name) => name !== '')
      expect(names.toSorted()).toEqual(expect.arrayContaining(['HOME', 'PATH', 'TZ', 'UV_THREADPOOL_SIZE']))
      expect(names).not.toContain('QUARRY_TEST_SECRET')
    } finally {
      delete process.env['QUARRY_TEST_SECRET']
      await executor.close()
    }
  })
})
