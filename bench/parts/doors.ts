// Hadoop's own client against both systems: hdfs:// (metadata, streams) and webhdfs://. What differs is the server alone.
import type { IoReport } from '../io.ts'
import type { NsPhase, NsPhaseName, NsReport } from '../ns.ts'
import { cpuSeconds, median } from '../process.ts'
import type { Row } from '../results.ts'
import { repeat, withHdfs, withQuarry, type Bench } from './part.ts'

const threadCounts = [16, 64] as const
const GIB = 2 ** 30

/** One system as a part of it is measured: where Hadoop's client finds it, and the process that keeps its namespace. */
interface Endpoint {
  readonly uri: string
  readonly namenodePid: number
}

interface NsRun {
  readonly reports: NsReport[]
  /** Processor time of the namenode for a round, median. */
  readonly cpuS: number
}

/** The phase's median over the rounds. */
const medianOf = (reports: readonly NsReport[], phase: NsPhaseName, field: keyof NsPhase): number =>
  median(reports.map((report) => report.phases[phase][field]))

async function measureNs(bench: Bench, { uri, namenodePid }: Endpoint, threads: number, files: number): Promise<NsRun> {
  const rounds = await repeat(bench.rounds, async () => {
    const before = cpuSeconds(namenodePid)
    const report = await bench.kit.benchNs(uri, threads, files)
    return { report, cpuS: cpuSeconds(namenodePid) - before }
  })
  return { reports: rounds.map((round) => round.report), cpuS: median(rounds.map((round) => round.cpuS)) }
}

export async function hdfsNamespacePart(bench: Bench): Promise<Row[]> {
  const files = bench.quick ? 1000 : 8000
  const measure = async (endpoint: Endpoint): Promise<Map<number, NsRun>> => {
    // Code that is compiled while it runs is slow at first, on both sides.
    await bench.kit.benchNs(endpoint.uri, 16, files)
    const runs = new Map<number, NsRun>()
    for (const threads of threadCounts) runs.set(threads, await measureNs(bench, endpoint, threads, files))
    return runs
  }
  const hdfs = await withHdfs(bench, [], (cluster) => measure(cluster))
  const ours = await withQuarry(bench, [], ({ hdfs: uri, namenodePid }) => measure({ uri, namenodePid }))
  return threadCounts.flatMap((threads) => {
    const [peer, own] = [hdfs.get(threads)!, ours.get(threads)!]
    const rate = (phase: NsPhaseName): Row => ({
      id: `hdfs-${phase}-${threads}`,
      what: `hdfs:// ${phase}, ${threads} threads`,
      unit: 'ops/s',
      hdfs: medianOf(peer.reports, phase, 'opsPerSecond'),
      ours: medianOf(own.reports, phase, 'opsPerSecond'),
      better: 'more',
      ...(phase === 'create' ? { reach: 2, aim: 4 } : { reach: 1, aim: 1.5 }),
    })
    const cpu: Row = {
      id: `hdfs-cpu-${threads}`,
      what: `hdfs:// namenode's processor time for all of it, ${threads} threads`,
      unit: 's',
      hdfs: peer.cpuS,
      ours: own.cpuS,
      better: 'less',
      reach: 1,
      aim: 0.7,
    }
    return [...(['create', 'mkdirs', 'rename', 'delete', 'stat', 'open', 'list'] as const).map(rate), cpu]
  })
}

interface Rates {
  readonly write: number
  readonly read: number
}

const ratesOf = (reports: readonly IoReport[]): Rates => ({
  write: median(reports.map((report) => report.write.mbPerSecond)),
  read: median(reports.map((report) => report.read.mbPerSecond)),
})

export async function hdfsIoPart(bench: Bench): Promise<Row[]> {
  const bytes = bench.quick ? GIB / 8 : GIB
  const cases = [
    { streams: 1, replication: 1 },
    { streams: 1, replication: 3 },
    { streams: 4, replication: 1 },
    { streams: 4, replication: 3 },
  ] as const
  const measure = async (uri: string): Promise<Rates[]> => {
    const all: Rates[] = []
    for (const { streams, replication } of cases)
      all.push(ratesOf(await repeat(bench.rounds, () => bench.kit.benchIo(uri, streams, bytes, replication))))
    return all
  }
  const hdfs = await withHdfs(bench, [], ({ uri }) => measure(uri))
  const ours = await withQuarry(bench, ['sync.on.close=false'], ({ hdfs: uri }) => measure(uri))
  return (['write', 'read'] as const).flatMap((way) =>
    cases.flatMap(({ streams, replication }, i): Row[] => {
      // A reader reads one copy, however many there are.
      if (way === 'read' && replication === 1) return []
      const copies = way === 'write' ? `, replication ${replication}` : ''
      return [
        {
          id: `hdfs-${way}-${streams}-r${replication}`,
          what: `hdfs:// ${way}${copies}, ${streams === 1 ? 'one stream' : 'four streams'}`,
          unit: 'MB/s',
          hdfs: hdfs[i]![way],
          ours: ours[i]![way],
          better: 'more',
          reach: 0.8,
          aim: 1.1,
          ...(way === 'write' && {
            note: 'Neither puts a closed block on disk before it answers (sync.on.close=false), as is the default of HDFS.',
          }),
        },
      ]
    }),
  )
}

export async function webhdfsPart(bench: Bench): Promise<Row[]> {
  const files = bench.quick ? 500 : 4000
  const bytes = bench.quick ? GIB / 8 : 2 * GIB
  const measure = async (uri: string) => {
    await bench.kit.benchNs(uri, 16, files)
    const ns = await repeat(bench.rounds, () => bench.kit.benchNs(uri, 16, files))
    const io = ratesOf(await repeat(bench.rounds, () => bench.kit.benchIo(uri, 1, bytes, 3)))
    return { ns, io }
  }
  const hdfs = await withHdfs(bench, [], ({ webhdfs }) => measure(webhdfs))
  const ours = await withQuarry(bench, ['sync.on.close=false'], ({ webhdfs }) => measure(webhdfs))
  const rate = (phase: NsPhaseName): Row => ({
    id: `webhdfs-${phase}`,
    what: `webhdfs:// ${phase}, 16 threads`,
    unit: 'ops/s',
    hdfs: medianOf(hdfs.ns, phase, 'opsPerSecond'),
    ours: medianOf(ours.ns, phase, 'opsPerSecond'),
    better: 'more',
    ...(phase === 'create' ? { reach: 2, aim: 5 } : { reach: 1, aim: 2 }),
  })
  const stream = (way: 'write' | 'read'): Row => ({
    id: `webhdfs-${way}`,
    what: `webhdfs:// ${way} of 2 GiB, replication 3`,
    unit: 'MB/s',
    hdfs: hdfs.io[way],
    ours: ours.io[way],
    better: 'more',
    reach: 1,
    aim: 2,
  })
  const phases = ['create', 'stat', 'open', 'list', 'rename', 'mkdirs', 'delete'] as const
  return [...phases.map(rate), stream('write'), stream('read')]
}
