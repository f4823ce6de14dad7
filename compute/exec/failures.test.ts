// Attempts that fail are made again elsewhere, and nothing of it shows in the result. Real executor processes where they are killed.
import { mkdir, readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { QuarryError } from '../../common/errors.ts'
import { ExecutorProcess } from '../executor/process.ts'
import { BlockFiles, type BlockFilesOptions } from '../testing/block-files.ts'
import { difference } from '../testing/same-result.ts'
import { Alone, sampleSelect } from '../testing/sample-table.ts'

let cluster: BlockFiles | undefined
let alone: Alone | undefined

afterEach(async () => {
  alone?.close()
  await cluster?.close()
  cluster = alone = undefined
})

const from = "'/t/sample.parquet'"
const grouped = `SELECT city, count(*) AS n, sum(num) AS s, max(moment) AS m FROM ${from} GROUP BY city ORDER BY city`

async function start(
  options: BlockFilesOptions = {},
): Promise<{ cluster: BlockFiles; alone: Alone; expected: (sql: string) => ReturnType<Alone['query']> }> {
  cluster = await BlockFiles.start({ blockSize: 48 * 1024, ...options })
  alone = await Alone.open()
  const file = path.join(cluster.dir, 'sample.parquet')
  await alone.write(sampleSelect, file)
  await cluster.put(file, '/t/sample.parquet')
  const one = alone
  return { cluster, alone, expected: (sql) => one.query(sql.replace(from, `'${file}'`)) }
}

async function rowsOf(sql: string) {
  await using result = await cluster!.query(sql)
  const rows = []
  for await (const batch of result.batches()) rows.push(...batch)
  return { columns: result.columns, rows, explain: result.explain }
}

test('an attempt that fails is made again on another node that holds the bytes', async () => {
  const { cluster, expected } = await start()
  const bad = cluster.nodes[0]!.uuid
  cluster.beforeFragment = (node) => {
    if (node.uuid === bad) throw new QuarryError('UNAVAILABLE', 'this node is down')
  }
  const result = await rowsOf(grouped)
  expect(difference(result, await expected(grouped), false)).toBeUndefined()
  const tried = result.explain.fragments.flatMap((one) => one.attempts.map((attempt) => [attempt.node === bad, attempt.error]))
  expect(tried.filter(([onBad]) => onBad).every(([, error]) => error === 'this node is down')).toBe(true)
  expect(tried.some(([onBad]) => onBad)).toBe(true)
  expect(result.explain.fragments.every((one) => one.attempts.at(-1)!.node !== bad)).toBe(true)
})

test('after three failed attempts the query fails with the last reason, and nothing is left in the temporary directory', async () => {
  const { cluster } = await start()
  let attempts = 0
  cluster.beforeFragment = (_node, fragment) => {
    if (fragment !== 0) return
    attempts++
    throw new QuarryError('CHECKSUM', 'a bad chunk')
  }
  const temporary = path.join(cluster.dir, 'tmp')
  await mkdir(temporary)
  vi.stubEnv('TMPDIR', temporary)
  try {
    await expect(rowsOf(grouped)).rejects.toMatchObject({
      code: 'CHECKSUM',
      message: expect.stringMatching(/^\/t\/sample\.parquet: fragment 0 failed 3 times, last on 127\.0\.0\.1:\d+: a bad chunk$/),
    })
    expect(attempts).toBe(3)
    cluster.beforeFragment = () => {}
    await rowsOf(grouped)
  } finally {
    vi.unstubAllEnvs()
  }
  expect(await readdir(temporary)).toEqual([])
})

test("a failure that is the query's own is not tried again", async () => {
  await start()
  let attempts = 0
  cluster!.beforeFragment = () => void attempts++
  await expect(rowsOf(`SELECT max(city::INTEGER) FROM ${from}`)).rejects.toMatchObject({
    code: 'SQL',
    message: expect.stringMatching(/^Conversion Error: Could not convert string/),
  })
  expect(attempts).toBeLessThanOrEqual(cluster!.nodes.length)
})

test('an executor killed in the middle of a fragment is replaced, and the result is the same', { timeout: 120_000 }, async () => {
  const killed: number[] = []
  let armed = false
  const { expected } = await start({
    startEngine: async (options) => {
      const executor = await ExecutorProcess.start(options)
      const text = executor.text.bind(executor)
      executor.text = (sql, parameters) => {
        // The statement that makes the result takes far longer than this.
        if (armed && sql.startsWith('COPY')) {
          armed = false
          killed.push(executor.pid)
          setTimeout(() => process.kill(executor.pid, 'SIGKILL'), 50)
        }
        return text(sql, parameters)
      }
      return executor
    },
  })
  await rowsOf(grouped)
  armed = true
  const slow = `SELECT city, count(*) AS n, max(sha256(repeat(city || id, 2000))) AS h FROM ${from} GROUP BY city ORDER BY city`
  const result = await rowsOf(slow)
  expect(difference(result, await expected(slow), false)).toBeUndefined()
  const failed = result.explain.fragments.flatMap((one) => one.attempts).filter((attempt) => attempt.error !== undefined)
  expect(failed.map((attempt) => attempt.error)).toEqual([`The executor process ${killed[0]} ended: SIGKILL.`])
})

test('a cancelled query ends with the reason, and the next one is served', { timeout: 120_000 }, async () => {
  const { cluster, expected } = await start({ startEngine: (options) => ExecutorProcess.start(options) })
  await rowsOf(grouped)
  const abort = new AbortController()
  const reason = new Error('enough')
  const long = `SELECT max(sha256(repeat(city || id, 20000))) AS h FROM ${from}`
  const running = cluster.query(long, { signal: abort.signal })
  setTimeout(() => abort.abort(reason), 300)
  await expect(running).rejects.toBe(reason)
  expect(difference(await rowsOf(grouped), await expected(grouped), false)).toBeUndefined()
})

test('a file that was replaced in the meantime ends the query instead of mixing both', async () => {
  const { cluster } = await start()
  let replaced = false
  cluster.beforeFragment = async () => {
    if (replaced) return
    replaced = true
    await cluster.put(path.join(cluster.dir, 'sample.parquet'), '/t/sample.parquet', 40_000)
    throw new QuarryError('REPLICA_NOT_FOUND', 'the block is gone')
  }
  await expect(rowsOf(grouped)).rejects.toMatchObject({
    code: 'SQL',
    message: '/t/sample.parquet was changed while it was being queried: run the query again.',
  })
})

test('results beyond the bound are refused with a way out', async () => {
  const { cluster } = await start()
  await expect(cluster.query(`SELECT * FROM ${from}`, { resultBytesMax: 10_000 })).rejects.toMatchObject({
    code: 'SQL',
    message: 'The fragments return more than 10000 bytes: add WHERE, LIMIT or an aggregate.',
  })
})
