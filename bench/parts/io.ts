// Streaming writes and reads, durable on close on both sides and on neither.
import type { IoReport } from '../io.ts'
import { median } from '../process.ts'
import type { Row } from '../results.ts'
import { repeat, withHdfs, withQuarry, type Bench } from './part.ts'

/** What one system was measured at: MB/s, medians. */
interface Rates {
  readonly writeR3: number
  readonly writeR1: number
  readonly readOne: number
  readonly readFour: number
}

type Measure = (streams: number, replication: number) => Promise<IoReport>

export async function ioPart(bench: Bench): Promise<Row[]> {
  const bytes = bench.quick ? 128 * 2 ** 20 : 2 ** 30
  const durable = async (measure: Measure): Promise<number> =>
    median((await repeat(bench.rounds, () => measure(1, 3))).map((report) => report.write.mbPerSecond))

  const hdfs = await withHdfs(bench, [], (cluster) =>
    ratesOf(bench, (streams, replication) => cluster.benchIo(streams, bytes, replication)),
  )
  const hdfsDurable = await withHdfs(bench, ['dfs.datanode.synconclose=true'], (cluster) =>
    durable((streams, replication) => cluster.benchIo(streams, bytes, replication)),
  )
  const { ours, remote } = await withQuarry(bench, ['sync.on.close=false'], async (cluster) => ({
    ours: await ratesOf(bench, (streams, replication) => cluster.benchIo(streams, bytes, replication)),
    remote: median(
      (await repeat(bench.rounds, () => cluster.benchIo(1, bytes, 3, ['--no-local-reads']))).map((report) => report.read.mbPerSecond),
    ),
  }))
  const oursDurable = await withQuarry(bench, ['sync.on.close=true'], (cluster) =>
    durable((streams, replication) => cluster.benchIo(streams, bytes, replication)),
  )

  const rate = (id: string, what: string, peer: number, own: number, reach: number, aim?: number, note?: string): Row => ({
    id,
    what,
    unit: 'MB/s',
    hdfs: peer,
    ours: own,
    better: 'more',
    reach,
    ...(aim !== undefined && { aim }),
    ...(note !== undefined && { note }),
  })
  return [
    rate(
      'io-write-r3-durable',
      'write, replication 3, on disk at close',
      hdfsDurable,
      oursDurable,
      1,
      undefined,
      'The aim is what the disk takes: three copies go to one disk.',
    ),
    rate('io-write-r3', 'write, replication 3, no fsync', hdfs.writeR3, ours.writeR3, 0.8, 1.2),
    rate('io-write-r1', 'write, replication 1, no fsync', hdfs.writeR1, ours.writeR1, 0.8, 1.2),
    rate(
      'io-read-1',
      'read, one stream',
      hdfs.readOne,
      ours.readOne,
      0.7,
      1.5,
      'Our client reads verified block files of its own host directly; HDFS was left at its default, which does not.',
    ),
    rate('io-read-4', 'read, four streams', hdfs.readFour, ours.readFour, 0.7, 1.5),
    rate(
      'io-read-1-remote',
      'read, one stream, through the datanode',
      hdfs.readOne,
      remote,
      0.7,
      1.5,
      'Direct reads of block files turned off: what a client on another host would do.',
    ),
  ]
}

async function ratesOf(bench: Bench, measure: Measure): Promise<Rates> {
  const one = await repeat(bench.rounds, () => measure(1, 3))
  const four = await repeat(bench.rounds, () => measure(4, 3))
  const single = await repeat(bench.rounds, () => measure(1, 1))
  return {
    writeR3: median(one.map((report) => report.write.mbPerSecond)),
    writeR1: median(single.map((report) => report.write.mbPerSecond)),
    readOne: median(one.map((report) => report.read.mbPerSecond)),
    readFour: median(four.map((report) => report.read.mbPerSecond)),
  }
}
