// The command line as a user feels it: one listing, one large put, one large get.
import { createReadStream, rmSync, statSync, openSync, writeSync, closeSync } from 'node:fs'
import { createHash, randomFillSync } from 'node:crypto'
import path from 'node:path'
import { median, type Finished } from '../process.ts'
import type { Row } from '../results.ts'
import { inDirectory, repeat, withHdfs, withQuarry, type Bench } from './part.ts'

/** `ls` is short: more runs than of the large copies. */
const listRuns = 9

interface Walls {
  readonly listMs: number
  readonly putMs: number
  readonly getMs: number
}

export function cliPart(bench: Bench): Promise<Row[]> {
  return inDirectory(bench, 'cli', async (dir) => {
    const source = path.join(dir, 'source')
    writeRandomFile(source, bench.quick ? 64 * 2 ** 20 : 2 ** 30)
    const digest = await digestOf(source)
    const measure = (dfs: (...args: string[]) => Promise<Finished>): Promise<Walls> => walls(bench, dfs, source, digest)

    const hdfs = await withHdfs(bench, [], (cluster) => measure((...args) => cluster.dfs(...args)))
    const ours = await withQuarry(bench, ['sync.on.close=false'], (cluster) => measure((...args) => cluster.dfs(...args)))
    const durable = await withQuarry(bench, ['sync.on.close=true'], (cluster) => measure((...args) => cluster.dfs(...args)))

    const seconds = (id: string, what: string, peerMs: number, ownMs: number, reach: number, aim: number, note?: string): Row => ({
      id,
      what,
      unit: 's',
      hdfs: peerMs / 1000,
      ours: ownMs / 1000,
      better: 'less',
      reach,
      aim,
      ...(note !== undefined && { note }),
    })
    const gib = `${statSync(source).size / 2 ** 30} GiB`
    return [
      seconds('cli-ls', 'one-shot `dfs -ls /`', hdfs.listMs, ours.listMs, 0.2, 0.1),
      seconds('cli-put', `put of ${gib}, replication 3, no fsync`, hdfs.putMs, ours.putMs, 0.8, 0.5),
      seconds('cli-get', `get of ${gib}, replication 3`, hdfs.getMs, ours.getMs, 0.8, 0.5),
      seconds(
        'cli-put-default',
        `put of ${gib}, replication 3, defaults of both`,
        hdfs.putMs,
        durable.putMs,
        0.8,
        0.5,
        'Our default puts every closed file on disk on three datanodes; that of HDFS does not.',
      ),
    ]
  })
}

async function walls(bench: Bench, dfs: (...args: string[]) => Promise<Finished>, source: string, digest: string): Promise<Walls> {
  const target = `${source}.back`
  const list = await repeat(listRuns, () => dfs('-ls', '/'))
  const puts: number[] = []
  const gets: number[] = []
  for (let round = 0; round < bench.rounds; round++) {
    puts.push((await dfs('-put', source, `/copy-${round}`)).wallMs)
    gets.push((await dfs('-get', `/copy-${round}`, target)).wallMs)
    if ((await digestOf(target)) !== digest) throw new Error('the file came back with other bytes')
    rmSync(target)
    await dfs('-rm', '-skipTrash', `/copy-${round}`)
  }
  return { listMs: median(list.map((run) => run.wallMs)), putMs: median(puts), getMs: median(gets) }
}

function writeRandomFile(file: string, bytes: number): void {
  const chunk = randomFillSync(Buffer.allocUnsafe(2 ** 20))
  const fd = openSync(file, 'w')
  try {
    for (let at = 0; at < bytes; at += chunk.length) {
      chunk.writeDoubleLE(at, 0)
      writeSync(fd, chunk)
    }
  } finally {
    closeSync(fd)
  }
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha1')
  for await (const part of createReadStream(file, { highWaterMark: 2 ** 20 })) hash.update(part as Buffer)
  return hash.digest('hex')
}
